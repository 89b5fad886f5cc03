//! What ties the control room to viewers, camera and status.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use crate::{
    capture::{Controls, v4l2},
    config::Config,
    control::{
        self, Behind, CameraControl, CameraNumber, ClientId, Code, Handle, Jpeg, LARGEST, Mood, Origin,
        Outlet, Refusal, Surroundings, bridge::Bridge,
    },
    media::Privacy,
    peer::{self, CameraId, Line},
    pipeline::{self, Reins},
    status::{self, Outlook},
    voice,
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
    fn opened(&self, viewer: &str, camera: CameraId, is_page: bool, line: Line) -> Option<u64> {
        let origin = if is_page { Origin::Page } else { Origin::Program };
        let client = self
            .0
            .join(viewer, origin, Some(camera.0), Box::new(Viewer(line)))
            .ok()?;
        Some(client.0)
    }

    fn said(&self, client: u64, text: String) {
        if self.0.hear(ClientId(client), text).is_err() {
            self.flooded(client, false);
        }
    }

    fn flooded(&self, client: u64, tell: bool) {
        self.0.flood(ClientId(client), tell);
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

/// The cameras as the control room may use them. Every clone is the same.
#[derive(Clone, Default)]
pub(super) struct Eyes(Arc<Mutex<BTreeMap<CameraId, Eye>>>);

struct Eye {
    reins: Reins,
    /// Its controls as the configuration has them, and what viewers made of them since.
    wanted: Controls,
}

impl Eyes {
    /// For the control room, which is reached there.
    pub(super) fn of(&self, handle: Handle) -> Cameras {
        Cameras {
            eyes: self.clone(),
            handle,
        }
    }

    /// There is a camera more.
    pub(super) fn open(&self, camera: CameraId, reins: Reins, controls: &Controls) {
        let eye = Eye {
            reins,
            wanted: controls.clone(),
        };
        self.all().insert(camera, eye);
    }

    /// There is a camera less.
    pub(super) fn close(&self, camera: CameraId) {
        self.all().remove(&camera);
    }

    /// The configuration was read again.
    pub(super) fn reset(&self, camera: CameraId, controls: &Controls) {
        if let Some(eye) = self.all().get_mut(&camera) {
            eye.wanted = controls.clone();
        }
    }

    /// Something that all cameras look at has changed.
    fn look(&self) {
        self.all().values().for_each(|eye| eye.reins.look());
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<CameraId, Eye>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Cameras {
    eyes: Eyes,
    handle: Handle,
}

impl control::Eyes for Cameras {
    fn set_control(&self, camera: CameraNumber, name: &str, value: i64) {
        if let Some(eye) = self.eyes.all().get_mut(&CameraId(camera)) {
            eye.wanted.insert(name.to_owned(), value);
            eye.reins.set_controls(eye.wanted.clone());
        }
    }

    fn picture(&self, camera: CameraNumber, client: ClientId) {
        let handle = self.handle.clone();
        let refused = |reason| Refusal {
            code: Code::Nopicture,
            reason,
        };
        let taker = move |made: pipeline::Snapshot| {
            let picture = made.map(|still| Jpeg {
                data: bytes::Bytes::from_owner(still.file),
                width: still.size.width,
                height: still.size.height,
                captured_at: still.captured_at,
            });
            handle.picture(client, picture.map_err(refused));
        };
        let eye = self
            .eyes
            .all()
            .get(&CameraId(camera))
            .map(|eye| eye.reins.clone());
        match eye {
            Some(reins) => reins.snapshot(LARGEST, Box::new(taker)),
            None => taker(Err("the camera is gone".to_owned())),
        }
    }
}

/// Tells the control room what the rest of the node is, and the cameras of the privacy switch.
pub(super) struct Liaison {
    pub(super) handle: Handle,
    pub(super) eyes: Eyes,
    pub(super) watch: status::Watch,
    pub(super) privacy: Privacy,
    pub(super) speaker: watch::Receiver<voice::Condition>,
}

impl Liaison {
    /// For ever.
    pub(super) async fn run(mut self) {
        let mut privacy = self.privacy.watch();
        loop {
            self.handle.surround(surroundings(self.watch.outlook()));
            self.handle
                .speaker_fault(speaker_fault(&self.speaker.borrow_and_update().state));
            tokio::select! {
                Ok(()) = privacy.changed() => self.eyes.look(),
                () = self.watch.changed() => {}
                Ok(()) = self.speaker.changed() => {}
            }
        }
    }
}

fn surroundings(outlook: Outlook) -> Surroundings {
    let mood = match outlook {
        Outlook { trouble: true, .. } => Mood::Fault,
        Outlook { watched: true, .. } => Mood::Live,
        Outlook { starting: true, .. } => Mood::Starting,
        _ => Mood::SignedIn,
    };
    Surroundings {
        mood,
        watched: outlook.watched,
    }
}

/// Why whoever talks is not heard.
fn speaker_fault(state: &voice::State) -> Option<String> {
    match state {
        voice::State::Faulted { why } => Some(why.clone()),
        voice::State::Off | voice::State::Idle | voice::State::Playing { .. } => None,
    }
}

/// Why viewers of a camera see a slate. That it is private, they are told of all cameras at once.
fn picture_fault(state: &pipeline::State) -> Option<String> {
    match state {
        pipeline::State::Faulted { why } => Some(why.clone()),
        pipeline::State::Idle
        | pipeline::State::Opening
        | pipeline::State::Private
        | pipeline::State::Live { .. } => None,
    }
}

/// Tells the control room whether a camera has a picture, until it is gone.
pub(super) async fn tell_picture(
    camera: CameraId,
    mut condition: watch::Receiver<pipeline::Condition>,
    handle: Handle,
) {
    loop {
        let why = picture_fault(&condition.borrow_and_update().state);
        handle.picture_fault(camera.0, why);
        if condition.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the control room what controls a camera has, until it is gone.
pub(super) fn tell_controls(
    camera: CameraId,
    mut controls: watch::Receiver<Vec<v4l2::Control>>,
    handle: Handle,
) -> impl Future<Output = ()> {
    struct Gone(CameraId, Handle);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.1.camera(self.0.0, None);
        }
    }
    let gone = Gone(camera, handle);
    async move {
        loop {
            let now = controls.borrow_and_update().iter().map(described).collect();
            gone.1.camera(camera.0, Some(now));
            if controls.changed().await.is_err() {
                return;
            }
        }
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
        fault: control
            .inactive
            .then(|| "the camera sets it by itself; switch that off first".to_owned()),
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
