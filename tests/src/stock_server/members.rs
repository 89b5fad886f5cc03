//! Who is signed in to the stock-like server, and what waits for each.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// A member without an open `/wait` for longer than this is dropped.
const SILENCE: Duration = Duration::from_secs(30);

/// What one `/wait` delivers.
pub(super) struct Event {
    pub(super) from: u64,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Members {
    last_id: u64,
    present: BTreeMap<u64, Member>,
    sign_ins: HashMap<Vec<u8>, usize>,
    pub(super) dropped_requests: Vec<String>,
}

struct Member {
    name: Vec<u8>,
    queue: VecDeque<Event>,
    /// The newest `/wait`; an older one gets nothing any more.
    turn: u64,
    /// Since when none is open.
    silent_since: Option<Instant>,
}

impl Members {
    /// The new member's id, and the list it gets: itself, then everybody else.
    pub(super) fn sign_in(&mut self, mut name: Vec<u8>) -> (u64, Vec<u8>) {
        self.last_id += 1;
        let id = self.last_id;
        if name.is_empty() {
            name = format!("peer_{id}").into_bytes();
        }
        let own = entry(&name, id, true);
        self.tell_all(&own);
        let others = self
            .present
            .iter()
            .flat_map(|(id, member)| entry(&member.name, *id, true));
        let list = own.iter().copied().chain(others).collect();
        *self.sign_ins.entry(name.clone()).or_default() += 1;
        let member = Member {
            name,
            queue: VecDeque::new(),
            turn: 0,
            silent_since: Some(Instant::now()),
        };
        self.present.insert(id, member);
        (id, list)
    }

    pub(super) fn sign_ins(&self, name: &str) -> usize {
        self.sign_ins.get(name.as_bytes()).copied().unwrap_or(0)
    }

    pub(super) fn is_present(&self, name: &str) -> bool {
        self.present.values().any(|member| member.name == name.as_bytes())
    }

    pub(super) fn knows(&self, id: u64) -> bool {
        self.present.contains_key(&id)
    }

    pub(super) fn remove(&mut self, id: u64) {
        if let Some(member) = self.present.remove(&id) {
            self.tell_all(&entry(&member.name, id, false));
        }
    }

    pub(super) fn remove_named(&mut self, name: &str) {
        let ids: Vec<u64> = self
            .present
            .iter()
            .filter(|(_, member)| member.name == name.as_bytes())
            .map(|(id, _)| *id)
            .collect();
        assert!(!ids.is_empty(), "{name} is not signed in");
        for id in ids {
            self.remove(id);
        }
    }

    /// Drops whoever has been silent too long. Whether there was one.
    pub(super) fn remove_silent(&mut self, now: Instant) -> bool {
        let is_silent = |member: &Member| member.silent_since.is_some_and(|since| now - since > SILENCE);
        let ids: Vec<u64> = self
            .present
            .iter()
            .filter(|(_, member)| is_silent(member))
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.remove(*id);
        }
        !ids.is_empty()
    }

    pub(super) fn queue(&mut self, to: u64, event: Event) {
        if let Some(member) = self.present.get_mut(&to) {
            member.queue.push_back(event);
        }
    }

    pub(super) fn begin_wait(&mut self, id: u64) -> u64 {
        self.present.get_mut(&id).map_or(0, |member| {
            member.turn += 1;
            member.silent_since = None;
            member.turn
        })
    }

    pub(super) fn take_event(&mut self, id: u64, turn: u64) -> Option<Event> {
        let member = self.present.get_mut(&id).filter(|member| member.turn == turn)?;
        let event = member.queue.pop_front()?;
        member.silent_since = Some(Instant::now());
        Some(event)
    }

    /// Tells everybody present. A presence event carries the receiver's own id.
    fn tell_all(&mut self, body: &[u8]) {
        for (id, member) in &mut self.present {
            member.queue.push_back(Event {
                from: *id,
                content_type: "text/plain".to_owned(),
                body: body.to_vec(),
            });
        }
    }
}

fn entry(name: &[u8], id: u64, connected: bool) -> Vec<u8> {
    let mut entry = name.to_vec();
    entry.extend_from_slice(format!(",{id},{}\n", u8::from(connected)).as_bytes());
    entry
}
