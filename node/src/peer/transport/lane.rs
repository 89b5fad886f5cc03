use std::sync::Arc;

use super::{
    outbox::Outbox,
    path::{Path, Protocol},
    stun::Binding,
    udp::Socket,
};

/// A way out beside the transport's own, for another thread, by the same sockets. What may leave on it is decided before.
pub(in crate::peer) struct Lane {
    sockets: Arc<[Socket]>,
    outbox: Outbox,
}

impl Lane {
    pub(super) fn new(sockets: Arc<[Socket]>) -> Self {
        Self {
            sockets,
            outbox: Outbox::default(),
        }
    }

    /// Room for a packet, which is sent at [`Lane::flush`] at the latest. All of it is zero.
    pub(in crate::peer) fn room(&mut self, path: Path, length: usize) -> &mut [u8] {
        match path.protocol {
            Protocol::Udp => self.outbox.room(&self.sockets, path.local, path.peer, length),
        }
    }

    /// Sends a packet, at [`Lane::flush`] at the latest.
    pub(in crate::peer) fn send(&mut self, path: Path, packet: &[u8]) {
        match path.protocol {
            Protocol::Udp => self.outbox.push(&self.sockets, path.local, path.peer, packet),
        }
    }

    /// Sends what is left.
    pub(in crate::peer) fn flush(&mut self) {
        self.outbox.flush(&self.sockets);
    }

    /// Packets that the kernel did not take, since the start.
    pub(in crate::peer) fn unsent(&self) -> u64 {
        self.outbox.lost()
    }
}

/// Whether a packet may go to whoever has consented to media: a connectivity check is the transport's business.
pub(in crate::peer) fn is_check(packet: &[u8]) -> bool {
    Binding::of(packet).is_some()
}
