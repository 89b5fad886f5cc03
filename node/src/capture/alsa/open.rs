//! Opening a card, for whoever captures from it or plays on it: both have the same choice of cards, formats and faults.

use std::{ffi::CString, io};

use alsa::{
    Output, PCM,
    pcm::{Access, HwParams},
};
use rustix::io::Errno;

use super::{
    names::{Direction, candidates},
    samples::SampleFormat,
};
use crate::{capture::SoundError, media::SOUND_RATE};

/// What was agreed on with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Samples a second.
    pub rate: u32,
    /// How many channels.
    pub channels: u32,
    /// How each sample is written.
    pub format: SampleFormat,
}

/// Opens the first PCM that `device` may mean and that `start` gets going. `start` is given its name as well.
///
/// # Errors
/// What `start` fails with, or why nothing can be opened.
pub fn open_first<T>(
    device: &str,
    direction: Direction,
    mut start: impl FnMut(PCM, String) -> Result<T, SoundError>,
) -> Result<T, SoundError> {
    first_of(device, candidates(device, direction), |name| {
        start(open(&name, direction)?, name)
    })
}

/// The first of `names` that opens, and otherwise the fault that says most.
fn first_of<T>(
    device: &str,
    names: Vec<String>,
    mut open: impl FnMut(String) -> Result<T, SoundError>,
) -> Result<T, SoundError> {
    let mut failure = None;
    for name in names {
        match open(name) {
            // One that is busy is the one that was meant, and one that is forbidden is a person's business.
            Err(error @ (SoundError::Busy { .. } | SoundError::Permission { .. })) => return Err(error),
            // The others stand in for all else: ALSA's default may be a sound server's, whom a service can't reach.
            Err(error) => match failure {
                None | Some(SoundError::NotFound { .. }) => failure = Some(error),
                Some(_) => {}
            },
            works => return works,
        }
    }
    Err(failure.unwrap_or_else(|| SoundError::NotFound {
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

/// All that a card has, and none of what plugins would make of it.
///
/// # Errors
/// It does not tell.
pub fn parameters<'pcm>(pcm: &'pcm PCM, device: &str) -> Result<HwParams<'pcm>, SoundError> {
    let parameters = HwParams::any(pcm).map_err(|error| failure(device, "tell what it has", error))?;
    // A plugin that would convert the rate (plug) is asked not to: its converter is worse than ours, and hides by how much the
    // card is off.
    let _ = parameters.set_rate_resample(false);
    Ok(parameters)
}

/// Cards with more channels are not known.
const MOST_CHANNELS: u32 = 64;

/// Chooses the first format of ours that a card has, the rate next to 48 kHz, and `channels` or else the next number above that it
/// has; where there is none, the next below.
///
/// # Errors
/// There is nothing that can be converted.
pub fn agree(parameters: &HwParams<'_>, device: &str, channels: u32) -> Result<Agreed, SoundError> {
    let failed = |action| move |error| failure(device, action, error);
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
    let has = |channels: &u32| parameters.test_channels(*channels).is_ok();
    let above = (channels..=MOST_CHANNELS).find(has);
    let channels = parameters
        .set_channels_near(above.unwrap_or(channels))
        .map_err(failed("take a number of channels"))?;
    let rate = parameters
        .set_rate_near(SOUND_RATE, alsa::ValueOr::Nearest)
        .map_err(failed("take a rate"))?;
    Ok(Agreed {
        rate,
        channels,
        format,
    })
}

/// What ALSA's error means, where `action` is "open" or what an open device failed to do.
pub fn failure(device: &str, action: &'static str, error: alsa::Error) -> SoundError {
    let device = device.to_owned();
    let is_opening = action == "open";
    match Errno::from_raw_os_error(error.errno()) {
        Errno::NOENT | Errno::NXIO | Errno::NODEV if is_opening => SoundError::NotFound { device },
        // The library says `BADFD` of a card that has gone meanwhile, or the driver one of the others.
        Errno::NOENT | Errno::NXIO | Errno::NODEV | Errno::BADFD => SoundError::Unplugged { device },
        Errno::AGAIN if is_opening => SoundError::Busy { device },
        Errno::BUSY => SoundError::Busy { device },
        Errno::ACCESS | Errno::PERM => SoundError::Permission { device },
        _ => SoundError::Io {
            device,
            action,
            source: io::Error::from_raw_os_error(error.errno()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(errno: Errno, action: &'static str) -> SoundError {
        failure("card", action, alsa::Error::new("x", errno.raw_os_error()))
    }

    /// What comes of `default` where the PCMs give these, in this order; which one was opened, or the fault.
    fn opened(outcomes: [Option<Errno>; 3]) -> Result<String, SoundError> {
        let names = ["default", "first", "second"].map(str::to_owned);
        let mut outcomes = outcomes.into_iter();
        first_of("default", names.to_vec(), |name| {
            let errno = outcomes.next().expect("three");
            errno.map_or(Ok(name.clone()), |errno| {
                Err(failure(
                    &name,
                    "open",
                    alsa::Error::new("x", errno.raw_os_error()),
                ))
            })
        })
    }

    #[test]
    fn the_first_card_stands_in_for_a_default_that_does_not_open_for_whatever_reason() {
        for errno in [
            Errno::NOENT,
            Errno::NXIO,
            Errno::NODEV,
            Errno::CONNREFUSED,
            Errno::HOSTDOWN,
            Errno::INVAL,
            Errno::IO,
        ] {
            let name = opened([Some(errno), None, None]).expect("there is another");
            assert_eq!(name, "first", "{errno:?}");
            let name = opened([Some(errno), Some(errno), None]).expect("there is another");
            assert_eq!(name, "second", "{errno:?}");
        }
        assert_eq!(opened([None, None, None]).expect("it opens"), "default");
    }

    #[test]
    fn nothing_stands_in_for_a_card_that_is_busy_or_forbidden() {
        for errno in [Errno::BUSY, Errno::AGAIN] {
            let error = opened([Some(errno), None, None]).expect_err("busy");
            assert!(
                matches!(&error, SoundError::Busy { device } if device == "default"),
                "{error}"
            );
        }
        let error = opened([Some(Errno::ACCESS), None, None]).expect_err("forbidden");
        assert!(matches!(error, SoundError::Permission { .. }), "{error}");
    }

    #[test]
    fn of_several_faults_the_first_that_is_more_than_absence_is_told() {
        let error = opened([Some(Errno::NOENT), Some(Errno::IO), Some(Errno::INVAL)]).expect_err("none");
        let expected = "first failed to open: ";
        assert!(error.to_string().starts_with(expected), "{error}");
        let error = opened([Some(Errno::CONNREFUSED), Some(Errno::NOENT), Some(Errno::NOENT)]);
        let error = error.expect_err("none").to_string();
        assert!(error.starts_with("default failed to open: "), "{error}");
        let error = opened([Some(Errno::NOENT); 3]).expect_err("none");
        assert!(matches!(error, SoundError::NotFound { .. }), "{error}");
    }

    #[test]
    fn a_card_that_is_missing_and_one_that_went_away_are_two_things() {
        for errno in [Errno::NOENT, Errno::NXIO, Errno::NODEV] {
            assert!(matches!(fails(errno, "open"), SoundError::NotFound { .. }));
            assert!(matches!(fails(errno, "play"), SoundError::Unplugged { .. }));
        }
        assert!(matches!(
            fails(Errno::BADFD, "play"),
            SoundError::Unplugged { .. }
        ));
        assert!(matches!(fails(Errno::AGAIN, "play"), SoundError::Io { .. }));
    }
}
