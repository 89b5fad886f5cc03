//! The loop that accepts connections and keeps them within their number.

use std::net::{IpAddr, SocketAddr};

use pinhole_service::quiet::Quiet;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::connection::{self, Full, Visitor};
use crate::door::Door;
use crate::places::Places;
use crate::{Limits, Listener, Settings, Site, Source, Words};

impl Listener {
    /// Serves until it is told to stop. Then the port is closed at once, and answers that are under way get
    /// [`Limits::grace`] to end.
    pub async fn serve<S: Site>(self, mut settings: watch::Receiver<Settings<S>>, stop: CancellationToken) {
        let (listener, words) = self.into_parts();
        let mut door = Door::new(listener, words.what);
        let mut connections = JoinSet::new();
        let mut turned_away = JoinSet::new();
        let places = Places::default();
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
                    let admitted = match now {
                        Room::Free => visitor(from.ip(), &site, limits, &places, words).ok_or(Full::ForOne),
                        Room::Full => Err(Full::ForAll),
                    };
                    match admitted {
                        Ok(visitor) => admit(stream, from, visitor, &site, limits, &mut connections, &stop),
                        Err(full) if turned_away.len() < limits.turned_away => {
                            drop(turned_away.spawn(connection::turn_away(stream, full, site.clone(), limits)));
                        }
                        Err(full) => connection::turn_away_at_once(stream, full, &site),
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

/// Who comes from this address, if there is a place for another connection of whoever is there.
fn visitor<S: Site>(
    from: IpAddr,
    site: &S,
    limits: Limits,
    places: &Places,
    words: Words,
) -> Option<Visitor> {
    // An IPv4 client of an IPv6 socket counts as what it is.
    let from = from.to_canonical();
    let place = if site.gates().is_proxy(from) {
        None
    } else {
        Some(places.take(Source::of(from), limits.connections_each, words.what)?)
    };
    Some(Visitor {
        from,
        place,
        places: places.clone(),
        what: words.what,
    })
}

fn admit<S: Site>(
    stream: TcpStream,
    from: SocketAddr,
    visitor: Visitor,
    site: &S,
    limits: Limits,
    connections: &mut JoinSet<()>,
    stop: &CancellationToken,
) {
    let from = SocketAddr::new(visitor.from, from.port());
    let serve = connection::serve(stream, visitor, site.clone(), limits, stop.clone());
    let span = tracing::info_span!("connection", %from, client = tracing::field::Empty);
    connections.spawn(serve.instrument(span));
}

/// Whether there is room for another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    Full,
}

impl Room {
    /// Once per change, and not at each of many: a flood of connections must not become a flood in the log.
    fn log(self, words: Words, limits: Limits) {
        static CHANGES: Quiet = Quiet::new(10);
        let Words { what, most, .. } = words;
        let Some(others) = CHANGES.may_say() else {
            return;
        };
        match self {
            Room::Free => tracing::info!(others, "{what} has room for connections again"),
            Room::Full => tracing::warn!(
                others,
                "{what} turns connections away: {} are open, as many as {most}",
                limits.connections
            ),
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    static MISTAKES: Quiet = Quiet::new(10);
    if let Err(error) = ended
        && let Some(others) = MISTAKES.may_say()
    {
        tracing::error!(%error, others, "serving a connection failed by a mistake of ours");
    }
}
