//! Which rendition of a camera a viewer is sent, and which of its pictures.

use std::time::Instant;

use super::{
    adapt::{Adapt, Trial},
    probe::{Probe, Seen},
};
use crate::{
    media::{Bitrate, Layer, Rung},
    peer::{congestion::Verdict, feed::Rates},
};

/// Of the path, this share is for pictures at most: an encoder varies, and what gets lost is sent again.
const SHARE: f64 = 0.85;
/// What sound takes with all that is around it: 32 kbit/s, fifty packets a second.
const SOUND: u64 = 50_000;
/// What is tried of a step beside what is sent, as a multiple of what that takes: more than what it takes to be taken at once. One of another rung begins
/// with a keyframe.
const PROBES: f64 = 1.2;
const PROBES_RUNG: f64 = 1.3;
/// How much less a rung takes than the one above it, as long as nobody has measured.
const SMALLER: u64 = 4;

/// A part of what there is of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    rung: Rung,
    layer: Layer,
}

/// The steps, the best first: the lower rung is there where a camera has one.
const STEPS: [Step; 4] = [
    Step {
        rung: Rung::TOP,
        layer: Layer::Upper,
    },
    Step {
        rung: Rung::TOP,
        layer: Layer::Base,
    },
    Step {
        rung: Rung::SMALL,
        layer: Layer::Upper,
    },
    Step {
        rung: Rung::SMALL,
        layer: Layer::Base,
    },
];

/// The first of the smaller rung.
const SMALL: usize = 2;

/// What comes of a camera.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    /// The rung of this picture, …
    pub(super) rung: Rung,
    /// … and what it takes, where that is known.
    pub(super) rates: Option<Rates>,
    /// Whether there is a smaller one.
    pub(super) has_small: bool,
}

/// What is to be done for another step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// This rung is to come as well, from a keyframe on.
    Wanted(Rung),
    /// It is not to come any more, before it was there.
    Unwanted(Rung),
}

/// What one viewer is sent.
#[derive(Debug)]
pub(super) struct Rungs {
    adapt: Adapt,
    /// What it is sent now.
    rung: Rung,
    /// What it is to be sent from the next keyframe of that on.
    next: Option<Rung>,
    /// What is known of each rung.
    rates: [Option<Rates>; 2],
    /// What the path carries, as it was known last.
    verdict: Verdict,
    /// The best rung that the viewer has a use for, …
    best: Rung,
    /// … and the first step that is of use, accordingly.
    first: usize,
}

impl Default for Rungs {
    fn default() -> Self {
        Self {
            adapt: Adapt::default(),
            rung: Rung::TOP,
            next: None,
            rates: [None; 2],
            verdict: Verdict::default(),
            best: Rung::TOP,
            first: 0,
        }
    }
}

impl Rungs {
    /// What it is sent now.
    pub(super) fn rung(&self) -> Rung {
        self.rung
    }

    /// What it is to be sent from that one's next keyframe on.
    pub(super) fn next(&self) -> Option<Rung> {
        self.next
    }

    /// Whether it is sent less than there is.
    pub(super) fn is_thinned(&self) -> bool {
        self.adapt.step() > 0
    }

    /// What its path carries; `None` while that was never too little.
    pub(super) fn carries(&self) -> Option<Bitrate> {
        self.verdict.carries
    }

    /// What its path carries, where that was found out packet by packet: only then it is known well enough to send by it.
    pub(super) fn paced(&self) -> Option<Bitrate> {
        self.verdict.carries.filter(|_| self.verdict.received.is_some())
    }

    /// What an encoder may make for this viewer alone; `None` where whatever it makes gets through.
    pub(super) fn share(&self, hears: bool) -> Option<Bitrate> {
        let carries = self.verdict.carries?.bps() as f64 * SHARE;
        let sound = if hears { SOUND } else { 0 };
        Some(Bitrate::from_bps((carries as u64).saturating_sub(sound)))
    }

    /// Whether a picture of this layer is for this viewer, of the rung that it is sent.
    pub(super) fn takes(&self, layer: Layer) -> bool {
        let step = self.step();
        // Until a smaller rung has its keyframe, as little of this one as there is.
        let is_waiting = step.rung > self.rung;
        layer <= if is_waiting { Layer::Base } else { step.layer }
    }

    /// Sends nothing better than this rung from now on, where there is such.
    pub(super) fn want(&mut self, best: Rung) {
        self.best = best;
    }

    /// Begins with the rung that was waited for.
    pub(super) fn begin(&mut self, rung: Rung) {
        (self.rung, self.next) = (rung, None);
    }

    /// What it is sent is not made any more: the whole picture is to come in its place. Returns whether that is news.
    pub(super) fn fall_back(&mut self) -> bool {
        let is_news = self.rung != Rung::TOP && self.next.is_none();
        if is_news {
            self.next = Some(Rung::TOP);
        }
        is_news
    }

    /// Looks at what the path carries, while this comes. Returns what follows from it.
    pub(super) fn look(
        &mut self,
        verdict: Verdict,
        offered: Offered,
        hears: bool,
        probe: Option<&mut Probe>,
        now: Instant,
    ) -> Option<Change> {
        self.verdict = verdict;
        if let Some(known) = self.rates.get_mut(usize::from(offered.rung.0)) {
            *known = offered.rates.or(*known);
        }
        let takes = self.takes_each(if hears { SOUND } else { 0 })?;
        let steps = if offered.has_small { STEPS.len() } else { SMALL };
        let is_small_enough = offered.has_small && self.best == Rung::SMALL;
        self.first = if is_small_enough { SMALL } else { 0 };
        let trial = match probe {
            Some(probe) if verdict.received.is_some() => {
                Trial::Beside(probe.look(self.seen(&takes[..steps]), now))
            }
            _ => Trial::Instead,
        };
        self.adapt.look(verdict, &takes[..steps], SMALL, trial, now);
        let wanted = self.step().rung;
        let wants = (wanted != self.rung).then_some(wanted);
        let before = std::mem::replace(&mut self.next, wants);
        match (before, wants) {
            (None, Some(rung)) => Some(Change::Wanted(rung)),
            (Some(rung), None) => Some(Change::Unwanted(rung)),
            // There are two.
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// What a probe goes by, where each step takes so much.
    fn seen(&self, takes: &[Bitrate]) -> Seen {
        let step = self.adapt.step().max(self.first);
        let factor = if step == SMALL { PROBES_RUNG } else { PROBES };
        // Not while another rung is waited for.
        let more = step
            .checked_sub(1)
            .filter(|step| *step >= self.first && self.next.is_none());
        let more = more.and_then(|step| takes.get(step));
        Seen {
            verdict: self.verdict,
            step,
            takes: takes.get(step).copied().unwrap_or(Bitrate::from_bps(0)),
            wanted: more.map(|rate| Bitrate::from_bps((rate.bps() as f64 * factor) as u64)),
        }
    }

    fn step(&self) -> Step {
        STEPS
            .get(self.adapt.step().max(self.first))
            .copied()
            .unwrap_or(STEPS[0])
    }

    /// What each step takes, with sound.
    fn takes_each(&self, sound: u64) -> Option<[Bitrate; STEPS.len()]> {
        let scaled = |rates: Rates, by: fn(u64) -> u64| Rates {
            whole: Bitrate::from_bps(by(rates.whole.bps())),
            base: Bitrate::from_bps(by(rates.base.bps())),
        };
        let (top, small) = match self.rates {
            [None, None] => return None,
            [Some(top), None] => (top, scaled(top, |rate| rate / SMALLER)),
            [None, Some(small)] => (scaled(small, |rate| rate * SMALLER), small),
            [Some(top), Some(small)] => (top, small),
        };
        let all = [top.whole, top.base, small.whole, small.base];
        Some(all.map(|rate| Bitrate::from_bps(rate.bps() + sound)))
    }
}

#[cfg(test)]
mod tests;
