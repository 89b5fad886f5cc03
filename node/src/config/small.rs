use serde::{Deserialize, Deserializer, de};

use super::BITRATES;
use crate::media::Bitrate;

/// What a camera's small picture has of the bits per second of the whole one, unless another rate is named: it has a quarter of the pixels.
const SHARE: u64 = 4;

/// The rate of the encoders of a camera's small picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmallBitrate {
    /// A share of that of the whole picture.
    #[default]
    Auto,
    /// There is no small picture.
    Off,
    /// This one.
    At(Bitrate),
}

impl SmallBitrate {
    /// The rate, where that of the whole picture is `full`; `None` where there is no small picture.
    pub fn beside(self, full: Bitrate) -> Option<Bitrate> {
        match self {
            SmallBitrate::Auto => Some(Bitrate::from_bps((full.bps() / SHARE).max(*BITRATES.start()))),
            SmallBitrate::Off => None,
            SmallBitrate::At(bitrate) => Some(bitrate),
        }
    }
}

impl<'de> Deserialize<'de> for SmallBitrate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "`small_bitrate` is \"auto\", \"off\", a bitrate as \"500k\", or a number of bits per second"
        )]
        enum Written {
            Number(u64),
            Text(String),
        }

        let bitrate = match Written::deserialize(deserializer)? {
            Written::Number(bps) => Bitrate::from_bps(bps),
            Written::Text(text) => match text.as_str() {
                "auto" => return Ok(SmallBitrate::Auto),
                "off" => return Ok(SmallBitrate::Off),
                written => written.parse().map_err(|_| {
                    de::Error::custom(format!(
                        "`{written}` is no `small_bitrate`; write \"auto\", \"off\", or bits per second, for example \"500k\""
                    ))
                })?,
            },
        };
        if BITRATES.contains(&bitrate.bps()) {
            return Ok(SmallBitrate::At(bitrate));
        }
        Err(de::Error::custom(format!(
            "`small_bitrate` is {bitrate}; it must be 10k to 100M, \"auto\" or \"off\""
        )))
    }
}
