//! Opening a card with what it has.

use std::{ffi::CString, time::Duration};

use alsa::{
    Direction, Output, PCM, ValueOr,
    pcm::{Access, Frames, HwParams},
};

use super::{GOAL, PERIODS, Speaker, convert::FORMATS, failed};
use crate::{
    capture::alsa::candidates,
    media::SOUND_RATE,
    voice::output::{Output as _, OutputError},
};

/// In microseconds: 10 ms, as much as is mixed at a time.
const PERIOD: u32 = 10_000;
/// In microseconds. What is before the card is bounded by the goal, so its buffer may be generous.
const BUFFER: u32 = 200_000;

impl Speaker {
    /// Opens the first PCM that `device` may mean.
    pub(super) fn open(device: &str) -> Result<Self, OutputError> {
        // Otherwise the library writes its own words into the log, at every try. They are kept until the next one.
        let _words = Output::local_error_handler();
        let mut failure = None;
        for name in candidates(device, Direction::Playback) {
            match Self::open_pcm(device, name) {
                // The others stand in for one that is not there. One that is busy is the one that was meant.
                Err(error @ OutputError::Absent { .. }) => drop(failure.get_or_insert(error)),
                outcome => return outcome,
            }
        }
        Err(failure.unwrap_or_else(|| OutputError::Absent {
            device: device.to_owned(),
        }))
    }

    fn open_pcm(device: &str, name: String) -> Result<Self, OutputError> {
        let broken = |error: &alsa::Error| failed(device, error, false);
        let c_name = CString::new(name.clone()).map_err(|_| OutputError::Absent {
            device: device.to_owned(),
        })?;
        let pcm = PCM::open(&c_name, Direction::Playback, true).map_err(|error| broken(&error))?;
        let chosen = choose(&pcm).map_err(|error| broken(&error))?;
        let period = Duration::from_secs_f64(chosen.period as f64 / f64::from(chosen.rate.max(1)));
        let goal = GOAL.max(period * PERIODS);
        let speaker = Self {
            pcm,
            device: device.to_owned(),
            name,
            rate: chosen.rate,
            channels: chosen.channels,
            format: FORMATS[chosen.format].0,
            convert: FORMATS[chosen.format].1,
            bytes: Vec::new(),
            buffer: chosen.buffer,
            period,
            goal,
            dry: 0,
        };
        speaker.be_woken().map_err(|error| broken(&error))?;
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

/// What a card plays with.
struct Chosen {
    /// In [`FORMATS`].
    format: usize,
    rate: u32,
    channels: u32,
    /// In frames.
    period: Frames,
    buffer: Frames,
}

fn choose(pcm: &PCM) -> alsa::Result<Chosen> {
    let wanted = HwParams::any(pcm)?;
    // What the card itself has: we convert better than most plugins, and know by how much it is off.
    wanted.set_rate_resample(false)?;
    wanted.set_access(Access::RWInterleaved)?;
    let format = FORMATS
        .iter()
        .position(|(format, _)| wanted.test_format(*format).is_ok())
        .ok_or_else(|| alsa::Error::new("no sample format that we can make", libc::EINVAL))?;
    wanted.set_format(FORMATS[format].0)?;
    // Two before one: some cards with one channel play it on one side only.
    let channels = wanted.set_channels_near(2)?;
    let rate = wanted.set_rate_near(SOUND_RATE, ValueOr::Nearest)?;
    wanted.set_period_time_near(PERIOD, ValueOr::Nearest)?;
    wanted.set_buffer_time_near(BUFFER, ValueOr::Nearest)?;
    pcm.hw_params(&wanted)?;
    Ok(Chosen {
        format,
        rate,
        channels,
        period: wanted.get_period_size()?,
        buffer: wanted.get_buffer_size()?,
    })
}
