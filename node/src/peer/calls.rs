//! What the engine does when the signaling side calls.

use std::{net::SocketAddr, time::Instant};

use pinhole_signaling::{Candidate, Description, DescriptionKind, Message, Refusal};
use rtc::peer_connection::sdp::RTCSessionDescription;
use tracing::{debug, info, warn};

use super::{
    candidates,
    contact::{Call, Contact},
    demux::SessionId,
    ending::Ending,
    engine::{Engine, feed_of},
    feed::Feed,
    floor::kind_of,
    negotiation,
    session::{self, Session, SessionError, Terms},
    socket::Socket,
};
use crate::voice::Talker;

impl Engine {
    pub(super) fn take(&mut self, call: Call) {
        match call {
            Call::Opened {
                camera,
                broadcast,
                letters,
                span,
            } => self.open(camera, &broadcast, letters, span),
            Call::Closed { camera, done } => {
                self.close(camera);
                // Who waits for it may have gone.
                let _ = done.send(());
            }
            Call::Arrived { contact, name } => self.floor.arrive(contact, name),
            Call::Left { contact } => {
                let name = self.floor.members.remove(&contact);
                if let Some(id) = self.floor.session_of(contact)
                    && !self.floor.moves(id, name)
                {
                    self.end(id, Ending::Left, false);
                }
            }
            // Of a camera that has been removed meanwhile.
            Call::Said { contact, .. } if !self.floor.desks.contains_key(&contact.camera) => {}
            Call::Said { contact, message } => {
                let _here = self.floor.span(contact.camera).entered();
                self.hear(contact, message);
            }
        }
    }

    fn hear(&mut self, contact: Contact, message: Message) {
        let session = self.floor.session_of(contact);
        match (message, session) {
            (
                Message::Description(Description {
                    kind: DescriptionKind::Offer,
                    sdp,
                }),
                session,
            ) => {
                self.offered(contact, session, sdp);
            }
            (
                Message::Description(Description {
                    kind: DescriptionKind::Answer,
                    sdp,
                }),
                Some(id),
            ) => {
                self.answered(id, sdp);
            }
            (Message::Candidate(candidate), Some(id)) => self.candidate(id, &candidate),
            (Message::Bye, Some(id)) => self.end(id, Ending::HungUp, false),
            (
                Message::Description(Description {
                    kind: DescriptionKind::OfferLoopback,
                    ..
                }),
                _,
            ) => {
                let viewer = self.floor.name_of(contact);
                info!(%viewer, "refused a loopback call: it would be without encryption");
                self.refuse(
                    contact,
                    "loopback",
                    "loopback calls are not supported: they are not encrypted",
                );
            }
            // Late or stray: a candidate after the end, an answer to nothing.
            (message, _) => debug!(peer = %contact.peer, "nothing to do with {}", kind_of(&message)),
        }
    }

    fn offered(&mut self, contact: Contact, session: Option<SessionId>, sdp: String) {
        let viewer = self.floor.name_of(contact);
        let outcome = RTCSessionDescription::offer(sdp)
            .map_err(|error| negotiation::DescriptionError::Syntax(error.to_string()))
            .and_then(|offer| Ok((negotiation::read(&offer)?, offer)));
        let (described, offer) = match outcome {
            Ok(read) => read,
            Err(error) => return self.refuse_offer(contact, &viewer, &error.into()),
        };
        if let Some(id) = session {
            let known = self.floor.sessions.get_mut(&id);
            if let Some(known) = known.filter(|known| known.is_continued_by(&described)) {
                return match known.renegotiate(&described, offer, Instant::now()) {
                    Ok(answer) => {
                        self.count_listeners();
                        self.describe(id, DescriptionKind::Answer, answer);
                    }
                    Err(error) => self.fail(id, &error),
                };
            }
            self.end(id, Ending::CalledAnew, false);
        }
        if self.floor.sessions.len() >= self.settings.max_viewers {
            let most = self.settings.max_viewers;
            info!(%viewer, max_viewers = most, "refused a viewer: all places are taken");
            let reason = format!("all {most} places here are taken (max_viewers); try again later");
            return self.refuse(contact, "busy", &reason);
        }
        let addresses = self.addresses();
        let terms = Terms {
            intake: self.intake.clone(),
            talker: Talker(self.floor.next_session),
            ..self.settings.terms()
        };
        match Session::answer(contact, viewer.clone(), offer, &addresses, terms, Instant::now()) {
            Ok((session, answer)) => {
                info!(%viewer, codec = %session.codec(), "viewer calls");
                let id = self.floor.seat(session);
                if let (Some(channels), Some(session)) = (&self.channels, self.floor.sessions.get_mut(&id)) {
                    session.listen(channels.channel(id, contact.camera));
                }
                self.desk.figures.started.one();
                if let Some(feed) = self.feed_for(id) {
                    // The camera opens while the viewer connects.
                    feed.enter();
                }
                self.count_listeners();
                self.describe(id, DescriptionKind::Answer, answer);
                self.look_outside();
            }
            Err(error) => self.refuse_offer(contact, &viewer, &error),
        }
    }

    /// Tells who calls our address behind the NAT, or asks for it first.
    fn look_outside(&mut self) {
        let now = Instant::now();
        if self.floor.reflexive.address(now).is_some() {
            return self.floor.tell_reflexive(now);
        }
        match self.floor.reflexive.ask() {
            Ok(requests) => {
                for (server, request) in requests {
                    self.floor
                        .outbox
                        .push_from_anywhere(&self.sockets, server, &request);
                }
                self.floor.outbox.flush(&self.sockets);
            }
            Err(error) => debug!("no STUN request: {error}"),
        }
    }

    fn answered(&mut self, id: SessionId, sdp: String) {
        let Some(session) = self.floor.sessions.get_mut(&id) else {
            return;
        };
        if !session.awaits_answer() {
            return debug!(viewer = %session.name, "an answer to nothing");
        }
        let outcome = RTCSessionDescription::answer(sdp)
            .map_err(SessionError::from)
            .and_then(|answer| session.accept(answer, Instant::now()));
        if let Err(error) = outcome {
            self.fail(id, &error);
        }
    }

    fn candidate(&mut self, id: SessionId, candidate: &Candidate) {
        let Some(session) = self.floor.sessions.get_mut(&id) else {
            return;
        };
        if let Err(error) = session.add_candidate(&candidate.candidate, Instant::now()) {
            // One candidate less is no reason to end: there are others.
            warn!(viewer = %session.name, candidate = %candidate.candidate.escape_debug(), "candidate ignored: {error}");
        }
    }

    /// Sends a description of ours, and after a first answer the offer that is still owed.
    fn describe(&mut self, id: SessionId, kind: DescriptionKind, sdp: String) {
        if let Some(fragment) = session::fragment(&sdp) {
            self.floor.demux.register(fragment.to_owned(), id);
        }
        let Some(session) = self.floor.sessions.get_mut(&id) else {
            return;
        };
        let to = session.contact;
        let owed = session.take_owed_offer(Instant::now());
        self.floor
            .post(to, Message::Description(Description { kind, sdp }));
        match owed {
            Ok(None) => {}
            Ok(Some(offer)) => {
                self.floor.post(
                    to,
                    Message::Description(Description {
                        kind: DescriptionKind::Offer,
                        sdp: offer,
                    }),
                );
            }
            Err(error) => self.fail(id, &error),
        }
    }

    fn refuse_offer(&mut self, contact: Contact, viewer: &str, error: &SessionError) {
        let reason = words(error);
        warn!(%viewer, "offer refused: {reason}");
        self.refuse(contact, "offer", &reason);
    }

    fn refuse(&mut self, contact: Contact, code: &str, reason: &str) {
        self.desk.figures.refused.one();
        let refusal = Refusal {
            code: code.to_owned(),
            reason: reason.to_owned(),
        };
        self.floor.post(contact, Message::Refusal(refusal));
        self.floor.post(contact, Message::Bye);
    }

    /// Ends a session that can't go on because of what the viewer sent.
    fn fail(&mut self, id: SessionId, error: &SessionError) {
        if let Some(session) = self.floor.sessions.get(&id) {
            let reason = words(error);
            warn!(viewer = %session.name, "negotiation failed: {reason}");
            let refusal = Refusal {
                code: "negotiation".to_owned(),
                reason,
            };
            self.floor.post(session.contact, Message::Refusal(refusal));
            self.end(id, Ending::Negotiation, true);
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let sockets: Vec<_> = self.sockets.iter().map(Socket::address).collect();
        candidates::gather(&sockets).unwrap_or_else(|error| {
            warn!("the network interfaces can't be read: {error}");
            Vec::new()
        })
    }

    fn feed_for(&mut self, id: SessionId) -> Option<&mut Feed> {
        let session = self.floor.sessions.get(&id)?;
        feed_of(&mut self.feeds, session.contact.camera, session.rendition())
    }
}

/// An error as text for a log and for the viewer: parsers quote what they could not read, and that may be long
/// and hold anything.
fn words(error: &SessionError) -> String {
    const MOST: usize = 300;
    let text: String = error.to_string().escape_debug().take(MOST + 1).collect();
    if text.chars().count() > MOST {
        text.chars().take(MOST).chain(['…']).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::negotiation::DescriptionError;

    #[test]
    fn what_could_not_be_read_is_quoted_harmlessly() {
        let quoted = |text: &str| {
            words(&SessionError::Description(DescriptionError::Syntax(
                text.to_owned(),
            )))
        };
        assert!(quoted("\0\u{1b}[2J").ends_with("\\0\\u{1b}[2J"));
        assert!(quoted(&"x".repeat(1_000_000)).len() < 400);
    }
}
