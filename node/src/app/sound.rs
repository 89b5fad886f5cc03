use crate::{
    capture::{self, Microphone},
    config::{self, Config},
    pipeline::SoundSettings,
};

/// The microphone that a configuration names.
pub(super) fn microphone(config: &Config) -> Option<Box<dyn Microphone>> {
    let microphone = config.microphone.as_ref()?;
    Some(capture::microphone(&microphone.device))
}

/// How its sound is sent.
pub(super) fn settings(config: &Config) -> SoundSettings {
    let defaults = config::Microphone::default();
    let microphone = config.microphone.as_ref().unwrap_or(&defaults);
    SoundSettings {
        bitrate: microphone.bitrate,
        dtx: microphone.dtx,
        gain: microphone.factor(),
    }
}
