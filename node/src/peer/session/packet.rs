//! One packet on its way out, sealed by us or by the core.

use bytes::Bytes;
use rtc::{
    peer_connection::message::{RTCMessage, TaggedRTCMessage},
    sansio::Protocol,
};
use tracing::debug;

use super::{
    Session,
    io::{Out, Transmit},
    media::Which,
    redundancy::Before,
    rtp::{Head, Place},
};
use crate::peer::{
    srtp::{HEADER, Sealer},
    transport::Path,
};

/// Packets that the core is given before it is asked for them again: its queues keep the size that they once had.
const AT_ONCE: usize = 8;

impl Session {
    /// Sends one packet: sealed where it is to lie, or by the core. Returns its length, of one that the core seals without its tag; unless nothing
    /// may be sent.
    pub(super) fn packet(
        &mut self,
        which: Which,
        place: Place,
        payload: &Bytes,
        out: &mut impl Out,
    ) -> Option<usize> {
        let link = &mut self.link;
        let rtp = link.media.rtp(which)?;
        if let Some((sealer, path)) = link.outgoing.ours(rtp) {
            if self.negotiation.remotes.is_retired(path.peer) {
                return None;
            }
            let head = rtp.header(place);
            let length = write(sealer, path, &head, &[payload], place.roll_over(), out)?;
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

    /// Sends sound with that before it.
    pub(super) fn doubled(
        &mut self,
        before: &Before,
        place: Place,
        data: &Bytes,
        out: &mut impl Out,
    ) -> Option<usize> {
        let link = &mut self.link;
        let rtp = link.media.rtp(Which::Sound)?;
        let (sealer, path) = link.outgoing.ours(rtp)?;
        if self.negotiation.remotes.is_retired(path.peer) {
            return None;
        }
        let mut head = rtp.header(place);
        head.is_of(before.payload_type);
        let parts = [&before.headers[..], &before.data, data];
        let length = write(sealer, path, &head, &parts, place.roll_over(), out)?;
        self.account.count(length);
        Some(length)
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

/// Writes a packet where it is to lie, and seals it there. Returns its length, unless nothing may be sent on this path.
pub(super) fn write(
    sealer: &Sealer,
    path: Path,
    head: &Head,
    payload: &[&[u8]],
    roll_over: u32,
    out: &mut impl Out,
) -> Option<usize> {
    let head = head.as_slice();
    let bytes: usize = payload.iter().map(|part| part.len()).sum();
    let length = bytes + sealer.overhead() + head.len() - HEADER;
    let room = out.room(path, length)?;
    let (header, mut rest) = room.split_at_mut(head.len());
    header.copy_from_slice(head);
    for part in payload {
        let (place, behind) = rest.split_at_mut(part.len());
        place.copy_from_slice(part);
        rest = behind;
    }
    if !sealer.seal(room, roll_over) {
        // Nothing must leave that could be read.
        room.fill(0);
    }
    Some(length)
}
