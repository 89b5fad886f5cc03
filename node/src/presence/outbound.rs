//! Messages on their way to the server.

use pinhole_service::quiet::Quiet;
use pinhole_signaling::{Client, ClientError, Envelope, Message, PeerId};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};
use tracing::{debug, warn};

/// Messages that may wait for the server. An answer and its candidates are a handful; a crowd of a hundred viewers fits.
const WAITING: usize = 1024;

/// A message on its way to a member.
pub(super) struct Outbound {
    pub(super) to: PeerId,
    pub(super) message: Envelope,
}

/// What waits for the server, and what is under way to it.
pub(super) struct Mailbox {
    waiting: Receiver<Outbound>,
    /// Kept until it has arrived: a delivery that is cut short by a sign-out must not lose the goodbye.
    under_way: Option<Outbound>,
}

/// The way of messages to [`Mailbox::deliver`].
pub(super) fn mailbox() -> (Sender<Outbound>, Mailbox) {
    let (outbox, waiting) = mpsc::channel(WAITING);
    let mailbox = Mailbox {
        waiting,
        under_way: None,
    };
    (outbox, mailbox)
}

/// Has a message delivered, where there is room for it.
pub(super) fn post(outbox: &Sender<Outbound>, message: Outbound) {
    if let Err(TrySendError::Full(message)) = outbox.try_send(message) {
        static DROPPED: Quiet = Quiet::new(10);
        if let Some(others) = DROPPED.may_say() {
            let what = kind_of(&message.message.message);
            warn!(peer = %message.to, others, "the signaling server is too slow; dropped {what}");
        }
    }
}

impl Mailbox {
    /// Delivers messages, one after the other, until there can't be any more.
    pub(super) async fn deliver(&mut self, client: &Client) {
        loop {
            if self.under_way.is_none() {
                self.under_way = self.waiting.recv().await;
            }
            let Some(message) = &self.under_way else { return };
            send(client, message).await;
            self.under_way = None;
        }
    }

    /// Delivers what there is. What was under way already may arrive twice, which is better than not at all.
    pub(super) async fn deliver_rest(&mut self, client: &Client) {
        while let Some(message) = self.under_way.take().or_else(|| self.waiting.try_recv().ok()) {
            send(client, &message).await;
        }
    }
}

pub(super) async fn send(client: &Client, message: &Outbound) {
    let peer = message.to;
    match client.send_of_call(peer, &message.message).await {
        Ok(()) => {}
        Err(ClientError::PeerGone { .. }) => debug!(%peer, "a message came too late: the peer has gone"),
        Err(error) => {
            static LOST: Quiet = Quiet::new(10);
            if let Some(others) = LOST.may_say() {
                warn!(%peer, others, "a message was not delivered: {error}");
            }
        }
    }
}

/// A message's kind, for the log: what it says is the viewer's business.
pub(super) fn kind_of(message: &Message) -> &'static str {
    match message {
        Message::Description(description) => description.kind.as_str(),
        Message::Candidate(_) => "a candidate",
        Message::Refusal(_) => "a refusal",
        Message::Bye => "BYE",
    }
}
