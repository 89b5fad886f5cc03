use std::{collections::HashMap, net::SocketAddr};

use super::{
    path::{Path, Protocol},
    stun::{Binding, HEADER},
};
use crate::peer::id::SessionId;

/// Which session a packet on the shared port belongs to.
///
/// A connectivity check names its session by our ICE user name fragment (RFC 8445, section 7.2.2); everything
/// else (RFC 7983) is known by the address that the checks came from.
#[derive(Debug, Default)]
pub(in crate::peer) struct Demux {
    by_name: HashMap<String, SessionId>,
    by_address: HashMap<(SocketAddr, Protocol), SessionId>,
    /// The name of each session, and how many addresses it has.
    sessions: HashMap<SessionId, (String, usize)>,
}

/// Addresses from which one session may be checked: every network of a viewer, as a few NATs show it.
const ADDRESSES_PER_SESSION: usize = 32;

impl Demux {
    /// From now on checks for `fragment` belong to `session`, and no others: with an ICE restart (RFC 8445, section 9) the core
    /// knows nobody any more from before.
    pub(in crate::peer) fn register(&mut self, fragment: String, session: SessionId) {
        if self.by_name.get(&fragment) == Some(&session) {
            return;
        }
        self.remove(session);
        self.sessions.insert(session, (fragment.clone(), 0));
        self.by_name.insert(fragment, session);
    }

    /// Forgets everything about a session.
    pub(in crate::peer) fn remove(&mut self, session: SessionId) {
        if let Some((fragment, _)) = self.sessions.remove(&session) {
            self.by_name.remove(&fragment);
            self.by_address.retain(|_, owner| *owner != session);
        }
    }

    /// Whose packet this is, `None` for a stranger's, and for a check from one address too many.
    pub(in crate::peer) fn find(&mut self, path: Path, packet: &[u8]) -> Option<SessionId> {
        let from = (path.peer, path.protocol);
        let Some(fragment) = check_target(packet) else {
            return self.by_address.get(&from).copied();
        };
        let session = *self.by_name.get(fragment)?;
        // An address stays with the session that had it first: a forged check must not carry a viewer's
        // packets off to another session.
        if !self.by_address.contains_key(&from) {
            let (_, addresses) = self.sessions.get_mut(&session)?;
            if *addresses >= ADDRESSES_PER_SESSION {
                return None;
            }
            *addresses += 1;
            self.by_address.insert(from, session);
        }
        Some(session)
    }
}

const USERNAME: u16 = 0x0006;

/// The user name fragment that a connectivity check is addressed to: the part before the colon of its
/// USERNAME (RFC 8489, section 14.3). `None` where the packet is none.
fn check_target(packet: &[u8]) -> Option<&str> {
    if !matches!(Binding::of(packet), Some(Binding::Request(_))) {
        return None;
    }
    let mut rest = packet.get(HEADER..)?;
    loop {
        let kind = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
        let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
        let value = rest.get(4..4 + length)?;
        if kind == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    fn check(user: &str) -> Vec<u8> {
        let padded = user.len().next_multiple_of(4);
        let mut packet = vec![
            0,
            1,
            0,
            u8::try_from(padded + 12).expect("short"),
            0x21,
            0x12,
            0xa4,
            0x42,
        ];
        packet.extend([7; 12]);
        packet.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        packet.extend([0, 6, 0, u8::try_from(user.len()).expect("short")]);
        packet.extend(user.bytes());
        packet.resize(packet.len() + padded - user.len(), 0);
        packet
    }

    fn address(port: u16) -> Path {
        Path {
            local: SocketAddr::from(([192, 0, 2, 2], 5000)),
            peer: SocketAddr::from(([192, 0, 2, 1], port)),
            protocol: Protocol::Udp,
        }
    }

    #[test]
    fn a_check_finds_its_session_and_what_follows_finds_it_by_address() {
        let mut demux = Demux::default();
        demux.register("ours".into(), SessionId(1));
        assert_eq!(demux.find(address(1), &[22, 254, 253]), None);
        assert_eq!(demux.find(address(1), &check("ours:theirs")), Some(SessionId(1)));
        assert_eq!(demux.find(address(1), &[22, 254, 253]), Some(SessionId(1)));
        demux.remove(SessionId(1));
        assert_eq!(demux.find(address(1), &check("ours:theirs")), None);
        assert_eq!(demux.find(address(1), &[22]), None);
    }

    #[test]
    fn a_forged_check_does_not_take_an_address_away() {
        let mut demux = Demux::default();
        demux.register("one".into(), SessionId(1));
        demux.register("two".into(), SessionId(2));
        demux.find(address(1), &check("one:x"));
        demux.find(address(1), &check("two:x"));
        assert_eq!(demux.find(address(1), &[128]), Some(SessionId(1)));
    }

    #[test]
    fn a_session_claims_a_bounded_number_of_addresses() {
        let mut demux = Demux::default();
        demux.register("one".into(), SessionId(1));
        let found = (1..1000).filter(|port| demux.find(address(*port), &check("one:x")).is_some());
        assert_eq!(found.count(), ADDRESSES_PER_SESSION);
        assert_eq!(demux.by_address.len(), ADDRESSES_PER_SESSION);
        assert_eq!(
            demux.find(address(1), &check("one:x")),
            Some(SessionId(1)),
            "known"
        );
    }

    #[test]
    fn a_restart_begins_anew_and_leaves_nothing() {
        let mut demux = Demux::default();
        for restart in 0..1000 {
            let name = restart.to_string();
            demux.register(name.clone(), SessionId(1));
            demux.register(name.clone(), SessionId(1));
            for port in 1..100 {
                demux.find(address(port), &check(&format!("{name}:x")));
            }
        }
        assert_eq!((demux.by_name.len(), demux.sessions.len()), (1, 1));
        assert_eq!(demux.by_address.len(), ADDRESSES_PER_SESSION);
        assert_eq!(demux.find(address(1), &check("998:x")), None, "from before");
        demux.remove(SessionId(1));
        assert!(demux.by_name.is_empty() && demux.by_address.is_empty() && demux.sessions.is_empty());
    }

    #[test]
    fn whatever_a_packet_is_it_finds_its_session_or_none() {
        let mut demux = Demux::default();
        let mut random = StdRng::seed_from_u64(1);
        let (mut found, mut lost) = (0, 0);
        for _ in 0..200_000 {
            let mut packet = check("ours:theirs");
            for _ in 0..random.random_range(0..4) {
                let at = random.random_range(0..packet.len());
                packet[at] = random.random();
            }
            packet.truncate(random.random_range(0..packet.len() * 4));
            // Or the address would tell.
            demux.remove(SessionId(1));
            demux.register("ours".into(), SessionId(1));
            match demux.find(address(1), &packet) {
                Some(id) => found += usize::from(id == SessionId(1)),
                None => lost += 1,
            }
        }
        assert!(
            found > 1000 && lost > 1000 && found + lost == 200_000,
            "{found} {lost}"
        );
    }

    #[test]
    fn broken_packets_are_nobodys() {
        // Without padding, so that no byte can be missed.
        let whole = check("ours:the");
        for length in 0..whole.len() {
            assert_eq!(check_target(&whole[..length]), None, "cut at {length}");
        }
        let mut endless = whole.clone();
        endless[22] = 0xff;
        assert_eq!(check_target(&endless), None);
    }
}
