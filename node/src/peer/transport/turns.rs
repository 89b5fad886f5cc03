//! Whose turn it is to have an address checked that never answered.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::path::Path;
use crate::peer::id::SessionId;

/// Checks a second of all sessions together, to addresses that did not answer: five agents at the pace of RFC 8445, section 14.2,
/// or 14 kB a second to strangers at the worst.
pub(super) const PER_SECOND: u32 = 100;
/// A session that has asked for nothing for that long has nothing to check any more. Its rounds are a second apart.
const LASTS: Duration = Duration::from_secs(3);

/// Shares [`PER_SECOND`] among the sessions that check somebody, so that who names the most addresses takes nothing from those
/// who join; and each session's share among its addresses, so that those it named last are checked as well.
#[derive(Debug, Default)]
pub(super) struct Turns {
    second: Option<Instant>,
    sessions: HashMap<SessionId, Session>,
    /// Sessions that have asked in this second, and in the one before.
    asked: usize,
    before: usize,
    /// Checks in this second, of all sessions.
    sum: u32,
}

impl Turns {
    /// Whether a session may send a check on this path now. One that may not is expected to ask again.
    pub(super) fn take(&mut self, session: SessionId, path: Path, now: Instant) -> bool {
        self.begin_second(now);
        let session = self.sessions.entry(session).or_default();
        session.asked = Some(now);
        if session.taken.is_none() {
            self.asked += 1;
        }
        let taken = session.taken.unwrap_or_default();
        let sessions = u32::try_from(self.before.max(self.asked).max(1)).unwrap_or(u32::MAX);
        let share = (PER_SECOND / sessions).max(1);
        // Who comes in the middle of a second finds more than its share taken by those who thought themselves alone.
        let left = share
            .saturating_sub(taken)
            .min((2 * PER_SECOND).saturating_sub(self.sum));
        let may = session.queue.take(path, left as usize);
        session.taken = Some(taken + u32::from(may));
        self.sum += u32::from(may);
        may
    }

    fn begin_second(&mut self, now: Instant) {
        let second = *self.second.get_or_insert(now);
        let passed = now.saturating_duration_since(second);
        if passed < Duration::from_secs(1) {
            return;
        }
        let is_next = passed < Duration::from_secs(2);
        self.before = if is_next { self.asked } else { 0 };
        self.second = Some(now);
        self.asked = 0;
        self.sum = 0;
        self.sessions.retain(|_, session| {
            session.taken = None;
            session
                .asked
                .is_some_and(|asked| now.saturating_duration_since(asked) < LASTS)
        });
    }
}

#[derive(Debug, Default)]
struct Session {
    asked: Option<Instant>,
    /// Checks in this second, where it has asked for any.
    taken: Option<u32>,
    queue: Queue,
}

/// The paths that a session wants checked, those first that had no check for longest: of all addresses, and of one address, those of
/// ours that it is checked from.
///
/// The core asks in rounds, for all paths in the same order. A round begins with a path that was asked for in the one before; what
/// was not asked for in a whole round is not waited for.
#[derive(Debug, Default)]
struct Queue {
    round: u64,
    checks: u64,
    addresses: HashMap<SocketAddr, Address>,
}

#[derive(Debug, Default)]
struct Address {
    entry: Entry,
    from: HashMap<SocketAddr, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// In which it was asked for last.
    round: u64,
    /// The number of its last check, or 0.
    checked: u64,
}

impl Queue {
    /// Whether a path is checked now, where there are `left` checks yet.
    fn take(&mut self, path: Path, left: usize) -> bool {
        self.ask(path);
        let Some(address) = self.addresses.get(&path.peer) else {
            return false;
        };
        let end = address.from.get(&path.local).map_or(0, |end| end.checked);
        let before = |checked: u64| move |other: &&Entry| other.checked < checked;
        let ends = address.from.values().filter(before(end)).count();
        let addresses = self.addresses.values().map(|address| &address.entry);
        let may = ends == 0 && addresses.filter(before(address.entry.checked)).count() < left;
        if may && let Some(address) = self.addresses.get_mut(&path.peer) {
            self.checks += 1;
            address.entry.checked = self.checks;
            if let Some(end) = address.from.get_mut(&path.local) {
                end.checked = self.checks;
            }
        }
        may
    }

    fn ask(&mut self, path: Path) {
        let address = self.addresses.entry(path.peer).or_default();
        let end = address.from.entry(path.local).or_default();
        let begins_round = end.round == self.round;
        if begins_round {
            self.round += 1;
        }
        let round = self.round;
        end.round = round;
        address.entry.round = round;
        if begins_round {
            let lasts = |entry: &Entry| entry.round + 1 >= round;
            self.addresses.retain(|_, address| {
                address.from.retain(|_, end| lasts(end));
                lasts(&address.entry)
            });
        }
    }
}

#[cfg(test)]
mod tests;
