use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll},
};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use tokio::{io::Interest, net::UdpSocket};

/// Room for the packets of a burst: one keyframe to every viewer.
const SEND_BUFFER: usize = 4 << 20;
const RECEIVE_BUFFER: usize = 1 << 20;
/// The kernel may hand over several datagrams of one sender as one (GRO), up to this size.
const DATAGRAMS: usize = 1 << 16;
const BATCH: usize = 4;

/// A UDP socket that sends and receives in batches (`UDP_SEGMENT`, `UDP_GRO`) and knows which of the machine's
/// addresses a packet came to.
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
}

/// A datagram that came in.
pub(super) struct Datagram<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) data: &'a [u8],
}

/// What [`Socket::receive`] reads into.
pub(super) struct Buffers(Vec<Box<[u8]>>);

impl Default for Buffers {
    fn default() -> Self {
        Self(
            (0..BATCH)
                .map(|_| vec![0; DATAGRAMS].into_boxed_slice())
                .collect(),
        )
    }
}

/// The sockets on one port: IPv4, and IPv6 where the machine has it. Port 0 takes any that is free.
pub(super) fn bind(port: u16) -> io::Result<Vec<Socket>> {
    let v4 = Socket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
    let port = v4.address.port();
    let mut sockets = vec![v4];
    match Socket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Ok(v6) => sockets.push(v6),
        Err(error) => tracing::debug!("no IPv6 on UDP port {port}: {error}"),
    }
    Ok(sockets)
}

impl Socket {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let io = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&io).into())?;
        // The kernel gives what net.core.wmem_max allows; less only drops packets sooner.
        let _ = state.set_send_buffer_size((&io).into(), SEND_BUFFER);
        let _ = state.set_recv_buffer_size((&io).into(), RECEIVE_BUFFER);
        let address = io.local_addr()?;
        Ok(Self { io, state, address })
    }

    /// The wildcard address and the port.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Datagrams of one size that one call may send.
    pub(super) fn most_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Ready when a receive is worth trying.
    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.io.poll_recv_ready(context).map(|_| ())
    }

    /// Hands every datagram of one batch to `each`; an error of kind `WouldBlock` when there is none. Returns whether there may be more.
    pub(super) fn receive(
        &self,
        buffers: &mut Buffers,
        mut each: impl FnMut(Datagram<'_>),
    ) -> io::Result<bool> {
        let mut metas = [RecvMeta::default(); BATCH];
        let count = {
            let mut slices: Vec<_> = buffers
                .0
                .iter_mut()
                .map(|buffer| IoSliceMut::new(buffer))
                .collect();
            self.io.try_io(Interest::READABLE, || {
                self.state.recv((&self.io).into(), &mut slices, &mut metas)
            })?
        };
        for (meta, buffer) in metas.iter().zip(&buffers.0).take(count) {
            let local = meta.dst_ip.map_or(self.address.ip(), |ip| ip.to_canonical());
            for data in buffer[..meta.len].chunks(meta.stride.max(1)) {
                let to = SocketAddr::new(local, self.address.port());
                each(Datagram {
                    from: canonical(meta.addr),
                    to,
                    data,
                });
            }
        }
        Ok(count == BATCH)
    }

    /// Sends `contents`, as datagrams of `segment` bytes where that is given. Never waits: without room in the
    /// kernel's buffer the packets are lost, as they would be on the way.
    pub(super) fn send(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        contents: &[u8],
        segment: Option<usize>,
    ) -> io::Result<()> {
        let src_ip = (!from.ip().is_unspecified()).then_some(from.ip());
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents,
            segment_size: segment,
            src_ip,
        };
        // Past tokio's readiness: nobody ever waits for room here.
        self.state.try_send((&self.io).into(), &transmit)
    }
}

/// An IPv4 address written as IPv6 (`::ffff:a.b.c.d`) as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
