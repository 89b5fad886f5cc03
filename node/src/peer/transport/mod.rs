//! The packets' way from and to viewers. Only here is known what carries them; everybody else knows a [`Path`].

mod candidates;
mod demux;
mod names;
mod outbox;
mod path;
mod reflexive;
mod udp;

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use tracing::{debug, warn};

use outbox::Outbox;
use udp::{Buffers, Socket};

pub(super) use demux::Demux;
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
    sockets: Vec<Socket>,
    buffers: Buffers,
    outbox: Outbox,
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
            sockets,
            buffers: Buffers::default(),
            outbox: Outbox::default(),
        })
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.sockets.first().map_or(0, |socket| socket.address().port())
    }

    /// The addresses at which viewers may reach us.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let sockets: Vec<_> = self.sockets.iter().map(Socket::address).collect();
        candidates::gather(&sockets).unwrap_or_else(|error| {
            warn!("the network interfaces can't be read: {error}");
            Vec::new()
        })
    }

    /// Waits until there are packets. Cancel safe.
    pub(super) async fn readable(&self) -> Source {
        let ready = |context: &mut Context<'_>| {
            let mut sockets = self.sockets.iter();
            let index = sockets.position(|socket| socket.poll_readable(context).is_ready());
            index.map_or(Poll::Pending, |index| Poll::Ready(Source(index)))
        };
        poll_fn(ready).await
    }

    /// Hands the packets of one batch to `each`.
    pub(super) fn receive(&mut self, source: Source, mut each: impl FnMut(Packet<'_>)) {
        let Some(socket) = self.sockets.get(source.0) else {
            return;
        };
        let outcome = socket.receive(&mut self.buffers, |datagram| {
            each(Packet {
                path: Path {
                    local: datagram.to,
                    peer: datagram.from,
                    protocol: Protocol::Udp,
                },
                data: datagram.data,
            });
        });
        if let Err(error) = outcome
            && error.kind() != io::ErrorKind::WouldBlock
        {
            debug!("receiving: {error}");
        }
    }

    /// Sends a packet, at [`Transport::flush`] at the latest. Never waits.
    pub(super) fn send(&mut self, path: Path, packet: &[u8]) {
        match path.protocol {
            Protocol::Udp => self.outbox.push(&self.sockets, path.local, path.peer, packet),
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
