use std::path::PathBuf;

use pinhole_service::notify;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{
    camera,
    control::{self, Socket, Wanted},
    desk::Desk,
    membership, viewer_settings,
};
use crate::{
    config::{self, Changes, Config},
    control::Handle,
    peer,
    pipeline::Pipeline,
    presence,
};

/// Reads the configuration again and has each room obey what has changed for it, and nothing else.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    /// What runs.
    pub(super) config: Config,
    pub(super) viewers: watch::Sender<peer::Settings>,
    pub(super) membership: watch::Sender<presence::Settings>,
    pub(super) control: Handle,
    pub(super) wanted: Wanted,
}

impl Reloader {
    /// Obeys the file as it is now. With a mistake in it everything stays as it was.
    pub(super) async fn reload(&mut self, pipeline: &Pipeline, desk: &mut Desk, socket: &mut Socket) {
        notify::reloading();
        match config::load(&self.file) {
            Ok(config) => {
                self.apply(config, pipeline, desk, socket).await;
                desk.set_mistake(None);
            }
            Err(error) => {
                warn!("the old configuration stays: {error}");
                desk.set_mistake(Some(error.to_string()));
            }
        }
        notify::ready();
    }

    async fn apply(&mut self, config: Config, pipeline: &Pipeline, desk: &mut Desk, socket: &mut Socket) {
        let changes = Changes::between(&self.config, &config);
        for key in &changes.restart {
            warn!("{key} has changed; it is obeyed at the next start (systemctl restart pinhole-node)");
        }
        match changes.words() {
            words if words.is_empty() => info!("configuration read again: nothing to do"),
            words => info!(changed = words, "configuration read again"),
        }
        if changes.camera || changes.controls {
            self.wanted.reset(&config.camera.controls);
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
        if changes.viewers {
            self.viewers.send_replace(viewer_settings(&config));
        }
        if changes.membership {
            self.membership.send_replace(membership(&config));
        }
        if changes.gpio || changes.control || config.display_name() != self.config.display_name() {
            self.control.reconfigure(control::settings(&config));
        }
        if config.control.socket != self.config.control.socket {
            socket.listen(&config).await;
        }
        if changes.status {
            desk.listen(config.http.listen).await;
        }
        self.config = config;
    }
}
