use std::{fmt, io, time::Duration};

use serde::Serialize;

use super::{alsa::AlsaMicrophone, tone::Tone};
use crate::media::{Channels, Timestamp};

/// A microphone that may be there or not.
pub trait Microphone: Send + Sync {
    /// Takes hold of the device and starts it.
    ///
    /// # Errors
    ///
    /// What keeps it from delivering; [`SoundError::is_transient`] tells whether trying again later can help.
    fn open(&self) -> Result<Box<dyn SoundSource>, SoundError>;

    /// The device in words, for a log.
    fn describe(&self) -> String;
}

/// A microphone that delivers. Dropping it closes the device.
pub trait SoundSource: Send {
    /// What it delivers.
    fn shape(&self) -> &Shape;

    /// Sound that was not fetched yet, waiting at most `patience` for some: `None` means that there was none. The device
    /// keeps a fraction of a second; what was lost shows in [`Sound::first_at`].
    ///
    /// # Errors
    ///
    /// The device has failed or gone. The source is of no further use then.
    fn next(&mut self, patience: Duration) -> Result<Option<Sound<'_>>, SoundError>;

    /// How often the device was not emptied in time since it was opened (overruns), each time with some sound lost.
    fn overruns(&self) -> u64;
}

/// Some sound: all channels of the device mixed into one, or the one that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Sound<'source> {
    /// Between -1 and 1, at the rate of the [`Shape`].
    pub samples: &'source [f32],
    /// When the first of them was captured, as exactly as the device tells.
    pub first_at: Timestamp,
}

/// How a device delivers its sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Samples a second.
    pub rate: u32,
    /// How many channels the device gives.
    pub channels: u32,
    /// The samples' format by ALSA's name: `S16_LE`.
    pub format: &'static str,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape {
            rate,
            channels,
            format,
        } = self;
        write!(f, "{rate} Hz {format}, ")?;
        match channels {
            1 => f.write_str("mono"),
            2 => f.write_str("stereo"),
            many => write!(f, "{many} channels"),
        }
    }
}

/// The microphone that a configuration's `device` and `channel` name: `tone`, which has one channel, or what
/// [`AlsaMicrophone::new`] takes.
pub fn microphone(device: &str, channels: Channels) -> Box<dyn Microphone> {
    match device {
        "tone" => Box::new(Tone),
        device => Box::new(AlsaMicrophone::new(device, channels)),
    }
}

/// Why a sound card gives or takes no sound.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// There is no such device.
    #[error("there is no sound device {device}; plug it in, or see `pinhole-node devices` for what is there")]
    NotFound {
        /// As the configuration names it.
        device: String,
    },
    /// Another program has it.
    #[error(
        "{device} is in use by another program; stop that one (`fuser -v /dev/snd/*` names it), or share the card by a dsnoop \
         or dmix device in asound.conf"
    )]
    Busy {
        /// The device.
        device: String,
    },
    /// This user may not open it.
    #[error("not allowed to open {device}; add this user to the group `audio`")]
    Permission {
        /// The device.
        device: String,
    },
    /// It has nothing that can be converted.
    #[error("{device} has no usable format; usable are {usable}, interleaved")]
    NoUsableFormat {
        /// The device.
        device: String,
        /// The names of those that are usable.
        usable: String,
    },
    /// It has fewer channels.
    #[error(
        "{device} has no channel {channel}; it has {channels}, numbered from 0, and `channel` in [[microphone]] chooses one, or \"all\""
    )]
    NoSuchChannel {
        /// The device.
        device: String,
        /// What was asked for.
        channel: u8,
        /// How many it has.
        channels: u32,
    },
    /// It was there and has gone.
    #[error("{device} was unplugged")]
    Unplugged {
        /// The device.
        device: String,
    },
    /// It is there and gives nothing.
    #[error("{device} has delivered no sound for {seconds} s; opening it anew")]
    Silent {
        /// The device.
        device: String,
        /// For how long.
        seconds: u64,
    },
    /// Anything else that ALSA reports.
    #[error("{device} failed to {action}: {source}")]
    Io {
        /// The device.
        device: String,
        /// What was tried.
        action: &'static str,
        /// ALSA's answer.
        source: io::Error,
    },
}

impl SoundError {
    /// Whether it may mend itself: by a cable, another program's end, or a driver's recovery.
    pub fn is_transient(&self) -> bool {
        match self {
            SoundError::NotFound { .. }
            | SoundError::Busy { .. }
            | SoundError::Unplugged { .. }
            | SoundError::Silent { .. }
            | SoundError::Io { .. } => true,
            SoundError::Permission { .. }
            | SoundError::NoUsableFormat { .. }
            | SoundError::NoSuchChannel { .. } => false,
        }
    }
}
