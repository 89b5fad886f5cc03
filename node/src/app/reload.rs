use std::path::PathBuf;

use pinhole_service::notify;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Part,
    cameras::Cameras,
    control::{self, Socket},
    desk::Desk,
    sound, speaker_settings, viewer_settings,
};
use crate::{
    config::{self, Changes, Config},
    control::Handle,
    peer,
    pipeline::SoundPipeline,
    voice::Speaker,
};

/// Reads the configuration again and has each room obey what has changed for it, and nothing else.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    /// What runs.
    pub(super) config: Config,
    pub(super) viewers: watch::Sender<peer::Settings>,
    pub(super) control: Handle,
}

/// What runs and comes and goes with the configuration.
pub(super) struct Running<'a> {
    pub(super) cameras: &'a mut Cameras,
    pub(super) tasks: &'a mut JoinSet<Part>,
    /// Ends the cameras' presences.
    pub(super) stop: &'a CancellationToken,
    pub(super) microphone: &'a SoundPipeline,
    pub(super) socket: &'a mut Socket,
    pub(super) speaker: &'a Speaker,
}

impl Reloader {
    /// Obeys the file as it is now. With a mistake in it everything stays as it was.
    pub(super) async fn reload(&mut self, running: &mut Running<'_>, desk: &mut Desk) {
        notify::reloading();
        match config::load(&self.file) {
            Ok(config) => {
                self.apply(config, running, desk).await;
                desk.set_mistake(None);
            }
            Err(error) => {
                warn!("the old configuration stays: {error}");
                desk.set_mistake(Some(error.to_string()));
            }
        }
        notify::ready();
    }

    async fn apply(&mut self, config: Config, running: &mut Running<'_>, desk: &mut Desk) {
        let changes = Changes::between(&self.config, &config);
        for key in &changes.restart {
            warn!("{key} has changed; it is obeyed at the next start (systemctl restart pinhole-node)");
        }
        match changes.words() {
            words if words.is_empty() => info!("configuration read again: nothing to do"),
            words => info!(changed = words, "configuration read again"),
        }
        let Running {
            cameras,
            tasks,
            stop,
            microphone,
            socket,
            speaker,
        } = running;
        cameras.apply(&changes, &config, tasks, stop).await;
        if changes.sound {
            microphone.set(sound::settings(&config));
        }
        if changes.microphone {
            microphone.replace(sound::microphone(&config));
        }
        if changes.speaker {
            speaker.replace(speaker_settings(&config));
        }
        if changes.viewers {
            self.viewers.send_replace(viewer_settings(&config));
        }
        if changes.gpio || changes.control || config.display_name() != self.config.display_name() {
            self.control.reconfigure(control::settings(&config));
        }
        if config.control.socket != self.config.control.socket {
            socket.listen(&config).await;
        }
        if changes.status {
            desk.listen(&config.http).await;
        }
        self.config = config;
    }
}
