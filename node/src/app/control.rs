//! What ties the control room to viewers, camera and status.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use crate::{
    capture::{Controls, v4l2},
    config::Config,
    control::{
        self, Behind, CameraControl, ClientId, Code, Eye, Handle, Jpeg, LARGEST, Mood, Origin, Outlet,
        Refusal, Surroundings, bridge::Bridge,
    },
    media::Privacy,
    peer::{self, Line},
    pipeline::{self, Condition, Reins},
    presence::{self, Standing},
};

pub(super) fn settings(config: &Config) -> control::Settings {
    control::Settings {
        name: config.display_name().to_string(),
        gpio: config.gpio.clone(),
        control: config.control.clone(),
    }
}

/// Viewers' channels, for the control room.
pub(super) struct Ears(pub(super) Handle);

impl peer::Ears for Ears {
    fn opened(&self, viewer: &str, is_page: bool, line: Line) -> Option<u64> {
        let origin = if is_page { Origin::Page } else { Origin::Program };
        let client = self.0.join(viewer, origin, Box::new(Viewer(line))).ok()?;
        Some(client.0)
    }

    fn said(&self, client: u64, text: String) {
        if self.0.hear(ClientId(client), text).is_err() {
            self.flooded(client, false);
        }
    }

    fn flooded(&self, client: u64, tell: bool) {
        let refusal = tell.then(|| Refusal {
            code: Code::Flood,
            reason: "messages come faster than 50 a second; those above that are not looked at".to_owned(),
        });
        self.0.flood(ClientId(client), refusal);
    }

    fn closed(&self, client: u64) {
        self.0.leave(ClientId(client));
    }
}

struct Viewer(Line);

impl Outlet for Viewer {
    fn say(&self, text: String) -> Result<(), Behind> {
        if self.0.say(text) { Ok(()) } else { Err(Behind) }
    }

    fn has_room(&self) -> bool {
        self.0.has_room()
    }

    fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}

/// The camera's controls as the configuration has them, and what viewers made of them since.
#[derive(Clone)]
pub(super) struct Wanted(Arc<Mutex<Controls>>);

impl Wanted {
    pub(super) fn new(controls: &Controls) -> Self {
        Self(Arc::new(Mutex::new(controls.clone())))
    }

    /// The configuration was read again.
    pub(super) fn reset(&self, controls: &Controls) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = controls.clone();
    }
}

/// The camera, for the control room.
pub(super) struct Camera {
    pub(super) reins: Reins,
    pub(super) wanted: Wanted,
    pub(super) handle: Handle,
}

impl Eye for Camera {
    fn set_control(&self, name: &str, value: i64) {
        let mut wanted = self.wanted.0.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.insert(name.to_owned(), value);
        self.reins.set_controls(wanted.clone());
    }

    fn picture(&self, client: ClientId) {
        let handle = self.handle.clone();
        let taker = move |made: pipeline::Snapshot| {
            let picture = made.map(|(file, size)| Jpeg {
                data: bytes::Bytes::from_owner(file),
                width: size.width,
                height: size.height,
            });
            handle.picture(
                client,
                picture.map_err(|reason| Refusal {
                    code: Code::Nopicture,
                    reason,
                }),
            );
        };
        self.reins.snapshot(LARGEST, Box::new(taker));
    }
}

/// Tells the control room and the camera what concerns them of each other and of the rest.
pub(super) struct Liaison {
    pub(super) handle: Handle,
    pub(super) reins: Reins,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) condition: watch::Receiver<Condition>,
    pub(super) viewers: watch::Receiver<usize>,
    pub(super) controls: watch::Receiver<Vec<v4l2::Control>>,
    pub(super) privacy: Privacy,
}

impl Liaison {
    /// Until one of them has ended.
    pub(super) async fn run(mut self) {
        let mut privacy = self.privacy.watch();
        loop {
            let surroundings = self.surroundings();
            self.handle.surround(surroundings);
            tokio::select! {
                Ok(()) = privacy.changed() => self.reins.look(),
                Ok(()) = self.standing.changed() => {}
                Ok(()) = self.condition.changed() => {}
                Ok(()) = self.viewers.changed() => {}
                Ok(()) = self.controls.changed() => {
                    let controls = self.controls.borrow_and_update().iter().map(described).collect();
                    self.handle.camera(controls);
                }
                else => return,
            }
        }
    }

    fn surroundings(&mut self) -> Surroundings {
        let watched = *self.viewers.borrow_and_update() > 0;
        let faulted = matches!(
            self.condition.borrow_and_update().state,
            pipeline::State::Faulted { .. }
        );
        let mood = match &self.standing.borrow_and_update().state {
            _ if faulted => Mood::Fault,
            presence::State::Away { .. } => Mood::Fault,
            _ if watched => Mood::Live,
            presence::State::SigningIn => Mood::Starting,
            presence::State::SignedIn { .. } | presence::State::SignedOut => Mood::SignedIn,
        };
        Surroundings { mood, watched }
    }
}

fn described(control: &v4l2::Control) -> CameraControl {
    CameraControl {
        name: control.name.clone(),
        min: control.minimum,
        max: control.maximum,
        step: control.step,
        default: control.default,
        value: control.value,
    }
}

/// The socket for programs on this machine, while there is one.
pub(super) struct Socket {
    handle: Handle,
    tasks: JoinSet<()>,
    serving: Option<DropGuard>,
}

impl Socket {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            handle,
            tasks: JoinSet::new(),
            serving: None,
        }
    }

    /// Listens there from now on, and nowhere else. Where that can't be the node goes on without.
    pub(super) async fn listen(&mut self, config: &Config) {
        self.serving = None;
        while self.tasks.join_next().await.is_some() {}
        let Some(path) = &config.control.socket else {
            return;
        };
        match Bridge::bind(path) {
            Ok(bridge) => {
                let stop = CancellationToken::new();
                self.tasks.spawn(bridge.run(self.handle.clone(), stop.clone()));
                self.serving = Some(stop.drop_guard());
            }
            Err(error) => warn!("no socket for programs: {error}"),
        }
    }
}
