use std::time::Duration;

use crate::{
    encode::Scale,
    media::{FrameRate, Timestamp},
};

/// How long the work is watched before it is judged.
const WINDOW: Duration = Duration::from_secs(1);
/// A window with fewer frames tells nothing.
const LEAST_FRAMES: u32 = 3;
/// A window that is longer, without a frame missed, is not one: the camera stood still, or nobody watched.
const LONGEST_WINDOW: Duration = Duration::from_secs(3);
/// As many windows in a row have to be too busy before something is given up. One may be anything.
const WINDOWS: u32 = 2;
/// So many times what can be done is beyond doubt, where each frame of a window was so slow: one of them is enough.
const SEVERE: f64 = 2.0;
/// Working for more than this share of the time is too much: frames of a picture that moves more would come too late.
const BUSY: f64 = 0.92;
/// The same where frames were missed: then the thread is kept from working in time, by whatever else the machine does.
const BUSY_AND_LATE: f64 = 0.6;
/// That share of the frames that should be encoded missed counts as being late.
const LATE: f64 = 0.1;
/// The same where most of them were missed: half of them on purpose are no fewer, but come evenly, and let the machine breathe.
const BUSY_AND_STARVED: f64 = 0.1;
const STARVED: f64 = 0.5;
/// A machine that is too hot gets some rest before it slows down further.
const BUSY_AND_HOT: f64 = 0.6;
/// What was given up is taken back where that would probably keep the thread working for less than this share of the time.
const EASY: f64 = 0.8;
/// Time that was not easy counts so much against that. A hiccup now and then must not keep a machine down for ever, and one that is easy half of the
/// time is not tried.
const HARD: u32 = 2;
/// For so long it has to look easy at first; after each try that failed, twice as long.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_PATIENCE: Duration = Duration::from_secs(120);
/// A try has failed where it did not hold for so long.
const HOLDS: Duration = Duration::from_secs(30);
/// Fewer frames in a second are no moving picture any more: then the size is what has to give.
const LEAST_RATE: f64 = 5.0;

/// What is given up, so that encoding keeps up with the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relief {
    /// One of so many frames is encoded.
    pub every: u32,
    /// How large.
    pub scale: Scale,
}

/// In steps: first the rate, then the size.
const LADDER: [Relief; 5] = [
    Relief::NONE,
    Relief {
        every: 2,
        scale: Scale::Full,
    },
    Relief {
        every: 3,
        scale: Scale::Full,
    },
    Relief {
        every: 3,
        scale: Scale::TwoThirds,
    },
    Relief {
        every: 3,
        scale: Scale::Half,
    },
];

impl Relief {
    /// Nothing is given up.
    pub const NONE: Relief = Relief {
        every: 1,
        scale: Scale::Full,
    };

    /// What is left of the camera's rate.
    pub fn rate(self, camera: FrameRate) -> FrameRate {
        FrameRate {
            frames: camera.frames,
            seconds: camera.seconds.max(1) * self.every,
        }
    }

    /// How much work there is, where all of it is one.
    fn work(self) -> f64 {
        self.scale.area() / f64::from(self.every)
    }
}

/// A change of what is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Whether more is given up than before.
    pub(super) is_down: bool,
    /// The share of the time that encoding took before, or would have taken with all frames.
    pub(super) load: f64,
    /// Whether the machine was said to be too hot.
    pub(super) is_hot: bool,
}

/// Decides how many frames are encoded, and how large, by what encoding them takes. Without clock or IO.
///
/// It goes by the share of the time that encoding takes, or would take if no frame were missed. That share says what a step up would
/// cost, too, so that one that can't succeed is not tried.
#[derive(Debug)]
pub(super) struct Governor {
    rate: FrameRate,
    ladder: Vec<Relief>,
    level: usize,
    window: Option<Window>,
    last_taken: Option<Timestamp>,
    /// Frames since then, fetched or not.
    came: u64,
    is_hot: bool,
    /// Windows in a row that were too busy.
    busy: u32,
    /// For how long a step up has looked easy.
    easy: Duration,
    patience: Duration,
    /// When the last step up was made, until it has held.
    tried: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Timestamp,
    /// What encoding took in it.
    worked: Duration,
    taken: u32,
    /// What the quickest of them took.
    quickest: Duration,
    /// Frames that should have been encoded as well, and were not fetched in time.
    lost: u64,
}

impl Window {
    fn since(now: Timestamp) -> Self {
        Self {
            since: now,
            worked: Duration::ZERO,
            taken: 0,
            quickest: Duration::MAX,
            lost: 0,
        }
    }
}

impl Governor {
    /// For a camera of this rate; nothing is given up yet.
    pub(super) fn new(rate: FrameRate) -> Self {
        let most = (rate.as_f64() / LEAST_RATE).floor().clamp(1.0, 100.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "1 to 100 by the line above"
        )]
        let most = most as u32;
        let mut ladder: Vec<_> = LADDER
            .iter()
            .map(|relief| Relief {
                every: relief.every.min(most),
                ..*relief
            })
            .collect();
        ladder.dedup();
        Self {
            rate,
            ladder,
            level: 0,
            window: None,
            last_taken: None,
            came: 0,
            is_hot: false,
            busy: 0,
            easy: Duration::ZERO,
            patience: FIRST_PATIENCE,
            tried: None,
        }
    }

    /// The camera was opened, with this rate. With the one that it had before, what was learnt then holds.
    pub(super) fn opened(&mut self, rate: FrameRate) {
        if self.rate == rate {
            self.look_anew();
            self.last_taken = None;
            self.came = 0;
            self.tried = None;
        } else {
            *self = Self::new(rate);
        }
    }

    /// What is given up at present.
    pub(super) fn relief(&self) -> Relief {
        self.ladder[self.level]
    }

    /// How many steps were made down from everything.
    pub(super) fn level(&self) -> usize {
        self.level
    }

    /// What the machine says of its temperature.
    pub(super) fn set_hot(&mut self, is_hot: bool) {
        self.is_hot = is_hot;
    }

    /// Whether a frame of this time is encoded, before which `missed` others never came.
    pub(super) fn takes(&mut self, captured_at: Timestamp, missed: u64) -> bool {
        self.came += 1 + missed;
        let every = self.relief().every;
        // By time and not by number, so that frames that never came are among those that are left out. Time stamps are not
        // quite even.
        let pause = self.rate.interval() * every - self.rate.interval() / 2;
        let is_due = |last: Timestamp| captured_at < last || captured_at.since(last) >= pause;
        let takes = every == 1 || self.last_taken.is_none_or(is_due);
        if takes {
            self.last_taken = Some(captured_at);
            let came = std::mem::take(&mut self.came);
            if let Some(window) = &mut self.window {
                window.lost += (came / u64::from(every)).saturating_sub(1);
            }
        }
        takes
    }

    /// Such a frame has been encoded by `now`, which took `worked`. Tells when something has to change.
    pub(super) fn took(&mut self, worked: Duration, now: Timestamp) -> Option<Step> {
        let Some(window) = &mut self.window else {
            // The first one made the encoder, and is a keyframe; it is not counted.
            self.window = Some(Window::since(now));
            return None;
        };
        window.worked += worked;
        window.taken += 1;
        window.quickest = window.quickest.min(worked);
        let length = now.since(window.since);
        if length < WINDOW {
            return None;
        }
        let window = *window;
        self.window = Some(Window::since(now));
        let frames = u64::from(window.taken) + window.lost;
        let stood_still = length > LONGEST_WINDOW && window.lost == 0;
        let tells = frames >= u64::from(LEAST_FRAMES) && !stood_still;
        // Where encoding alone took all of it, one frame says enough.
        if !tells && window.worked < length.mul_f64(BUSY) {
            return None;
        }
        self.judge(window, length, now)
    }

    fn judge(&mut self, window: Window, length: Duration, now: Timestamp) -> Option<Step> {
        // What it would have been with the frames that were missed; the window has one at least that was not.
        let wanted = window.lost as f64 + f64::from(window.taken);
        let each = window.worked.as_secs_f64() / f64::from(window.taken.max(1));
        let load = each * wanted / length.as_secs_f64();
        let lost = window.lost as f64 / wanted.max(1.0);
        let is_late = lost > LATE;
        let bound = match () {
            () if lost > STARVED => BUSY_AND_STARVED,
            () if self.is_hot => BUSY_AND_HOT,
            () if is_late => BUSY_AND_LATE,
            () => BUSY,
        };
        if self.tried.is_some_and(|tried| now.since(tried) >= HOLDS) {
            self.tried = None;
            self.patience = FIRST_PATIENCE;
        }
        if load > bound {
            let least = window.quickest.as_secs_f64() * wanted / length.as_secs_f64();
            let is_severe = window.taken > 1 && least > SEVERE;
            self.busy += if is_severe { WINDOWS } else { 1 };
            self.easy = self.easy.saturating_sub(length * HARD);
            if self.busy < WINDOWS || self.level + 1 == self.ladder.len() {
                return None;
            }
            if self.tried.take().is_some() {
                self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
            }
            return Some(self.step(self.level + 1, load));
        }
        self.busy = 0;
        let above = self.level.checked_sub(1)?;
        let expected = load * self.ladder[above].work() / self.relief().work();
        if expected > EASY || is_late || self.is_hot {
            self.easy = self.easy.saturating_sub(length * HARD);
            return None;
        }
        self.easy += length;
        if self.easy < self.patience {
            return None;
        }
        self.tried = Some(now);
        Some(self.step(above, load))
    }

    fn step(&mut self, level: usize, load: f64) -> Step {
        let is_down = level > self.level;
        self.level = level;
        self.look_anew();
        Step {
            is_down,
            load,
            is_hot: self.is_hot,
        }
    }

    fn look_anew(&mut self) {
        self.window = None;
        self.busy = 0;
        self.easy = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests;
