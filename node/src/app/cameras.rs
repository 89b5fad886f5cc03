use std::time::Duration;

use anyhow::Context;
use pinhole_service::watchdog::Watchdog;
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, error, info_span, warn};

use super::{
    Part, TASK_PATIENCE, camera,
    control::{Eyes, tell_controls, tell_picture},
};
use crate::{
    config::{self, CameraChanged, Changes, Config},
    control::Handle,
    fanout::{self, Demand},
    media::Privacy,
    peer::{Calls, CameraId, Request},
    pipeline::{Pipeline, RENDITIONS},
    presence::{self, Presence},
    status::{CameraSource, Roster},
};

/// How long the camera's thread may be busy without getting around. A USB camera that is going bad lets each of a handful of requests
/// wait for 5 s.
const CAMERA_PATIENCE: Duration = Duration::from_secs(20);
/// How long the engine may take to say goodbye to the viewers of a camera that goes.
const GOODBYE: Duration = Duration::from_secs(5);

/// All cameras of the node. Each has a thread, a membership and viewers of its own, so that what happens to one is no other one's
/// business; they share the engine.
pub(super) struct Cameras {
    all: Vec<Running>,
    next: u64,
    calls: Calls,
    watchdog: Watchdog,
    privacy: Privacy,
    eyes: Eyes,
    control: Handle,
    roster: watch::Sender<Roster>,
}

struct Running {
    id: CameraId,
    name: Option<String>,
    pipeline: Pipeline,
    membership: watch::Sender<presence::Settings>,
    source: CameraSource,
    /// Signs it out.
    leave: CancellationToken,
    span: Span,
}

impl Cameras {
    /// None yet. The engine is told of each by `calls`.
    pub(super) fn new(
        calls: Calls,
        watchdog: Watchdog,
        privacy: Privacy,
        eyes: Eyes,
        control: Handle,
    ) -> Self {
        Self {
            all: Vec::new(),
            next: 0,
            calls,
            watchdog,
            privacy,
            eyes,
            control,
            roster: watch::Sender::default(),
        }
    }

    /// What the status tells of them.
    pub(super) fn roster(&self) -> watch::Receiver<Roster> {
        self.roster.subscribe()
    }

    /// Starts all cameras of the configuration.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) async fn start(
        &mut self,
        config: &Config,
        tasks: &mut JoinSet<Part>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        for camera in config.cameras.iter() {
            self.add(config, camera, tasks, stop).await?;
        }
        self.tell(config);
        Ok(())
    }

    /// Obeys a changed configuration, and leaves alone whom it does not concern.
    pub(super) async fn apply(
        &mut self,
        changes: &Changes,
        config: &Config,
        tasks: &mut JoinSet<Part>,
        stop: &CancellationToken,
    ) {
        if changes.bitrate {
            for running in &self.all {
                running.pipeline.set_bitrates(camera::bitrates(config));
            }
        }
        for change in &changes.cameras {
            let place = self.all.iter().position(|running| running.name == change.name);
            let camera = config.cameras.called(change.name.as_deref());
            match (change.what, place, camera) {
                (CameraChanged::Removed, Some(place), _) => {
                    let gone = self.all.remove(place);
                    self.remove(gone, tasks).await;
                }
                (CameraChanged::Added, None, Some(camera)) => {
                    if let Err(error) = self.add(config, camera, tasks, stop).await {
                        error!("{} is not started: {error:#}", config.cameras.title(camera));
                    }
                }
                (CameraChanged::Device, Some(place), Some(camera)) => {
                    let device = camera::device(config, camera);
                    let settings = camera::settings(config, camera);
                    self.eyes.reset(self.all[place].id, &camera.controls);
                    self.all[place].pipeline.replace(device, settings);
                }
                (CameraChanged::Controls, Some(place), Some(camera)) => {
                    self.eyes.reset(self.all[place].id, &camera.controls);
                    self.all[place].pipeline.set_controls(camera.controls.clone());
                }
                // One that could not be started.
                _ => {}
            }
        }
        if changes.membership {
            for running in &self.all {
                if let Some(camera) = config.cameras.called(running.name.as_deref()) {
                    running.membership.send_replace(membership(config, camera));
                }
            }
        }
        self.tell(config);
    }

    /// A camera may have been plugged in.
    pub(super) fn plugged(&self) {
        for running in &self.all {
            running.pipeline.plugged();
        }
    }

    /// Whether all threads run. None of them ends by itself but by a bug.
    pub(super) fn are_running(&self) -> bool {
        self.all.iter().all(|running| running.pipeline.is_running())
    }

    /// Closes all cameras and waits for them. Blocks: not for tasks.
    pub(super) fn stop(self) {
        // All at once, and then one after the other.
        self.all.iter().for_each(|running| running.pipeline.end());
        for running in self.all {
            let _here = running.span.entered();
            running.pipeline.stop();
        }
    }

    async fn add(
        &mut self,
        config: &Config,
        camera: &config::Camera,
        tasks: &mut JoinSet<Part>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let id = CameraId(self.next);
        let name = camera.name.clone();
        let title = config.cameras.title(camera);
        let thread = format!("the thread of the {}", title.trim_start_matches("the "));
        let span = match &name {
            Some(name) => info_span!("camera", %name),
            None => Span::none(),
        };
        let demand = Demand::default();
        let (publishers, broadcast) = fanout::broadcast(RENDITIONS, &demand, &self.privacy);
        let pipeline = Pipeline::start(
            camera::device(config, camera),
            camera::settings(config, camera),
            publishers.into(),
            demand,
            self.privacy.clone(),
            self.watchdog.pulse(thread.clone(), CAMERA_PATIENCE),
            span.clone(),
        )
        .context(thread)?;
        self.next += 1;
        self.eyes.open(id, pipeline.reins(), &camera.controls);
        let (membership, settings) = watch::channel(membership(config, camera));
        let presence = Presence::new(id, settings, self.calls.clone());
        let source = CameraSource::new(
            id,
            name.clone(),
            presence.standing(),
            pipeline.account(),
            &broadcast,
        );
        let open = Request::Open {
            camera: id,
            broadcast,
            span: span.clone(),
        };
        self.calls.ask(open).await;
        let leave = stop.child_token();
        let stay = leave.clone();
        let pulse = self.watchdog.pulse(
            format!("the task that keeps the {title} signed in"),
            TASK_PATIENCE,
        );
        let ends = leave.clone();
        let task = async move {
            presence.run(stay, pulse).await;
            // Who was told to go is not missed.
            if ends.is_cancelled() {
                Part::Gone
            } else {
                Part::Presence
            }
        };
        tasks.spawn(task.instrument(span.clone()));
        let controls = tell_controls(id, pipeline.account().controls(), self.control.clone());
        let stay = leave.clone();
        tasks.spawn(async move {
            stay.run_until_cancelled(controls).await;
            Part::Gone
        });
        let picture = tell_picture(id, pipeline.account().watch(), self.control.clone());
        let stay = leave.clone();
        tasks.spawn(async move {
            stay.run_until_cancelled(picture).await;
            Part::Gone
        });
        self.all.push(Running {
            id,
            name,
            pipeline,
            membership,
            source,
            leave,
            span,
        });
        Ok(())
    }

    /// First its viewers are told, then it signs out, and its device is closed meanwhile.
    async fn remove(&self, gone: Running, tasks: &mut JoinSet<Part>) {
        self.eyes.close(gone.id);
        let (done, told) = oneshot::channel();
        let close = Request::Close {
            camera: gone.id,
            done,
        };
        self.calls.ask(close).await;
        if tokio::time::timeout(GOODBYE, told).await.is_err() {
            let _here = gone.span.enter();
            warn!("the viewers of a camera that was removed may not have been told");
        }
        gone.leave.cancel();
        tasks.spawn_blocking(move || {
            let _here = gone.span.entered();
            gone.pipeline.stop();
            Part::Gone
        });
    }

    fn tell(&self, config: &Config) {
        self.roster.send_replace(Roster {
            name: config.display_name(),
            cameras: self.all.iter().map(|running| running.source.clone()).collect(),
        });
    }
}

fn membership(config: &Config, camera: &config::Camera) -> presence::Settings {
    presence::Settings {
        server: config.signaling.server.clone(),
        token: config.signaling.token.clone(),
        name: camera.member(&config.display_name()),
    }
}
