use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{health::Health, sources::Parts};
use crate::{
    control,
    figures::{Durations, Spread},
    media::Codec,
    peer::{self, Ending, Stage},
    pipeline, presence,
};

/// A node at one moment, as plain data: what the page and `/status.json` show and what `/metrics` counts.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The program's.
    pub version: &'static str,
    /// Since the start.
    pub uptime_seconds: f64,
    /// What viewers see in their list.
    pub name: String,
    /// Whether it is well.
    pub health: Health,
    /// How it stands with its server.
    pub signaling: Signaling,
    /// How its camera is.
    pub camera: Camera,
    /// One for each codec, whether it runs or not.
    pub encoders: Vec<Encoder>,
    /// What each stage of a frame's way took so far.
    pub latencies: Vec<Latency>,
    /// Who watches or is about to.
    pub viewers: Vec<Viewer>,
    /// All sessions since the start.
    pub sessions: Sessions,
    /// The pins, and those who may use them.
    pub control: Control,
}

/// The pins, and those who may use them.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// How everything is.
    #[serde(flatten)]
    pub body: control::Body,
    /// Requests that were obeyed, heartbeats included.
    pub obeyed: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that nobody looked at, because they came too fast.
    pub flooded: u64,
    /// Messages that a client did not get, because it took none for too long.
    pub missed: u64,
    /// Pictures that were made as files.
    pub pictures: u64,
}

/// How the node stands with its server.
#[derive(Clone, Debug, Serialize)]
pub struct Signaling {
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

/// Whether the node is signed in.
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

/// How the camera is.
#[derive(Clone, Debug, Serialize)]
pub struct Camera {
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
    /// Faults.
    pub faults: u64,
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

/// The encoder of one codec.
#[derive(Clone, Debug, Serialize)]
pub struct Encoder {
    /// Its codec.
    pub codec: String,
    /// Its name, while it runs; `passthrough` while the camera's own encoder does the work.
    pub encoder: Option<&'static str>,
    /// Frames encoded.
    pub frames: u64,
    /// The bytes of them.
    pub bytes: u64,
    /// How many of them are keyframes.
    pub keyframes: u64,
    /// Keyframes ordered.
    pub keyframe_orders: u64,
    /// Frames that the encoder left out.
    pub skipped: u64,
    /// Encoded frames that were dropped because the network side lagged.
    pub lagged: u64,
}

impl Encoder {
    /// Whether this machine encodes.
    pub fn runs(&self) -> bool {
        self.encoder.is_some_and(|name| name != pipeline::PASSTHROUGH)
    }
}

/// What one stage of a frame's way took.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// `capture`, `convert`, `encode`, `queue`, `send`, or `total` for all of them and the time between.
    pub stage: &'static str,
    /// Where it differs from codec to codec.
    pub codec: Option<String>,
    /// How many times.
    pub count: u64,
    /// On average, since the start. `None` where there was none.
    pub mean_seconds: Option<f64>,
    /// The whole distribution.
    #[serde(skip)]
    pub spread: Spread,
}

/// One session.
#[derive(Clone, Debug, Serialize)]
pub struct Viewer {
    /// Its number; none is used twice.
    pub session: u64,
    /// What the viewer calls itself. From outside: anything may stand in it.
    pub name: String,
    /// What it gets.
    pub codec: String,
    /// `connecting`, `awaiting_keyframe` or `watching`.
    pub stage: &'static str,
    /// Since its offer.
    pub for_seconds: f64,
    /// The rate at which it is sent to.
    pub bits_per_second: Option<f64>,
    /// Pictures sent.
    pub frames: u64,
    /// Datagrams sent, whatever was in them.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The share of packets lost lately, 0 to 1, as the viewer says.
    pub loss: Option<f64>,
    /// Packets lost since its beginning, as the viewer says.
    pub lost: Option<u64>,
    /// How unevenly packets arrive, as the viewer says.
    pub jitter_seconds: Option<f64>,
    /// There and back.
    pub round_trip_seconds: Option<f64>,
    /// Keyframes that it asked for.
    pub keyframe_requests: u64,
    /// Packets that it asked for again.
    pub nacked: u64,
}

/// All sessions since the start.
#[derive(Clone, Debug, Serialize)]
pub struct Sessions {
    /// Begun.
    pub started: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Ended, by the reason.
    pub ended: BTreeMap<&'static str, u64>,
    /// Packets that the system did not take.
    pub unsent_packets: u64,
}

impl Snapshot {
    pub(super) fn of(parts: Parts<'_>, now: Instant) -> Self {
        let missing = parts.missing();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: parts.age.as_secs_f64(),
            name: parts.standing.name.clone(),
            signaling: signaling(&parts.standing, now),
            camera: camera(&parts.condition, parts.account, now),
            encoders: encoders(&parts),
            latencies: latencies(&parts),
            sessions: Sessions {
                started: parts.figures.started.get(),
                refused: parts.figures.refused.get(),
                ended: Ending::ALL
                    .map(|ending| (ending.label(), parts.figures.ended(ending).get()))
                    .into(),
                unsent_packets: parts.report.unsent,
            },
            viewers: parts.report.viewers.into_iter().map(Viewer::from).collect(),
            control: control(parts.control),
            health: Health::of(missing, parts.stuck),
        }
    }

    /// How many viewers are connected.
    pub fn connected(&self) -> usize {
        let connecting = stage(Stage::Connecting);
        self.viewers
            .iter()
            .filter(|viewer| viewer.stage != connecting)
            .count()
    }
}

fn control(account: &control::Account) -> Control {
    Control {
        body: account.watch().borrow().clone(),
        obeyed: account.obeyed.get(),
        refused: account.refused.get(),
        flooded: account.flooded.get(),
        missed: account.missed.get(),
        pictures: account.pictures.get(),
    }
}

fn signaling(standing: &presence::Standing, now: Instant) -> Signaling {
    let (state, id, why) = match &standing.state {
        presence::State::SigningIn => (ServerState::SigningIn, None, None),
        presence::State::SignedIn { id } => (ServerState::SignedIn, Some(id.clone()), None),
        presence::State::Away { why } => (ServerState::Away, None, Some(why.clone())),
        presence::State::SignedOut => (ServerState::SignedOut, None, None),
    };
    Signaling {
        server: standing.server.clone(),
        state,
        id,
        why,
        for_seconds: since(standing.since, now),
        sign_ins: standing.sign_ins,
    }
}

fn camera(condition: &pipeline::Condition, account: &pipeline::Account, now: Instant) -> Camera {
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
    Camera {
        state,
        device,
        format,
        why,
        for_seconds: since(condition.since, now),
        frames: account.frames.get(),
        missed: account.missed.get(),
        damaged: account.damaged.get(),
        faults: account.faults.get(),
    }
}

fn encoders(parts: &Parts<'_>) -> Vec<Encoder> {
    let encoder = |(codec, figures): &(Codec, std::sync::Arc<crate::fanout::Figures>)| {
        let line = parts.account.line(*codec);
        Encoder {
            codec: codec.to_string(),
            encoder: line.encoder(),
            frames: line.units.get(),
            bytes: line.bytes.get(),
            keyframes: line.keyframes.get(),
            keyframe_orders: line.keyframe_orders.get(),
            skipped: line.skipped.get(),
            lagged: figures.dropped.get(),
        }
    };
    parts.tracks.iter().map(encoder).collect()
}

fn latencies(parts: &Parts<'_>) -> Vec<Latency> {
    let latency = |stage, codec: Option<Codec>, durations: &Durations| {
        let spread = durations.read();
        Latency {
            stage,
            codec: codec.map(|codec| codec.to_string()),
            count: spread.count(),
            mean_seconds: spread.mean(),
            spread,
        }
    };
    let (account, figures) = (parts.account, parts.figures);
    let mut all = vec![
        latency("capture", None, &account.waited),
        latency("convert", None, &account.converted),
    ];
    for (codec, track) in parts.tracks {
        all.push(latency("encode", Some(*codec), &account.line(*codec).encoded));
        all.push(latency("queue", Some(*codec), &track.waited));
    }
    all.push(latency("send", None, &figures.sent));
    all.push(latency("total", None, &figures.captured_to_sent));
    all
}

impl From<peer::Viewer> for Viewer {
    fn from(viewer: peer::Viewer) -> Self {
        let reception = viewer.reception;
        Self {
            session: viewer.session,
            codec: viewer.codec.to_string(),
            stage: stage(viewer.stage),
            for_seconds: viewer.lasts.as_secs_f64(),
            bits_per_second: viewer.bits_per_second,
            frames: viewer.units,
            packets: viewer.packets,
            bytes: viewer.bytes,
            loss: reception.map(|reception| reception.loss),
            lost: reception.map(|reception| reception.lost),
            jitter_seconds: reception.map(|reception| reception.jitter.as_secs_f64()),
            round_trip_seconds: viewer.round_trip.as_ref().map(Duration::as_secs_f64),
            keyframe_requests: viewer.keyframe_requests,
            nacked: viewer.nacked,
            name: viewer.name,
        }
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Connecting => "connecting",
        Stage::AwaitingKeyframe => "awaiting_keyframe",
        Stage::Watching => "watching",
    }
}

fn since(instant: Instant, now: Instant) -> f64 {
    now.saturating_duration_since(instant).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::super::{
        health::Verdict,
        sources::samples::{self, Samples},
    };
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_with_a_viewer_as_json() {
        let mut samples = Samples::default();
        samples.sign_in();
        samples.camera(samples::live());
        samples.report.viewers.push(samples::viewer(4, "<b>\"Jo\"\n"));
        samples.account.frames.add(2700);
        let json = serde_json::to_value(samples.snapshot(&[])).expect("JSON");
        assert_eq!(json["health"], json!({"status": "ok", "problems": []}));
        assert_eq!(json["signaling"]["state"], "signed_in");
        assert_eq!(json["camera"]["format"], "1280x720 YUYV 30 fps");
        assert_eq!(json["camera"]["frames"], 2700);
        let viewer = &json["viewers"][0];
        assert_eq!(viewer["name"], "<b>\"Jo\"\n");
        assert_eq!(viewer["bits_per_second"], 2e6);
        assert_eq!(viewer["round_trip_seconds"], 0.0125);
    }

    #[test]
    fn what_is_missing_degrades_and_what_is_stuck_fails() {
        let samples = Samples::default();
        let health = samples.snapshot(&[]).health;
        assert_eq!(health.status, Verdict::Degraded, "not signed in yet");
        samples.sign_in();
        assert_eq!(samples.snapshot(&[]).health.status, Verdict::Ok);
        samples.camera(samples::faulted());
        let health = samples.snapshot(&[]).health;
        assert_eq!(health.status, Verdict::Degraded);
        assert_eq!(health.problems, ["no picture: it was unplugged"]);
        let health = samples.snapshot(&["the camera thread does not move"]).health;
        assert_eq!(health.status, Verdict::Failing);
    }

    #[test]
    fn who_is_still_connecting_does_not_watch() {
        let mut samples = Samples::default();
        samples.report.viewers.push(samples::viewer(1, "one"));
        let mut second = samples::viewer(2, "two");
        second.stage = Stage::Connecting;
        samples.report.viewers.push(second);
        assert_eq!(samples.snapshot(&[]).connected(), 1);
    }
}
