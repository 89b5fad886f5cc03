//! HTTP around the hub: one handler per path, named like the path.
//!
//! The only part that knows the HTTP library. Every connection carries one request, as in the stock protocol; all
//! that a client can make grow or last is bounded.

mod answer;
mod connection;
mod desk;
mod first_line;
mod gate;
mod listen;
mod message;
mod page;
mod route;
mod sign_in;
mod sign_out;
mod socket;
mod wait;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_service::watchdog::{BEAT, Pulse};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::config::Config;
use desk::Desk;
use gate::Gate;
use route::Office;

pub use listen::{ListenError, try_listen, urls};

/// How many connections above the limit are told so at a time; those beyond are closed without a word.
const TURNED_AWAY: usize = 64;
/// How long the last answers may take when the server stops.
const GRACE: Duration = Duration::from_secs(3);
/// How long to wait when the system can't accept a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How late the hub's clock may be before the server counts as stuck.
const CLOCK_PATIENCE: Duration = Duration::from_secs(5);

/// A server whose port is open.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    office: Office,
    /// The most connections at a time.
    connections: usize,
    config: watch::Receiver<Config>,
    control: Control,
}

/// What others can tell and ask a running server.
#[derive(Debug, Clone)]
pub struct Control {
    config: watch::Sender<Config>,
    members: watch::Receiver<usize>,
}

impl Control {
    /// Obeys another configuration from now on, but for `listen`. Members stay, and requests that are under way end
    /// as they began.
    pub fn obey(&self, config: Config) {
        self.config.send_replace(config);
    }

    /// How many members there are, at any time and at every change.
    pub fn members(&self) -> watch::Receiver<usize> {
        self.members.clone()
    }
}

impl Server {
    /// Opens the port. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The system does not give it.
    pub fn bind(config: &Config) -> Result<Server, ListenError> {
        let listener = listen::listen(config.listen)?;
        let address = listener.local_addr().unwrap_or(config.listen);
        let desk = Arc::new(Desk::new(config.hub_limits()));
        let members = desk.members();
        let (sender, receiver) = watch::channel(config.clone());
        Ok(Server {
            listener,
            address,
            office: Office {
                desk,
                gate: Arc::new(Gate::new(config.access.token.clone())),
                message_bytes: config.limits.message_bytes,
                request_patience: config.limits.request_timeout,
            },
            connections: config.limits.connections,
            config: receiver,
            control: Control {
                config: sender,
                members,
            },
        })
    }

    /// The address that it listens on, with the port that the system chose if the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The way to it while it runs.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Serves until it is told to stop; then answers what hangs, and gives the last answers a moment to get out.
    ///
    /// Beats `pulse` at least every few seconds, as long as connections are accepted and the hub's time passes.
    pub async fn run(mut self, stop: CancellationToken, pulse: Pulse) {
        let mut connections = JoinSet::new();
        let mut turned_away = JoinSet::new();
        let desk = self.office.desk.clone();
        let mut clock = std::pin::pin!(desk.run_clock());
        let mut round = tokio::time::interval(BEAT);
        let mut room = Room::Free;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.config.changed() => self.obey(),
                () = &mut clock => {}
                _ = round.tick() => if desk.is_on_time(CLOCK_PATIENCE) {
                    pulse.beat();
                },
                Some(ended) = connections.join_next() => report(ended),
                Some(ended) = turned_away.join_next() => report(ended),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        let now = if connections.len() < self.connections {
                            self.admit(stream, from, &mut connections, &stop);
                            Room::Free
                        } else {
                            if turned_away.len() < TURNED_AWAY {
                                turned_away.spawn(connection::turn_away(stream));
                            }
                            Room::Full
                        };
                        if now != room {
                            now.log();
                            room = now;
                        }
                    }
                    Err(error) if is_of_the_client(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "can't accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        desk.close();
        let all_ended = async {
            while let Some(ended) = connections.join_next().await {
                report(ended);
            }
        };
        if timeout(GRACE, all_ended).await.is_err() {
            tracing::info!(
                connections = connections.len(),
                "closing connections that did not end by themselves"
            );
        }
    }

    /// Takes over what the new configuration changes.
    fn obey(&mut self) {
        let config = self.config.borrow_and_update().clone();
        let office = &mut self.office;
        office.desk.limit(config.hub_limits());
        if !office.gate.is_for(config.access.token.as_ref()) {
            office.gate = Arc::new(Gate::new(config.access.token.clone()));
        }
        office.message_bytes = config.limits.message_bytes;
        office.request_patience = config.limits.request_timeout;
        self.connections = config.limits.connections;
    }

    fn admit(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        connections: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        // An IPv4 client of an IPv6 socket is shown as what it is.
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let serve = connection::serve(stream, from.ip(), self.office.clone(), stop.clone());
        connections.spawn(serve.instrument(tracing::info_span!("connection", %from)));
    }
}

/// Whether there is room for another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    Full,
}

impl Room {
    /// Once per change: a flood of connections must not become a flood in the log.
    fn log(self) {
        match self {
            Room::Free => tracing::info!("there is room for connections again"),
            Room::Full => {
                tracing::warn!("turning connections away: as many are open as limits.connections allows")
            }
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended.map_err(|error| error.to_string()) {
        tracing::error!(error, "serving a connection failed by a mistake of ours");
    }
}

/// Whether it only says that this one client has gone meanwhile.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
