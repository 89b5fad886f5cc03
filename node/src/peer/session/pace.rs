use std::time::{Duration, Instant};

/// Between the first rounds of checks (RFC 8445, section 14.2): what waits for them is a person.
pub(super) const FIRST: Duration = Duration::from_millis(50);
/// Between later ones. The viewer's answer may come late, its page may still be asking for permission; its own checks are answered
/// with ours at once, whenever they come.
const LAST: Duration = Duration::from_secs(1);

/// When connectivity checks are repeated: twelve rounds within eight seconds, slower and slower.
///
/// The core repeats all of them at each of its timers, at one interval. So while it checks, its timer is held back.
#[derive(Debug)]
pub(super) struct Pace {
    /// Where checks are under way.
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    /// When the first began.
    since: Instant,
    next: Instant,
    interval: Duration,
}

impl Pace {
    /// Checks begin.
    pub(super) fn new(now: Instant) -> Self {
        let round = Round {
            since: now,
            next: now,
            interval: FIRST,
        };
        Self { round: Some(round) }
    }

    /// There is something new to check.
    pub(super) fn restart(&mut self, now: Instant) {
        let since = self.round.as_ref().map(|round| round.since);
        *self = Self::new(now);
        if let (Some(round), Some(since)) = (&mut self.round, since) {
            round.since = since;
        }
    }

    /// Nothing is to be checked any more.
    pub(super) fn stop(&mut self) {
        self.round = None;
    }

    /// The core's timer runs.
    pub(super) fn runs(&mut self, now: Instant) {
        if let Some(round) = &mut self.round {
            round.next = now + round.interval;
            round.interval = (round.interval * 2).min(LAST);
        }
    }

    /// For how long checks have been under way, where they are.
    pub(super) fn lasts(&self, now: Instant) -> Option<Duration> {
        let round = self.round.as_ref()?;
        Some(now.saturating_duration_since(round.since))
    }

    /// Whether checks are under way.
    pub(super) fn is_checking(&self) -> bool {
        self.round.is_some()
    }

    /// When the core's timer is to run that wants to run at `deadline`.
    pub(super) fn hold(&self, deadline: Instant) -> Instant {
        self.round
            .as_ref()
            .map_or(deadline, |round| deadline.max(round.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_repeated_soon_at_first_and_then_slowly() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut rounds = Vec::new();
        let mut now = start;
        while now < start + Duration::from_secs(8) {
            now = pace.hold(now);
            rounds.push(u64::try_from((now - start).as_millis()).expect("few"));
            pace.runs(now);
            now += Duration::from_millis(5);
        }
        let expected = [0, 50, 150, 350, 750, 1550, 2550, 3550, 4550, 5550, 6550, 7550];
        assert_eq!(rounds[..12], expected);
        pace.restart(now);
        assert_eq!(pace.hold(now), now);
        pace.runs(now);
        assert_eq!(pace.hold(now), now + FIRST);
        pace.stop();
        assert_eq!(pace.hold(now), now);
    }
}
