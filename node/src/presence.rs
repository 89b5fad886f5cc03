//! Stays signed in to the server, for ever, and carries messages between it and the peers.
//!
//! Invariants: a lost server costs no running stream; messages to one peer keep their order; a failure is said
//! once per change, however often it is tried.

mod backoff;
mod standing;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use pinhole_service::watchdog::Pulse;
use pinhole_signaling::{Client, ClientError, Event, Member, Message, Name, PeerId, ServerUrl, Token};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::peer::{Call, CameraId, Contact, Letter};
use backoff::Backoff;

pub use standing::{Standing, State};

/// What the goodbye may take: the letters that are left, and the sign-out.
const GOODBYE: Duration = Duration::from_secs(2);
/// A membership that held this long was no failure.
const LASTING: Duration = Duration::from_secs(5);

/// Where to sign in, and as whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The server.
    pub server: ServerUrl,
    /// What the server wants to be shown, if it does.
    pub token: Option<Token>,
    /// What viewers see in their list.
    pub name: Name,
}

/// A camera of the node as a member of a server.
pub struct Presence {
    camera: CameraId,
    settings: watch::Receiver<Settings>,
    calls: mpsc::Sender<Call>,
    letters: mpsc::Receiver<Letter>,
    sign_ins: u64,
    standing: watch::Sender<Standing>,
}

impl Presence {
    /// The member of `camera`. What comes from the server goes to `calls`; what is in `letters` is delivered. With new settings it signs out
    /// and in again; running streams go on.
    pub fn new(
        camera: CameraId,
        settings: watch::Receiver<Settings>,
        calls: mpsc::Sender<Call>,
        letters: mpsc::Receiver<Letter>,
    ) -> Self {
        let standing = Standing::new(&settings.borrow());
        Self {
            camera,
            settings,
            calls,
            letters,
            sign_ins: 0,
            standing: watch::Sender::new(standing),
        }
    }

    /// How the node stands with its server, at any time and at every change.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Stays signed in until `stop`, then delivers what is left and signs out. Beats `pulse` at least every few
    /// seconds.
    pub async fn run(mut self, stop: CancellationToken, pulse: Pulse) {
        pulse.during(self.stay(&stop)).await;
    }

    async fn stay(&mut self, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        let mut said: Option<String> = None;
        loop {
            let settings = self.settings.borrow_and_update().clone();
            self.standing
                .send_if_modified(|standing| standing.aims_at(&settings, Instant::now()));
            let over = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = self.settings.changed() => continue,
                signed_in = Client::sign_in(&settings.server, settings.token.as_ref(), &settings.name) => match signed_in {
                    Ok((client, others)) => {
                        said = None;
                        let since = Instant::now();
                        let over = self.live(client, others, &settings, stop).await;
                        if since.elapsed() >= LASTING {
                            backoff = Backoff::default();
                        }
                        over
                    }
                    Err(error) => Over::Failed(error),
                },
            };
            let error = match over {
                Over::Stopping => return,
                Over::Changed => continue,
                Over::Failed(error) => error,
            };
            let text = explain(&error);
            self.becomes(State::Away { why: text.clone() });
            if said.as_ref() == Some(&text) {
                debug!("not signed in: {text}");
            } else {
                warn!("not signed in, trying on: {text}");
                said = Some(text);
            }
            if error.is_about_token() {
                // Quick tries are for a server that restarts; here a person has to do something first.
                backoff = Backoff::at_its_longest();
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = self.settings.changed() => {}
                () = tokio::time::sleep(backoff.next(rand::random())) => {}
            }
        }
    }

    /// One membership, from its sign-in to its end.
    async fn live(
        &mut self,
        client: Client,
        others: Vec<Member>,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Over {
        self.sign_ins += 1;
        self.becomes(State::SignedIn {
            id: client.id().to_string(),
        });
        info!(server = %settings.server, name = %settings.name, id = %client.id(), members = others.len(), "signed in");
        let over = tokio::select! {
            biased;
            () = stop.cancelled() => Over::Stopping,
            Ok(()) = self.settings.changed() => Over::Changed,
            error = attend(&client, others, self.camera, self.sign_ins, &self.calls) => Over::Failed(error),
            // The engine is gone, which ends the process, or has forgotten this camera.
            () = deliver(&client, self.sign_ins, &mut self.letters) => Over::Stopping,
        };
        if !matches!(over, Over::Failed(_)) {
            self.leave(&client).await;
        }
        over
    }

    fn becomes(&self, state: State) {
        self.standing
            .send_if_modified(|standing| standing.becomes(state, Instant::now()));
    }

    async fn leave(&mut self, client: &Client) {
        let goodbye = async {
            while let Ok(letter) = self.letters.try_recv() {
                send(client, self.sign_ins, letter).await;
            }
            client.sign_out().await
        };
        let goodbye = tokio::time::timeout(GOODBYE, goodbye).await;
        self.becomes(State::SignedOut);
        match goodbye {
            Ok(Ok(())) => info!("signed out"),
            Ok(Err(error)) => debug!("signing out: {error}"),
            Err(_) => debug!("signing out took too long"),
        }
    }
}

/// Why a membership is over.
enum Over {
    Stopping,
    /// There are new settings.
    Changed,
    Failed(ClientError),
}

fn explain(error: &ClientError) -> String {
    match error {
        ClientError::TokenWanted => format!("{error}; set `token_file` under [signaling]"),
        ClientError::TokenRefused => {
            format!("{error}; compare the file that `token_file` under [signaling] names with the server's")
        }
        _ => error.to_string(),
    }
}

/// Signs in and out again, and returns how many others are there.
///
/// # Errors
/// The server can't be reached, is none, or refuses.
pub async fn try_out(settings: &Settings) -> Result<usize, Trial> {
    let trial = async {
        let (client, others) =
            Client::sign_in(&settings.server, settings.token.as_ref(), &settings.name).await?;
        client.sign_out().await?;
        Ok(others.len())
    };
    trial.await.map_err(|error| match error {
        ClientError::Unreachable { .. } => Trial::Away(explain(&error)),
        error => Trial::Refused(explain(&error)),
    })
}

/// Why a sign-in did not work.
#[derive(Debug, thiserror::Error)]
pub enum Trial {
    /// There is no server at present; a running node goes on trying.
    #[error("{0}")]
    Away(String),
    /// There is something, and it does not let us in.
    #[error("{0}")]
    Refused(String),
}

/// Tells the engine what happens on the server. Returns why it can't any more.
async fn attend(
    client: &Client,
    others: Vec<Member>,
    camera: CameraId,
    sign_in: u64,
    calls: &mpsc::Sender<Call>,
) -> ClientError {
    // An engine that is gone ends the process; until then there is nobody to tell.
    for member in others {
        let _ = calls.send(presence(member, camera, sign_in)).await;
    }
    // Whoever sends nonsense is complained of once.
    let mut talks_nonsense = HashSet::new();
    loop {
        let event = match client.wait().await {
            Ok(event) => event,
            Err(error) => return error,
        };
        match event {
            Event::Presence(member) => {
                talks_nonsense.remove(&member.id);
                let _ = calls.send(presence(member, camera, sign_in)).await;
            }
            Event::Message { from, body } => match Message::parse(&body) {
                Ok(message) => {
                    let contact = Contact {
                        camera,
                        sign_in,
                        peer: from,
                    };
                    let _ = calls.send(Call::Said { contact, message }).await;
                }
                Err(error) => complain(&mut talks_nonsense, from, &error.to_string()),
            },
        }
    }
}

fn complain(talks_nonsense: &mut HashSet<PeerId>, from: PeerId, error: &str) {
    if talks_nonsense.insert(from) {
        warn!(peer = %from, "message ignored, and likewise its others of that kind: {error}");
    } else {
        debug!(peer = %from, "message ignored: {error}");
    }
}

fn presence(member: Member, camera: CameraId, sign_in: u64) -> Call {
    let contact = Contact {
        camera,
        sign_in,
        peer: member.id,
    };
    if member.connected {
        Call::Arrived {
            contact,
            name: member.name.to_string(),
        }
    } else {
        Call::Left { contact }
    }
}

/// Delivers letters, one after the other, until there can't be any more.
async fn deliver(client: &Client, sign_in: u64, letters: &mut mpsc::Receiver<Letter>) {
    while let Some(letter) = letters.recv().await {
        send(client, sign_in, letter).await;
    }
}

async fn send(client: &Client, sign_in: u64, letter: Letter) {
    // Its id may be somebody else's by now.
    if letter.to.sign_in != sign_in {
        return;
    }
    let peer = letter.to.peer;
    match client.send(peer, &letter.message).await {
        Ok(()) => {}
        Err(ClientError::PeerGone { .. }) => debug!(%peer, "a message came too late: the peer has gone"),
        Err(error) => warn!(%peer, "a message was not delivered: {error}"),
    }
}
