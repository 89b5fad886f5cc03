use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{Snapshot, Watch, watch as words};
use crate::{
    control,
    fanout::{self, Track},
    media::Codec,
    peer::{Report, Viewers},
    pipeline::{self, Account},
    presence::{self, Standing},
};

/// How long the engine may take to say who watches. It answers between two packets.
const PATIENCE: Duration = Duration::from_secs(1);

/// Names an essential part of the node that does not move, where there is one.
pub type Stuck = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Where a node's status comes from: what its rooms publish. Cheap to clone.
#[derive(Clone)]
pub struct Sources {
    started: Instant,
    presence: watch::Receiver<Standing>,
    camera: Arc<Account>,
    tracks: Vec<(Codec, Arc<fanout::Figures>)>,
    viewers: Viewers,
    control: Arc<control::Account>,
    stuck: Stuck,
}

impl Sources {
    /// `stuck` is asked whenever somebody asks for the node's health. The node's age counts from now on.
    pub fn new(
        presence: watch::Receiver<Standing>,
        camera: Arc<Account>,
        tracks: &[Track],
        viewers: Viewers,
        control: Arc<control::Account>,
        stuck: Stuck,
    ) -> Self {
        Self {
            started: Instant::now(),
            presence,
            camera,
            tracks: tracks
                .iter()
                .map(|track| (track.codec(), track.figures()))
                .collect(),
            viewers,
            control,
            stuck,
        }
    }

    /// What a line about the node tells, and the wait for a change.
    pub fn watch(&self) -> Watch {
        Watch {
            presence: self.presence.clone(),
            camera: self.camera.watch(),
            viewers: self.viewers.count(),
        }
    }

    /// Everything at this moment.
    pub async fn snapshot(&self) -> Snapshot {
        let report = self.viewers.report(PATIENCE).await;
        let standing = self.presence.borrow().clone();
        let condition = self.camera.watch().borrow().clone();
        let mut stuck: Vec<_> = (self.stuck)().into_iter().collect();
        if report.is_none() {
            stuck.push("the task that serves viewers does not answer".to_owned());
        }
        let parts = Parts {
            age: self.started.elapsed(),
            standing,
            condition,
            account: &self.camera,
            tracks: &self.tracks,
            figures: self.viewers.figures(),
            report: report.unwrap_or_default(),
            control: &self.control,
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
    pub(super) standing: Standing,
    pub(super) condition: pipeline::Condition,
    pub(super) account: &'a Account,
    pub(super) tracks: &'a [(Codec, Arc<fanout::Figures>)],
    pub(super) figures: &'a crate::peer::Figures,
    pub(super) report: Report,
    pub(super) control: &'a control::Account,
    pub(super) stuck: Vec<String>,
}

impl Parts<'_> {
    /// What the node needs from outside and does not have.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        match self.standing.state {
            presence::State::SignedIn { .. } | presence::State::SignedOut => {}
            presence::State::SigningIn | presence::State::Away { .. } => {
                missing.push(words::signaling(&self.standing));
            }
        }
        if matches!(self.condition.state, pipeline::State::Faulted { .. }) {
            missing.push(words::camera(&self.condition.state));
        }
        missing.extend(self.control.watch().borrow().faults.iter().cloned());
        missing
    }
}

/// A node that does not exist, for the tests of this room.
#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::{
        media::{Colour, FrameRate, PixelFormat, VideoFormat},
        peer::{Reception, Stage, Viewer},
        pipeline::{Condition, State},
    };

    pub struct Samples {
        pub presence: watch::Sender<Standing>,
        pub condition: watch::Sender<Condition>,
        pub viewers: watch::Sender<usize>,
        pub account: Account,
        pub figures: crate::peer::Figures,
        pub tracks: Vec<(Codec, Arc<fanout::Figures>)>,
        pub report: Report,
        pub control: control::Account,
    }

    impl Default for Samples {
        fn default() -> Self {
            let standing = Standing {
                server: "http://192.0.2.1:8888".to_owned(),
                name: "porch".to_owned(),
                state: presence::State::SigningIn,
                since: Instant::now(),
                sign_ins: 0,
            };
            let condition = Condition {
                state: State::Idle,
                since: Instant::now(),
            };
            Self {
                presence: watch::Sender::new(standing),
                condition: watch::Sender::new(condition),
                viewers: watch::Sender::new(0),
                account: Account::default(),
                figures: crate::peer::Figures::default(),
                tracks: Codec::ALL.map(|codec| (codec, Arc::default())).into(),
                report: Report::default(),
                control: control::Account::default(),
            }
        }
    }

    impl Samples {
        pub fn watch(&self) -> Watch {
            Watch {
                presence: self.presence.subscribe(),
                camera: self.condition.subscribe(),
                viewers: self.viewers.subscribe(),
            }
        }

        pub fn sign_in(&self) {
            self.presence.send_modify(|standing| {
                standing.state = presence::State::SignedIn { id: "7".to_owned() };
                standing.sign_ins = 1;
            });
        }

        pub fn camera(&self, state: State) {
            self.condition.send_modify(|condition| condition.state = state);
        }

        pub fn snapshot(&self, stuck: &[&str]) -> Snapshot {
            let parts = Parts {
                age: Duration::from_millis(61_500),
                standing: self.presence.borrow().clone(),
                condition: self.condition.borrow().clone(),
                account: &self.account,
                tracks: &self.tracks,
                figures: &self.figures,
                report: self.report.clone(),
                control: &self.control,
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

    pub fn faulted() -> State {
        State::Faulted {
            why: "it was unplugged".to_owned(),
        }
    }

    pub fn viewer(session: u64, name: &str) -> Viewer {
        Viewer {
            session,
            name: name.to_owned(),
            codec: Codec::H264,
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
            round_trip: Some(Duration::from_micros(12_500)),
        }
    }
}
