//! The address at which the rest of the world sees our UDP port: STUN (RFC 8489) on the viewers' own socket.
//!
//! A viewer outside of the network needs that server-reflexive candidate (RFC 8445, section 5.1.1.2). It is
//! asked for when a viewer calls, and told by trickle when it is known, so that nobody waits for it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rtc::{
    shared::error::Error,
    stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, TransactionId, is_stun_message},
    stun::xoraddr::XorMappedAddress,
};

/// How long a mapping is believed without asking again. NATs forget one that is silent for two minutes at the
/// earliest (RFC 4787, REQ-5), and home lines change their address overnight.
const FRESH: Duration = Duration::from_secs(30);
/// Requests that may be unanswered; older ones are forgotten.
const MOST_PENDING: usize = 32;

/// What is known of our own address. Without IO.
#[derive(Debug, Default)]
pub(in crate::peer) struct Reflexive {
    servers: Vec<SocketAddr>,
    pending: HashMap<TransactionId, SocketAddr>,
    mapped: Option<(SocketAddr, Instant)>,
}

impl Reflexive {
    /// Whom to ask from now on.
    pub(in crate::peer) fn set_servers(&mut self, servers: Vec<SocketAddr>) {
        self.servers = servers;
    }

    /// The mapping, while it is fresh.
    pub(in crate::peer) fn address(&self, now: Instant) -> Option<SocketAddr> {
        let (address, learned) = self.mapped?;
        (now.saturating_duration_since(learned) < FRESH).then_some(address)
    }

    /// The requests to send.
    ///
    /// # Errors
    /// There is no randomness for a transaction id.
    pub(in crate::peer) fn ask(&mut self) -> Result<Vec<(SocketAddr, Vec<u8>)>, Error> {
        if self.pending.len() + self.servers.len() > MOST_PENDING {
            self.pending.clear();
        }
        let Self { servers, pending, .. } = self;
        let request = |server: &SocketAddr| {
            let mut message = Message::new();
            message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId::new())])?;
            pending.insert(message.transaction_id, *server);
            Ok((*server, message.raw))
        };
        servers.iter().map(request).collect()
    }

    /// Takes an answer to one of our requests; `true` where a mapping came of it.
    pub(in crate::peer) fn hear(&mut self, from: SocketAddr, packet: &[u8], now: Instant) -> bool {
        if self.pending.is_empty() || !is_stun_message(packet) {
            return false;
        }
        let mut message = Message::new();
        if message.unmarshal_binary(packet).is_err()
            || message.typ != BINDING_SUCCESS
            // From whom it was asked, with the number that only that one knows.
            || self.pending.get(&message.transaction_id) != Some(&from)
        {
            return false;
        }
        self.pending.remove(&message.transaction_id);
        let mut mapped = XorMappedAddress::default();
        if mapped.get_from(&message).is_err() {
            return false;
        }
        self.mapped = Some((SocketAddr::new(mapped.ip, mapped.port), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::stun::message::Setter;

    fn answer(request: &[u8], mapped: SocketAddr) -> Vec<u8> {
        let mut asked = Message::new();
        asked.unmarshal_binary(request).expect("a request");
        let mut answer = Message::new();
        let setters: [Box<dyn Setter>; 3] = [
            Box::new(BINDING_SUCCESS),
            Box::new(asked.transaction_id),
            Box::new(XorMappedAddress {
                ip: mapped.ip(),
                port: mapped.port(),
            }),
        ];
        answer.build(&setters).expect("an answer");
        answer.raw
    }

    #[test]
    fn the_mapping_is_learned_from_whom_it_was_asked_and_believed_for_a_while() {
        let server: SocketAddr = "192.0.2.1:3478".parse().expect("an address");
        let outside: SocketAddr = "198.51.100.7:40000".parse().expect("an address");
        let now = Instant::now();
        let mut reflexive = Reflexive::default();
        reflexive.set_servers(vec![server]);
        let requests = reflexive.ask().expect("a request");
        let answer = answer(&requests[0].1, outside);
        assert!(
            !reflexive.hear("203.0.113.9:3478".parse().expect("an address"), &answer, now),
            "a stranger"
        );
        assert!(reflexive.hear(server, &answer, now));
        assert!(!reflexive.hear(server, &answer, now), "again");
        assert_eq!(reflexive.address(now), Some(outside));
        assert_eq!(reflexive.address(now + FRESH), None);
    }

    #[test]
    fn garbage_teaches_nothing() {
        let server: SocketAddr = "192.0.2.1:3478".parse().expect("an address");
        let mut reflexive = Reflexive::default();
        reflexive.set_servers(vec![server]);
        let requests = reflexive.ask().expect("a request");
        let whole = answer(&requests[0].1, server);
        for length in 0..whole.len() {
            assert!(
                !reflexive.hear(server, &whole[..length], Instant::now()),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn unanswered_requests_do_not_pile_up() {
        let mut reflexive = Reflexive::default();
        reflexive.set_servers(vec!["192.0.2.1:3478".parse().expect("an address")]);
        for _ in 0..1000 {
            reflexive.ask().expect("a request");
        }
        assert!(reflexive.pending.len() <= MOST_PENDING);
    }
}
