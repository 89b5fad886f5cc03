use std::{sync::Arc, time::Instant};

use serde::Serialize;

use crate::{
    fanout::{Broadcast, Figures},
    media::SoundUnit,
    pipeline::{SoundAccount, SoundState},
};

/// What the microphone publishes.
#[derive(Clone, Debug, Default)]
pub struct MicrophoneSource {
    /// How its sound is.
    pub account: Arc<SoundAccount>,
    tracks: Vec<Arc<Figures>>,
}

impl MicrophoneSource {
    /// `broadcast` is what it is heard through.
    pub fn new(account: Arc<SoundAccount>, broadcast: &Broadcast<SoundUnit>) -> Self {
        Self {
            account,
            tracks: broadcast.figures().map(|(_, figures)| figures).collect(),
        }
    }

    /// What the node should have of it and does not, in words.
    pub(super) fn missing(&self) -> Option<String> {
        match &self.account.watch().borrow().state {
            SoundState::Faulted { why } => Some(format!("no sound: {why}")),
            SoundState::Off
            | SoundState::Idle
            | SoundState::Opening
            | SoundState::Private
            | SoundState::Live { .. } => None,
        }
    }
}

/// How the microphone is.
#[derive(Clone, Debug, Serialize)]
pub struct Microphone {
    /// In one word.
    pub state: MicrophoneState,
    /// The device in words, while it is live.
    pub device: Option<String>,
    /// What it delivers, while it is live: `44100 Hz S16_LE, stereo`.
    pub format: Option<String>,
    /// What is wrong, while it is faulted.
    pub why: Option<String>,
    /// How long it has been so.
    pub for_seconds: f64,
    /// How loud it is on average, in dB of full scale, while it is live.
    pub level_decibels: Option<f32>,
    /// Its highest sample lately, in dB of full scale, while it is live.
    pub peak_decibels: Option<f32>,
    /// Frames of 20 ms that it gave.
    pub frames: u64,
    /// Frames of silence in place of missing sound.
    pub silent: u64,
    /// Bytes of encoded sound.
    pub bytes: u64,
    /// How often sound was lost because it was not taken from the card in time.
    pub overruns: u64,
    /// Encoded frames that were dropped because the network side lagged.
    pub lagged: u64,
    /// Faults.
    pub faults: u64,
}

/// How a microphone is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MicrophoneState {
    /// There is none.
    Off,
    /// Closed, as nobody listens.
    Idle,
    /// Being opened.
    Opening,
    /// Closed by the privacy switch.
    Private,
    /// Sound comes.
    Live,
    /// No sound comes.
    Faulted,
}

impl MicrophoneState {
    /// All of them, with their labels.
    pub(super) const ALL: [(&'static str, MicrophoneState); 6] = [
        ("off", MicrophoneState::Off),
        ("idle", MicrophoneState::Idle),
        ("opening", MicrophoneState::Opening),
        ("private", MicrophoneState::Private),
        ("live", MicrophoneState::Live),
        ("faulted", MicrophoneState::Faulted),
    ];
}

impl Microphone {
    pub(super) fn of(source: &MicrophoneSource, now: Instant) -> Self {
        let account = &source.account;
        let condition = account.watch().borrow().clone();
        let (state, device, format, why) = match condition.state {
            SoundState::Off => (MicrophoneState::Off, None, None, None),
            SoundState::Idle => (MicrophoneState::Idle, None, None, None),
            SoundState::Opening => (MicrophoneState::Opening, None, None, None),
            SoundState::Private => (MicrophoneState::Private, None, None, None),
            SoundState::Live { device, shape } => {
                (MicrophoneState::Live, Some(device), Some(shape.to_string()), None)
            }
            SoundState::Faulted { why } => (MicrophoneState::Faulted, None, None, Some(why)),
        };
        let while_live = |decibels: f32| (state == MicrophoneState::Live).then_some(decibels);
        Self {
            state,
            device,
            format,
            why,
            for_seconds: now.saturating_duration_since(condition.since).as_secs_f64(),
            level_decibels: while_live(account.level.mean()),
            peak_decibels: while_live(account.level.peak()),
            frames: account.frames.get(),
            silent: account.silent.get(),
            bytes: account.bytes.get(),
            overruns: account.overruns.get(),
            lagged: source.tracks.iter().map(|figures| figures.dropped.get()).sum(),
            faults: account.faults.get(),
        }
    }
}
