//! How the clock goes: to whatever comes next, and what happens then.

use std::time::Instant;

use super::{call::Call, link::Datagram, microphone::Microphone, port::Port, viewer::NODE};
use crate::peer::{
    session::{Input, Session},
    transport::{Path, Protocol},
};

/// Steps at one instant after which the clock stands still for good. A keyframe is some dozens of packets, each of which is a step.
const STEPS_AT_ONCE: u32 = 10_000;

impl Call {
    /// When the next thing happens.
    pub(super) fn next(&self) -> Instant {
        let links = [self.to_viewer.next_arrival(), self.to_node.next_arrival()];
        let sources = [
            Some(self.source.deadline()),
            self.microphone.as_ref().map(Microphone::deadline),
        ];
        let ends = [self.deadline(), self.viewer.deadline()];
        let next = links.into_iter().chain(sources).chain(ends).flatten().min();
        next.map_or(self.now, |next| next.max(self.now))
    }

    /// Does what happens next.
    pub(super) fn step(&mut self) {
        self.now = self.next();
        let mut steps = 0;
        let mut count = || {
            steps += 1;
            assert!(steps < STEPS_AT_ONCE, "the clock stands still");
        };
        while let Some(Datagram { viewer, data }) = self.to_node.receive(self.now) {
            count();
            let path = Path {
                local: NODE.into(),
                peer: viewer,
                protocol: Protocol::Udp,
            };
            self.heard = self.now;
            self.handle(Input::Packet { path, data: &data });
        }
        while let Some(packet) = self.to_viewer.receive(self.now) {
            count();
            self.viewer.receive(&packet, self.now);
        }
        self.picture();
        self.sound();
        if self.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.handle(Input::Timeout);
            let is_later = self.deadline().is_none_or(|deadline| deadline > self.now);
            assert!(is_later, "the session wants to be called again at once");
        }
        self.viewer.advance(self.now);
        self.carry();
    }

    /// Gives the session the picture that is due.
    fn picture(&mut self) {
        if self.source.deadline() <= self.now
            && let Some(packetised) = self.source.picture(self.now)
        {
            self.holding.follow(&packetised.payloads);
            self.give(|session, now, port| session.picture(&packetised, now, port));
        }
    }

    /// Gives it the sound that is due.
    fn sound(&mut self) {
        if let Some(microphone) = &mut self.microphone
            && microphone.deadline() <= self.now
        {
            let heard = self.session.as_ref().and_then(Session::hears);
            if let Some(unit) = microphone.unit(heard) {
                self.give(|session, now, port| session.sound(&unit, now, port));
            }
        }
    }

    /// Gives the session something to send.
    fn give(&mut self, media: impl FnOnce(&mut Session, Instant, &mut Port)) {
        let mut port = Port::default();
        if let Some(session) = &mut self.session {
            media(session, self.now, &mut port);
        }
        self.leave(port);
        self.pump();
    }

    /// Sends what the viewer has to say.
    pub(super) fn carry(&mut self) {
        while let Some(packet) = self.viewer.poll() {
            self.to_node.send(packet, self.now);
        }
    }
}
