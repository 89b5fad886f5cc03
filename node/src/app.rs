//! Puts the rooms together: the only place that sees all of them.

pub(crate) mod camera;
mod desk;
mod reload;
mod sound;

use std::{
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
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    capture::Hotplug,
    config::Config,
    fanout::{self, Demand},
    media::{Codec, SoundCodec},
    peer::{self, Engine},
    pipeline::{Pipeline, SoundPipeline},
    presence::{self, Presence},
    status::Sources,
};
use desk::Desk;
use reload::Reloader;

/// Events from the server that may wait for the engine, and messages that may wait for the server. An answer
/// and its candidates are a handful; a crowd of a hundred viewers fits.
const MAIL: usize = 1024;
/// What a graceful stop may take.
const GRACE: Duration = Duration::from_secs(4);
/// How often the camera thread is looked after.
const ROUND: Duration = Duration::from_secs(1);
/// How long a task may be busy without getting around.
const TASK_PATIENCE: Duration = Duration::from_secs(10);
/// How long the camera's thread may. A USB camera that is going bad lets each of a handful of requests wait for 5 s.
const CAMERA_PATIENCE: Duration = Duration::from_secs(20);

/// Runs the node until a signal ends it. `file` is where the configuration is read again on SIGHUP.
///
/// # Errors
/// It can't start, or a part that it can't do without ended.
pub async fn run(config: Config, file: PathBuf) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("signal handlers")?;
    let name = config.display_name();
    info!(version = env!("CARGO_PKG_VERSION"), %name, camera = %config.camera.device, "pinhole-node starts");

    let watchdog = Watchdog::default();
    let demand = Demand::default();
    let (publishers, tracks): (Vec<_>, Vec<_>) = Codec::ALL
        .iter()
        .map(|codec| fanout::track(*codec, demand.clone()))
        .unzip();
    let sound_demand = Demand::default();
    let (sound_publishers, sounds): (Vec<_>, Vec<_>) = SoundCodec::ALL
        .iter()
        .map(|codec| fanout::sound_track(*codec, sound_demand.clone()))
        .unzip();
    let (letters, mailbox) = mpsc::channel(MAIL);
    let (calls, inbox) = mpsc::channel(MAIL);

    let (viewers, settings) = watch::channel(viewer_settings(&config));
    let engine = Engine::bind(
        config.webrtc.udp_port,
        settings,
        tracks.clone(),
        sounds.clone(),
        letters,
    )?;
    info!(port = engine.port(), "viewers are served from this UDP port");

    let pipeline = Pipeline::start(
        camera::camera(&config.camera.device),
        camera::settings(&config),
        publishers,
        demand,
        watchdog.pulse("the camera's thread", CAMERA_PATIENCE),
    )
    .context("camera thread")?;
    let microphone = SoundPipeline::start(
        sound::microphone(&config),
        sound::settings(&config),
        sound_publishers,
        sound_demand,
        watchdog.pulse("the microphone's thread", CAMERA_PATIENCE),
    )
    .context("microphone thread")?;
    let (membership, settings) = watch::channel(membership(&config));
    let presence = Presence::new(settings, calls, mailbox);

    let stuck = watchdog.clone();
    let sources = Sources::new(
        presence.standing(),
        pipeline.account(),
        microphone.account(),
        &tracks,
        &sounds,
        engine.viewers(),
        Arc::new(move || stuck.stuck(Instant::now()).map(|stuck| stuck.to_string())),
    );
    let mut desk = Desk::new(sources);
    desk.listen(config.http.listen).await;

    // First the engine says goodbye to the viewers, then the presence delivers that and signs out.
    let (stop_engine, stop_presence) = (CancellationToken::new(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    let stop = stop_engine.clone();
    let pulse = watchdog.pulse("the task that serves viewers", TASK_PATIENCE);
    tasks.spawn(async move {
        engine.run(inbox, stop, pulse).await;
        Part::Engine
    });
    let stop = stop_presence.clone();
    let pulse = watchdog.pulse("the task that stays signed in", TASK_PATIENCE);
    tasks.spawn(async move {
        presence.run(stop, pulse).await;
        Part::Presence
    });

    let mut reloader = Reloader {
        file,
        config,
        viewers,
        membership,
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
                Request::Reload => reloader.reload(&pipeline, &microphone, &mut desk).await,
            },
            part = tasks.join_next() => break Some(describe(part)),
            () = tokio::time::sleep(ROUND) => {
                if !pipeline.is_running() {
                    break Some("the camera's thread".to_owned());
                }
                if !microphone.is_running() {
                    break Some("the microphone's thread".to_owned());
                }
            }
            () = desk.changed() => desk.tell(),
            () = plugged(&mut hotplug) => {
                pipeline.plugged();
                microphone.plugged();
            }
            () = &mut feed => {}
        }
    };

    notify::stopping();
    let stopping = async {
        stop_engine.cancel();
        // Whichever ends first is the engine: it is the only one that was told to.
        if ended.is_none() {
            tasks.join_next().await;
        }
        stop_presence.cancel();
        while tasks.join_next().await.is_some() {}
        let _ = tokio::task::spawn_blocking(move || {
            pipeline.stop();
            microphone.stop();
        })
        .await;
    };
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
    }
}

fn membership(config: &Config) -> presence::Settings {
    presence::Settings {
        server: config.signaling.server.clone(),
        token: config.signaling.token.clone(),
        name: config.display_name(),
    }
}

#[derive(Debug)]
enum Part {
    Engine,
    Presence,
}

fn describe(part: Option<Result<Part, tokio::task::JoinError>>) -> String {
    match part {
        Some(Ok(Part::Engine)) => "the task that serves viewers".to_owned(),
        Some(Ok(Part::Presence)) => "the task that stays signed in".to_owned(),
        Some(Err(error)) => format!("a task ({error})"),
        None => "every task".to_owned(),
    }
}
