use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Unexpected, Visitor},
};

use crate::media::{Bitrate, Channels};

/// `[[microphone]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Microphone {
    /// Where its sound comes from: an ALSA PCM, a card, `default` or `tone`.
    #[serde(deserialize_with = "device")]
    pub device: String,
    /// Which of the card's channels.
    #[serde(deserialize_with = "channel")]
    pub channel: Channels,
    /// Opus' rate.
    #[serde(deserialize_with = "bitrate")]
    pub bitrate: Bitrate,
    /// Whether Opus pauses in silence.
    pub dtx: bool,
    /// How much louder it is made, in decibels.
    #[serde(deserialize_with = "gain")]
    pub gain: f32,
}

impl Default for Microphone {
    fn default() -> Self {
        Self {
            device: "default".to_owned(),
            channel: Channels::All,
            bitrate: Bitrate::from_bps(32_000),
            dtx: false,
            gain: 0.0,
        }
    }
}

impl Microphone {
    /// What samples are multiplied by.
    pub fn factor(&self) -> f32 {
        10f32.powf(self.gain / 20.0)
    }
}

fn device<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let device = String::deserialize(deserializer)?;
    if device.trim().is_empty() || device.contains('\0') {
        return Err(de::Error::custom(
            "`device` is no sound device; `pinhole-node devices` lists them, and \"default\" takes the first",
        ));
    }
    Ok(device)
}

fn channel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Channels, D::Error> {
    struct Channel;

    impl Visitor<'_> for Channel {
        type Value = Channels;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("\"all\", or the number of one, 0 to 63; ALSA counts them from 0")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Channels, E> {
            match text {
                "all" => Ok(Channels::All),
                other => Err(E::invalid_value(Unexpected::Str(other), &self)),
            }
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Channels, E> {
            u8::try_from(number)
                .ok()
                // No card has more.
                .filter(|number| *number < 64)
                .map(Channels::Only)
                .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
        }
    }

    deserializer.deserialize_any(Channel)
}

fn bitrate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bitrate, D::Error> {
    let bitrate = Bitrate::deserialize(deserializer)?;
    match bitrate.bps() {
        // What libopus takes for one channel (RFC 7587, section 3.1.1).
        6_000..=256_000 => Ok(bitrate),
        _ => Err(de::Error::custom(format!(
            "`bitrate` of the microphone is {bitrate}; it must be 6k to 256k"
        ))),
    }
}

fn gain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    match f32::deserialize(deserializer)? {
        gain if (-60.0..=40.0).contains(&gain) => Ok(gain),
        other => Err(de::Error::custom(format!(
            "`gain` is {other}; it must be -60 to 40 decibels"
        ))),
    }
}

/// At most one `[[microphone]]`; without it there is no sound.
pub(super) fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Microphone>, D::Error> {
    struct Sections;

    impl<'de> Visitor<'de> for Sections {
        type Value = Option<Microphone>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("[[microphone]], with two brackets on each side")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sections: A) -> Result<Self::Value, A::Error> {
            let first = sections.next_element()?;
            match sections.next_element::<Microphone>()? {
                None => Ok(first),
                Some(_) => Err(de::Error::custom(
                    "there is more than one [[microphone]] section; a node sends the sound of one",
                )),
            }
        }
    }

    deserializer.deserialize_seq(Sections)
}
