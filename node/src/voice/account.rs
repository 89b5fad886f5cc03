use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{figures::Figures, mixer::TalkerReport};

/// How the loudspeaker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// None is configured.
    Off,
    /// Nobody talks: the device is closed.
    Idle,
    /// Somebody talks, or did a moment ago.
    Playing {
        /// The device and what it takes, in words.
        device: String,
    },
    /// Nothing can be played. It is tried again and again while somebody talks; until it succeeds this stands.
    Faulted {
        /// What is wrong and what to do, in words.
        why: String,
    },
}

/// A [`State`], and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// How it is.
    pub state: State,
    /// When it became so.
    pub since: Instant,
}

/// What the loudspeaker tells of itself.
#[derive(Debug)]
pub struct Account {
    condition: watch::Sender<Condition>,
    talkers: Mutex<Vec<TalkerReport>>,
    /// In microseconds; 0 before the first.
    median: AtomicU64,
    /// What became of all packets.
    pub figures: Arc<Figures>,
}

impl Account {
    /// The state, at any time and at every change.
    pub fn watch(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// The state.
    pub fn state(&self) -> State {
        self.condition.borrow().state.clone()
    }

    /// Who talks, as of a moment ago.
    pub fn talkers(&self) -> Vec<TalkerReport> {
        self.talkers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The median time from a packet's arrival until it is heard, over the last some hundred packets.
    pub fn median(&self) -> Option<Duration> {
        let median = self.median.load(Relaxed);
        (median > 0).then(|| Duration::from_micros(median))
    }

    /// Somebody talks, for tests of those who tell it.
    #[cfg(test)]
    pub(crate) fn talking() -> Self {
        let account = Self::default();
        account.become_state(State::Playing {
            device: "hw:CARD=Device,DEV=0, 48000 Hz, 2 channels, S16_LE".to_owned(),
        });
        let talker = TalkerReport {
            talker: super::packet::Talker(5),
            is_audible: true,
            level: -20.0,
            depth: Duration::from_millis(40),
            target: Duration::from_millis(30),
        };
        account.tell(vec![talker], Some(Duration::from_millis(62)));
        account.figures.concealed.add(3);
        account
    }

    pub(super) fn become_state(&self, state: State) {
        self.condition.send_if_modified(|condition| {
            let is_new = condition.state != state;
            if is_new {
                *condition = Condition {
                    state,
                    since: Instant::now(),
                };
            }
            is_new
        });
    }

    pub(super) fn tell(&self, talkers: Vec<TalkerReport>, median: Option<Duration>) {
        *self.talkers.lock().unwrap_or_else(PoisonError::into_inner) = talkers;
        if let Some(median) = median {
            let micros = u64::try_from(median.as_micros()).unwrap_or(u64::MAX);
            self.median.store(micros.max(1), Relaxed);
        }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self {
            condition: watch::Sender::new(Condition {
                state: State::Off,
                since: Instant::now(),
            }),
            talkers: Mutex::default(),
            median: AtomicU64::new(0),
            figures: Arc::default(),
        }
    }
}
