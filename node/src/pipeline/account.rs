use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use crate::{
    capture::v4l2::Control,
    figures::{Counter, Durations},
    media::{Codec, FrameRate, FrameSize, Rendition, Rung, VideoFormat},
};

/// How a camera is.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nobody watches: the device is closed.
    Idle,
    /// The device is being opened, or its first frame is awaited.
    Opening,
    /// Its owner wants to be left alone: the device is closed, and viewers see that.
    Private,
    /// Frames come.
    Live {
        /// The device in words.
        device: String,
        /// What it delivers.
        format: VideoFormat,
    },
    /// No frames come. It is tried again and again while somebody watches; until it succeeds this stands.
    Faulted {
        /// What is wrong and what to do, in words.
        why: String,
    },
}

/// A [`State`], and since when.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// How it is.
    pub state: State,
    /// When it became so.
    pub since: Instant,
}

/// What viewers don't get because the machine is too slow for all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Overload {
    /// How many steps were made down from the whole.
    pub level: usize,
    /// The frames that are left.
    pub rate: FrameRate,
    /// The size that is left.
    pub size: FrameSize,
    /// Whether the kernel said that the processor is slowed down.
    pub is_hot: bool,
}

/// What a pipeline tells of itself: its state, to be waited for, and its figures.
#[derive(Debug)]
pub struct Account {
    condition: watch::Sender<Condition>,
    controls: watch::Sender<Vec<Control>>,
    overload: watch::Sender<Option<Overload>>,
    /// Frames that the camera delivered and that were fetched.
    pub frames: Counter,
    /// Frames that the camera made and that were not fetched, by its own count: newer ones had come meanwhile, they
    /// were damaged, or the driver had no room for them.
    pub missed: Counter,
    /// Frames that could not be converted.
    pub damaged: Counter,
    /// Frames that were left out because encoding all of them would take too long.
    pub left_out: Counter,
    /// How often more was given up because encoding takes too long.
    pub steps_down: Counter,
    /// How often something of that was taken back.
    pub steps_up: Counter,
    /// How often the state became [`State::Faulted`], or the reason of it changed.
    pub faults: Counter,
    /// From the time stamp of a frame until it was fetched.
    pub waited: Durations,
    /// What the conversion to YU12 took.
    pub converted: Durations,
    lines: [LineAccount; Codec::ALL.len() * Rung::ALL.len()],
}

/// The figures of one rendition.
#[derive(Debug, Default)]
pub struct LineAccount {
    /// Written at its start and end only.
    encoder: Mutex<Option<Arc<str>>>,
    /// Access units that the encoder made.
    pub units: Counter,
    /// The bytes of them.
    pub bytes: Counter,
    /// How many of them are keyframes.
    pub keyframes: Counter,
    /// Keyframes that were ordered of the encoder: wishes of viewers, merged and limited in rate.
    pub keyframe_orders: Counter,
    /// Frames that the encoder left out, or failed at.
    pub skipped: Counter,
    /// Frames that an encoder in hardware read in the camera's memory.
    pub imported: Counter,
    /// Frames that were copied for an encoder in hardware.
    pub copied: Counter,
    /// What encoding one frame took.
    pub encoded: Durations,
}

impl Default for Account {
    fn default() -> Self {
        let idle = Condition {
            state: State::Idle,
            since: Instant::now(),
        };
        Self {
            condition: watch::Sender::new(idle),
            controls: watch::Sender::default(),
            overload: watch::Sender::new(None),
            frames: Counter::default(),
            missed: Counter::default(),
            damaged: Counter::default(),
            left_out: Counter::default(),
            steps_down: Counter::default(),
            steps_up: Counter::default(),
            faults: Counter::default(),
            waited: Durations::default(),
            converted: Durations::default(),
            lines: Default::default(),
        }
    }
}

impl Account {
    /// How the camera is, at any time and at every change.
    pub fn watch(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// The camera's controls, as it told them when it was opened last and since. What has none, has none here.
    pub fn controls(&self) -> watch::Receiver<Vec<Control>> {
        self.controls.subscribe()
    }

    pub(super) fn set_controls(&self, controls: Vec<Control>) {
        self.controls.send_if_modified(|known| {
            let changed = *known != controls;
            *known = controls;
            changed
        });
    }

    /// What is given up because the machine is too slow, at any time and at every change. `None` where nothing is.
    pub fn overload(&self) -> watch::Receiver<Option<Overload>> {
        self.overload.subscribe()
    }

    pub(crate) fn gives_up(&self, overload: Option<Overload>) {
        self.overload
            .send_if_modified(|before| std::mem::replace(before, overload.clone()) != overload);
    }

    /// The figures of a rendition. What is no rung of ours counts as the small one.
    pub fn line(&self, rendition: Rendition) -> &LineAccount {
        &self.lines[match (rendition.codec, rendition.rung) {
            (Codec::H264, Rung::TOP) => 0,
            (Codec::Vp8, Rung::TOP) => 1,
            (Codec::H264, _) => 2,
            (Codec::Vp8, _) => 3,
        }]
    }

    /// It is so from now on. A camera that is tried again after a fault is not [`State::Opening`] for others:
    /// nothing has changed before it succeeds.
    pub(crate) fn becomes(&self, state: State) {
        let changed = self.condition.send_if_modified(|condition| {
            let is_another_try = state == State::Opening && matches!(condition.state, State::Faulted { .. });
            if condition.state == state || is_another_try {
                return false;
            }
            *condition = Condition {
                state: state.clone(),
                since: Instant::now(),
            };
            true
        });
        if changed && matches!(state, State::Faulted { .. }) {
            self.faults.one();
        }
    }

    /// Whether a picture is wanted and missing.
    pub(super) fn is_faulted(&self) -> bool {
        matches!(self.condition.borrow().state, State::Faulted { .. })
    }

    /// Whether frames come.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.condition.borrow().state, State::Live { .. })
    }
}

impl LineAccount {
    /// The encoder's name, while there is one.
    pub fn encoder(&self) -> Option<Arc<str>> {
        self.encoder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_encoder(&self, name: Option<&str>) {
        *self.encoder.lock().unwrap_or_else(PoisonError::into_inner) = name.map(Arc::from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(why: &str) -> State {
        State::Faulted { why: why.to_owned() }
    }

    #[test]
    fn a_fault_stands_until_frames_come_again() {
        let account = Account::default();
        let mut watch = account.watch();
        let mut after = |state: State| {
            account.becomes(state);
            let changed = watch.has_changed().expect("the account is there");
            (changed, watch.borrow_and_update().state.clone())
        };
        assert_eq!(after(State::Opening), (true, State::Opening));
        assert_eq!(after(fault("unplugged")), (true, fault("unplugged")));
        assert_eq!(after(State::Opening), (false, fault("unplugged")));
        assert_eq!(after(fault("unplugged")), (false, fault("unplugged")));
        assert_eq!(after(fault("in use")), (true, fault("in use")));
        let live = State::Live {
            device: "a camera".to_owned(),
            format: format(),
        };
        assert_eq!(after(live.clone()), (true, live.clone()));
        assert_eq!(after(live.clone()), (false, live));
        assert_eq!(after(State::Idle), (true, State::Idle));
        assert_eq!(account.faults.get(), 2);
    }

    fn format() -> VideoFormat {
        VideoFormat {
            pixel: crate::media::PixelFormat::Yuyv,
            size: "640x480".parse().expect("a size"),
            stride: 1280,
            colour: crate::media::Colour::VIDEO,
            rate: crate::media::FrameRate::per_second(30),
        }
    }
}
