//! Whether a path carries more than is sent, found out beside the stream: for a moment packets that the viewer has already are sent with it. Where that is
//! too much the viewer has lost nothing but a moment's delay, and no picture. Thinks without a clock, and sends nothing itself.

use std::time::{Duration, Instant};

use crate::{media::Bitrate, peer::congestion::Verdict};

/// How long a path has to be quiet before the first probe; doubled by each one that failed, up to …
const PATIENCE: Duration = Duration::from_secs(5);
/// … so much, as a path that becomes good is to be used within 20 s, and nobody sees a probe that fails …
const LONGEST: Duration = Duration::from_secs(15);
/// … and how long after one that did not: more may be carried than that.
const AGAIN: Duration = Duration::from_secs(1);
/// How long one lasts: what arrives is measured over half a second.
const LASTS: Duration = Duration::from_millis(800);
/// How long after that the viewer's word is waited for.
const SETTLES: Duration = Duration::from_millis(700);
/// What a probe has shown is believed once it holds for so long.
const HOLDS: Duration = Duration::from_secs(10);
/// Between two slices, and of how much time one may be at most: who is late must not make a burst of it.
const SLICE: Duration = Duration::from_millis(5);
const MOST: Duration = Duration::from_millis(10);
/// Packets may wait for so much longer than before it.
const WAITS: Duration = Duration::from_millis(50);
/// Which share of it has to arrive.
const ARRIVES: f64 = 0.9;
/// Bytes that are saved up: in the long run probes cost no more than what is sent anyway.
const SAVED: usize = 4 << 20;

/// The probes of one viewer.
#[derive(Debug)]
pub(super) struct Probe {
    state: State,
    patience: Duration,
    /// To which step the last probe has led, and when, while nobody knows whether that holds.
    raised: Option<(usize, Instant)>,
    /// Bytes that may be sent for it.
    budget: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The path has been quiet since then.
    Rests {
        since: Option<Instant>,
    },
    Runs(Run),
}

/// A probe, until it is known what it comes to.
#[derive(Clone, Copy, Debug)]
struct Run {
    began: Instant,
    /// What the session had sent by then.
    before: Option<u64>,
    /// What is to be sent in all.
    rate: Bitrate,
    /// The step during which it began.
    step: usize,
    /// For how long packets waited before.
    queue: Duration,
    /// The most that arrived.
    best: Bitrate,
    /// When the next slice is due.
    next: Instant,
}

/// What a probe goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) verdict: Verdict,
    /// What the viewer is sent, 0 is everything.
    pub(super) step: usize,
    /// What that takes, …
    pub(super) takes: Bitrate,
    /// … and what is to be tried, where there is more.
    pub(super) wanted: Option<Bitrate>,
}

/// What has come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    /// A probe is under way, or what is said of it.
    UnderWay,
    /// The path has taken it.
    Carried,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            state: State::Rests { since: None },
            patience: PATIENCE,
            raised: None,
            budget: 0,
        }
    }
}

impl Probe {
    /// So many bytes of the stream were sent.
    pub(super) fn earn(&mut self, bytes: usize) {
        self.budget = (self.budget + bytes).min(SAVED);
    }

    /// Ends what is under way.
    pub(super) fn stop(&mut self) {
        self.state = State::Rests { since: None };
    }

    /// When the next slice is due.
    pub(super) fn next(&self) -> Option<Instant> {
        match &self.state {
            State::Runs(run) => Some(run.next).filter(|next| *next < run.began + LASTS),
            State::Rests { .. } => None,
        }
    }

    /// Whether a slice is due. If so, another one is due a moment later, whatever becomes of this one.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.next().is_some_and(|next| next <= now);
        if is_due && let State::Runs(run) = &mut self.state {
            run.next = now + SLICE;
        }
        is_due
    }

    /// How many bytes are to be sent now for the rate to be that of the probe, where the session has sent so many in all.
    pub(super) fn slice(&mut self, sent: u64, now: Instant) -> usize {
        let State::Runs(run) = &mut self.state else {
            return 0;
        };
        let passed = now.saturating_duration_since(run.began);
        if passed >= LASTS {
            return 0;
        }
        let before = *run.before.get_or_insert(sent);
        let missing = bytes(run.rate, passed).saturating_sub(sent.saturating_sub(before));
        let slice = missing.min(bytes(run.rate, MOST));
        usize::try_from(slice).unwrap_or(usize::MAX).min(self.budget)
    }

    /// So many bytes were sent for it.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes);
    }

    /// Looks at what is known of the path. Returns what has come of a probe.
    pub(super) fn look(&mut self, seen: Seen, now: Instant) -> Outcome {
        self.judge(seen, now);
        match self.state {
            State::Rests { since } => self.rest(seen, since, now),
            State::Runs(run) => self.run(seen, run, now),
        }
    }

    /// Whether what the last one has shown holds.
    fn judge(&mut self, seen: Seen, now: Instant) {
        let Some((step, at)) = self.raised else { return };
        if seen.step > step {
            self.raised = None;
            self.fail(now);
        } else if now.saturating_duration_since(at) >= HOLDS {
            self.raised = None;
            self.patience = PATIENCE;
        }
    }

    fn rest(&mut self, seen: Seen, since: Option<Instant>, now: Instant) -> Outcome {
        let is_quiet = !seen.verdict.is_full && seen.wanted.is_some();
        let since = since.filter(|_| is_quiet).unwrap_or(now);
        self.state = State::Rests { since: Some(since) };
        let patience = match self.raised {
            Some(_) => AGAIN.min(self.patience),
            None => self.patience,
        };
        let Some(rate) = seen.wanted else {
            return Outcome::Nothing;
        };
        let beside = Bitrate::from_bps(rate.bps().saturating_sub(seen.takes.bps()));
        let is_payable = bytes(beside, LASTS) <= self.budget as u64;
        if now.saturating_duration_since(since) < patience || !is_payable {
            return Outcome::Nothing;
        }
        self.state = State::Runs(Run {
            began: now,
            before: None,
            rate,
            step: seen.step,
            queue: seen.verdict.queue,
            best: Bitrate::from_bps(0),
            next: now,
        });
        Outcome::UnderWay
    }

    fn run(&mut self, seen: Seen, mut run: Run, now: Instant) -> Outcome {
        if seen.step < run.step {
            // The estimate has told it meanwhile.
            return self.succeed(seen.step, Outcome::Nothing, now);
        }
        if seen.wanted.is_none() || seen.step > run.step {
            self.stop();
            return Outcome::Nothing;
        }
        if seen.verdict.is_full || seen.verdict.queue > run.queue + WAITS {
            self.fail(now);
            return Outcome::UnderWay;
        }
        run.best = run.best.max(seen.verdict.received.unwrap_or(run.best));
        self.state = State::Runs(run);
        let passed = now.saturating_duration_since(run.began);
        if passed < LASTS {
            Outcome::UnderWay
        } else if run.best.bps() as f64 >= run.rate.bps() as f64 * ARRIVES {
            self.succeed(seen.step.saturating_sub(1), Outcome::Carried, now)
        } else if passed < LASTS + SETTLES {
            Outcome::UnderWay
        } else {
            self.fail(now);
            Outcome::Nothing
        }
    }

    fn succeed(&mut self, step: usize, outcome: Outcome, now: Instant) -> Outcome {
        self.raised = Some((step, now));
        self.state = State::Rests { since: Some(now) };
        outcome
    }

    fn fail(&mut self, now: Instant) {
        self.patience = (self.patience * 2).min(LONGEST);
        self.state = State::Rests { since: Some(now) };
    }
}

/// What a rate comes to in some time.
fn bytes(rate: Bitrate, time: Duration) -> u64 {
    (rate.bps() as f64 / 8.0 * time.as_secs_f64()) as u64
}

#[cfg(test)]
mod tests;
