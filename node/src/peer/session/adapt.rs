//! Which step of what there is a viewer is sent: down at once where its path does not carry more, up by trying. Thinks without a clock.

use std::time::{Duration, Instant};

use super::probe::Outcome;
use crate::{media::Bitrate, peer::congestion::Verdict};

/// Before so much time has passed nothing is decided: what comes first is a keyframe, and of one path nobody knows anything yet.
const FIRST: Duration = Duration::from_secs(2);
/// Between two steps in one direction: so long it takes to see what the first has come to.
const DOWN_AGAIN: Duration = Duration::from_millis(500);
const UP_AGAIN: Duration = Duration::from_secs(1);
/// How long a path has to be quiet before more is tried than it is known to carry; doubled by each try that failed, up to …
const QUIET: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
/// How many times as long before a try with another rung: it begins with a keyframe, and where that was too much the picture stands still for a moment.
const ACROSS: u32 = 15;
/// A try that holds for so long was none too many.
const HOLDS: Duration = Duration::from_secs(5);
/// So long after a probe its traces are not taken for those of what is sent.
const FADES: Duration = Duration::from_secs(1);
/// A step is left below this share of what it takes: its rate is measured, and varies.
const LEAVES: f64 = 0.95;
/// A step is taken at once where the path carries so many times what it takes.
const TAKES: f64 = 1.1;
/// An estimate of so many times what is sent is as high as it can be: it follows from what arrives.
const AS_HIGH: f64 = 1.3;

/// How more is tried than a path is known to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// By sending it.
    Instead,
    /// Beside what is sent, of which this has come.
    Beside(Outcome),
}

/// The step of one viewer: 0 is everything, and each further one is less.
#[derive(Debug)]
pub(super) struct Adapt {
    step: usize,
    /// When its first picture was sent.
    began: Option<Instant>,
    changed: Option<Instant>,
    /// Since when nothing says that the path is full.
    quiet_since: Option<Instant>,
    /// How long it has to be quiet before the next try.
    patience: Duration,
    /// When the last try began, while nobody knows what it comes to.
    tried: Option<Instant>,
    /// When a probe was under way last.
    probed: Option<Instant>,
}

impl Default for Adapt {
    fn default() -> Self {
        Self {
            step: 0,
            began: None,
            changed: None,
            quiet_since: None,
            patience: QUIET,
            tried: None,
            probed: None,
        }
    }
}

impl Adapt {
    /// The step that the viewer is to be sent.
    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// Looks at what is known of the path, beside what each step takes. There is at least one, and there may be others than before; those from `rung` on
    /// are of another rung. Returns whether it is another step now.
    pub(super) fn look(
        &mut self,
        verdict: Verdict,
        takes: &[Bitrate],
        rung: usize,
        trial: Trial,
        now: Instant,
    ) -> bool {
        let before = self.step;
        let last = takes.len().saturating_sub(1);
        self.step = self.step.min(last);
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) < FIRST {
            return self.step != before;
        }
        if verdict.is_full {
            self.quiet_since = None;
        }
        let quiet_since = *self.quiet_since.get_or_insert(now);
        let rate = |step: usize| takes.get(step).map_or(0.0, |rate| rate.bps() as f64);
        let since = |at: Option<Instant>| at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        // More is tried than the estimate tells: only a path that is full speaks against it, until the estimate has followed.
        let is_tried = since(self.tried) < HOLDS && !verdict.is_full;
        if trial == Trial::Beside(Outcome::UnderWay) {
            self.probed = Some(now);
        }
        // What fills the path then is the probe, which ends with that.
        let is_probed = since(self.probed) < FADES;
        match verdict.carries.map(|carries| carries.bps() as f64) {
            // It was never full.
            None => self.step = 0,
            Some(_) if trial == Trial::Beside(Outcome::Carried) && self.step > 0 => {
                self.step -= 1;
                self.tried = Some(now);
            }
            Some(carries) if carries < rate(self.step) * LEAVES && !is_tried && !is_probed => {
                if self.step < last && since(self.changed) >= DOWN_AGAIN {
                    let fits = (self.step + 1..last).find(|step| rate(*step) <= carries);
                    self.step = fits.unwrap_or(last);
                    if self.tried.take().is_some() {
                        self.patience = (self.patience * 2).min(LONGEST);
                    }
                }
            }
            Some(carries)
                if self.step > 0 && !verdict.is_full && !is_tried && since(self.changed) >= UP_AGAIN =>
            {
                let known = (0..self.step).find(|step| rate(*step) * TAKES <= carries);
                let patience = match self.step {
                    step if step == rung => (self.patience * ACROSS).min(LONGEST),
                    _ => self.patience,
                };
                let is_quiet =
                    now.saturating_duration_since(quiet_since) >= patience && since(self.changed) >= patience;
                if let Some(step) = known {
                    self.step = step;
                } else if trial == Trial::Instead && is_quiet && carries >= rate(self.step) * AS_HIGH {
                    self.step -= 1;
                    self.tried = Some(now);
                }
            }
            Some(_) => {}
        }
        if self.tried.is_some() && since(self.tried) >= HOLDS {
            self.tried = None;
            self.patience = QUIET;
        }
        if self.step != before {
            self.changed = Some(now);
        }
        self.step != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [u64; 3] = [2_000_000, 1_200_000, 500_000];

    struct Course {
        adapt: Adapt,
        trial: Trial,
        now: Instant,
    }

    impl Course {
        fn new() -> Self {
            Self {
                adapt: Adapt::default(),
                trial: Trial::Instead,
                now: Instant::now(),
            }
        }

        /// Goes on for so many tenths of a second.
        fn go(&mut self, tenths: u32, carries: Option<u64>, is_full: bool) -> usize {
            let takes = STEPS.map(Bitrate::from_bps);
            let verdict = Verdict {
                carries: carries.map(Bitrate::from_bps),
                is_full,
                ..Verdict::default()
            };
            for _ in 0..tenths {
                self.now += Duration::from_millis(100);
                self.adapt
                    .look(verdict, &takes, STEPS.len(), self.trial, self.now);
            }
            self.adapt.step()
        }
    }

    #[test]
    fn who_says_nothing_is_sent_everything() {
        assert_eq!(Course::new().go(1000, None, false), 0);
    }

    #[test]
    fn it_goes_down_at_once_but_not_in_the_first_moment() {
        let mut course = Course::new();
        assert_eq!(course.go(20, Some(600_000), true), 0);
        assert_eq!(course.go(1, Some(600_000), true), 2, "straight to what fits");
        let mut course = Course::new();
        course.go(30, None, false);
        assert_eq!(course.go(1, Some(1_250_000), true), 1);
        assert_eq!(
            course.go(1, Some(100_000), true),
            1,
            "it is to be seen what that comes to"
        );
        assert_eq!(course.go(5, Some(100_000), true), 2);
        assert_eq!(course.go(100, Some(100_000), true), 2, "there is no less");
    }

    #[test]
    fn it_goes_up_straight_to_what_the_path_carries() {
        let mut course = Course::new();
        course.go(30, Some(400_000), true);
        assert_eq!(course.go(11, Some(2_300_000), false), 0);
    }

    #[test]
    fn more_is_tried_where_the_estimate_can_be_no_higher_and_later_after_each_failure() {
        let mut course = Course::new();
        assert_eq!(course.go(30, Some(400_000), true), 2);
        assert_eq!(course.go(300, Some(600_000), false), 2, "nothing speaks for it");
        assert_eq!(course.go(1, Some(700_000), false), 1);
        // It was too much, three times.
        let mut waits = Vec::new();
        for _ in 0..3 {
            assert_eq!(course.go(10, Some(500_000), true), 2);
            waits.push(
                (1..1000)
                    .find(|_| course.go(1, Some(700_000), false) == 1)
                    .expect("a try"),
            );
        }
        assert!(waits[1] > waits[0] + 15 && waits[2] > waits[1] + 30, "{waits:?}");
        // This one holds.
        course.go(60, Some(1_300_000), false);
        assert_eq!(course.go(10, Some(500_000), true), 2);
        let wait = (1..1000)
            .find(|_| course.go(1, Some(700_000), false) == 1)
            .expect("a try");
        assert!(wait < waits[1], "{wait}");
    }

    #[test]
    fn a_try_lasts_until_the_path_is_full_whatever_the_estimate_is() {
        let mut course = Course::new();
        course.go(30, Some(1_300_000), true);
        assert_eq!(course.adapt.step(), 1);
        let tried = (1..1000).find(|_| course.go(1, Some(1_700_000), false) == 0);
        assert!(tried.is_some());
        assert_eq!(course.go(20, Some(1_800_000), false), 0);
        assert_eq!(course.go(5, Some(1_800_000), true), 1);
    }

    #[test]
    fn where_a_probe_can_tell_nothing_is_tried_and_nothing_is_left_for_its_sake() {
        let mut course = Course::new();
        course.trial = Trial::Beside(Outcome::Nothing);
        assert_eq!(course.go(30, Some(600_000), true), 2);
        assert_eq!(course.go(1000, Some(700_000), false), 2);
        course.go(30, Some(1_350_000), false);
        assert_eq!(course.adapt.step(), 1, "what the path is known to carry is sent");
        course.trial = Trial::Beside(Outcome::UnderWay);
        assert_eq!(course.go(10, Some(1_000_000), true), 1, "that was the probe");
        course.trial = Trial::Beside(Outcome::Nothing);
        assert_eq!(course.go(8, Some(1_000_000), false), 1);
        assert_eq!(
            course.go(8, Some(1_000_000), false),
            2,
            "it does not fit all the same"
        );
        course.trial = Trial::Beside(Outcome::Carried);
        assert_eq!(course.go(1, Some(1_000_000), false), 1);
        course.trial = Trial::Beside(Outcome::Nothing);
        assert_eq!(course.go(30, Some(1_000_000), false), 1);
        assert_eq!(course.go(10, Some(1_000_000), true), 2);
    }

    #[test]
    fn steps_may_become_fewer() {
        let mut course = Course::new();
        course.go(30, Some(400_000), true);
        let one = [Bitrate::from_bps(2_000_000)];
        let now = course.now;
        assert!(
            course
                .adapt
                .look(Verdict::default(), &one, 1, Trial::Instead, now)
        );
        assert_eq!(course.adapt.step(), 0);
    }
}
