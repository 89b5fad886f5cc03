//! Opening a card with what it has.

use std::time::Duration;

use alsa::{
    Direction, PCM, ValueOr,
    pcm::{Frames, HwParams},
};

use super::{GOAL, PERIODS, Speaker, told};
use crate::{
    capture::{
        SoundError,
        alsa::{agree, failure, open_first, parameters},
    },
    voice::output::{Output as _, OutputError},
};

/// In microseconds: 10 ms, as much as is mixed at a time.
const PERIOD: u32 = 10_000;
/// In microseconds. What is before the card is bounded by the goal, so its buffer may be generous.
const BUFFER: u32 = 200_000;

impl Speaker {
    /// Opens the first PCM that `device` may mean.
    pub(super) fn open(device: &str) -> Result<Self, OutputError> {
        let start = |pcm, name| Self::start(device, pcm, name);
        open_first(device, Direction::Playback, start).map_err(|error| told(device, error))
    }

    fn start(device: &str, pcm: PCM, name: String) -> Result<Self, SoundError> {
        let wanted = parameters(&pcm, &name)?;
        // Two before one: some cards with one channel play it on one side only.
        let agreed = agree(&wanted, &name, 2)?;
        let failed = |error| failure(&name, "take its settings", error);
        let (period, buffer) = divide(&pcm, &wanted).map_err(failed)?;
        drop(wanted);
        let period = Duration::from_secs_f64(period as f64 / f64::from(agreed.rate.max(1)));
        let goal = GOAL.max(period * PERIODS);
        let speaker = Self {
            pcm,
            device: device.to_owned(),
            name: name.clone(),
            rate: agreed.rate,
            channels: agreed.channels,
            format: agreed.format,
            bytes: Vec::new(),
            buffer,
            period,
            goal,
            dry: 0,
        };
        speaker.be_woken().map_err(failed)?;
        Ok(speaker)
    }

    /// The card starts by itself when the goal is before it, and wakes us when a period of that is gone.
    pub(super) fn be_woken(&self) -> alsa::Result<()> {
        let frames = |time: Duration| {
            #[allow(clippy::cast_possible_truncation, reason = "some thousands of frames")]
            let frames = (time.as_secs_f64() * f64::from(self.rate)) as Frames;
            frames
        };
        let goal = frames(self.goal()).clamp(1, self.buffer);
        let settings = self.pcm.sw_params_current()?;
        settings.set_start_threshold(goal)?;
        settings.set_avail_min((self.buffer - goal + frames(self.period)).clamp(1, self.buffer))?;
        self.pcm.sw_params(&settings)
    }
}

/// Has the card take what was agreed on. Returns the frames of its period and of its buffer.
fn divide(pcm: &PCM, wanted: &HwParams<'_>) -> alsa::Result<(Frames, Frames)> {
    wanted.set_period_time_near(PERIOD, ValueOr::Nearest)?;
    wanted.set_buffer_time_near(BUFFER, ValueOr::Nearest)?;
    pcm.hw_params(wanted)?;
    Ok((wanted.get_period_size()?, wanted.get_buffer_size()?))
}
