//! A UDP socket that tells when the kernel got each datagram. Whoever reads it may come late: it is one of two hundred on this machine.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

/// Datagrams that are read at once, and the longest.
const BATCH: usize = 16;
const DATAGRAM: usize = 2048;

/// The socket of one viewer.
pub struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
}

/// What came in.
pub struct Datagram<'a> {
    pub from: SocketAddr,
    pub data: &'a [u8],
    /// By the wall's clock, since 1970.
    pub arrived: Duration,
}

/// Where datagrams are read into.
pub struct Buffers(Vec<[u8; DATAGRAM]>);

impl Default for Buffers {
    fn default() -> Self {
        Self(vec![[0; DATAGRAM]; BATCH])
    }
}

impl Socket {
    /// Any port of this address.
    pub async fn bind(address: IpAddr) -> io::Result<Self> {
        let io = UdpSocket::bind((address, 0)).await?;
        // This has the kernel note the time.
        let state = UdpSocketState::new((&io).into())?;
        keep_apart(&io)?;
        Ok(Self { io, state })
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Returns when something may be there.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Hands all that is there to `each`, and waits for no more.
    pub fn receive(&self, buffers: &mut Buffers, mut each: impl FnMut(Datagram<'_>)) -> io::Result<()> {
        loop {
            let mut metas = [RecvMeta::default(); BATCH];
            let received = {
                let mut slices: Vec<_> = buffers
                    .0
                    .iter_mut()
                    .map(|buffer| IoSliceMut::new(buffer))
                    .collect();
                self.io.try_io(Interest::READABLE, || {
                    self.state.recv((&self.io).into(), &mut slices, &mut metas)
                })
            };
            let count = match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                received => received?,
            };
            for (meta, buffer) in metas.iter().zip(&buffers.0).take(count) {
                let arrived = meta.timestamp.ok_or(io::ErrorKind::Unsupported)?;
                each(Datagram {
                    from: meta.addr,
                    data: &buffer[..meta.len],
                    arrived,
                });
            }
        }
    }

    /// Sends where the kernel has room.
    pub fn try_send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.io.try_send_to(data, to)
    }
}

/// Has the kernel deliver one datagram at a time, as a network does. Joined ones would spare the sender the work of parting them.
#[allow(
    unsafe_code,
    reason = "quinn-udp switches it on, and nothing safe switches it off"
)]
fn keep_apart(io: &UdpSocket) -> io::Result<()> {
    let off: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as the socket is borrowed; the option is an int, and the kernel is told how long that is.
    let outcome = unsafe {
        libc::setsockopt(
            io.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const off).cast(),
            size_of_val(&off) as libc::socklen_t,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
