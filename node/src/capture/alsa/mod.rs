//! Sound cards, by ALSA.
//!
//! The card is opened as it is (`hw`), and asked for what it has next to 48 kHz and one channel; what is between that and
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

/// A microphone at a sound card.
pub struct AlsaMicrophone {
    device: String,
}

impl AlsaMicrophone {
    /// `device` is `default`, the name of a PCM (`hw:1,0`, or one of asound.conf), a card's number, its short name or a part of its
    /// long one. Whether there is such a device shows when it is opened.
    pub fn new(device: &str) -> Self {
        Self {
            device: device.to_owned(),
        }
    }
}

impl Microphone for AlsaMicrophone {
    fn open(&self) -> Result<Box<dyn SoundSource>, SoundError> {
        let source = open_first(&self.device, Direction::Capture, stream::Source::start)?;
        Ok(Box::new(source))
    }

    fn describe(&self) -> String {
        self.device.clone()
    }
}
