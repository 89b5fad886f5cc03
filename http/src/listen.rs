//! Opening the port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections the system holds that are not accepted yet.
const BACKLOG: i32 = 1024;

/// What a listener's messages call things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// What is served: "the status".
    pub what: &'static str,
    /// Which key says where, and what may be written there: "`listen` under \[http\]".
    pub key: &'static str,
    /// Who may have the port already: "another node".
    pub rival: &'static str,
    /// What bounds the number of connections, after "as many as": "limits.connections allows".
    pub most: &'static str,
}

/// A port that is open.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    words: Words,
}

/// The port can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {cause}; {}", advice(.cause, .words))]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why not.
    pub cause: io::Error,
    words: Words,
}

impl Listener {
    /// Listens on an address. `[::]` takes IPv4 as well, and where there is no IPv6 it stands for `0.0.0.0`. Must be
    /// called within a Tokio runtime.
    ///
    /// # Errors
    /// The system does not give it. The text names the address, the key, and what to do.
    pub fn bind(address: SocketAddr, words: Words) -> Result<Listener, ListenError> {
        let listener = open_or_explain(address, words)?;
        let listener = TcpListener::from_std(listener).map_err(|cause| ListenError {
            address,
            cause,
            words,
        })?;
        let address = listener.local_addr().unwrap_or(address);
        Ok(Listener {
            listener,
            address,
            words,
        })
    }

    /// Where it listens, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn into_parts(self) -> (TcpListener, Words) {
        (self.listener, self.words)
    }
}

/// Opens a port and closes it again.
///
/// # Errors
/// The system does not give it.
pub fn try_listen(address: SocketAddr, words: Words) -> Result<(), ListenError> {
    open_or_explain(address, words).map(drop)
}

fn open_or_explain(address: SocketAddr, words: Words) -> Result<StdListener, ListenError> {
    let explain = |address| {
        move |cause| ListenError {
            address,
            cause,
            words,
        }
    };
    match open(address) {
        Err(cause) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&cause) => {
            tracing::info!("this system has no IPv6; {} listens on IPv4 only", words.what);
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            open(address).map_err(explain(address))
        }
        outcome => outcome.map_err(explain(address)),
    }
}

fn open(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Not left to the system's setting (net.ipv6.bindv6only).
        socket.set_only_v6(false)?;
    }
    // A daemon that is restarted shall not wait for its old connections to time out.
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

fn advice(cause: &io::Error, words: &Words) -> String {
    let Words { key, rival, .. } = words;
    match cause.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another program has this port, perhaps {rival} (`ss -ltnp` shows which): stop it, or choose another by {key}"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose a higher one by {key}")
        }
        io::ErrorKind::AddrNotAvailable => format!(
            "no interface of this machine has this address (`ip address` shows them): choose another by {key}, [::] for all"
        ),
        _ => format!("choose another address by {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words {
        what: "the test",
        key: "`listen` under [test]",
        rival: "another test",
        most: "may be",
    };

    fn listen(address: &str) -> Result<Listener, ListenError> {
        Listener::bind(address.parse().unwrap(), WORDS)
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named_with_its_key_and_what_to_do() {
        let holder = listen("127.0.0.1:0").unwrap();
        let taken = holder.address();
        for error in [
            listen(&taken.to_string()).unwrap_err(),
            try_listen(taken, WORDS).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(
                error.starts_with(&format!("can't listen on {taken}: ")),
                "{error}"
            );
            for part in [
                "another program has this port",
                "another test",
                "`listen` under [test]",
                "choose another",
            ] {
                assert!(error.contains(part), "{error} lacks {part}");
            }
        }
        drop(holder);
        try_listen(taken, WORDS).unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_explained() {
        let error = listen("192.0.2.77:0").unwrap_err().to_string();
        for part in [
            "192.0.2.77:0",
            "no interface of this machine has this address",
            "`listen` under [test]",
        ] {
            assert!(error.contains(part), "{error} lacks {part}");
        }
    }
}
