use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    caller::Caller,
    id::{CallId, CameraId, SessionId},
    report::Stage,
    session::Session,
};

/// A session, and whose it is.
pub(super) struct Entry {
    pub(super) call: CallId,
    pub(super) camera: CameraId,
    /// What the viewer calls itself.
    pub(super) viewer: String,
    pub(super) caller: Box<dyn Caller>,
    pub(super) session: Session,
}

/// Who calls keeps its place among those who connect for this long without being heard of, where others want it.
const UNHEARD: Duration = Duration::from_secs(2);

/// Everybody who connects was heard of just now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All sessions, the oldest first.
#[derive(Default)]
pub(super) struct Sessions {
    all: BTreeMap<SessionId, Entry>,
    next: u64,
}

impl Sessions {
    /// The number of the next session.
    pub(super) fn next(&self) -> SessionId {
        SessionId(self.next)
    }

    pub(super) fn add(&mut self, entry: Entry) -> SessionId {
        let id = self.next();
        self.next += 1;
        self.all.insert(id, entry);
        id
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Entry> {
        self.all.remove(&id)
    }

    pub(super) fn get(&mut self, id: SessionId) -> Option<&mut Entry> {
        self.all.get_mut(&id)
    }

    /// The session of a call, where it has one.
    pub(super) fn of(&self, call: CallId) -> Option<SessionId> {
        let mut all = self.all.iter();
        all.find(|(_, entry)| entry.call == call).map(|(id, _)| *id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (SessionId, &mut Entry)> {
        self.all.iter_mut().map(|(id, entry)| (*id, entry))
    }

    /// Those of which this is true.
    pub(super) fn which(&self, is_meant: impl Fn(&Entry) -> bool) -> Vec<SessionId> {
        let meant = self.all.iter().filter(|(_, entry)| is_meant(entry));
        meant.map(|(id, _)| *id).collect()
    }

    /// Makes a place among those who connect, of which there are `places`: who was not heard of for a while gives way to a
    /// newcomer. An honest viewer is heard as soon as our answer has come to it.
    pub(super) fn gives_way(&self, places: usize, now: Instant) -> Result<Option<SessionId>, Full> {
        let mut connecting = self
            .all
            .iter()
            .filter(|(_, entry)| entry.session.stage() == Stage::Connecting);
        if connecting.clone().count() < places {
            return Ok(None);
        }
        let is_absent = |session: &Session| {
            !session.is_heard() && now.saturating_duration_since(session.started()) >= UNHEARD
        };
        let absent = connecting.find(|(_, entry)| is_absent(&entry.session));
        absent.map(|(id, _)| Some(*id)).ok_or(Full)
    }

    /// How many can send.
    pub(super) fn connected(&self) -> usize {
        let connected = |entry: &&Entry| entry.session.stage() != Stage::Connecting;
        self.iter().filter(connected).count()
    }

    /// When the first of them wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.iter().filter_map(|entry| entry.session.deadline()).min()
    }
}
