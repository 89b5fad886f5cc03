use std::path::PathBuf;

use pinhole_service::notify;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{camera, desk::Desk, membership, sound, viewer_settings};
use crate::{
    config::{self, Changes, Config},
    peer,
    pipeline::{Pipeline, SoundPipeline},
    presence,
};

/// Reads the configuration again and has each room obey what has changed for it, and nothing else.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    /// What runs.
    pub(super) config: Config,
    pub(super) viewers: watch::Sender<peer::Settings>,
    pub(super) membership: watch::Sender<presence::Settings>,
}

impl Reloader {
    /// Obeys the file as it is now. With a mistake in it everything stays as it was.
    pub(super) async fn reload(&mut self, pipeline: &Pipeline, microphone: &SoundPipeline, desk: &mut Desk) {
        notify::reloading();
        match config::load(&self.file) {
            Ok(config) => {
                self.apply(config, pipeline, microphone, desk).await;
                desk.set_mistake(None);
            }
            Err(error) => {
                warn!("the old configuration stays: {error}");
                desk.set_mistake(Some(error.to_string()));
            }
        }
        notify::ready();
    }

    async fn apply(
        &mut self,
        config: Config,
        pipeline: &Pipeline,
        microphone: &SoundPipeline,
        desk: &mut Desk,
    ) {
        let changes = Changes::between(&self.config, &config);
        for key in &changes.restart {
            warn!("{key} has changed; it is obeyed at the next start (systemctl restart pinhole-node)");
        }
        match changes.words() {
            words if words.is_empty() => info!("configuration read again: nothing to do"),
            words => info!(changed = words, "configuration read again"),
        }
        if changes.camera {
            pipeline.replace(camera::camera(&config.camera.device), camera::settings(&config));
        } else {
            if changes.controls {
                pipeline.set_controls(config.camera.controls.clone());
            }
            if changes.bitrate {
                pipeline.set_bitrate(config.video.bitrate);
            }
        }
        if changes.sound {
            microphone.set(sound::settings(&config));
        }
        if changes.microphone {
            microphone.replace(sound::microphone(&config));
        }
        if changes.viewers {
            self.viewers.send_replace(viewer_settings(&config));
        }
        if changes.membership {
            self.membership.send_replace(membership(&config));
        }
        if changes.status {
            desk.listen(config.http.listen).await;
        }
        self.config = config;
    }
}
