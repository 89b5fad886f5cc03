use std::{ffi::CString, io};

use alsa::{
    Output, PCM,
    pcm::{Access, Frames, HwParams, TstampType},
};
use rustix::io::Errno;

use super::{
    names::{Direction, candidates},
    samples::SampleFormat,
};
use crate::{capture::SoundError, media::SOUND_RATE};

/// How much a card gives or takes at a time. Shorter ones would wake the processor more often than they save latency.
const PERIOD: u32 = 10_000; // µs
/// What a card may hold: a busy board is allowed to come so late without a sample being lost. It is emptied at once otherwise,
/// so that this is no latency.
const BUFFER: u32 = 500_000; // µs

/// What was agreed on with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) rate: u32,
    pub(super) channels: u32,
    pub(super) format: SampleFormat,
    /// Frames that the card holds at most.
    pub(super) buffer: Frames,
}

/// Opens the first PCM that `device` may mean, and returns its name with it.
pub(super) fn first(device: &str, direction: Direction) -> Result<(PCM, String), SoundError> {
    let mut first_failure = None;
    for name in candidates(device, direction) {
        match open(&name, direction) {
            Ok(pcm) => return Ok((pcm, name)),
            // The others are only tried for a device that is not there; one that is busy is the one that was meant.
            Err(error @ SoundError::NotFound { .. }) => {
                first_failure.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first_failure.unwrap_or_else(|| SoundError::NotFound {
        device: device.to_owned(),
    }))
}

fn open(name: &str, direction: Direction) -> Result<PCM, SoundError> {
    // ALSA's library writes to the standard error what we tell in our own words, once per change and not once per try. Its words
    // go into a buffer of this thread; every call brings a new one, and the old one is gone.
    let _ = Output::local_error_handler();
    let not_found = || SoundError::NotFound {
        device: name.to_owned(),
    };
    let c_name = CString::new(name).map_err(|_| not_found())?;
    PCM::open(&c_name, direction, true).map_err(|error| failure(name, "open", error))
}

/// Has the card deliver what is next to one channel of 48 kHz, in the first format of ours that it has.
pub(super) fn agree(pcm: &PCM, device: &str) -> Result<Agreed, SoundError> {
    let failed = |action| move |error| failure(device, action, error);
    let parameters = HwParams::any(pcm).map_err(failed("tell what it has"))?;
    // A plugin that would convert the rate (plug) is asked not to: its converter is worse than ours.
    let _ = parameters.set_rate_resample(false);
    let interleaved = parameters.set_access(Access::RWInterleaved);
    let format = SampleFormat::ALL
        .into_iter()
        .find(|format| parameters.test_format(format.alsa()).is_ok())
        .filter(|_| interleaved.is_ok())
        .ok_or_else(|| SoundError::NoUsableFormat {
            device: device.to_owned(),
            usable: SampleFormat::ALL.map(SampleFormat::name).join(", "),
        })?;
    parameters
        .set_format(format.alsa())
        .map_err(failed("take its format"))?;
    let channels = parameters
        .set_channels_near(1)
        .map_err(failed("take a number of channels"))?;
    let rate = parameters
        .set_rate_near(SOUND_RATE, alsa::ValueOr::Nearest)
        .map_err(failed("take a rate"))?;
    parameters
        .set_buffer_time_near(BUFFER, alsa::ValueOr::Nearest)
        .map_err(failed("take a buffer"))?;
    parameters
        .set_period_time_near(PERIOD, alsa::ValueOr::Nearest)
        .map_err(failed("take a period"))?;
    pcm.hw_params(&parameters).map_err(failed("take its settings"))?;
    let buffer = parameters.get_buffer_size().map_err(failed("tell its buffer"))?;
    stamp(pcm).map_err(failed("stamp the time"))?;
    Ok(Agreed {
        rate,
        channels,
        format,
        buffer,
    })
}

/// Has the driver note the time with every position, by the clock that everything else goes by.
fn stamp(pcm: &PCM) -> alsa::Result<()> {
    let parameters = pcm.sw_params_current()?;
    parameters.set_tstamp_mode(true)?;
    // Plugins may know no other clock than theirs; `stream` notices a time that can't be.
    let _ = parameters.set_tstamp_type(TstampType::Monotonic);
    pcm.sw_params(&parameters)
}

pub(super) fn failure(device: &str, action: &'static str, error: alsa::Error) -> SoundError {
    let device = device.to_owned();
    let errno = Errno::from_raw_os_error(error.errno());
    match errno {
        Errno::NOENT | Errno::NXIO => SoundError::NotFound { device },
        Errno::NODEV if action == "open" => SoundError::NotFound { device },
        Errno::NODEV => SoundError::Unplugged { device },
        Errno::BUSY | Errno::AGAIN => SoundError::Busy { device },
        Errno::ACCESS | Errno::PERM => SoundError::Permission { device },
        _ => SoundError::Io {
            device,
            action,
            source: io::Error::from_raw_os_error(error.errno()),
        },
    }
}
