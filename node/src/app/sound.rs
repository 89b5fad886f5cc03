use std::{sync::Arc, time::Duration};

use anyhow::Context;
use pinhole_service::watchdog::Watchdog;

use crate::{
    capture::{self, Microphone},
    config::{self, Config},
    fanout::{self, Broadcast, Demand},
    media::{Ducking, Privacy, SoundCodec, SoundUnit},
    pipeline::{SoundPipeline, SoundSettings},
};

/// How long the microphone's thread may be busy. A USB card that is going bad lets requests wait for seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the microphone's thread, which rests until somebody listens; also where the configuration names no microphone, because a
/// later one may.
pub(super) fn start(
    config: &Config,
    ducking: Arc<Ducking>,
    privacy: Privacy,
    watchdog: &Watchdog,
) -> anyhow::Result<(SoundPipeline, Broadcast<SoundUnit>)> {
    let demand = Demand::default();
    let (publishers, broadcast) = fanout::broadcast(SoundCodec::ALL, &demand, &privacy);
    let pulse = watchdog.pulse("the microphone's thread", PATIENCE);
    let pipeline = SoundPipeline::start(
        microphone(config),
        settings(config),
        publishers.into(),
        demand,
        ducking,
        privacy,
        pulse,
    );
    Ok((pipeline.context("microphone thread")?, broadcast))
}

/// The microphone that a configuration names.
pub(super) fn microphone(config: &Config) -> Option<Box<dyn Microphone>> {
    let microphone = config.microphone.as_ref()?;
    Some(capture::microphone(&microphone.device, microphone.channel))
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
