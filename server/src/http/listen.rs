//! Opening the port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections the system holds that are not accepted yet.
const BACKLOG: i32 = 1024;

/// The port can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {cause}{advice}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why not.
    pub cause: io::Error,
    /// What to do, as the end of a sentence.
    advice: &'static str,
}

/// Listens on an address. `[::]` takes IPv4 as well, and where there is no IPv6 it stands for `0.0.0.0`.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listener = open_or_explain(address)?;
    TcpListener::from_std(listener).map_err(|cause| explain(address, cause))
}

/// Opens a port and closes it again.
///
/// # Errors
/// The system does not give it.
pub fn try_listen(address: SocketAddr) -> Result<(), ListenError> {
    open_or_explain(address).map(drop)
}

fn open_or_explain(address: SocketAddr) -> Result<StdListener, ListenError> {
    match open(address) {
        Err(cause) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&cause) => {
            tracing::info!("this system has no IPv6; listening on IPv4 only");
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            open(address).map_err(|cause| explain(address, cause))
        }
        outcome => outcome.map_err(|cause| explain(address, cause)),
    }
}

fn open(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Not left to the system's setting (net.ipv6.bindv6only).
        socket.set_only_v6(false)?;
    }
    // A restarted server shall not wait for its old connections to time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn is_without_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        error.raw_os_error().map(Errno::from_raw_os_error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
    )
}

fn explain(address: SocketAddr, cause: io::Error) -> ListenError {
    let advice = match cause.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program has this port (`ss -ltnp` shows which): stop it, or choose another with --listen"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose a higher one with --listen"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; no interface of this machine has this address: use [::] for all (`ip address` shows them)"
        }
        _ => "; choose another address with --listen",
    };
    ListenError {
        address,
        cause,
        advice,
    }
}

/// The URLs under which people can open a server that listens on this address.
pub fn urls(listening: SocketAddr) -> Vec<String> {
    let url = |address: SocketAddr| format!("http://{address}/");
    if !listening.ip().is_unspecified() {
        return vec![url(listening)];
    }
    let mut urls = vec![format!("http://localhost:{}/", listening.port())];
    // The address of the way out is the one under which the others of this network know this machine. Nothing
    // is sent: connecting a UDP socket only looks up the way. The addresses are for documentation (RFC 5737, 3849).
    for (local, remote) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        if local.starts_with('[') && listening.is_ipv4() {
            continue;
        }
        let way_out = UdpSocket::bind(local).and_then(|socket| {
            socket.connect(remote)?;
            socket.local_addr()
        });
        if let Ok(way_out) = way_out.map(|address| SocketAddr::new(address.ip(), listening.port())) {
            urls.push(url(way_out));
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_with_what_to_do() {
        let taken = listen("127.0.0.1:0".parse().unwrap())
            .unwrap()
            .local_addr()
            .unwrap();
        // The listener above is dropped: take it anew, to hold it.
        let _holder = listen(taken).unwrap();
        let error = listen(taken).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("can't listen on {taken}: ")),
            "{error}"
        );
        assert!(error.contains("another program has this port"), "{error}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_explained() {
        let error = listen("192.0.2.77:0".parse().unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("no interface of this machine has this address"),
            "{error}"
        );
    }

    #[test]
    fn the_urls_can_be_opened() {
        assert_eq!(
            urls("127.0.0.1:8888".parse().unwrap()),
            ["http://127.0.0.1:8888/"]
        );
        assert_eq!(urls("[::1]:8888".parse().unwrap()), ["http://[::1]:8888/"]);
        let all = urls("[::]:8888".parse().unwrap());
        assert_eq!(all[0], "http://localhost:8888/");
        assert!(
            all.iter()
                .all(|url| url.ends_with(":8888/") && !url.contains("[::]")),
            "{all:?}"
        );
    }
}
