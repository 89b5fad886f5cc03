mod camera;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{health::Health, microphone::Microphone, sources::Parts, speaker::Speaker};
use crate::{
    control,
    figures::{Durations, Spread},
    media::Rendition,
    peer::{self, Ending, Stage},
};

pub use camera::{Camera, CameraState, Encoder, Overload, ServerState, Signaling, Steps};

/// A node at one moment, as plain data: what the page and `/status.json` show and what `/metrics` counts.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The program's.
    pub version: &'static str,
    /// Since the start.
    pub uptime_seconds: f64,
    /// What viewers see in their list, in front of a camera's own name.
    pub name: String,
    /// Whether it is well.
    pub health: Health,
    /// How each of its cameras is.
    pub cameras: Vec<Camera>,
    /// How its microphone is.
    pub microphone: Microphone,
    /// How its loudspeaker is; none where none is configured.
    pub speaker: Option<Speaker>,
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

/// What one stage of a frame's way took.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// `capture`, `convert`, `encode`, `queue`, `send`, `total` for all of them and the time between; `sound_encode`, and
    /// `sound_total` for all that 20 ms of sound take, these 20 ms included.
    pub stage: &'static str,
    /// The camera's own name, where it has one; `None` also for what all cameras have in common.
    pub camera: Option<String>,
    /// Where it differs from codec to codec.
    pub codec: Option<String>,
    /// Where it differs from size to size: `full` or `small`.
    pub rung: Option<String>,
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
    /// The own name of the camera that it watches, where that has one.
    pub camera: Option<String>,
    /// What the viewer calls itself. From outside: anything may stand in it.
    pub name: String,
    /// What it gets.
    pub codec: String,
    /// In which codec it hears the microphone, while it does.
    pub sound: Option<String>,
    /// Packets of sound sent.
    pub sound_packets: u64,
    /// `connecting`, `awaiting_keyframe` or `watching`.
    pub stage: &'static str,
    /// Since its offer.
    pub for_seconds: f64,
    /// The rate at which it is sent to.
    pub bits_per_second: Option<f64>,
    /// What its path carries, in bits a second, as far as it was ever too little.
    pub estimated_bits_per_second: Option<f64>,
    /// Whether it is sent less than there is, because its path carries no more.
    pub thinned: bool,
    /// From the capture of a picture to the viewer's screen, as the viewer says.
    pub latency_seconds: Option<f64>,
    /// Which size its pictures have now: `full` or `small`.
    pub rung: String,
    /// Whether pictures that no other builds upon are left out: about every second one.
    pub halved: bool,
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
            name: parts.name.to_owned(),
            cameras: parts
                .cameras
                .iter()
                .map(|camera| Camera::of(camera, now))
                .collect(),
            microphone: Microphone::of(parts.microphone, now),
            speaker: Speaker::of(parts.speaker, now),
            latencies: latencies(&parts),
            sessions: Sessions {
                started: parts.figures.started.get(),
                refused: parts.figures.refused.get(),
                ended: Ending::ALL
                    .map(|ending| (ending.label(), parts.figures.ended(ending).get()))
                    .into(),
                unsent_packets: parts.report.unsent,
            },
            viewers: parts
                .report
                .viewers
                .iter()
                .map(|viewer| Viewer::of(viewer, parts.name_of(viewer.camera)))
                .collect(),
            control: control(parts.control),
            health: Health::of(missing, parts.stuck),
        }
    }

    /// How many viewers are connected and can be heard.
    pub fn connected(&self) -> usize {
        let others = self.at(Stage::Connecting) + self.silent();
        self.viewers.len() - others
    }

    /// How many can't be heard any more, and are waited for.
    pub fn silent(&self) -> usize {
        self.at(Stage::Silent)
    }

    fn at(&self, point: Stage) -> usize {
        let point = stage(point);
        self.viewers.iter().filter(|viewer| viewer.stage == point).count()
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

fn latencies(parts: &Parts<'_>) -> Vec<Latency> {
    let latency = |stage, camera: Option<&str>, rendition: Option<Rendition>, durations: &Durations| {
        let spread = durations.read();
        Latency {
            stage,
            camera: camera.map(ToOwned::to_owned),
            codec: rendition.map(|rendition| rendition.codec.to_string()),
            rung: rendition.map(|rendition| rendition.rung.to_string()),
            count: spread.count(),
            mean_seconds: spread.mean(),
            spread,
        }
    };
    let mut all = Vec::new();
    for camera in &parts.cameras {
        let (name, account) = (camera.name, camera.account);
        all.push(latency("capture", name, None, &account.waited));
        all.push(latency("convert", name, None, &account.converted));
        for (rendition, track) in camera.tracks {
            let (rendition, encoded) = (*rendition, &account.line(*rendition).encoded);
            all.push(latency("encode", name, Some(rendition), encoded));
            all.push(latency("queue", name, Some(rendition), &track.waited));
        }
    }
    all.push(latency("send", None, None, &parts.figures.sent));
    all.push(latency("total", None, None, &parts.figures.captured_to_sent));
    let sound = &parts.microphone.account.encoded;
    all.push(latency("sound_encode", None, None, sound));
    let sound = &parts.figures.sound_captured_to_sent;
    all.push(latency("sound_total", None, None, sound));
    all
}

impl Viewer {
    fn of(viewer: &peer::Viewer, camera: Option<&str>) -> Self {
        let reception = viewer.reception;
        Self {
            session: viewer.session,
            camera: camera.map(ToOwned::to_owned),
            codec: viewer.codec.to_string(),
            sound: viewer.sound.map(|codec| codec.to_string()),
            sound_packets: viewer.sound_packets,
            stage: stage(viewer.stage),
            for_seconds: viewer.lasts.as_secs_f64(),
            bits_per_second: viewer.bits_per_second,
            estimated_bits_per_second: viewer.estimate,
            thinned: viewer.thinned,
            latency_seconds: viewer.latency.as_ref().map(Duration::as_secs_f64),
            rung: viewer.rung.to_string(),
            halved: viewer.halved,
            frames: viewer.units,
            packets: viewer.packets,
            bytes: viewer.bytes,
            loss: reception.map(|reception| reception.loss),
            lost: reception.map(|reception| reception.lost),
            jitter_seconds: reception.map(|reception| reception.jitter.as_secs_f64()),
            round_trip_seconds: viewer.round_trip.as_ref().map(Duration::as_secs_f64),
            keyframe_requests: viewer.keyframe_requests,
            nacked: viewer.nacked,
            name: viewer.name.clone(),
        }
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Connecting => "connecting",
        Stage::AwaitingKeyframe => "awaiting_keyframe",
        Stage::Watching => "watching",
        Stage::Silent => "silent",
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
    use crate::peer::CameraId;
    use crate::pipeline::SoundState;
    use serde_json::json;

    #[test]
    fn a_node_with_a_viewer_as_json() {
        let mut samples = Samples::default();
        samples.sign_in();
        samples.camera(samples::live());
        samples.report.viewers.push(samples::viewer(4, "<b>\"Jo\"\n"));
        samples.account().frames.add(2700);
        let json = serde_json::to_value(samples.snapshot(&[])).expect("JSON");
        assert_eq!(json["health"], json!({"status": "ok", "problems": []}));
        let camera = &json["cameras"][0];
        assert_eq!(camera["signaling"]["state"], "signed_in");
        assert_eq!(camera["format"], "1280x720 YUYV 30 fps");
        assert_eq!(camera["frames"], 2700);
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
        samples.microphone(SoundState::Faulted {
            why: "in use".to_owned(),
        });
        let health = samples.snapshot(&[]).health;
        assert_eq!(
            health.problems,
            ["no picture: it was unplugged", "no sound: in use"]
        );
        let health = samples.snapshot(&["the camera thread does not move"]).health;
        assert_eq!(health.status, Verdict::Failing);
    }

    #[test]
    fn each_of_several_cameras_is_told_by_its_name() {
        let mut samples = Samples::of(&[Some("front"), Some("garden")]);
        samples.cameras[0].sign_in();
        samples.camera(samples::faulted());
        let mut viewer = samples::viewer(1, "Jo");
        viewer.camera = CameraId(1);
        samples.report.viewers.push(viewer);
        samples.account().gives_up(Some(samples::overload()));
        let snapshot = samples.snapshot(&[]);
        assert_eq!(
            snapshot.health.problems,
            [
                "signing in to http://192.0.2.1:8888 as porch garden",
                "no picture of camera front: it was unplugged"
            ]
        );
        let json = serde_json::to_value(&snapshot).expect("JSON");
        assert_eq!(json["cameras"][0]["name"], "front");
        assert_eq!(json["cameras"][0]["state"], "faulted");
        assert_eq!(
            json["cameras"][0]["overload"],
            json!({"level": 1, "fps": 15.0, "size": "1280x720", "hot": false})
        );
        assert!(json["cameras"][1]["overload"].is_null());
        assert_eq!(json["cameras"][1]["signaling"]["member"], "porch garden");
        assert_eq!(json["cameras"][1]["state"], "idle");
        assert_eq!(json["viewers"][0]["camera"], "garden");
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
