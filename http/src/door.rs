use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_service::quiet::Quiet;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

/// How long to wait when the system can't accept a connection, at first and at most. Mostly it has no file descriptor
/// left, and what waits stays with the system meanwhile.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Where connections come in, one after another.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    /// What is served here, for the log.
    what: &'static str,
    trouble: Option<Trouble>,
    /// What may be said of it in a minute: where descriptors are scarce, trouble comes and goes with each.
    changes: Quiet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trouble {
    pause: Duration,
    until: Instant,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, what: &'static str) -> Door {
        Door {
            listener,
            what,
            trouble: None,
            changes: Quiet::new(6),
        }
    }

    /// The next connection. Waits while the system can't give one, and says so once. Cancel safe.
    pub(crate) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(trouble) = self.trouble {
                sleep_until(trouble.until).await;
            }
            match self.listener.accept().await {
                Ok(accepted) => {
                    if self.trouble.take().is_some()
                        && let Some(others) = self.changes.may_say()
                    {
                        tracing::info!(others, "{} accepts connections again", self.what);
                    }
                    return accepted;
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    if self.trouble.is_none()
                        && let Some(others) = self.changes.may_say()
                    {
                        tracing::warn!(others, "{} can't accept connections for now: {error}", self.what);
                    }
                    self.trouble = Some(Trouble::after(self.trouble, Instant::now()));
                }
            }
        }
    }
}

impl Trouble {
    fn after(before: Option<Trouble>, now: Instant) -> Trouble {
        let pause = before.map_or(SHORTEST, |before| (before.pause * 2).min(LONGEST));
        Trouble {
            pause,
            until: now + pause,
        }
    }
}

/// Whether it only says that this one client has gone meanwhile, or its network (accept(2), "Error handling").
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let now = Instant::now();
        let mut trouble = None;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let next = Trouble::after(trouble, now);
            assert_eq!(next.until, now + next.pause);
            pauses.push(next.pause);
            trouble = Some(next);
        }
        assert_eq!(pauses[..2], [SHORTEST, SHORTEST * 2]);
        assert_eq!(pauses[7], LONGEST);
    }

    #[test]
    fn a_client_that_has_gone_is_no_trouble_and_a_want_of_files_is() {
        use rustix::io::Errno;
        for (errno, expected) in [
            (Errno::CONNABORTED, true),
            (Errno::HOSTUNREACH, true),
            (Errno::MFILE, false),
            (Errno::NFILE, false),
            (Errno::NOBUFS, false),
            (Errno::NOMEM, false),
        ] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!(is_of_the_client(&error), expected, "{error}");
        }
    }
}
