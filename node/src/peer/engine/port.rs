//! Where sessions' packets leave.

use std::{collections::VecDeque, time::Instant};

use crate::peer::{
    id::SessionId,
    session::{Event, Out, Output, Session, Transmit},
    transport::{Path, Transport},
};

/// Where the packets of one session leave.
pub(super) struct Port<'a> {
    session: SessionId,
    transport: &'a mut Transport,
    now: Instant,
    /// Where media may be sent.
    welcome: Option<Path>,
}

impl<'a> Port<'a> {
    pub(super) fn new(session: SessionId, transport: &'a mut Transport, now: Instant) -> Self {
        Self {
            session,
            transport,
            now,
            welcome: None,
        }
    }
}

impl Out for Port<'_> {
    fn room(&mut self, path: Path, length: usize) -> Option<&mut [u8]> {
        // The packets of a picture go one way.
        if self.welcome != Some(path) {
            self.welcome = self.transport.is_welcome(path, self.now).then_some(path);
        }
        let path = self.welcome?;
        Some(self.transport.room(path, length))
    }

    fn packet(&mut self, packet: Transmit) {
        self.transport
            .send(self.session, packet.path, &packet.data, self.now);
    }
}

/// Sends what a session has to send, and notes what it has to tell.
pub(super) fn drain(
    id: SessionId,
    session: &mut Session,
    transport: &mut Transport,
    events: &mut VecDeque<(SessionId, Event)>,
    now: Instant,
) {
    while let Some(output) = session.poll() {
        match output {
            Output::Transmit(packet) => transport.send(id, packet.path, &packet.data, now),
            Output::Event(event) => events.push_back((id, event)),
        }
    }
    transport.flush();
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::Duration};

    use super::*;
    use crate::peer::transport::Protocol;

    #[tokio::test]
    async fn media_go_only_where_somebody_has_answered_not_long_ago() {
        let mut transport = Transport::bind(0).expect("a free port");
        let viewer = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let path = Path {
            local: SocketAddr::from(([127, 0, 0, 1], transport.port())),
            peer: viewer.local_addr().expect("it is bound"),
            protocol: Protocol::Udp,
        };
        let now = Instant::now();
        let room = |transport: &mut Transport, now| {
            let mut port = Port::new(SessionId(1), transport, now);
            port.room(path, 100).is_some() && port.room(path, 100).is_some()
        };
        assert!(!room(&mut transport, now), "nobody has answered");
        let check = |kind: u8| [&[kind, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        let request = [&[0, 1][..], &check(0)[2..]].concat();
        let answer = [&[1, 1][..], &check(0)[2..]].concat();
        transport.send(SessionId(1), path, &request, now);
        transport.flush();
        viewer.send_to(&answer, path.local).expect("it is sent");
        let source = transport.readable().await;
        transport.receive(source, now, |_| true);
        assert!(room(&mut transport, now) && room(&mut transport, now + Duration::from_secs(29)));
        assert!(
            !room(&mut transport, now + Duration::from_secs(31)),
            "consent is over (RFC 7675)"
        );
    }
}
