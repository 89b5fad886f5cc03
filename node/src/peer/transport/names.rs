use std::{net::SocketAddr, time::Duration};

use tokio::task::JoinSet;
use tracing::{debug, warn};

/// Names are looked up again this often: the address behind one changes, and a node runs for years.
const AGAIN: Duration = Duration::from_secs(300);
/// Before the network is up, more often.
const SOON: Duration = Duration::from_secs(10);

/// Looks up the STUN servers' names beside the engine, whose loop must not wait for DNS.
pub(in crate::peer) struct Names {
    servers: Vec<(String, u16)>,
    look_up: JoinSet<Vec<SocketAddr>>,
    failed: bool,
}

impl Names {
    pub(in crate::peer) fn new(servers: Vec<(String, u16)>) -> Self {
        let mut names = Self {
            servers,
            look_up: JoinSet::new(),
            failed: false,
        };
        names.start(Duration::ZERO);
        names
    }

    /// The servers' addresses, each time that they were looked up; never, where there are none. Cancel safe.
    pub(in crate::peer) async fn resolved(&mut self) -> Vec<SocketAddr> {
        match self.look_up.join_next().await {
            Some(outcome) => {
                let addresses = outcome.unwrap_or_default();
                let failed = addresses.is_empty();
                if failed && !self.failed {
                    warn!(
                        "no STUN server's name can be looked up; viewers outside of this network may not reach the camera"
                    );
                }
                self.failed = failed;
                self.start(if failed { SOON } else { AGAIN });
                addresses
            }
            None => std::future::pending().await,
        }
    }

    fn start(&mut self, pause: Duration) {
        if self.servers.is_empty() {
            return;
        }
        let servers = self.servers.clone();
        self.look_up.spawn(async move {
            tokio::time::sleep(pause).await;
            let mut addresses = Vec::new();
            for (host, port) in servers {
                match tokio::net::lookup_host((host.as_str(), port)).await {
                    Ok(found) => addresses.extend(found),
                    Err(error) => debug!(%host, "not found: {error}"),
                }
            }
            addresses
        });
    }
}
