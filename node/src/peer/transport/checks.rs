//! What may go to an address before somebody there has answered.
//!
//! A viewer names addresses, and we check whether it is there (RFC 8445, section 7.2). It may name anybody's. So checks are few
//! and slow until one is answered, and nothing else goes there at all: that we send media only with consent is RFC 7675. Who
//! answers proves it by a number that only the check to its address had. Without IO: every packet of a session passes here on its
//! way out, or whoever sends it asks whether its peer is welcome; those that come in are shown.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    path::Path,
    stun::{Binding, TransactionId},
    turns::Turns,
};
use crate::peer::id::SessionId;

/// Checks of an address that never answered. We may have several addresses to check it from, and a packet may get lost; after
/// that a viewer that is there checks us, which is answered with a check each.
const MOST_UNANSWERED: u32 = 16;
/// Checks that are owed to somebody who checks us, and were not sent yet.
const MOST_OWED: u32 = 4;
/// Consent lasts this long (RFC 7675, section 5.1), and so does what is remembered of an address.
const LASTS: Duration = Duration::from_secs(30);
/// Checks whose answers are recognised: a second of them.
const MOST_PENDING: usize = 32;
/// All that 130 sessions may name.
const MOST_ADDRESSES: usize = 8192;
/// Ports below it are services, not viewers.
const FIRST_PORT: u16 = 1024;

/// Whether a viewer can be at an address at all. Addresses of this machine are only checked `on_this_machine`.
pub(in crate::peer) fn may_be_checked(address: SocketAddr, on_this_machine: bool) -> bool {
    let ip = address.ip().to_canonical();
    let is_somebody = match ip {
        IpAddr::V4(ip) => !ip.is_broadcast() && ip.octets()[0] != 0,
        IpAddr::V6(ip) => !ip.is_unspecified(),
    };
    is_somebody
        && !ip.is_multicast()
        && (!ip.is_loopback() || on_this_machine)
        && address.port() >= FIRST_PORT
}

/// Who has answered, and whom else to check.
#[derive(Debug, Default)]
pub(in crate::peer) struct Checks {
    addresses: HashMap<SocketAddr, Address>,
    turns: Turns,
    tidied: Option<Instant>,
}

#[derive(Debug)]
struct Address {
    pending: VecDeque<TransactionId>,
    /// Checks that nobody asked for and nobody answered.
    unanswered: u32,
    /// Checks for those that came from there.
    owed: u32,
    consented: Option<Instant>,
    used: Instant,
}

impl Checks {
    /// Whether a packet of a session may leave.
    pub(in crate::peer) fn may_leave(
        &mut self,
        session: SessionId,
        path: Path,
        packet: &[u8],
        now: Instant,
    ) -> bool {
        let binding = Binding::of(packet);
        let is_welcome = self.is_welcome(path.peer, now);
        match binding {
            None => return is_welcome,
            _ if !is_welcome && !may_be_checked(path.peer, path.local.ip().is_loopback()) => return false,
            // One for each that came.
            Some(Binding::Success(_) | Binding::Error) => return true,
            Some(Binding::Request(_)) => {}
        }
        let Self { addresses, turns, .. } = self;
        // Nothing is remembered of an address that is not checked.
        let is_new = !addresses.contains_key(&path.peer);
        if is_new && !turns.take(session, path, now) {
            return false;
        }
        let address = address(addresses, path.peer, now);
        if is_new {
            address.unanswered += 1;
        } else if !is_welcome {
            if address.owed > 0 {
                address.owed -= 1;
            } else if address.unanswered < MOST_UNANSWERED && turns.take(session, path, now) {
                address.unanswered += 1;
            } else {
                return false;
            }
        }
        if let Some(Binding::Request(id)) = binding {
            if address.pending.len() >= MOST_PENDING {
                address.pending.pop_front();
            }
            address.pending.push_back(id);
        }
        address.used = now;
        true
    }

    /// Whether somebody at this address has answered, and not long ago.
    pub(super) fn is_welcome(&self, peer: SocketAddr, now: Instant) -> bool {
        self.addresses
            .get(&peer)
            .is_some_and(|address| address.is_welcome(now))
    }

    /// Looks at a packet that came for a session.
    pub(in crate::peer) fn see(&mut self, from: SocketAddr, packet: &[u8], now: Instant) {
        match Binding::of(packet) {
            Some(Binding::Request(_)) => {
                self.tidy(now);
                let address = address(&mut self.addresses, from, now);
                address.owed = (address.owed + 1).min(MOST_OWED);
            }
            Some(Binding::Success(id)) => {
                if let Some(address) = self.addresses.get_mut(&from)
                    && let Some(at) = address.pending.iter().position(|pending| *pending == id)
                {
                    address.pending.remove(at);
                    address.unanswered = 0;
                    address.consented = Some(now);
                    address.used = now;
                }
            }
            _ => {}
        }
    }

    /// Forgets addresses that nothing has gone to for long.
    fn tidy(&mut self, now: Instant) {
        let tidied = *self.tidied.get_or_insert(now);
        if now.saturating_duration_since(tidied) >= LASTS {
            self.tidied = Some(now);
            self.addresses
                .retain(|_, address| now.saturating_duration_since(address.used) < LASTS);
        }
    }
}

/// What is known of an address. Where it is one too many, it takes the place of the one without consent that was used longest ago:
/// who fills the table must not keep others out.
fn address(addresses: &mut HashMap<SocketAddr, Address>, of: SocketAddr, now: Instant) -> &mut Address {
    if addresses.len() >= MOST_ADDRESSES && !addresses.contains_key(&of) {
        let strangers = addresses.iter().filter(|(_, address)| !address.is_welcome(now));
        let oldest = strangers.min_by_key(|(_, address)| address.used);
        if let Some(oldest) = oldest.map(|(oldest, _)| *oldest) {
            addresses.remove(&oldest);
        }
    }
    let address = addresses.entry(of).or_insert_with(|| Address::new(now));
    if now.saturating_duration_since(address.used) >= LASTS {
        *address = Address::new(now);
    }
    address
}

impl Address {
    fn new(now: Instant) -> Self {
        Self {
            pending: VecDeque::new(),
            unanswered: 0,
            owed: 0,
            consented: None,
            used: now,
        }
    }

    fn is_welcome(&self, now: Instant) -> bool {
        let consented = self.consented.map(|at| now.saturating_duration_since(at));
        consented.is_some_and(|ago| ago < LASTS)
    }
}

#[cfg(test)]
mod tests;
