//! What the engine does when the signaling side calls.

use std::time::Instant;

use pinhole_signaling::{Description, DescriptionKind, Message, Refusal};
use tracing::{debug, info, warn};

use super::{
    contact::{Call, Contact},
    ending::Ending,
    engine::{Engine, feed_of},
    feed::Feed,
    floor::{Seat, kind_of},
    id::SessionId,
    sdp::{self, Offer},
    session::{Input, Session, SessionError, Terms},
};
use crate::voice::Talker;

impl Engine {
    pub(super) fn take(&mut self, call: Call) {
        match call {
            Call::Opened {
                camera,
                tracks,
                letters,
                span,
            } => self.open(camera, tracks, letters, span),
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
                self.give(id, Input::Answer(sdp));
            }
            (Message::Candidate(candidate), Some(id)) => {
                self.give(id, Input::Candidate(&candidate.candidate))
            }
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
        let offer = match Offer::read(sdp) {
            Ok(offer) => offer,
            Err(error) => return self.refuse_offer(contact, &viewer, &error.into()),
        };
        if let Some(id) = session {
            let known = self.floor.sessions.get(&id);
            if known.is_some_and(|known| known.session.is_continued_by(&offer)) {
                return self.give(id, Input::Offer(Box::new(offer)));
            }
            self.end(id, Ending::CalledAnew, false);
        }
        if self.floor.sessions.len() >= self.settings.max_viewers {
            let most = self.settings.max_viewers;
            info!(%viewer, max_viewers = most, "refused a viewer: all places are taken");
            let reason = format!("all {most} places here are taken (max_viewers); try again later");
            return self.refuse(contact, "busy", &reason);
        }
        let addresses = self.transport.addresses();
        let terms = Terms {
            talker: Talker(self.floor.next_session),
            ..self.terms()
        };
        let now = Instant::now();
        match Session::new(viewer.clone(), offer, &addresses, &terms, self.anchor, now) {
            Ok(session) => {
                info!(%viewer, codec = %session.codec(), "viewer calls");
                let id = self.floor.seat(Seat {
                    contact,
                    name: viewer,
                    session,
                });
                self.desk.figures.started.one();
                if let Some(feed) = self.feed_for(id) {
                    // The camera opens while the viewer connects.
                    feed.enter();
                }
                self.pump(id, now);
                self.look_outside(now);
            }
            Err(error) => self.refuse_offer(contact, &viewer, &error),
        }
    }

    /// Tells who calls our address behind the NAT, or asks for it first.
    fn look_outside(&mut self, now: Instant) {
        if self.floor.reflexive.address(now).is_some() {
            return self.tell_reflexive(now);
        }
        match self.floor.reflexive.ask() {
            Ok(requests) => {
                for (server, request) in requests {
                    self.transport.send_to(server, &request);
                }
                self.transport.flush();
            }
            Err(error) => debug!("no STUN request: {error}"),
        }
    }

    fn give(&mut self, id: SessionId, input: Input<'_>) {
        let now = Instant::now();
        if let Some(seat) = self.floor.sessions.get_mut(&id) {
            seat.session.handle(input, now);
            self.pump(id, now);
        }
    }

    /// Sends a description of ours.
    pub(super) fn describe(&mut self, id: SessionId, kind: DescriptionKind, sdp: String) {
        if let Some(fragment) = sdp::fragment(&sdp) {
            self.floor.demux.register(fragment.to_owned(), id);
        }
        if let Some(seat) = self.floor.sessions.get(&id) {
            self.floor
                .post(seat.contact, Message::Description(Description { kind, sdp }));
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
    pub(super) fn fail(&mut self, id: SessionId, error: &SessionError) {
        if let Some(seat) = self.floor.sessions.get(&id) {
            let reason = words(error);
            warn!(viewer = %seat.name, "negotiation failed: {reason}");
            let refusal = Refusal {
                code: "negotiation".to_owned(),
                reason,
            };
            self.floor.post(seat.contact, Message::Refusal(refusal));
            self.end(id, Ending::Negotiation, true);
        }
    }

    fn feed_for(&mut self, id: SessionId) -> Option<&mut Feed> {
        let seat = self.floor.sessions.get(&id)?;
        feed_of(&mut self.feeds, seat.contact.camera, seat.session.codec())
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
    use crate::peer::sdp::DescriptionError;

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
