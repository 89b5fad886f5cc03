//! Media on their way out.

use std::{mem, time::Instant};

use bytes::Bytes;
use rtc::{
    peer_connection::message::{RTCMessage, TaggedRTCMessage},
    sansio::Protocol,
};
use tracing::debug;

use super::{
    Session,
    io::{Event, Out, Transmit},
    link::Link,
    media::Which,
    rtp::Place,
    rungs::{Change, Offered},
    stamps::Stamps,
    stream::Fed,
    waiting,
};
use crate::{
    media::SoundUnit,
    peer::{feed::Packetised, report::Stage, ring::Ring, srtp::HEADER, transport::Path},
};

/// Packets that the core is given before it is asked for them again: its queues keep the size that they once had.
const AT_ONCE: usize = 8;

impl Session {
    /// Sends one access unit, where the viewer can make something of it; to one that catches up what follows for it. What else is to be done,
    /// [`Session::poll`] tells.
    pub(in crate::peer) fn picture(&mut self, packetised: &Packetised, now: Instant, out: &mut impl Out) {
        self.now = now;
        let Packetised {
            unit, payloads, rung, ..
        } = packetised;
        let is_of_its_own = *rung == self.link.rungs.rung();
        if waiting::holds_back(&mut self.link, is_of_its_own.then_some(packetised.first), now) {
            return;
        }
        self.adapt(packetised);
        if *rung != self.link.rungs.rung() {
            return;
        }
        if self.catches_up() {
            return self.go_on(&packetised.ring, out);
        }
        // The offer of video is ours, and the viewer has not agreed yet.
        if self.negotiation.awaits_answer() || !begins(&mut self.link, unit.is_keyframe) {
            return;
        }
        if !self.link.rungs.takes(unit.layer) {
            return;
        }
        self.link.resend_limit.earn(payloads.iter().map(Bytes::len).sum());
        let last = payloads.len().saturating_sub(1);
        for (number, payload) in payloads.iter().enumerate() {
            let fed = Fed {
                number: packetised.first + number as u64,
                captured_at: unit.captured_at,
                marker: number == last,
                bytes: payload.len(),
            };
            self.fed(fed, Stamps::default(), payload, out);
        }
        self.account.bits_per_second(now);
    }

    /// Looks whether what comes is what the viewer's path carries, and changes over to another rung where that begins.
    fn adapt(&mut self, packetised: &Packetised) {
        let Packetised {
            unit,
            rung,
            rates,
            has_small,
            ..
        } = packetised;
        let link = &mut self.link;
        if link.stage == Stage::Connecting || !link.media.shows {
            return;
        }
        if link.stage == Stage::Watching {
            let offered = Offered {
                rung: *rung,
                rates: *rates,
                has_small: *has_small,
            };
            let (verdict, hears) = (link.numbering.verdict(self.now), link.media.hears().is_some());
            let change = link.rungs.look(verdict, offered, hears, self.now);
            link.events.extend(change.map(|change| match change {
                Change::Wanted(rung) => Event::RungWanted(rung),
                Change::Unwanted(rung) => Event::RungLeft(rung),
            }));
        }
        // Also where it waits for a keyframe: that of the other one may not come any more.
        if unit.is_keyframe && link.rungs.next() == Some(*rung) {
            link.events.push_back(Event::RungLeft(link.rungs.rung()));
            link.rungs.begin(*rung);
            link.media.stream.change();
            link.catching = None;
        }
    }

    /// Sends 20 ms of sound, at once: nothing is gained by pacing a packet of a hundred bytes.
    pub(in crate::peer) fn sound(&mut self, unit: &SoundUnit, now: Instant, out: &mut impl Out) {
        self.now = now;
        if matches!(self.link.stage, Stage::Connecting | Stage::Silent) || self.link.silence.holds_back(now) {
            return;
        }
        let Link { media, numbering, .. } = &mut self.link;
        let Some(sound) = media.sound.as_mut().filter(|sound| sound.sending().is_some()) else {
            return;
        };
        let wide = numbering.next(&sound.rtp);
        if let Some(place) = sound.place(unit, wide) {
            self.first(Which::Sound, place, &unit.data, out);
        }
    }

    /// Sends a packet of the feed.
    pub(super) fn fed(&mut self, fed: Fed, stamps: Stamps, payload: &Bytes, out: &mut impl Out) {
        let Link { media, numbering, .. } = &mut self.link;
        let wide = numbering.next(&media.stream.rtp);
        let place = media.stream.place(fed, stamps, wide);
        self.first(Which::Picture, place, payload, out);
    }

    /// Sends a packet for the first time.
    fn first(&mut self, which: Which, place: Place, payload: &Bytes, out: &mut impl Out) {
        if let Some(bytes) = self.packet(which, place, payload, out) {
            self.link.numbering.sent(place.wide, bytes, self.now);
        }
    }

    /// Sends again what the viewer has asked for ([`Event::PacketsWanted`]), as far as it is still there and the limits allow it.
    pub(in crate::peer) fn again(&mut self, ring: &Ring, now: Instant, out: &mut impl Out) {
        self.now = now;
        let missing = mem::take(&mut self.link.missing);
        let goes_out = self.link.media.shows && self.link.stage != Stage::Silent;
        if self.negotiation.awaits_answer() || !goes_out {
            return;
        }
        for sequence in missing {
            let link = &mut self.link;
            if let Some((place, packet)) = link.media.stream.kept(sequence, ring)
                && link.resend_limit.takes(sequence, packet.payload.len(), now)
            {
                link.numbering.again(place.wide);
                self.packet(Which::Picture, place, &packet.payload, out);
            }
        }
    }

    /// Sends one packet: sealed where it is to lie, or by the core. Returns its length, of one that the core seals without its tag; unless nothing
    /// may be sent.
    fn packet(&mut self, which: Which, place: Place, payload: &Bytes, out: &mut impl Out) -> Option<usize> {
        let link = &mut self.link;
        let rtp = link.media.rtp(which)?;
        if let Some((sealer, path)) = link.outgoing.ours(rtp) {
            if self.negotiation.remotes.is_retired(path.peer) {
                return None;
            }
            let head = rtp.header(place);
            let head = head.as_slice();
            let length = payload.len() + sealer.overhead() + head.len() - HEADER;
            let room = out.room(path, length)?;
            let (header, rest) = room.split_at_mut(head.len());
            header.copy_from_slice(head);
            rest[..payload.len()].copy_from_slice(payload);
            if !sealer.seal(room, place.roll_over()) {
                // Nothing must leave that could be read.
                room.fill(0);
            }
            self.account.count(length);
            return Some(length);
        }
        let packet = RTCMessage::RtpPacket(String::new(), rtp.packet(place, payload));
        let is_first = rtp.is_proving();
        // Straight into the pipeline: `write_rtp` would look the stream up anew for every packet.
        let message = TaggedRTCMessage {
            now: self.now,
            message: packet,
        };
        if let Err(error) = link.connection.handle_write(message) {
            debug!(viewer = %link.viewer, "a packet was not sent: {error}");
        }
        self.stirred = true;
        self.written += 1;
        if is_first || self.written >= AT_ONCE {
            while let Some(packet) = self.core_packet() {
                out.packet(packet);
            }
            if let Some(rtp) = self.link.media.rtp(which) {
                rtp.was_proved();
            }
        }
        Some(HEADER + payload.len())
    }

    /// What the core has to send next.
    pub(super) fn core_packet(&mut self) -> Option<Transmit> {
        let link = &mut self.link;
        while let Some(packet) = link.connection.poll_write() {
            let path = Path::from(&packet.transport);
            if self.negotiation.remotes.is_retired(path.peer) {
                continue;
            }
            self.account.count(packet.message.len());
            link.handshake.sent(&packet.message);
            link.outgoing.see(path, &packet.message, &mut link.media);
            return Some(Transmit {
                path,
                data: packet.message,
            });
        }
        self.written = 0;
        None
    }
}

/// Whether the viewer can make something of a picture. With its first one it watches.
pub(super) fn begins(link: &mut Link, is_keyframe: bool) -> bool {
    match link.stage {
        Stage::Connecting | Stage::Silent => false,
        _ if !link.media.shows => false,
        Stage::AwaitingKeyframe if !is_keyframe => false,
        Stage::AwaitingKeyframe => {
            link.stage = Stage::Watching;
            link.silence.resume();
            if link.media.stream.units() == 0 {
                link.events.push_back(Event::Watching);
            }
            true
        }
        Stage::Watching => true,
    }
}
