use serde::{Deserialize, Deserializer, de};

use crate::media::TalkBack;

/// `[speaker]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speaker {
    /// A PCM of ALSA, a card's name or a part of it, or `default`.
    #[serde(deserialize_with = "device")]
    pub device: String,
    /// Who is heard.
    pub allow: TalkBack,
    /// In percent of what comes.
    #[serde(deserialize_with = "volume")]
    pub volume: u8,
    /// Whether the microphone is lowered meanwhile.
    pub duck: bool,
}

impl Default for Speaker {
    fn default() -> Self {
        Self {
            device: "default".to_owned(),
            allow: TalkBack::default(),
            volume: 100,
            duck: true,
        }
    }
}

fn device<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let device = String::deserialize(deserializer)?;
    if device.is_empty() || device.chars().any(char::is_control) {
        return Err(de::Error::custom(
            "`device` in [speaker] is no name of a sound device; write \"default\", a card's name, or a PCM of ALSA as \"hw:1,0\"",
        ));
    }
    Ok(device)
}

fn volume<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let volume = i64::deserialize(deserializer)?;
    match u8::try_from(volume) {
        Ok(volume @ 0..=100) => Ok(volume),
        _ => Err(de::Error::custom(format!(
            "`volume` is {volume}; it must be 0 to 100 percent"
        ))),
    }
}
