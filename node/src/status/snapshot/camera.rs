//! How one camera is, and its member on the server.

use std::{sync::Arc, time::Instant};

use serde::Serialize;

use super::since;
use crate::{fanout, media::Rendition, pipeline, presence, status::sources::CameraParts};

/// How a camera's member stands with the server.
#[derive(Clone, Debug, Serialize)]
pub struct Signaling {
    /// The member's name: what viewers see in their list.
    pub member: String,
    /// The server's address.
    pub server: String,
    /// In one word.
    pub state: ServerState,
    /// The id on the server, where it is signed in.
    pub id: Option<String>,
    /// What failed last, where it is not.
    pub why: Option<String>,
    /// How long it has been so.
    pub for_seconds: f64,
    /// Sign-ins since the start.
    pub sign_ins: u64,
}

/// Whether a member is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// For the first time, on its way.
    SigningIn,
    /// Yes.
    SignedIn,
    /// No.
    Away,
    /// No more, as the node stops.
    SignedOut,
}

/// How a camera is.
#[derive(Clone, Debug, Serialize)]
pub struct Camera {
    /// Its own name, where it has one.
    pub name: Option<String>,
    /// How it stands with the server.
    pub signaling: Signaling,
    /// In one word.
    pub state: CameraState,
    /// The device in words, while it is live.
    pub device: Option<String>,
    /// What it delivers, while it is live: `1280x720 YUYV 30 fps`.
    pub format: Option<String>,
    /// What is wrong, while it is faulted.
    pub why: Option<String>,
    /// How long it has been so.
    pub for_seconds: f64,
    /// Frames fetched.
    pub frames: u64,
    /// Frames that the camera made and that were not fetched.
    pub missed: u64,
    /// Frames that could not be converted.
    pub damaged: u64,
    /// Frames that were left out because encoding all of them would take too long.
    pub left_out: u64,
    /// What is given up because the machine is too slow; `None` where nothing is.
    pub overload: Option<Overload>,
    /// Steps that were made down because of that, and up again.
    pub overload_steps: Steps,
    /// Faults.
    pub faults: u64,
    /// One for each rendition, whether it runs or not; those of the whole picture first.
    pub encoders: Vec<Encoder>,
}

/// What viewers get of a camera that the machine is too slow for.
#[derive(Clone, Debug, Serialize)]
pub struct Overload {
    /// How many steps down from the whole it is.
    pub level: usize,
    /// Frames per second that are left.
    pub fps: f64,
    /// The size that is left, `640x360`.
    pub size: String,
    /// Whether the kernel says that the processor is slowed down to keep it from harm.
    pub hot: bool,
}

/// Counted since the start.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Steps {
    /// Less of the picture.
    pub down: u64,
    /// More of it again.
    pub up: u64,
}

/// How a camera is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// Closed, as nobody watches.
    Idle,
    /// Being opened.
    Opening,
    /// Closed by the privacy switch.
    Private,
    /// Frames come.
    Live,
    /// No frames come.
    Faulted,
}

/// The encoder of one rendition.
#[derive(Clone, Debug, Serialize)]
pub struct Encoder {
    /// Its codec.
    pub codec: String,
    /// Which of the camera's sizes it makes: `full` or `small`.
    pub rung: String,
    /// Its name, while it runs; `passthrough` while the camera's own encoder does the work.
    pub encoder: Option<String>,
    /// Frames encoded.
    pub frames: u64,
    /// The bytes of them.
    pub bytes: u64,
    /// How many of them are keyframes.
    pub keyframes: u64,
    /// Keyframes ordered.
    pub keyframe_orders: u64,
    /// Frames that the encoder left out, or failed at.
    pub skipped: u64,
    /// Frames that an encoder in hardware read in the camera's memory.
    pub imported: u64,
    /// Frames that were copied for an encoder in hardware.
    pub copied: u64,
    /// Encoded frames that were dropped because the network side lagged.
    pub lagged: u64,
}

impl Encoder {
    /// Whether this machine encodes.
    pub fn runs(&self) -> bool {
        self.encoder
            .as_ref()
            .is_some_and(|name| name != pipeline::PASSTHROUGH)
    }
}

impl Camera {
    pub(super) fn of(parts: &CameraParts<'_>, now: Instant) -> Self {
        let (condition, account) = (&parts.condition, parts.account);
        let (state, device, format, why) = match &condition.state {
            pipeline::State::Idle => (CameraState::Idle, None, None, None),
            pipeline::State::Opening => (CameraState::Opening, None, None, None),
            pipeline::State::Private => (CameraState::Private, None, None, None),
            pipeline::State::Live { device, format } => (
                CameraState::Live,
                Some(device.clone()),
                Some(format.to_string()),
                None,
            ),
            pipeline::State::Faulted { why } => (CameraState::Faulted, None, None, Some(why.clone())),
        };
        Self {
            name: parts.name.map(ToOwned::to_owned),
            signaling: Signaling::of(&parts.standing, now),
            state,
            device,
            format,
            why,
            for_seconds: since(condition.since, now),
            frames: account.frames.get(),
            missed: account.missed.get(),
            damaged: account.damaged.get(),
            left_out: account.left_out.get(),
            overload: account.overload().borrow().as_ref().map(Overload::of),
            overload_steps: Steps {
                down: account.steps_down.get(),
                up: account.steps_up.get(),
            },
            faults: account.faults.get(),
            encoders: encoders(parts),
        }
    }
}

impl Overload {
    fn of(overload: &pipeline::Overload) -> Self {
        Self {
            level: overload.level,
            fps: overload.rate.as_f64(),
            size: overload.size.to_string(),
            hot: overload.is_hot,
        }
    }
}

impl Signaling {
    fn of(standing: &presence::Standing, now: Instant) -> Self {
        let (state, id, why) = match &standing.state {
            presence::State::SigningIn => (ServerState::SigningIn, None, None),
            presence::State::SignedIn { id } => (ServerState::SignedIn, Some(id.clone()), None),
            presence::State::Away { why } => (ServerState::Away, None, Some(why.clone())),
            presence::State::SignedOut => (ServerState::SignedOut, None, None),
        };
        Self {
            member: standing.name.clone(),
            server: standing.server.clone(),
            state,
            id,
            why,
            for_seconds: since(standing.since, now),
            sign_ins: standing.sign_ins,
        }
    }
}

fn encoders(parts: &CameraParts<'_>) -> Vec<Encoder> {
    let encoder = |(rendition, figures): &(Rendition, Arc<fanout::Figures>)| {
        let line = parts.account.line(*rendition);
        Encoder {
            codec: rendition.codec.to_string(),
            rung: rendition.rung.to_string(),
            encoder: line.encoder().map(|name| name.to_string()),
            frames: line.units.get(),
            bytes: line.bytes.get(),
            keyframes: line.keyframes.get(),
            keyframe_orders: line.keyframe_orders.get(),
            skipped: line.skipped.get(),
            imported: line.imported.get(),
            copied: line.copied.get(),
            lagged: figures.dropped.get(),
        }
    };
    parts.tracks.iter().map(encoder).collect()
}
