//! Sound cards, by ALSA.
//!
//! The card is opened as it is (`hw`), and asked for what it has next to 48 kHz and one channel, or as many as the wanted one takes; what is between that and
//! the viewers is converted here, so that no plugin of ALSA's stands in the way of exact time stamps.

mod discover;
mod names;
mod open;
mod samples;
mod stream;

pub use discover::{Ability, Card, discover};
pub use names::Direction;
pub use open::{Agreed, agree, failure, open_first, parameters};
pub use samples::SampleFormat;

use super::sound::{Microphone, SoundError, SoundSource};
use crate::media::Channels;

/// A microphone at a sound card.
pub struct AlsaMicrophone {
    device: String,
    channels: Channels,
}

impl AlsaMicrophone {
    /// `device` is `default`, the name of a PCM (`hw:1,0`, or one of asound.conf), a card's number, its short name or a part of its
    /// long one. Whether there is such a device shows when it is opened.
    pub fn new(device: &str, channels: Channels) -> Self {
        Self {
            device: device.to_owned(),
            channels,
        }
    }
}

impl Microphone for AlsaMicrophone {
    fn open(&self) -> Result<Box<dyn SoundSource>, SoundError> {
        let source = open_first(&self.device, Direction::Capture, |pcm, name| {
            stream::Source::start(pcm, name, self.channels)
        })?;
        Ok(Box::new(source))
    }

    fn describe(&self) -> String {
        match self.channels {
            Channels::All => self.device.clone(),
            Channels::Only(channel) => format!("{}, channel {channel}", self.device),
        }
    }
}
