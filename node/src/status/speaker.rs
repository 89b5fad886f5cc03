use std::time::Instant;

use serde::Serialize;

use crate::{
    figures::Spread,
    voice::{Account, State, TalkerReport},
};

/// How the loudspeaker is.
#[derive(Clone, Debug, Serialize)]
pub struct Speaker {
    /// In one word.
    pub state: SpeakerState,
    /// The device and what it takes, while it plays.
    pub device: Option<String>,
    /// What is wrong, while it is faulted.
    pub why: Option<String>,
    /// How long it has been so.
    pub for_seconds: f64,
    /// Who talks, or did a moment ago.
    pub talkers: Vec<Talker>,
    /// The median time from the arrival of a packet until it is heard, lately.
    pub mouth_to_ear_seconds: Option<f64>,
    /// The same since the start.
    #[serde(skip)]
    pub mouth_to_ear: Spread,
    /// Packets that came.
    pub packets: u64,
    /// Packets that were turned away: of a flood, or while a card was opened.
    pub refused: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that could not be decoded.
    pub damaged: u64,
    /// Packets left out, so that the delay does not grow.
    pub skipped: u64,
    /// Packets in whose place something was made up.
    pub concealed: u64,
    /// How often the card ran dry.
    pub xruns: u64,
    /// Faults.
    pub faults: u64,
}

/// How a loudspeaker is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeakerState {
    /// Closed, as nobody talks.
    Idle,
    /// Open.
    Playing,
    /// It can't be opened.
    Faulted,
}

/// Somebody who talks.
#[derive(Clone, Debug, Serialize)]
pub struct Talker {
    /// The viewer's session.
    pub session: u64,
    /// Whether something is heard of it.
    pub audible: bool,
    /// How loud, in decibels below full scale.
    pub level_dbfs: f32,
    /// Sound that waits in its jitter buffer.
    pub jitter_buffer_seconds: f64,
    /// How much is meant to.
    pub jitter_buffer_target_seconds: f64,
}

impl SpeakerState {
    /// All of them, with their words for machines.
    pub const ALL: [(&'static str, SpeakerState); 3] = [
        ("idle", SpeakerState::Idle),
        ("playing", SpeakerState::Playing),
        ("faulted", SpeakerState::Faulted),
    ];
}

impl Speaker {
    /// `None` where there is none.
    pub(super) fn of(account: &Account, now: Instant) -> Option<Self> {
        let condition = account.watch().borrow().clone();
        let (state, device, why) = match condition.state {
            State::Off => return None,
            State::Idle => (SpeakerState::Idle, None, None),
            State::Playing { device } => (SpeakerState::Playing, Some(device), None),
            State::Faulted { why } => (SpeakerState::Faulted, None, Some(why)),
        };
        let figures = &account.figures;
        Some(Self {
            state,
            device,
            why,
            for_seconds: now.saturating_duration_since(condition.since).as_secs_f64(),
            talkers: account.talkers().iter().map(Talker::from).collect(),
            mouth_to_ear_seconds: account.median().map(|median| median.as_secs_f64()),
            mouth_to_ear: figures.mouth_to_ear.read(),
            packets: figures.packets.get(),
            refused: figures.refused.get(),
            late: figures.late.get(),
            damaged: figures.damaged.get(),
            skipped: figures.skipped.get(),
            concealed: figures.concealed.get(),
            xruns: figures.xruns.get(),
            faults: figures.faults.get(),
        })
    }
}

impl From<&TalkerReport> for Talker {
    fn from(report: &TalkerReport) -> Self {
        Self {
            session: report.talker.0,
            audible: report.is_audible,
            level_dbfs: report.level,
            jitter_buffer_seconds: report.depth.as_secs_f64(),
            jitter_buffer_target_seconds: report.target.as_secs_f64(),
        }
    }
}
