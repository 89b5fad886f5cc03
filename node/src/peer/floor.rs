use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use pinhole_signaling::Message;
use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::{Span, debug, warn};

use super::{
    contact::{Contact, Letter},
    id::{CameraId, SessionId},
    session::Session,
    transport::{Demux, Reflexive},
};

/// What the sessions happen in: the part of the engine that does not wait.
pub(super) struct Floor {
    pub(super) sessions: BTreeMap<SessionId, Seat>,
    pub(super) next_session: u64,
    pub(super) demux: Demux,
    /// The names of the members that are on the server.
    pub(super) members: HashMap<Contact, String>,
    /// Our own members.
    pub(super) desks: BTreeMap<CameraId, Desk>,
    pub(super) reflexive: Reflexive,
}

/// A session, and whose it is.
pub(super) struct Seat {
    pub(super) contact: Contact,
    pub(super) name: String,
    pub(super) session: Session,
}

/// Where a camera is called.
pub(super) struct Desk {
    pub(super) letters: mpsc::Sender<Letter>,
    /// Of its member, the newest.
    pub(super) sign_in: u64,
    pub(super) span: Span,
}

impl Floor {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.sessions
            .values()
            .filter_map(|seat| seat.session.deadline())
            .min()
    }

    pub(super) fn seat(&mut self, seat: Seat) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(id, seat);
        id
    }

    pub(super) fn session_of(&self, contact: Contact) -> Option<SessionId> {
        self.sessions
            .iter()
            .find(|(_, session)| session.contact == contact)
            .map(|(id, _)| *id)
    }

    pub(super) fn name_of(&self, contact: Contact) -> String {
        self.members
            .get(&contact)
            .cloned()
            .unwrap_or_else(|| format!("peer {}", contact.peer))
    }

    pub(super) fn arrive(&mut self, contact: Contact, name: String) {
        let Some(desk) = self.desks.get_mut(&contact.camera) else {
            return;
        };
        if contact.sign_in > desk.sign_in {
            desk.sign_in = contact.sign_in;
            self.members.retain(|other, _| other.camera != contact.camera);
        }
        // A viewer whose stream outlived the server comes back under another id; its name tells which one it
        // is, where no two have it.
        let is_older = |other: Contact| other.camera == contact.camera && other.sign_in < contact.sign_in;
        let mut same = self
            .sessions
            .values_mut()
            .filter(|session| is_older(session.contact) && session.name == name);
        if let (Some(session), None) = (same.next(), same.next()) {
            debug!(viewer = %name, "the viewer is back on the server");
            session.contact = contact;
        }
        self.members.insert(contact, name);
    }

    /// Whether a session whose member left goes on under another id: a page that lost its connection to the
    /// server signs in anew at once, while its old id is given up half a minute later. Should it be another
    /// member of the same name after all, the media path ends the session.
    pub(super) fn moves(&mut self, id: SessionId, name: Option<String>) -> bool {
        let (Some(name), Some(session)) = (name, self.sessions.get(&id)) else {
            return false;
        };
        let camera = session.contact.camera;
        let heir = self.members.iter().find(|(contact, other)| {
            contact.camera == camera
                && **other == name
                && self.sessions.values().all(|session| session.contact != **contact)
        });
        match (heir.map(|(contact, _)| *contact), self.sessions.get_mut(&id)) {
            (Some(contact), Some(session)) => {
                debug!(viewer = %name, "the viewer goes on under another id");
                session.contact = contact;
                true
            }
            _ => false,
        }
    }

    /// The place in the log for what happens to a camera's viewers.
    pub(super) fn span(&self, camera: CameraId) -> Span {
        self.desks
            .get(&camera)
            .map_or_else(Span::none, |desk| desk.span.clone())
    }

    pub(super) fn post(&self, to: Contact, message: Message) {
        let Some(desk) = self.desks.get(&to.camera) else {
            return;
        };
        match desk.letters.try_send(Letter { to, message }) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(letter)) => {
                warn!(peer = %to.peer, "the signaling server is too slow; dropped {}", kind_of(&letter.message));
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
