//! Which rendition of a camera a viewer is sent, and which of its pictures.

use std::time::Instant;

use super::adapt::Adapt;
use crate::{
    media::{Bitrate, Layer, Rung},
    peer::{congestion::Verdict, feed::Rates},
};

/// Of the path, this share is for pictures at most: an encoder varies, and what gets lost is sent again.
const SHARE: f64 = 0.85;
/// What sound takes with all that is around it: 32 kbit/s, fifty packets a second.
const SOUND: u64 = 50_000;
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
}

impl Default for Rungs {
    fn default() -> Self {
        Self {
            adapt: Adapt::default(),
            rung: Rung::TOP,
            next: None,
            rates: [None; 2],
            verdict: Verdict::default(),
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
        now: Instant,
    ) -> Option<Change> {
        self.verdict = verdict;
        if let Some(known) = self.rates.get_mut(usize::from(offered.rung.0)) {
            *known = offered.rates.or(*known);
        }
        let takes = self.takes_each(if hears { SOUND } else { 0 })?;
        let steps = if offered.has_small { STEPS.len() } else { SMALL };
        self.adapt.look(verdict, &takes[..steps], SMALL, now);
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

    fn step(&self) -> Step {
        STEPS.get(self.adapt.step()).copied().unwrap_or(STEPS[0])
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
mod tests {
    use std::time::Duration;

    use super::*;

    const RATES: Rates = Rates {
        whole: Bitrate::from_bps(2_000_000),
        base: Bitrate::from_bps(1_200_000),
    };

    /// Looks, until nothing more comes of it, and tells what did.
    fn settle(rungs: &mut Rungs, now: &mut Instant, carries: Option<u64>, offered: Offered) -> Vec<Change> {
        let verdict = Verdict {
            carries: carries.map(Bitrate::from_bps),
            is_full: false,
        };
        let mut look = || {
            *now += Duration::from_millis(100);
            rungs.look(verdict, offered, true, *now)
        };
        (0..40).filter_map(|_| look()).collect()
    }

    fn top(has_small: bool) -> Offered {
        Offered {
            rung: Rung::TOP,
            rates: Some(RATES),
            has_small,
        }
    }

    #[test]
    fn the_whole_picture_goes_on_with_its_base_until_the_small_one_begins_and_back() {
        let (mut rungs, mut now) = (Rungs::default(), Instant::now());
        assert!(settle(&mut rungs, &mut now, None, top(true)).is_empty());
        assert!(rungs.takes(Layer::Upper) && !rungs.is_thinned() && rungs.share(true).is_none());
        let changes = settle(&mut rungs, &mut now, Some(700_000), top(true));
        assert_eq!(changes, [Change::Wanted(Rung::SMALL)]);
        assert_eq!((rungs.rung(), rungs.next()), (Rung::TOP, Some(Rung::SMALL)));
        assert!(rungs.takes(Layer::Base) && !rungs.takes(Layer::Upper) && rungs.is_thinned());
        rungs.begin(Rung::SMALL);
        assert!(rungs.takes(Layer::Upper), "a quarter of the whole fits");
        assert_eq!(rungs.share(true).map(Bitrate::bps), Some(545_000));
        let small = Offered {
            rung: Rung::SMALL,
            rates: None,
            has_small: true,
        };
        let changes = settle(&mut rungs, &mut now, Some(3_000_000), small);
        assert_eq!(changes, [Change::Wanted(Rung::TOP)]);
        assert!(rungs.takes(Layer::Upper), "all of it until then");
        let changes = settle(&mut rungs, &mut now, Some(700_000), small);
        assert_eq!(changes, [Change::Unwanted(Rung::TOP)]);
        assert_eq!((rungs.rung(), rungs.next()), (Rung::SMALL, None));
    }

    #[test]
    fn without_a_small_one_there_are_the_layers() {
        let (mut rungs, mut now) = (Rungs::default(), Instant::now());
        assert!(settle(&mut rungs, &mut now, Some(300_000), top(false)).is_empty());
        assert!(rungs.is_thinned() && !rungs.takes(Layer::Upper));
    }

    #[test]
    fn a_small_one_that_is_not_made_any_more_gives_way() {
        let (mut rungs, mut now) = (Rungs::default(), Instant::now());
        assert!(!rungs.fall_back(), "it is not sent that");
        settle(&mut rungs, &mut now, Some(700_000), top(true));
        rungs.begin(Rung::SMALL);
        assert!(rungs.fall_back() && !rungs.fall_back());
        assert_eq!(rungs.next(), Some(Rung::TOP));
        assert!(
            settle(&mut rungs, &mut now, Some(700_000), top(false)).is_empty(),
            "nor wanted"
        );
        assert_eq!(rungs.next(), Some(Rung::TOP));
    }
}
