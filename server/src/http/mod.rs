//! The signaling protocol over HTTP, around the hub: one handler per path, named like the path.
//!
//! Every connection carries one request, as in the stock protocol; all that a client can make grow or last is bounded.

mod answer;
mod desk;
mod message;
mod page;
mod sign_in;
mod sign_out;
mod site;
mod urls;
mod visit;
mod wait;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_http::{Limits, ListenError, Listener, Settings, Words};
use pinhole_service::watchdog::{BEAT, Pulse};
use pinhole_signaling::http::{MAX_HEAD, MAX_TARGET};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use desk::Desk;
use site::Site;

pub use urls::urls;

/// How late the hub's clock may be before the server counts as stuck.
const CLOCK_PATIENCE: Duration = Duration::from_secs(5);

/// How many connections above the limit may be waited for, until they have read that.
pub const TURNED_AWAY: usize = 64;
/// One address may have so many connections in any case.
const LEAST_CONNECTIONS: usize = 32;

const WORDS: Words = Words {
    what: "the signaling server",
    key: "`listen` or --listen",
    rival: "another server",
    most: "limits.connections allows",
};

/// A server whose port is open.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    desk: Arc<Desk>,
    settings: watch::Sender<Settings<Site>>,
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
        let listener = Listener::bind(config.listen, WORDS)?;
        let desk = Arc::new(Desk::new(config.hub_limits(), config.memory()));
        let members = desk.members();
        let (sender, receiver) = watch::channel(config.clone());
        let settings = Settings {
            site: Site::new(desk.clone(), config.access.gates()),
            limits: limits(config),
        };
        Ok(Server {
            listener,
            desk,
            settings: watch::Sender::new(settings),
            config: receiver,
            control: Control {
                config: sender,
                members,
            },
        })
    }

    /// The address that it listens on, with the port that the system chose if the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The way to it while it runs.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Serves until it is told to stop; then answers what hangs, and gives the last answers a moment to get out.
    ///
    /// Beats `pulse` at least every few seconds, as long as connections are accepted and the hub's time passes.
    pub async fn run(self, stop: CancellationToken, pulse: Pulse) {
        let Server {
            listener,
            desk,
            settings,
            mut config,
            control: _control, // so that there is always somebody who may change the configuration
        } = self;
        let mut serving = std::pin::pin!(listener.serve(settings.subscribe(), stop.clone()));
        let mut clock = std::pin::pin!(desk.run_clock());
        let mut round = tokio::time::interval(BEAT);
        let mut is_closed = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !is_closed => {
                    desk.close();
                    is_closed = true;
                }
                Ok(()) = config.changed() => obey(&config.borrow_and_update(), &desk, &settings),
                () = &mut clock => {}
                _ = round.tick() => if desk.is_on_time(CLOCK_PATIENCE) {
                    pulse.beat();
                },
                () = &mut serving => break,
            }
        }
    }
}

/// Opens the port and closes it again.
///
/// # Errors
/// The system does not give it.
pub fn try_listen(address: SocketAddr) -> Result<(), ListenError> {
    pinhole_http::try_listen(address, WORDS)
}

/// Takes over what the new configuration changes.
fn obey(config: &Config, desk: &Desk, settings: &watch::Sender<Settings<Site>>) {
    desk.limit(config.hub_limits(), config.memory());
    settings.send_modify(|settings| {
        settings.site.obey(config.access.gates());
        settings.limits = limits(config);
    });
}

/// The configuration's bounds, and those that nobody needs to change.
fn limits(config: &Config) -> Limits {
    Limits {
        connections: config.limits.connections,
        connections_each: config.share(config.limits.connections, LEAST_CONNECTIONS),
        turned_away: TURNED_AWAY,
        head_bytes: MAX_HEAD,
        target_bytes: MAX_TARGET,
        body_bytes: config.limits.message_bytes,
        head: config.limits.request_timeout,
        body: config.limits.request_timeout,
        stall: Duration::from_secs(20),
        // What is sent again is sent again within a second or two; a member that asks for its next event has the last one, or
        // has given up its connection.
        arrival: Duration::from_secs(10),
        arrival_awaited: Duration::from_secs(2),
        // A member waits for its next event as long as it takes.
        whole: None,
        linger: Duration::from_secs(2),
        linger_bytes: 1024 * 1024,
        grace: Duration::from_secs(3),
    }
}
