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
}

impl<'a> Port<'a> {
    pub(super) fn new(session: SessionId, transport: &'a mut Transport, now: Instant) -> Self {
        Self {
            session,
            transport,
            now,
        }
    }
}

impl Out for Port<'_> {
    fn room(&mut self, path: Path, length: usize) -> &mut [u8] {
        self.transport.room(path, length)
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
