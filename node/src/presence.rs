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

use pinhole_signaling::{Client, ClientError, Event, Member, Message, Name, PeerId, ServerUrl};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::peer::{Call, Contact, Letter};
use backoff::Backoff;

pub use standing::{Standing, State};

/// What the goodbye may take: the letters that are left, and the sign-out.
const GOODBYE: Duration = Duration::from_secs(2);
/// A membership that held this long was no failure.
const LASTING: Duration = Duration::from_secs(5);

/// The node as a member of a server.
pub struct Presence {
    server: ServerUrl,
    name: Name,
    calls: mpsc::Sender<Call>,
    letters: mpsc::Receiver<Letter>,
    sign_ins: u64,
    standing: watch::Sender<Standing>,
}

impl Presence {
    /// What comes from the server goes to `calls`; what is in `letters` is delivered.
    pub fn new(
        server: ServerUrl,
        name: Name,
        calls: mpsc::Sender<Call>,
        letters: mpsc::Receiver<Letter>,
    ) -> Self {
        let standing = Standing::new(server.to_string(), name.to_string());
        Self {
            server,
            name,
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

    /// Stays signed in until `stop`, then delivers what is left and signs out.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        let mut said: Option<String> = None;
        loop {
            let signed_in = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                signed_in = Client::sign_in(&self.server, &self.name) => signed_in,
            };
            let error = match signed_in {
                Ok((client, others)) => {
                    self.sign_ins += 1;
                    said = None;
                    let id = client.id().to_string();
                    self.becomes(State::SignedIn { id });
                    info!(server = %self.server, name = %self.name, id = %client.id(), members = others.len(), "signed in");
                    let since = Instant::now();
                    let error = tokio::select! {
                        biased;
                        () = stop.cancelled() => None,
                        error = attend(&client, others, self.sign_ins, &self.calls) => Some(error),
                        () = deliver(&client, self.sign_ins, &mut self.letters) => None,
                    };
                    let Some(error) = error else {
                        return self.leave(&client).await;
                    };
                    if since.elapsed() >= LASTING {
                        backoff = Backoff::default();
                    }
                    error
                }
                Err(error) => error,
            };
            let text = error.to_string();
            self.becomes(State::Away { why: text.clone() });
            if said.as_deref() == Some(&text) {
                debug!("not signed in: {text}");
            } else {
                warn!("not signed in, trying on: {text}");
                said = Some(text);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.next(rand::random())) => {}
            }
        }
    }

    fn becomes(&self, state: State) {
        self.standing
            .send_if_modified(|standing| standing.becomes(state, Instant::now()));
    }

    async fn leave(mut self, client: &Client) {
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

/// Tells the engine what happens on the server. Returns why it can't any more.
async fn attend(
    client: &Client,
    others: Vec<Member>,
    sign_in: u64,
    calls: &mpsc::Sender<Call>,
) -> ClientError {
    // An engine that is gone ends the process; until then there is nobody to tell.
    for member in others {
        let _ = calls.send(presence(member, sign_in)).await;
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
                let _ = calls.send(presence(member, sign_in)).await;
            }
            Event::Message { from, body } => match Message::parse(&body) {
                Ok(message) => {
                    let contact = Contact { sign_in, peer: from };
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

fn presence(member: Member, sign_in: u64) -> Call {
    let contact = Contact {
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
