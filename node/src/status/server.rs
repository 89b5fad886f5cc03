use std::{net::SocketAddr, time::Duration};

use pinhole_http::{Access, Limits, ListenError, Listener, Settings, Words};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Sources, answer::Office};

const WORDS: Words = Words {
    what: "the status page",
    key: "`listen` under [http] (\"off\" for none)",
    rival: "another node",
    most: "may be",
};

/// Connections at a time: a few browsers and collectors. One more is told so.
const CONNECTIONS: usize = 16;

const LIMITS: Limits = Limits {
    connections: CONNECTIONS,
    connections_each: CONNECTIONS,
    turned_away: 16,
    head_bytes: 16 * 1024,
    target_bytes: 4 * 1024,
    // Nobody has anything to send.
    body_bytes: 0,
    head: Duration::from_secs(5),
    body: Duration::from_secs(5),
    stall: Duration::from_secs(5),
    // Nobody wants to know.
    arrival: Duration::ZERO,
    arrival_awaited: Duration::ZERO,
    whole: Some(Duration::from_secs(10)),
    linger: Duration::from_secs(1),
    linger_bytes: 256 * 1024,
    // A reload waits for it.
    grace: Duration::from_secs(1),
};

/// The status, listening. Cheap to make and to stop, for a configuration that changes.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
}

impl Server {
    /// Opens the port. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// The system refuses it; the text names the configuration's key, the address and what to do.
    pub fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let listener = Listener::bind(address, WORDS)?;
        Ok(Self { listener })
    }

    /// Where it listens, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Serves those whom `access` lets in, until `stop`. Answers that are under way then may take a second.
    pub async fn run(self, sources: Sources, access: Access, stop: CancellationToken) {
        let site = Office::new(sources, access);
        let (_same, settings) = watch::channel(Settings { site, limits: LIMITS });
        self.listener.serve(settings, stop).await;
    }
}

#[cfg(test)]
mod tests;
