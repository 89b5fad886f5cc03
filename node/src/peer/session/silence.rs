//! A viewer that says nothing: media are held back soon, its place is given up after that, and the session ends long after. In between it
//! goes on where it is heard again.

use std::time::{Duration, Instant};

use crate::peer::report::Stage;

/// Media are held back from who is silent for four times as long as it usually is, within these bounds. Everybody answers a check a second;
/// who reports arrivals (Chromium, Firefox and what else is made of libwebrtc) says something ten to twenty times a second, and the others report reception
/// about once a second.
const GAPS: u32 = 4;
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_millis(1500);
/// After so many times as long the place is given up.
const SILENT: u32 = 2;
/// A session is kept for as long as consent lasts (RFC 7675, section 5.1).
const KEPT: Duration = Duration::from_secs(30);
/// Nobody is silent before that was seen for so long: where this machine has stood still, the viewer's words wait to be read.
const MOMENT: Duration = Duration::from_millis(100);
/// Of the longest gap that was seen, each word takes back one part of these.
const FORGETS: u32 = 16;
/// For so long it is waited for the core to show where a viewer is now.
const FINDS: Duration = Duration::from_secs(1);

/// How long a viewer has been silent, and what it has missed by that.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The viewer's last word, from the connection on.
    heard: Option<Instant>,
    /// The longest it was silent between two words, of late.
    usual: Duration,
    /// When it was first found to be silent since then.
    doubted: Option<Instant>,
    /// Whether something was held back, or the place was given up.
    holds: bool,
    /// The feed's number of the first packet that was held back, until pictures are sent again.
    missed: Option<u64>,
    /// When it was heard again after that.
    back: Option<Instant>,
}

impl Silence {
    /// The viewer is connected.
    pub(super) fn start(&mut self, now: Instant) {
        *self = Self {
            heard: Some(now),
            usual: LATEST / GAPS,
            ..Self::default()
        };
    }

    /// A packet of the viewer has come.
    pub(super) fn hear(&mut self, now: Instant) {
        let Some(heard) = self.heard.replace(now) else {
            self.heard = None;
            return;
        };
        let gap = now.saturating_duration_since(heard).min(LATEST / GAPS);
        self.usual = gap.max(self.usual - self.usual.saturating_sub(gap) / FORGETS);
        self.doubted = None;
        if self.holds && self.back.is_none() {
            self.back = Some(now);
        }
    }

    /// Whether media are to be held back now.
    pub(super) fn holds_back(&mut self, now: Instant) -> bool {
        self.lasts(self.patience(), now)
    }

    /// Something was held back, the packet of this number and those after it.
    pub(super) fn hold(&mut self, first: Option<u64>) {
        self.holds = true;
        self.missed = self.missed.or(first);
    }

    /// The first packet that was held back since pictures were sent last.
    pub(super) fn missed(&self) -> Option<u64> {
        self.missed
    }

    /// Pictures are sent again.
    pub(super) fn resume(&mut self) {
        self.missed = None;
    }

    /// Whether it was heard again, and is to go on.
    pub(super) fn is_back(&self) -> bool {
        self.back.is_some()
    }

    /// Whether it was heard again so short a time ago that the core may still be looking for the way there.
    pub(super) fn may_wait(&self, now: Instant) -> bool {
        let back = self.back.map(|back| now.saturating_duration_since(back));
        back.is_some_and(|ago| ago < FINDS)
    }

    /// The viewer is sent to again.
    pub(super) fn go_on(&mut self) {
        (self.back, self.holds) = (None, false);
    }

    /// Whether it has been silent for so long that its place is given up.
    pub(super) fn gives_up(&mut self, now: Instant) -> bool {
        let gives_up = self.lasts(SILENT * self.patience(), now);
        self.holds |= gives_up;
        gives_up
    }

    /// Whether it has been silent for so long that it will not come back.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        self.lasts(KEPT, now)
    }

    /// When it is to be looked at again.
    pub(super) fn deadline(&self, stage: Stage) -> Option<Instant> {
        let heard = self.heard?;
        Some(match (stage, self.back) {
            (Stage::Silent, Some(back)) => back + FINDS,
            (Stage::Silent, None) => heard + KEPT,
            _ => {
                let silent = heard + SILENT * self.patience();
                self.doubted
                    .map_or(silent, |doubted| silent.max(doubted + MOMENT))
            }
        })
    }

    fn patience(&self) -> Duration {
        (GAPS * self.usual).clamp(SOONEST, LATEST)
    }

    /// Whether the viewer has been silent for so long.
    fn lasts(&mut self, so_long: Duration, now: Instant) -> bool {
        let silent = self.heard.map(|heard| now.saturating_duration_since(heard));
        silent.is_some_and(|silent| silent >= so_long)
            && now.saturating_duration_since(*self.doubted.get_or_insert(now)) >= MOMENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// One that says something this often, for a minute; and when that was last.
    fn saying_each(milliseconds: u32) -> (Silence, Instant) {
        let mut now = Instant::now();
        let mut silence = Silence::default();
        silence.start(now);
        for _ in 0..60_000 / milliseconds {
            now += milliseconds * MILLISECOND;
            silence.hear(now);
        }
        (silence, now)
    }

    #[test]
    fn who_usually_says_more_is_held_to_be_silent_sooner() {
        for (each, patience) in [(50, 1000), (100, 1000), (300, 1200), (1000, 1500), (5000, 1500)] {
            let (mut silence, last) = saying_each(each);
            let at = |milliseconds| last + milliseconds * MILLISECOND;
            assert!(!silence.holds_back(at(patience - 10)), "{each}");
            assert!(
                !silence.holds_back(at(patience + 1)),
                "not before it is looked again: {each}"
            );
            assert!(silence.holds_back(at(patience + 101)), "{each}");
            silence.hear(at(patience + 102));
            assert!(!silence.holds_back(at(patience + 103)), "{each}");
        }
    }

    #[test]
    fn after_the_machine_stood_still_words_are_read_first() {
        let (mut silence, last) = saying_each(50);
        let awake = last + 5000 * MILLISECOND;
        assert!(!silence.holds_back(awake));
        silence.hear(awake + 5 * MILLISECOND);
        assert!(!silence.holds_back(awake + 200 * MILLISECOND));
    }

    #[test]
    fn nobody_is_silent_before_it_is_connected() {
        let mut silence = Silence::default();
        let now = Instant::now();
        silence.hear(now);
        let later = now + KEPT;
        assert!(!silence.holds_back(later) && !silence.holds_back(later + MOMENT));
        assert_eq!(silence.deadline(Stage::Connecting), None);
    }
}
