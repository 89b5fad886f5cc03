//! Puts the rooms together: the only place that sees all of them.

pub(crate) mod camera;
mod cameras;
mod control;
mod desk;
mod reload;
mod sound;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use pinhole_service::{
    notify,
    signals::{Request, Signals},
    watchdog::Watchdog,
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    capture::Hotplug,
    config::Config,
    control::Control,
    media::{Ducking, Privacy, TalkBack},
    peer::{self, Engine, Transport},
    status::{MicrophoneSource, Sources},
    voice::{self, Speaker},
};
use cameras::Cameras;
use control::{Ears, Eyes, Liaison, Socket};
use desk::Desk;
use reload::Reloader;

/// What a graceful stop may take.
const GRACE: Duration = Duration::from_secs(4);
/// How often the cameras' threads are looked after.
const ROUND: Duration = Duration::from_secs(1);
/// How long a task may be busy without getting around.
const TASK_PATIENCE: Duration = Duration::from_secs(10);
/// How long the thread that drives the pins may. Each of its calls takes less than a millisecond, but for a PWM channel's
/// start.
const CONTROL_PATIENCE: Duration = Duration::from_secs(10);
/// How long the loudspeaker's thread may. A USB card that is going bad lets requests wait for seconds.
const SPEAKER_PATIENCE: Duration = Duration::from_secs(20);

/// Runs the node until a signal ends it. `file` is where the configuration is read again on SIGHUP.
///
/// # Errors
/// It can't start, or a part that it can't do without ended.
pub async fn run(config: Config, file: PathBuf) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("signal handlers")?;
    let name = config.display_name();
    let devices = config.cameras.iter().map(|camera| match &camera.name {
        Some(name) => format!("{name} = {}", camera.device),
        None => camera.device.to_string(),
    });
    let devices = devices.collect::<Vec<_>>().join(", ");
    info!(version = env!("CARGO_PKG_VERSION"), %name, camera = %devices, "pinhole-node starts");

    let watchdog = Watchdog::default();
    // What the microphone lowers itself by.
    let ducking = Arc::<Ducking>::default();
    // Known when the first frame is captured: the pins are read before any camera is opened, below.
    let privacy = Privacy::default();
    let (microphone, sound) = sound::start(&config, ducking.clone(), privacy.clone(), &watchdog)?;

    let (viewers, settings) = watch::channel(viewer_settings(&config));
    let transport = Transport::bind(config.webrtc.udp_port)?;
    info!(port = transport.port(), "viewers are served from this UDP port");

    let eyes = Eyes::default();
    let control = Control::start(
        control::settings(&config),
        privacy.clone(),
        |handle| Box::new(eyes.of(handle)),
        watchdog.pulse("the thread that drives the pins", CONTROL_PATIENCE),
    )
    .context("control thread")?;
    let speaker = Speaker::start(
        speaker_settings(&config),
        ducking,
        watchdog.pulse("the loudspeaker's thread", SPEAKER_PATIENCE),
    )
    .context("speaker thread")?;
    let (engine, calls) = Engine::new(peer::Parts {
        transport,
        settings,
        sound: sound.clone(),
        privacy: privacy.clone(),
        ears: Some(Arc::new(Ears(control.handle()))),
        intake: Some(speaker.intake()),
        threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    });

    // First the engine says goodbye to the viewers, then each camera's presence delivers that and signs out.
    let (stop_engine, stop_presences) = (CancellationToken::new(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    let mut cameras = Cameras::new(
        calls,
        watchdog.clone(),
        privacy.clone(),
        eyes.clone(),
        control.handle(),
    );
    cameras.start(&config, &mut tasks, &stop_presences).await?;

    let stuck = watchdog.clone();
    let sources = Sources::new(
        cameras.roster(),
        MicrophoneSource::new(microphone.account(), &sound),
        engine.viewers(),
        control.account(),
        speaker.account(),
        Arc::new(move || stuck.stuck(Instant::now()).map(|stuck| stuck.to_string())),
    );
    let liaison = Liaison {
        handle: control.handle(),
        eyes,
        watch: sources.watch(),
        privacy,
        speaker: speaker.account().watch(),
    };
    let mut attendants = JoinSet::new();
    attendants.spawn(liaison.run());
    let mut desk = Desk::new(sources);
    desk.listen(&config.http).await;
    let mut socket = Socket::new(control.handle());
    socket.listen(&config).await;

    let stop = stop_engine.clone();
    let pulse = watchdog.pulse("the task that serves viewers", TASK_PATIENCE);
    tasks.spawn(async move {
        engine.run(stop, pulse).await;
        Part::Engine
    });

    let mut reloader = Reloader {
        file,
        config,
        viewers,
        control: control.handle(),
    };
    notify::ready();
    desk.tell();
    let mut hotplug = Hotplug::watch()
        .inspect_err(|error| warn!("what is plugged in is noticed later than usual: {error}"))
        .ok();
    let mut feed = std::pin::pin!(watchdog.run());
    let ended = loop {
        tokio::select! {
            request = signals.next() => match request {
                Request::Stop(signal) => {
                    info!("{signal}: stopping");
                    break None;
                }
                Request::Reload => {
                    let mut running = reload::Running {
                        cameras: &mut cameras,
                        tasks: &mut tasks,
                        stop: &stop_presences,
                        microphone: &microphone,
                        socket: &mut socket,
                        speaker: &speaker,
                    };
                    reloader.reload(&mut running, &mut desk).await;
                }
            },
            part = tasks.join_next() => match part {
                Some(Ok(Part::Gone)) => {}
                part => break Some(describe(part)),
            },
            () = tokio::time::sleep(ROUND) => {
                if !cameras.are_running() {
                    break Some("a camera's thread".to_owned());
                }
                if !speaker.is_running() {
                    break Some("the loudspeaker's thread".to_owned());
                }
                if !microphone.is_running() {
                    break Some("the microphone's thread".to_owned());
                }
                if !control.is_running() {
                    break Some("the thread that drives the pins".to_owned());
                }
            }
            () = desk.changed() => desk.tell(),
            () = plugged(&mut hotplug) => {
                cameras.plugged();
                microphone.plugged();
            }
            () = &mut feed => {}
        }
    };

    notify::stopping();
    let stopping = async {
        stop_engine.cancel();
        // The engine has to be done before, unless something has ended that should not.
        while ended.is_none() && !matches!(tasks.join_next().await, Some(Ok(Part::Engine)) | None) {}
        stop_presences.cancel();
        while tasks.join_next().await.is_some() {}
        let _ = tokio::task::spawn_blocking(move || {
            speaker.stop();
            cameras.stop();
            microphone.stop();
        })
        .await;
    };
    // First of all: the pins don't wait for the network.
    let _ = tokio::time::timeout(GRACE, tokio::task::spawn_blocking(move || control.stop())).await;
    drop(socket);
    tokio::select! {
        outcome = tokio::time::timeout(GRACE, stopping) => {
            if outcome.is_err() {
                warn!("stopping took too long; leaving the rest to the system");
            }
        }
        signal = signals.stop() => warn!("{signal} again: leaving at once"),
    }
    match ended {
        None => Ok(()),
        Some(part) => bail!("{part} ended unexpectedly; this is a bug, and a restart is the way on"),
    }
}

/// Waits until a camera or a sound card may have come.
async fn plugged(hotplug: &mut Option<Hotplug>) {
    let Some(watch) = hotplug else {
        return std::future::pending().await;
    };
    if let Err(error) = watch.plugged().await {
        warn!("what is plugged in is noticed later than usual: {error}");
        *hotplug = None;
    }
}

fn viewer_settings(config: &Config) -> peer::Settings {
    let stun = config.webrtc.ice_servers.iter();
    peer::Settings {
        max_viewers: config.webrtc.max_viewers,
        stun_servers: stun
            .map(|server| (server.host().to_owned(), server.port()))
            .collect(),
        sound: config.microphone.is_some(),
        talk_back: config
            .speaker
            .as_ref()
            .map_or(TalkBack::Nobody, |speaker| speaker.allow),
    }
}

fn speaker_settings(config: &Config) -> Option<voice::Settings> {
    let speaker = config.speaker.as_ref()?;
    Some(voice::Settings {
        device: speaker.device.clone(),
        volume: f32::from(speaker.volume) / 100.0,
        duck: speaker.duck,
    })
}

/// What has ended.
#[derive(Debug)]
enum Part {
    Engine,
    Presence,
    /// What was told to.
    Gone,
}

fn describe(part: Option<Result<Part, tokio::task::JoinError>>) -> String {
    match part {
        Some(Ok(Part::Engine)) => "the task that serves viewers".to_owned(),
        Some(Ok(Part::Presence)) => "a task that stays signed in".to_owned(),
        Some(Ok(Part::Gone)) => "what was told to".to_owned(),
        Some(Err(error)) => format!("a task ({error})"),
        None => "every task".to_owned(),
    }
}
