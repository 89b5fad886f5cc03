use pinhole_service::notify;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use crate::{
    config::{Http, Listen},
    status::{self, Sources},
};

/// Where the node tells how it is: to the service manager in a line, and over HTTP to whoever asks.
pub(super) struct Desk {
    sources: Sources,
    watch: status::Watch,
    /// What was wrong with the configuration at the last reload.
    mistake: Option<String>,
    servers: JoinSet<()>,
    /// Ends the server that runs.
    serving: Option<DropGuard>,
}

impl Desk {
    pub(super) fn new(sources: Sources) -> Self {
        Self {
            watch: sources.watch(),
            sources,
            mistake: None,
            servers: JoinSet::new(),
            serving: None,
        }
    }

    /// Serves the status there from now on, and nowhere else. Where that can't be the node goes on without: a camera
    /// that nobody can look after is better than none.
    pub(super) async fn listen(&mut self, http: &Http) {
        self.serving = None;
        // The old one gives up its port.
        while self.servers.join_next().await.is_some() {}
        let Listen::At(address) = http.listen else {
            return;
        };
        match status::Server::bind(address) {
            Ok(server) => {
                info!("the status is at http://{}/", server.address());
                let stop = CancellationToken::new();
                let serving = server.run(self.sources.clone(), http.access(), stop.clone());
                self.servers.spawn(serving);
                self.serving = Some(stop.drop_guard());
            }
            Err(error) => warn!("no status page: {error}"),
        }
    }

    /// What the last reload said, where the old configuration stayed.
    pub(super) fn set_mistake(&mut self, mistake: Option<String>) {
        self.mistake = mistake;
        self.tell();
    }

    /// Tells the service manager how the node is.
    pub(super) fn tell(&self) {
        let line = self.watch.line();
        match &self.mistake {
            // First, because the line may be cut at its end.
            Some(mistake) => notify::status(&format!("old configuration kept ({mistake}); {line}")),
            None => notify::status(&line),
        }
    }

    /// Waits until there is something new to tell. Cancel safe.
    pub(super) async fn changed(&mut self) {
        self.watch.changed().await;
    }
}
