//! The exchange of descriptions (RFC 8829) and candidates, as far as it is ours: the core does the rest.

use std::{net::SocketAddr, time::Instant};

use rtc::peer_connection::{RTCPeerConnection, sdp::RTCSessionDescription, transport::RTCIceCandidateInit};
use tracing::debug;

use super::{
    candidate,
    error::SessionError,
    io::{Candidate, Event},
    link::Link,
    remotes::{Remotes, Unfit},
};
use crate::peer::{
    report::Stage,
    sdp::{Answer, DescriptionError, Layout, Offer, Setup},
};

/// How far the exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is under way.
    Settled,
    /// Video has to be offered by us as soon as the answer is out.
    OwesOffer,
    /// Our offer is out.
    AwaitsAnswer,
}

/// The exchange of one session.
pub(super) struct Negotiation {
    pub(super) state: State,
    /// Of the viewer's certificate: another one is another connection.
    pub(super) fingerprint: String,
    /// Of the viewer's ICE credentials: another one begins ICE anew.
    pub(super) fragment: String,
    /// What the viewer said of its part in the DTLS handshake when it began.
    pub(super) setup: Setup,
    /// The sections.
    pub(super) layout: Layout,
    /// Whom we check.
    pub(super) remotes: Remotes,
    pub(super) told_reflexive: bool,
}

impl Negotiation {
    /// Whether this offer continues the session; otherwise it begins another one.
    pub(super) fn is_continued_by(&self, offer: &Offer) -> bool {
        self.fingerprint == offer.described.fingerprint
    }

    /// Whether our own offer is out.
    pub(super) fn awaits_answer(&self) -> bool {
        self.state == State::AwaitsAnswer
    }

    /// Takes another offer within the session. The answer is an event.
    ///
    /// # Errors
    /// The core refuses it.
    pub(super) fn take_offer(
        &mut self,
        mut offer: Offer,
        link: &mut Link,
        now: Instant,
    ) -> Result<(), SessionError> {
        let Link {
            connection,
            media,
            outgoing,
            ..
        } = link;
        // Both offered at once: ours gives way, and follows later.
        if self.state == State::AwaitsAnswer {
            connection.set_local_description(now, RTCSessionDescription::rollback(None)?)?;
            self.layout.withdraw();
            self.state = State::OwesOffer;
        }
        connection.set_remote_description(now, offer.given(&mut self.layout)?)?;
        let described = &offer.described;
        if self.is_reversed_by(described.setup) {
            return Err(DescriptionError::OtherRole.into());
        }
        if self.fragment != described.fragment {
            self.fragment.clone_from(&described.fragment);
            self.remotes.forget();
            outgoing.restarts();
        }
        self.remotes.add(connection, &offer.candidates());
        media.obey(described);
        media.renumber(&self.layout);
        // Unless it is the viewer that has a place for it now.
        if self.state == State::OwesOffer && self.layout.has_picture() {
            self.state = State::Settled;
        }
        let did_show = media.shows();
        media.is_agreed = described.shows || self.state == State::OwesOffer;
        let goes_on = media.shows() && !did_show && link.stage == Stage::Watching;
        let answer = media.sections().answer(connection, &mut self.layout, now)?;
        self.answered(answer, link, now)?;
        if goes_on {
            // Nothing can be made of what comes after a pause without one.
            link.stage = Stage::AwaitingKeyframe;
            link.events.push_back(Event::KeyframeWanted);
        }
        Ok(())
    }

    /// Whether the viewer would take the other part in a handshake that has been (RFC 8842, section 5.5).
    fn is_reversed_by(&self, setup: Setup) -> bool {
        match setup {
            Setup::Either => false,
            Setup::Active => self.setup == Setup::Passive,
            Setup::Passive => self.setup != Setup::Passive,
        }
    }

    /// Our answer goes out, and after it the offer of our own that may be owed.
    ///
    /// # Errors
    /// The core refuses to make it.
    pub(super) fn answered(
        &mut self,
        answer: String,
        link: &mut Link,
        now: Instant,
    ) -> Result<(), SessionError> {
        link.events.push_back(Event::Answer(answer));
        if self.state == State::OwesOffer {
            // One that can't be made is not tried again.
            self.state = State::Settled;
            let sections = link.media.sections();
            let offer = sections.offer(&mut link.connection, &mut self.layout, now)?;
            link.events.push_back(Event::Offer(offer));
            self.state = State::AwaitsAnswer;
        }
        Ok(())
    }

    /// Takes the viewer's answer, in SDP.
    ///
    /// # Errors
    /// It is none, or it has no codec of ours.
    pub(super) fn take_answer(
        &mut self,
        answer: String,
        link: &mut Link,
        now: Instant,
    ) -> Result<(), SessionError> {
        let settled = Answer::read(answer)?.settle(&mut self.layout)?;
        link.connection.set_remote_description(now, settled.description)?;
        self.remotes.add(&mut link.connection, &settled.candidates);
        self.state = State::Settled;
        link.media.renumber(&self.layout);
        link.media.is_agreed = settled.shows;
        Ok(())
    }

    /// Tells the viewer an address of ours that no description has. Once: after that it is known.
    pub(super) fn reflexive(&mut self, address: SocketAddr) -> Option<Candidate> {
        if std::mem::replace(&mut self.told_reflexive, true) {
            return None;
        }
        let (section, mid) = self.layout.first();
        Some(Candidate {
            mid: mid.to_owned(),
            section,
            line: candidate::reflexive(address),
        })
    }
}

impl Remotes {
    /// Gives the connection a candidate line of the viewer, where it is one to be checked.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn try_add(&mut self, connection: &mut RTCPeerConnection, line: &str) -> Result<(), Unfit> {
        self.take(line)?;
        let candidate = RTCIceCandidateInit {
            candidate: line.to_owned(),
            ..RTCIceCandidateInit::default()
        };
        connection
            .add_remote_candidate(candidate)
            .map_err(|_| Unfit::Unreadable)
    }

    /// Gives the connection those candidate lines of a description that are to be checked.
    pub(super) fn add(&mut self, connection: &mut RTCPeerConnection, lines: &[String]) {
        for line in lines {
            // One candidate less is no reason to refuse a description: there are others.
            if let Err(why) = self.try_add(connection, line) {
                debug!(candidate = %line.escape_debug(), "candidate ignored: {why}");
            }
        }
    }
}
