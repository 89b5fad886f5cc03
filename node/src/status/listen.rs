use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the system holds until they are looked at.
const BACKLOG: i32 = 64;

/// The status can't be served.
#[derive(Debug, thiserror::Error)]
#[error("the status page can't listen on {address} (`listen` under [http]): {cause}{advice}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why not.
    pub cause: io::Error,
    /// What to do, as the end of a sentence.
    advice: &'static str,
}

pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    open(address).map_err(|cause| ListenError {
        address,
        advice: advice(&cause),
        cause,
    })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        // All addresses means IPv4's too, whatever the system's setting is (net.ipv6.bindv6only).
        socket.set_only_v6(false)?;
    }
    // A node that is restarted shall not wait for its old connections to time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program has this port, perhaps another node: choose another one, or \"off\""
        }
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a capability: choose a higher one",
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has this address",
        _ => "; choose another address, or \"off\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_with_its_key_and_what_to_do() {
        let first = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = first.local_addr().expect("an address");
        let error = listen(address).expect_err("it is taken").to_string();
        for part in [&address.to_string(), "`listen` under [http]", "choose another"] {
            assert!(error.contains(part), "{error} lacks {part}");
        }
    }
}
