use std::time::Instant;

use tokio::sync::watch;

use super::level::Level;
use crate::{
    capture::Shape,
    figures::{Counter, Durations},
};

/// How the microphone is.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundState {
    /// The configuration has none.
    Off,
    /// Nobody listens: the device is closed.
    Idle,
    /// The device is being opened, or its first sound is awaited.
    Opening,
    /// The owner wants to be left alone: the device is closed, and those who listen hear silence.
    Private,
    /// Sound comes.
    Live {
        /// The device in words.
        device: String,
        /// What it delivers.
        shape: Shape,
    },
    /// Those who listen hear silence. It is tried again and again while somebody listens; until it succeeds this stands.
    Faulted {
        /// What is wrong and what to do, in words.
        why: String,
    },
}

/// A [`SoundState`], and since when.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundCondition {
    /// How it is.
    pub state: SoundState,
    /// When it became so.
    pub since: Instant,
}

/// What a microphone's pipeline tells of itself.
#[derive(Debug)]
pub struct SoundAccount {
    condition: watch::Sender<SoundCondition>,
    /// Frames of 20 ms that the microphone gave.
    pub frames: Counter,
    /// Frames of silence that were sent in place of sound that was missing.
    pub silent: Counter,
    /// How often the card was not emptied in time, with some of its sound lost.
    pub overruns: Counter,
    /// How often the state became [`SoundState::Faulted`], or the reason of it changed.
    pub faults: Counter,
    /// Bytes of encoded sound, of all codecs.
    pub bytes: Counter,
    /// What encoding one frame took, for all codecs that are heard.
    pub encoded: Durations,
    /// How loud it is.
    pub level: Level,
}

impl Default for SoundAccount {
    fn default() -> Self {
        let off = SoundCondition {
            state: SoundState::Off,
            since: Instant::now(),
        };
        Self {
            condition: watch::Sender::new(off),
            frames: Counter::default(),
            silent: Counter::default(),
            overruns: Counter::default(),
            faults: Counter::default(),
            bytes: Counter::default(),
            encoded: Durations::default(),
            level: Level::default(),
        }
    }
}

impl SoundAccount {
    /// How the microphone is, at any time and at every change.
    pub fn watch(&self) -> watch::Receiver<SoundCondition> {
        self.condition.subscribe()
    }

    /// It is so from now on. Another try after a fault changes nothing for others before it succeeds.
    pub(crate) fn becomes(&self, state: SoundState) {
        let is_fault = matches!(state, SoundState::Faulted { .. });
        let changed = self.condition.send_if_modified(|condition| {
            let is_another_try =
                state == SoundState::Opening && matches!(condition.state, SoundState::Faulted { .. });
            if condition.state == state || is_another_try {
                return false;
            }
            *condition = SoundCondition {
                state,
                since: Instant::now(),
            };
            true
        });
        if changed && is_fault {
            self.faults.one();
        }
    }

    /// Whether sound is wanted and missing.
    pub(super) fn is_faulted(&self) -> bool {
        matches!(self.condition.borrow().state, SoundState::Faulted { .. })
    }

    /// Whether sound comes.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.condition.borrow().state, SoundState::Live { .. })
    }
}
