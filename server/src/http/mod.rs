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

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::config::Config;
use desk::Desk;
use gate::Gate;
use route::Office;

pub use listen::{ListenError, urls};

/// How many connections above the limit are told so at a time; those beyond are closed without a word.
const TURNED_AWAY: usize = 64;
/// How long the last answers may take when the server stops.
const GRACE: Duration = Duration::from_secs(3);
/// How long to wait when the system can't accept a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server whose port is open.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    office: Office,
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
}

impl Server {
    /// Opens the port. Must be called within a Tokio runtime.
    pub fn bind(config: &Config) -> Result<Server, ListenError> {
        let listener = listen::listen(config.listen)?;
        let address = listener.local_addr().unwrap_or(config.listen);
        Ok(Server {
            listener,
            address,
            office: Office {
                desk: Arc::new(Desk::new(config.hub_limits())),
                gate: Arc::new(Gate::new(config.access.token.clone())),
                message_bytes: config.limits.message_bytes,
                request_patience: config.request_patience(),
            },
            connections: Arc::new(Semaphore::new(config.limits.connections)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
        })
    }

    /// The address that it listens on, with the port that the system chose if the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop; then answers what hangs, and gives the last answers a moment to get out.
    pub async fn run(self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let desk = self.office.desk.clone();
        let mut clock = std::pin::pin!(desk.run_clock());
        let mut room = Room::Free;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = &mut clock => {}
                Some(ended) = connections.join_next() => report(ended),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        let now = self.admit(stream, from, &mut connections, &stop);
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

    fn admit(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        connections: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Room {
        if let Ok(permit) = self.connections.clone().try_acquire_owned() {
            // An IPv4 client of an IPv6 socket is shown as what it is.
            let from = SocketAddr::new(from.ip().to_canonical(), from.port());
            let serve = connection::serve(stream, from.ip(), self.office.clone(), stop.clone());
            let serve = async move {
                serve.await;
                drop(permit);
            };
            connections.spawn(serve.instrument(tracing::info_span!("connection", %from)));
            return Room::Free;
        }
        if let Ok(permit) = self.turned_away.clone().try_acquire_owned() {
            connections.spawn(async move {
                connection::turn_away(stream).await;
                drop(permit);
            });
        }
        Room::Full
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
