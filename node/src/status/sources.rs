use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{Snapshot, Watch, microphone::MicrophoneSource, watch as words};
use crate::{
    control,
    fanout::{self, Broadcast},
    media::{AccessUnit, Rendition},
    peer::{CameraId, Report, Viewers},
    pipeline::{self, Account},
    presence::{self, Standing},
    voice,
};

/// How long the engine may take to say who watches. It answers between two packets.
const PATIENCE: Duration = Duration::from_secs(1);

/// Names an essential part of the node that does not move, where there is one.
pub type Stuck = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Where a node's status comes from: what its rooms publish. Cheap to clone.
#[derive(Clone)]
pub struct Sources {
    started: Instant,
    roster: watch::Receiver<Roster>,
    microphone: MicrophoneSource,
    viewers: Viewers,
    control: Arc<control::Account>,
    speaker: Arc<voice::Account>,
    stuck: Stuck,
}

/// The node's name, and what there is to know of each of its cameras.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// What each member's name on the server begins with.
    pub name: String,
    /// In the order of the configuration.
    pub cameras: Vec<CameraSource>,
}

/// What one camera publishes.
#[derive(Clone, Debug)]
pub struct CameraSource {
    /// By which the engine knows it.
    pub id: CameraId,
    /// Its own name, where it has one.
    pub name: Option<String>,
    /// How its member stands with the server.
    pub presence: watch::Receiver<Standing>,
    /// How its pictures are.
    pub account: Arc<Account>,
    tracks: Vec<(Rendition, Arc<fanout::Figures>)>,
}

impl CameraSource {
    /// `broadcast` is what it is watched through.
    pub fn new(
        id: CameraId,
        name: Option<String>,
        presence: watch::Receiver<Standing>,
        account: Arc<Account>,
        broadcast: &Broadcast<AccessUnit>,
    ) -> Self {
        Self {
            id,
            name,
            presence,
            account,
            tracks: broadcast.figures().collect(),
        }
    }
}

impl Sources {
    /// `stuck` is asked whenever somebody asks for the node's health. The node's age counts from now on.
    pub fn new(
        roster: watch::Receiver<Roster>,
        microphone: MicrophoneSource,
        viewers: Viewers,
        control: Arc<control::Account>,
        speaker: Arc<voice::Account>,
        stuck: Stuck,
    ) -> Self {
        Self {
            started: Instant::now(),
            roster,
            microphone,
            viewers,
            control,
            speaker,
            stuck,
        }
    }

    /// What a line about the node tells, and the wait for a change.
    pub fn watch(&self) -> Watch {
        let microphone = self.microphone.account.watch();
        Watch::new(self.roster.clone(), microphone, self.viewers.count())
    }

    /// Everything at this moment.
    pub async fn snapshot(&self) -> Snapshot {
        let report = self.viewers.report(PATIENCE).await;
        let roster = self.roster.borrow().clone();
        let mut stuck: Vec<_> = (self.stuck)().into_iter().collect();
        if report.is_none() {
            stuck.push("the task that serves viewers does not answer".to_owned());
        }
        let parts = Parts {
            age: self.started.elapsed(),
            name: &roster.name,
            cameras: roster.cameras.iter().map(CameraParts::of).collect(),
            microphone: &self.microphone,
            figures: self.viewers.figures(),
            report: report.unwrap_or_default(),
            control: &self.control,
            speaker: &self.speaker,
            stuck,
        };
        Snapshot::of(parts, Instant::now())
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// What a snapshot is made of.
pub(super) struct Parts<'a> {
    pub(super) age: Duration,
    pub(super) name: &'a str,
    pub(super) cameras: Vec<CameraParts<'a>>,
    pub(super) microphone: &'a MicrophoneSource,
    pub(super) figures: &'a crate::peer::Figures,
    pub(super) report: Report,
    pub(super) control: &'a control::Account,
    pub(super) speaker: &'a voice::Account,
    pub(super) stuck: Vec<String>,
}

/// What a snapshot of one camera is made of.
pub(super) struct CameraParts<'a> {
    pub(super) id: CameraId,
    pub(super) name: Option<&'a str>,
    pub(super) standing: Standing,
    pub(super) condition: pipeline::Condition,
    pub(super) account: &'a Account,
    pub(super) tracks: &'a [(Rendition, Arc<fanout::Figures>)],
}

impl<'a> CameraParts<'a> {
    fn of(source: &'a CameraSource) -> Self {
        Self {
            id: source.id,
            name: source.name.as_deref(),
            standing: source.presence.borrow().clone(),
            condition: source.account.watch().borrow().clone(),
            account: &source.account,
            tracks: &source.tracks,
        }
    }
}

impl Parts<'_> {
    /// What the node needs from outside and does not have.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for camera in &self.cameras {
            match camera.standing.state {
                presence::State::SignedIn { .. } | presence::State::SignedOut => {}
                presence::State::SigningIn | presence::State::Away { .. } => {
                    missing.push(words::signaling(&camera.standing));
                }
            }
        }
        // A server that is away is so for all of them.
        missing.dedup();
        for camera in &self.cameras {
            if matches!(camera.condition.state, pipeline::State::Faulted { .. }) {
                let several = self.cameras.len() > 1;
                missing.push(words::camera(camera.name, several, &camera.condition.state));
            }
        }
        missing.extend(self.microphone.missing());
        missing.extend(self.control.watch().borrow().faults.iter().cloned());
        if let voice::State::Faulted { why } = self.speaker.state() {
            missing.push(format!("nobody can be heard: {why}"));
        }
        missing
    }

    /// The name of a camera, where it has one.
    pub(super) fn name_of(&self, id: CameraId) -> Option<&str> {
        let camera = self.cameras.iter().find(|camera| camera.id == id)?;
        camera.name
    }
}

/// A node that does not exist, for the tests of this room.
#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::{
        media::{Codec, Colour, FrameRate, PixelFormat, Rung, SoundCodec, VideoFormat},
        peer::{Reception, Stage, Viewer},
        pipeline::{SoundState, State},
    };

    pub struct Samples {
        pub cameras: Vec<Sample>,
        pub roster: watch::Sender<Roster>,
        pub microphone: MicrophoneSource,
        pub viewers: watch::Sender<usize>,
        pub figures: crate::peer::Figures,
        pub report: Report,
        pub control: control::Account,
        pub speaker: voice::Account,
    }

    /// One of its cameras.
    pub struct Sample {
        pub source: CameraSource,
        pub presence: watch::Sender<Standing>,
    }

    impl Sample {
        fn new(id: u64, name: Option<&str>) -> Self {
            let member = name.map_or("porch".to_owned(), |name| format!("porch {name}"));
            let presence = watch::Sender::new(Standing {
                server: "http://192.0.2.1:8888".to_owned(),
                name: member,
                state: presence::State::SigningIn,
                since: Instant::now(),
                sign_ins: 0,
            });
            let source = CameraSource {
                id: CameraId(id),
                name: name.map(ToOwned::to_owned),
                presence: presence.subscribe(),
                account: Arc::default(),
                tracks: crate::pipeline::RENDITIONS
                    .map(|rendition| (rendition, Arc::default()))
                    .into(),
            };
            Self { source, presence }
        }

        pub fn sign_in(&self) {
            self.presence.send_modify(|standing| {
                standing.state = presence::State::SignedIn { id: "7".to_owned() };
                standing.sign_ins = 1;
            });
        }
    }

    impl Default for Samples {
        fn default() -> Self {
            Self::of(&[None])
        }
    }

    impl Samples {
        /// A node with cameras of these names.
        pub fn of(names: &[Option<&str>]) -> Self {
            let cameras = names.iter().enumerate();
            let cameras: Vec<_> = cameras.map(|(id, name)| Sample::new(id as u64, *name)).collect();
            let roster = Roster {
                name: "porch".to_owned(),
                cameras: cameras.iter().map(|camera| camera.source.clone()).collect(),
            };
            Self {
                cameras,
                roster: watch::Sender::new(roster),
                microphone: MicrophoneSource::default(),
                viewers: watch::Sender::new(0),
                figures: crate::peer::Figures::default(),
                report: Report::default(),
                control: control::Account::default(),
                speaker: voice::Account::default(),
            }
        }

        pub fn watch(&self) -> Watch {
            let microphone = self.microphone.account.watch();
            Watch::new(self.roster.subscribe(), microphone, self.viewers.subscribe())
        }

        pub fn account(&self) -> &Account {
            &self.cameras[0].source.account
        }

        pub fn sign_in(&self) {
            self.cameras.iter().for_each(Sample::sign_in);
        }

        /// The first camera is so.
        pub fn camera(&self, state: State) {
            self.account().becomes(state);
        }

        pub fn microphone(&self, state: SoundState) {
            self.microphone.account.becomes(state);
        }

        pub fn snapshot(&self, stuck: &[&str]) -> Snapshot {
            let parts = Parts {
                age: Duration::from_millis(61_500),
                name: "porch",
                cameras: self
                    .cameras
                    .iter()
                    .map(|camera| CameraParts::of(&camera.source))
                    .collect(),
                microphone: &self.microphone,
                figures: &self.figures,
                report: self.report.clone(),
                control: &self.control,
                speaker: &self.speaker,
                stuck: stuck.iter().map(|text| (*text).to_owned()).collect(),
            };
            Snapshot::of(parts, Instant::now())
        }
    }

    pub fn live() -> State {
        State::Live {
            device: "/dev/video0 (C920)".to_owned(),
            format: VideoFormat {
                pixel: PixelFormat::Yuyv,
                size: "1280x720".parse().expect("a size"),
                stride: 2560,
                colour: Colour::VIDEO,
                rate: FrameRate::per_second(30),
            },
        }
    }

    pub fn overload() -> pipeline::Overload {
        pipeline::Overload {
            level: 1,
            rate: FrameRate::per_second(15),
            size: "1280x720".parse().expect("a size"),
            is_hot: false,
        }
    }

    pub fn faulted() -> State {
        State::Faulted {
            why: "it was unplugged".to_owned(),
        }
    }

    pub fn viewer(session: u64, name: &str) -> Viewer {
        Viewer {
            session,
            camera: CameraId(0),
            name: name.to_owned(),
            codec: Codec::H264,
            sound: Some(SoundCodec::Opus),
            sound_packets: 4500,
            stage: Stage::Watching,
            lasts: Duration::from_secs(90),
            units: 2700,
            packets: 20_000,
            bytes: 22_500_000,
            bits_per_second: Some(2e6),
            keyframe_requests: 3,
            nacked: 12,
            reception: Some(Reception {
                loss: 0.25,
                lost: 11,
                jitter: Duration::from_millis(4),
            }),
            estimate: Some(1_600_000.0),
            thinned: true,
            latency: Some(Duration::from_millis(87)),
            rung: Rung::SMALL,
            halved: false,
            round_trip: Some(Duration::from_micros(12_500)),
        }
    }
}
