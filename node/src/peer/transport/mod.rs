//! The packets' way from and to viewers. Only here is known what carries them; everybody else knows a [`Path`].

mod candidates;
mod checks;
mod demux;
mod lane;
mod names;
mod outbox;
mod path;
mod reflexive;
mod stun;
mod turns;
mod udp;

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use tracing::debug;

use super::id::SessionId;
use outbox::Outbox;
use udp::{Buffers, Socket};

pub(super) use checks::{Checks, may_be_checked};
pub(super) use demux::Demux;
pub(super) use lane::{Lane, is_check};
pub(super) use names::Names;
pub(super) use path::{Path, Protocol};
pub(super) use reflexive::Reflexive;

/// Why viewers can't be served.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The port is taken or not allowed.
    #[error("UDP port {port} can't be used: {cause}; choose another `udp_port` under [webrtc], or 0 for any")]
    Bind {
        /// The configured port.
        port: u16,
        /// What the system says.
        cause: io::Error,
    },
}

/// All that carries packets: one UDP port for all viewers of all cameras.
pub struct Transport {
    sockets: Arc<[Socket]>,
    buffers: Buffers,
    outbox: Outbox,
    checks: Checks,
    /// Whose turn it is among the sockets.
    next: usize,
}

/// A packet that came in.
pub(super) struct Packet<'a> {
    pub(super) path: Path,
    pub(super) data: &'a [u8],
}

/// Names what has packets to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source(usize);

impl Transport {
    /// Opens this UDP port; 0 takes a free one.
    ///
    /// # Errors
    /// It is taken or not allowed.
    pub fn bind(udp_port: u16) -> Result<Self, TransportError> {
        let sockets = udp::bind(udp_port).map_err(|cause| TransportError::Bind {
            port: udp_port,
            cause,
        })?;
        Ok(Self {
            sockets: sockets.into(),
            buffers: Buffers::default(),
            outbox: Outbox::default(),
            checks: Checks::default(),
            next: 0,
        })
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.sockets.first().map_or(0, |socket| socket.address().port())
    }

    /// The addresses at which viewers may reach us, those first that are in use. `via` is ours at which the viewer's offer has come,
    /// where that is known.
    ///
    /// # Errors
    /// The network interfaces can't be read, as where the process has no file descriptor left.
    pub(super) fn addresses(&self, via: Option<IpAddr>) -> io::Result<Vec<SocketAddr>> {
        let sockets: Vec<_> = self.sockets.iter().map(Socket::address).collect();
        candidates::gather(&sockets, via)
    }

    /// Waits until there are packets. The sockets have turns: a flood on one must not keep the other's viewers waiting. Cancel safe.
    pub(super) async fn readable(&self) -> Source {
        let count = self.sockets.len();
        let ready = |context: &mut Context<'_>| {
            let mut turns = (self.next..self.next + count).map(|turn| turn % count);
            let index = turns.find(|index| self.sockets[*index].poll_readable(context).is_ready());
            index.map_or(Poll::Pending, |index| Poll::Ready(Source(index)))
        };
        poll_fn(ready).await
    }

    /// Hands the packets of one batch to `each`, which tells whether it is one of a session. Returns whether there may be more.
    pub(super) fn receive(
        &mut self,
        source: Source,
        now: Instant,
        mut each: impl FnMut(Packet<'_>) -> bool,
    ) -> bool {
        let Self {
            sockets,
            buffers,
            checks,
            next,
            ..
        } = self;
        let Some(socket) = sockets.get(source.0) else {
            return false;
        };
        *next = source.0 + 1;
        let outcome = socket.receive(buffers, |datagram| {
            let path = Path {
                local: datagram.to,
                peer: datagram.from,
                protocol: Protocol::Udp,
            };
            let data = datagram.data;
            if each(Packet { path, data }) {
                checks.see(path.peer, data, now);
            }
        });
        outcome.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::WouldBlock {
                debug!("receiving: {error}");
            }
            false
        })
    }

    /// Another way out, by the same sockets.
    pub(super) fn lane(&self) -> Lane {
        Lane::new(self.sockets.clone())
    }

    /// Sends a packet of a session, at [`Transport::flush`] at the latest, unless nobody has asked for it ([`Checks`]). Never waits.
    pub(super) fn send(&mut self, session: SessionId, path: Path, packet: &[u8], now: Instant) {
        if self.checks.may_leave(session, path, packet, now) {
            match path.protocol {
                Protocol::Udp => self.outbox.push(&self.sockets, path.local, path.peer, packet),
            }
        }
    }

    /// Whether media may be sent to the end of a path: somebody there has answered a check not long ago.
    pub(super) fn is_welcome(&self, path: Path, now: Instant) -> bool {
        self.checks.is_welcome(path.peer, now)
    }

    /// Room for a packet of a session's media to where they are welcome, which is sent at [`Transport::flush`] at the latest. All of it is zero.
    pub(super) fn room(&mut self, path: Path, length: usize) -> &mut [u8] {
        match path.protocol {
            Protocol::Udp => self.outbox.room(&self.sockets, path.local, path.peer, length),
        }
    }

    /// Sends a datagram from whichever address the system chooses.
    pub(super) fn send_to(&mut self, peer: SocketAddr, packet: &[u8]) {
        self.outbox.push_from_anywhere(&self.sockets, peer, packet);
    }

    /// Sends what is left.
    pub(super) fn flush(&mut self) {
        self.outbox.flush(&self.sockets);
    }

    /// Packets that the kernel did not take, since the start.
    pub(super) fn unsent(&self) -> u64 {
        self.outbox.lost()
    }
}
