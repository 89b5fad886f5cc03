use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Instant,
};

use super::{
    caller::Caller,
    id::{CallId, CameraId, SessionId},
    places::{self, Connecting, Origin},
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

/// All places are taken by those who have no less right to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All sessions, the oldest first.
#[derive(Default)]
pub(super) struct Sessions {
    all: BTreeMap<SessionId, Held>,
    /// When each that waits for a time wants to be called, the first first.
    due: BTreeSet<(Instant, SessionId)>,
    /// Those that connect.
    connecting: BTreeSet<SessionId>,
    next: u64,
}

struct Held {
    entry: Entry,
    /// As it stands in `due`.
    due: Option<Instant>,
}

impl Sessions {
    /// The number of the next session.
    pub(super) fn next(&self) -> SessionId {
        SessionId(self.next)
    }

    pub(super) fn add(&mut self, entry: Entry) -> SessionId {
        let id = self.next();
        self.next += 1;
        self.all.insert(id, Held { entry, due: None });
        self.settle(id);
        id
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Entry> {
        let held = self.all.remove(&id)?;
        self.connecting.remove(&id);
        if let Some(due) = held.due {
            self.due.remove(&(due, id));
        }
        Some(held.entry)
    }

    /// The entry of a session. Whoever has the session do something calls [`Sessions::settle`] then.
    pub(super) fn get(&mut self, id: SessionId) -> Option<&mut Entry> {
        self.all.get_mut(&id).map(|held| &mut held.entry)
    }

    /// Asks a session when it wants to be called next.
    pub(super) fn settle(&mut self, id: SessionId) {
        let Some(held) = self.all.get_mut(&id) else {
            return;
        };
        settle(&mut self.due, id, held);
        if held.entry.session.stage() == Stage::Connecting {
            self.connecting.insert(id);
        } else {
            self.connecting.remove(&id);
        }
    }

    /// Does this with every session.
    pub(super) fn each(&mut self, mut act: impl FnMut(SessionId, &mut Entry)) {
        for (id, held) in &mut self.all {
            act(*id, &mut held.entry);
            settle(&mut self.due, *id, held);
        }
    }

    /// The session of a call, where it has one.
    pub(super) fn of(&self, call: CallId) -> Option<SessionId> {
        let mut all = self.all.iter();
        all.find(|(_, held)| held.entry.call == call).map(|(id, _)| *id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all.values().map(|held| &held.entry)
    }

    /// Those of which this is true.
    pub(super) fn which(&self, is_meant: impl Fn(&Entry) -> bool) -> Vec<SessionId> {
        let meant = self.all.iter().filter(|(_, held)| is_meant(&held.entry));
        meant.map(|(id, _)| *id).collect()
    }

    /// Makes a place among those who connect, of which there are `places`, for a newcomer who says that it is at this address.
    ///
    /// # Errors
    /// Nobody gives way.
    pub(super) fn gives_way(
        &self,
        places: usize,
        newcomer: Option<IpAddr>,
        now: Instant,
    ) -> Result<Option<SessionId>, Full> {
        let connecting = |entry: &Entry| {
            let session = &entry.session;
            let heard = session.heard();
            let address = heard.map(|heard| heard.from).or_else(|| session.named());
            (session.stage() == Stage::Connecting).then(|| Connecting {
                origin: address.map(Origin::from),
                called: session.started(),
                heard: heard.map(|heard| heard.at),
            })
        };
        let all = self.all.iter();
        let connecting = all.filter_map(|(id, held)| Some((*id, connecting(&held.entry)?)));
        let (ids, connecting): (Vec<_>, Vec<_>) = connecting.unzip();
        if connecting.len() < places {
            return Ok(None);
        }
        let index = places::gives_way(&connecting, newcomer.map(Origin::from), now);
        index
            .and_then(|index| ids.get(index))
            .copied()
            .map(Some)
            .ok_or(Full)
    }

    /// How many connect.
    pub(super) fn connecting(&self) -> usize {
        self.connecting.len()
    }

    /// How many can send.
    pub(super) fn connected(&self) -> usize {
        self.all.len() - self.connecting.len()
    }

    /// When the first of them wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Those that want to be called by now.
    pub(super) fn due(&self, now: Instant) -> Vec<SessionId> {
        let due = self.due.iter().take_while(|(due, _)| *due <= now);
        due.map(|(_, id)| *id).collect()
    }
}

fn settle(due: &mut BTreeSet<(Instant, SessionId)>, id: SessionId, held: &mut Held) {
    let deadline = held.entry.session.deadline();
    if held.due == deadline {
        return;
    }
    if let Some(before) = held.due {
        due.remove(&(before, id));
    }
    due.extend(deadline.map(|deadline| (deadline, id)));
    held.due = deadline;
}
