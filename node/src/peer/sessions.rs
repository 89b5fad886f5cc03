//! All sessions, in as many shards as there are threads to work with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Instant,
};

use super::{
    id::{CallId, SessionId},
    places::{self, Connecting, Origin},
    report::Stage,
    shard::{Entry, Held, Outcome, Shard, Task},
    sleepers::{self, Sleeper},
    transport::{Lane, Path},
};

/// All places are taken by those who have no less right to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All sessions. Their numbers are in the order of their beginning.
pub(super) struct Sessions {
    /// At least one. A session is in the one that its number, divided by how many there are, leaves over.
    shards: Vec<Shard>,
    /// When each that waits for a time wants to be called, the first first.
    due: BTreeSet<(Instant, SessionId)>,
    /// Those that connect.
    connecting: BTreeSet<SessionId>,
    /// Those that fell silent.
    silent: BTreeSet<SessionId>,
    /// The number of the next session is at least this.
    next: u64,
}

impl Sessions {
    /// One shard for each of these ways out.
    pub(super) fn new(first: Lane, others: impl IntoIterator<Item = Lane>) -> Self {
        let mut shards = vec![Shard::new(first)];
        shards.extend(others.into_iter().map(Shard::new));
        Self {
            shards,
            due: BTreeSet::new(),
            connecting: BTreeSet::new(),
            silent: BTreeSet::new(),
            next: 0,
        }
    }

    /// The number of the next session: such that it joins the smallest shard.
    pub(super) fn next(&self) -> SessionId {
        let shards = self.shards.len() as u64;
        let numbers = (self.next..self.next + shards).map(SessionId);
        let smallest = numbers.min_by_key(|id| self.shard(*id).map_or(0, BTreeMap::len));
        smallest.unwrap_or(SessionId(self.next))
    }

    pub(super) fn add(&mut self, entry: Entry) -> SessionId {
        let id = self.next();
        self.next = id.0 + 1;
        if let Some(shard) = self.shard_mut(id) {
            shard.insert(id, Held::new(entry));
        }
        self.settle(id);
        id
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Entry> {
        let held = self.shard_mut(id)?.remove(&id)?;
        self.connecting.remove(&id);
        self.silent.remove(&id);
        if let Some(due) = held.due {
            self.due.remove(&(due, id));
        }
        Some(held.entry)
    }

    /// The entry of a session. Whoever has the session do something calls [`Sessions::settle`] then.
    pub(super) fn get(&mut self, id: SessionId) -> Option<&mut Entry> {
        self.shard_mut(id)?.get_mut(&id).map(|held| &mut held.entry)
    }

    /// Asks a session when it wants to be called next.
    pub(super) fn settle(&mut self, id: SessionId) {
        let Self {
            shards,
            due,
            connecting,
            silent,
            ..
        } = self;
        let index = index(id, shards.len());
        let shard = shards.get_mut(index).map(Shard::all_mut);
        let Some(held) = shard.and_then(|shard| shard.get_mut(&id)) else {
            return;
        };
        settle(due, id, held);
        let stage = held.entry.session.stage();
        for (set, of) in [(connecting, Stage::Connecting), (silent, Stage::Silent)] {
            if stage == of {
                set.insert(id);
            } else {
                set.remove(&id);
            }
        }
    }

    /// Does this with every session.
    pub(super) fn each(&mut self, mut act: impl FnMut(SessionId, &mut Entry)) {
        for (id, held) in self.shards.iter_mut().flat_map(Shard::all_mut) {
            act(*id, &mut held.entry);
            settle(&mut self.due, *id, held);
        }
    }

    /// Looks where a unit may go. Returns how many sessions there is work with.
    pub(super) fn prepare(&mut self, task: &Task, is_welcome: impl Fn(Path) -> bool) -> usize {
        let shards = self.shards.iter_mut();
        shards.map(|shard| shard.prepare(task, &is_welcome)).sum()
    }

    /// The shards, to be brought back in the same order.
    pub(super) fn shards(&mut self) -> &mut Vec<Shard> {
        &mut self.shards
    }

    /// What came of the last task, a shard after the other.
    pub(super) fn outcome(&mut self) -> Outcome {
        let mut whole = Outcome::default();
        for shard in &mut self.shards {
            let outcome = shard.outcome();
            whole.outputs.extend(outcome.outputs);
            whole.moved.extend(outcome.moved);
            whole.served |= outcome.served;
        }
        for id in &whole.moved {
            self.settle(*id);
        }
        whole
    }

    /// Packets that the kernel did not take from shards, since the start.
    pub(super) fn unsent(&self) -> u64 {
        self.shards.iter().map(Shard::unsent).sum()
    }

    /// The session of a call, where it has one.
    pub(super) fn of(&self, call: CallId) -> Option<SessionId> {
        let mut all = self.all();
        all.find(|(_, held)| held.entry.call == call).map(|(id, _)| id)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.all().len()).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all().map(|(_, held)| &held.entry)
    }

    /// Those of which this is true, the oldest first.
    pub(super) fn which(&self, is_meant: impl Fn(&Entry) -> bool) -> Vec<SessionId> {
        let meant = self.all().filter(|(_, held)| is_meant(&held.entry));
        let meant: BTreeSet<_> = meant.map(|(id, _)| id).collect();
        meant.into_iter().collect()
    }

    fn all(&self) -> impl Iterator<Item = (SessionId, &Held)> {
        let all = self.shards.iter().flat_map(Shard::all);
        all.map(|(id, held)| (*id, held))
    }

    fn shard(&self, of: SessionId) -> Option<&BTreeMap<SessionId, Held>> {
        let index = index(of, self.shards.len());
        self.shards.get(index).map(Shard::all)
    }

    fn shard_mut(&mut self, of: SessionId) -> Option<&mut BTreeMap<SessionId, Held>> {
        let index = index(of, self.shards.len());
        self.shards.get_mut(index).map(Shard::all_mut)
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
        let all = self.all();
        let connecting: BTreeMap<_, _> = all
            .filter_map(|(id, held)| Some((id, connecting(&held.entry)?)))
            .collect();
        let (ids, connecting): (Vec<_>, Vec<_>) = connecting.into_iter().unzip();
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

    /// Who of those that fell silent is one too many, where so many are kept.
    pub(super) fn one_too_many(&self, most: usize) -> Option<SessionId> {
        let sleeper = |id: &SessionId| {
            let heard = self.shard(*id)?.get(id)?.entry.session.heard()?;
            let origin = Some(Origin::from(heard.from));
            let heard = heard.at;
            Some((*id, Sleeper { origin, heard }))
        };
        let (ids, sleepers): (Vec<_>, Vec<_>) = self.silent.iter().filter_map(sleeper).unzip();
        let index = sleepers::one_too_many(&sleepers, most)?;
        ids.get(index).copied()
    }

    /// How many are connected and can be heard.
    pub(super) fn connected(&self) -> usize {
        self.len() - self.connecting.len() - self.silent.len()
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

/// In which of so many shards a session is.
fn index(id: SessionId, shards: usize) -> usize {
    (id.0 % shards.max(1) as u64) as usize
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
