//! Stays signed in to the server, for ever, and carries messages between it and the peers.
//!
//! Invariants: a lost server costs no running stream; messages to one peer keep their order; a failure is said
//! once per change, however often it is tried.

mod backoff;
mod caller;
mod meeting;
mod outbound;
mod patience;
mod standing;

use std::{
    fmt,
    pin::pin,
    time::{Duration, Instant},
};

use pinhole_service::{quiet::Quiet, watchdog::Pulse};
use pinhole_signaling::{Client, ClientError, Event, Member, Message, Name, PeerId, ServerUrl, Token};
use tokio::sync::{mpsc::Sender, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::peer::{Caller, Calls, CameraId, Reply, Request};
use backoff::Backoff;
use caller::Replies;
use meeting::{Meeting, OfferId, Order};
use outbound::{Mailbox, Outbound, post, send};
use patience::{Patience, TooMuch};

pub use standing::{Standing, State};

/// What the goodbye may take: the messages that are left, and the sign-out.
const GOODBYE: Duration = Duration::from_secs(2);
/// A membership that held this long was no failure.
const LASTING: Duration = Duration::from_secs(5);
const TOO_MUCH: &str = "a member says too much; part of it is not listened to";

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
    calls: Calls,
    replies: Replies,
    meeting: Meeting,
    patience: Patience,
    standing: watch::Sender<Standing>,
}

impl Presence {
    /// The member of `camera`. Who calls it there goes on to `calls`. With new settings it signs out and in again; running streams
    /// go on.
    pub fn new(camera: CameraId, settings: watch::Receiver<Settings>, calls: Calls) -> Self {
        let standing = Standing::new(&settings.borrow());
        Self {
            camera,
            settings,
            calls,
            replies: Replies::new(),
            meeting: Meeting::default(),
            patience: Patience::default(),
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
        self.becomes(State::SignedIn {
            id: client.id().to_string(),
        });
        info!(server = %settings.server, name = %settings.name, id = %client.id(), members = others.len(), "signed in");
        self.meeting.signed_in();
        self.patience = Patience::default();
        // What the engine said meanwhile is for nobody: whom it meant had another id.
        while let Ok((offer, reply)) = self.replies.receiver.try_recv() {
            self.meeting.reply(offer, reply);
        }
        for member in others {
            if let Some(order) = self.meeting.presence(member) {
                self.carry_out(&client, order).await;
            }
        }
        let (outbox, mut mailbox) = outbound::mailbox();
        let over = self.attend(&client, &outbox, &mut mailbox, stop).await;
        if !matches!(over, Over::Failed(_)) {
            self.leave(&client, &mut mailbox).await;
        }
        over
    }

    /// Passes on what comes from the server and from the engine, until there is a reason not to.
    async fn attend(
        &mut self,
        client: &Client,
        outbox: &Sender<Outbound>,
        mailbox: &mut Mailbox,
        stop: &CancellationToken,
    ) -> Over {
        let mut next_event = pin!(client.wait());
        let mut delivery = pin!(mailbox.deliver(client));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Over::Stopping,
                Ok(()) = self.settings.changed() => return Over::Changed,
                () = &mut delivery => return Over::Stopping,
                Some((offer, reply)) = self.replies.receiver.recv() => {
                    for message in self.outbound(offer, reply) {
                        post(outbox, message);
                    }
                }
                event = &mut next_event => match event {
                    Ok(event) => {
                        next_event.set(client.wait());
                        if let Some(order) = self.hear(event, Instant::now()) {
                            self.carry_out(client, order).await;
                        }
                    }
                    Err(error) => return Over::Failed(error),
                },
            }
        }
    }

    fn hear(&mut self, event: Event, now: Instant) -> Option<Order> {
        match event {
            Event::Presence(member) => {
                self.patience.forget(member.id);
                self.meeting.presence(member)
            }
            Event::Message { from, body } => {
                if let Err(TooMuch { is_new }) = self.patience.listen(from, now) {
                    complain(from, &TOO_MUCH, is_new);
                    return None;
                }
                match Message::parse(&body) {
                    Ok(message) => {
                        if let Err(TooMuch { is_new }) = self.patience.obey(from, &message, now) {
                            complain(from, &TOO_MUCH, is_new);
                            return None;
                        }
                        self.meeting.message(from, message, || self.calls.next())
                    }
                    Err(error) => {
                        let is_new = self.patience.is_new_nonsense(from);
                        complain(
                            from,
                            &format_args!("message ignored, and likewise its others of that kind: {error}"),
                            is_new,
                        );
                        None
                    }
                }
            }
        }
    }

    /// Asks the engine.
    async fn carry_out(&mut self, client: &Client, order: Order) {
        let via = client.local_address();
        let request = match order {
            Order::Answer { call, sdp } => Request::Answer { call, sdp },
            Order::Candidate { call, line } => Request::Candidate { call, line },
            Order::HangUp { call, why } => Request::HangUp { call, why },
            Order::Offer { offer, viewer, sdp } => {
                let Some(caller) = self.caller(offer) else { return };
                Request::Offer {
                    call: offer.call,
                    camera: self.camera,
                    viewer,
                    sdp,
                    via,
                    caller,
                }
            }
            Order::Refuse { offer, viewer, why } => {
                let Some(caller) = self.caller(offer) else { return };
                Request::Refuse {
                    camera: self.camera,
                    viewer,
                    why,
                    caller,
                }
            }
        };
        self.calls.ask(request).await;
    }

    /// The engine's way back for an offer.
    fn caller(&mut self, offer: OfferId) -> Option<Box<dyn Caller>> {
        let Some(caller) = self.replies.caller(offer) else {
            static DROPPED: Quiet = Quiet::new(10);
            if let Some(others) = DROPPED.may_say() {
                warn!(others, "too many viewers call at once; an offer was dropped");
            }
            self.meeting.dropped(offer);
            return None;
        };
        Some(Box::new(caller))
    }

    /// The messages that a reply of the engine makes.
    fn outbound(&mut self, offer: OfferId, reply: Reply) -> impl Iterator<Item = Outbound> + use<> {
        let told = self.meeting.reply(offer, reply).into_iter();
        told.flat_map(|(to, messages)| messages.into_iter().map(move |message| Outbound { to, message }))
    }

    fn becomes(&self, state: State) {
        self.standing
            .send_if_modified(|standing| standing.becomes(state, Instant::now()));
    }

    async fn leave(&mut self, client: &Client, mailbox: &mut Mailbox) {
        let goodbye = async {
            mailbox.deliver_rest(client).await;
            while let Ok((offer, reply)) = self.replies.receiver.try_recv() {
                for message in self.outbound(offer, reply) {
                    send(client, &message).await;
                }
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

/// Says once of a member what there is to be said of it.
fn complain(from: PeerId, what: &dyn fmt::Display, is_new: bool) {
    static COMPLAINTS: Quiet = Quiet::new(10);
    match is_new.then(|| COMPLAINTS.may_say()).flatten() {
        Some(others) => warn!(peer = %from, others, "{what}"),
        None => debug!(peer = %from, "{what}"),
    }
}
