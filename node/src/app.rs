//! Puts the rooms together: the only place that sees all of them.

use std::time::Duration;

use anyhow::{Context, bail};
use pinhole_service::signals::Signals;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    capture::{self, Want},
    config::Config,
    fanout::{self, Demand},
    media::Codec,
    peer::{self, Engine},
    pipeline::{self, Pipeline},
    presence::Presence,
};

/// Events from the server that may wait for the engine, and messages that may wait for the server. An answer
/// and its candidates are a handful; a crowd of a hundred viewers fits.
const MAIL: usize = 1024;
/// What a graceful stop may take.
const GRACE: Duration = Duration::from_secs(4);
/// How often the camera thread is looked after.
const ROUND: Duration = Duration::from_secs(1);

/// Runs the node until a signal ends it.
///
/// # Errors
/// It can't start, or a part that it can't do without ended.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("signal handlers")?;
    let name = config.display_name();
    info!(version = env!("CARGO_PKG_VERSION"), %name, camera = %config.camera.device, "pinhole-node starts");

    let demand = Demand::default();
    let (publishers, tracks): (Vec<_>, Vec<_>) = Codec::ALL
        .iter()
        .map(|codec| fanout::track(*codec, demand.clone()))
        .unzip();
    let (letters, mailbox) = mpsc::channel(MAIL);
    let (calls, inbox) = mpsc::channel(MAIL);

    let stun = config.webrtc.ice_servers.iter();
    let settings = peer::Settings {
        udp_port: config.webrtc.udp_port,
        max_viewers: config.webrtc.max_viewers,
        stun_servers: stun
            .map(|server| (server.host().to_owned(), server.port()))
            .collect(),
    };
    let engine = Engine::bind(settings, tracks, letters)?;
    info!(port = engine.port(), "viewers are served from this UDP port");

    let camera = capture::camera(&config.camera.device, config.camera.controls.clone());
    let want = Want {
        size: config.camera.size,
        rate: config.camera.fps,
    };
    let settings = pipeline::Settings {
        want,
        bitrate: config.video.bitrate,
    };
    let pipeline = Pipeline::start(camera, settings, publishers, demand).context("camera thread")?;
    let presence = Presence::new(config.signaling.server.clone(), name, calls, mailbox);

    // First the engine says goodbye to the viewers, then the presence delivers that and signs out.
    let (stop_engine, stop_presence) = (CancellationToken::new(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    let stop = stop_engine.clone();
    tasks.spawn(async move {
        engine.run(inbox, stop).await;
        Part::Engine
    });
    let stop = stop_presence.clone();
    tasks.spawn(async move {
        presence.run(stop).await;
        Part::Presence
    });

    let ended = loop {
        tokio::select! {
            signal = signals.stop() => {
                info!("{signal}: stopping");
                break None;
            }
            part = tasks.join_next() => break Some(describe(part)),
            () = tokio::time::sleep(ROUND) => {
                if !pipeline.is_running() {
                    break Some("the camera thread".to_owned());
                }
            }
        }
    };

    let stopping = async {
        stop_engine.cancel();
        // Whichever ends first is the engine: it is the only one that was told to.
        if ended.is_none() {
            tasks.join_next().await;
        }
        stop_presence.cancel();
        while tasks.join_next().await.is_some() {}
        let _ = tokio::task::spawn_blocking(move || pipeline.stop()).await;
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
