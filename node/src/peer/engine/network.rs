//! What comes from the network, and what is due.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tracing::debug;

use super::host::Host;
use crate::peer::{id::SessionId, session::Input, shard::Task, transport::Source};

/// Between two times that the packets which have come are read. Each viewer has several to say a second, one at a time, and waking for each costs more than reading it.
const REST: Duration = Duration::from_millis(5);
/// Packets that come in a rest where nobody sends more than viewers have to say.
const FEW: usize = 64;

impl Host {
    /// Takes the packets that have come.
    pub(super) fn read(&mut self, source: Source) {
        let now = Instant::now();
        let Self {
            transport,
            demux,
            reflexive,
            sessions,
            ..
        } = self;
        let mut touched = BTreeSet::new();
        let (mut mapped, mut count) = (false, 0);
        let is_more = transport.receive(source, now, |packet| {
            count += 1;
            let Some(id) = demux.find(packet.path, packet.data) else {
                mapped |= reflexive.hear(packet.path.peer, packet.data, now);
                return false;
            };
            if let Some(entry) = sessions.get(id) {
                let input = Input::Packet {
                    path: packet.path,
                    data: packet.data,
                };
                entry.session.handle(input, now);
                touched.insert(id);
            }
            true
        });
        // Who connects is not kept waiting, and where there is much the kernel's room would run out.
        let may_rest = !is_more && count <= FEW && sessions.connecting() == 0;
        self.rest = may_rest.then(|| now + REST);
        for id in touched {
            self.advance(id, now);
        }
        if mapped {
            self.tell_reflexive(now);
        }
    }

    /// Has every session do what is due.
    pub(super) fn advance_due(&mut self, now: Instant) {
        let due = self.sessions.due(now);
        if due.is_empty() {
            return;
        }
        self.share(Task::Time(due.clone()), now);
        for id in &due {
            self.sessions.settle(*id);
        }
        self.happen(now);
        for id in due {
            if let Some(entry) = self.sessions.get(id) {
                self.channels.weigh(id, &mut entry.session);
            }
        }
    }

    /// Tells who calls our address behind the NAT, or asks for it first.
    pub(super) fn look_outside(&mut self, now: Instant) {
        if self.reflexive.address(now).is_some() {
            return self.tell_reflexive(now);
        }
        match self.reflexive.ask() {
            Ok(requests) => {
                for (server, request) in requests {
                    self.transport.send_to(server, &request);
                }
                self.transport.flush();
            }
            Err(error) => debug!("no STUN request: {error}"),
        }
    }

    fn advance(&mut self, id: SessionId, now: Instant) {
        self.give(id, Input::Timeout, now);
        if let Some(entry) = self.sessions.get(id) {
            self.channels.weigh(id, &mut entry.session);
        }
    }

    /// Tells who calls our address behind the NAT, where it is known.
    fn tell_reflexive(&mut self, now: Instant) {
        if let Some(address) = self.reflexive.address(now) {
            for id in self.sessions.which(|_| true) {
                self.give(id, Input::Reflexive(address), now);
            }
        }
    }
}
