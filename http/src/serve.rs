//! The loop that accepts connections and keeps them within their number.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::connection;
use crate::door::Door;
use crate::{Limits, Listener, Settings, Site, Words};

impl Listener {
    /// Serves until it is told to stop. Then the port is closed at once, and answers that are under way get
    /// [`Limits::grace`] to end.
    pub async fn serve<S: Site>(self, mut settings: watch::Receiver<Settings<S>>, stop: CancellationToken) {
        let (listener, words) = self.into_parts();
        let mut door = Door::new(listener, words.what);
        let mut connections = JoinSet::new();
        let mut turned_away = JoinSet::new();
        let mut room = Room::Free;
        let Settings { mut site, mut limits } = settings.borrow_and_update().clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = settings.changed() => Settings { site, limits } = settings.borrow_and_update().clone(),
                Some(ended) = connections.join_next() => report(ended),
                Some(ended) = turned_away.join_next() => report(ended),
                (stream, from) = door.accept() => {
                    let now = if connections.len() < limits.connections {
                        Room::Free
                    } else {
                        Room::Full
                    };
                    match now {
                        Room::Free => admit(stream, from, &site, limits, &mut connections, &stop),
                        Room::Full if turned_away.len() < limits.turned_away => {
                            drop(turned_away.spawn(connection::turn_away(stream, site.clone(), limits)));
                        }
                        Room::Full => connection::turn_away_at_once(stream, &site),
                    }
                    if now != room {
                        now.log(words, limits);
                        room = now;
                    }
                }
            }
        }
        drop(door);
        let all_ended = async {
            while let Some(ended) = connections.join_next().await {
                report(ended);
            }
        };
        if timeout(limits.grace, all_ended).await.is_err() {
            let open = connections.len();
            tracing::info!(
                connections = open,
                "{}: closing connections that did not end by themselves",
                words.what
            );
        }
    }
}

fn admit<S: Site>(
    stream: TcpStream,
    from: SocketAddr,
    site: &S,
    limits: Limits,
    connections: &mut JoinSet<()>,
    stop: &CancellationToken,
) {
    // An IPv4 client of an IPv6 socket is shown as what it is.
    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
    let serve = connection::serve(stream, from.ip(), site.clone(), limits, stop.clone());
    connections.spawn(serve.instrument(tracing::info_span!("connection", %from)));
}

/// Whether there is room for another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    Full,
}

impl Room {
    /// Once per change: a flood of connections must not become a flood in the log.
    fn log(self, words: Words, limits: Limits) {
        let Words { what, most, .. } = words;
        match self {
            Room::Free => tracing::info!("{what} has room for connections again"),
            Room::Full => tracing::warn!(
                "{what} turns connections away: {} are open, as many as {most}",
                limits.connections
            ),
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "serving a connection failed by a mistake of ours");
    }
}
