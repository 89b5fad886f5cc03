//! What is sent in the stream beside that of the picture.

use super::{
    Session,
    io::Out,
    link::Link,
    packet::write,
    rtp::{Head, Place},
};
use crate::{
    media::Timestamp,
    peer::{congestion::Departure, ring::Ring},
};

/// What a packet is filled with that has nothing to say; its last byte is how many there are (RFC 3550, section 5.1).
const PADDING: [u8; 224] = {
    let mut padding = [0; 224];
    padding[223] = 224;
    padding
};

/// So many of the last packets are sent once more where the path is probed.
const LAST: u64 = 64;

impl Session {
    /// Whether packets of the picture can go out again in a stream of their own.
    pub(super) fn repairs(&self) -> bool {
        let Link { media, outgoing, .. } = &self.link;
        media.stream.repair.is_agreed && outgoing.ours(&media.stream.rtp).is_some()
    }

    /// Sends a packet of the picture once more. Returns its length, unless nothing may be sent.
    pub(super) fn repair(&mut self, original: Place, payload: &[u8], out: &mut impl Out) -> Option<usize> {
        let number = (original.number as u16).to_be_bytes();
        let Place {
            captured_at, marker, ..
        } = original;
        self.beside(captured_at, marker, &[&number, payload], |_| {}, out)
    }

    /// Sends what a probe wants now: the last packets of the picture once more, which fills holes that the viewer does not know of yet; or nothing but
    /// padding, where none is kept.
    pub(super) fn probe(&mut self, ring: &Ring, out: &mut impl Out) {
        let mut left = self.link.probe.slice(self.account.bytes, self.now);
        let next = self.link.media.stream.rtp.next();
        let mut last = (1..=LAST).cycle();
        while left > 0 {
            let behind = last.next().unwrap_or(1);
            let sequence = next.wrapping_sub(behind) as u16;
            let sent = match self.link.media.stream.kept(sequence, ring) {
                Some((place, packet)) => self.repair(place, &packet.payload, out),
                None => self.pad(out),
            };
            let Some(bytes) = sent else { break };
            self.link.probe.spend(bytes);
            left = left.saturating_sub(bytes);
        }
    }

    /// Sends a packet without anything in it.
    fn pad(&mut self, out: &mut impl Out) -> Option<usize> {
        let stamp = self.link.media.stream.repair.stamp?;
        self.beside(stamp, false, &[&PADDING], Head::pads, out)
    }

    /// Sends the next packet of the stream beside that of the picture.
    fn beside(
        &mut self,
        stamp: Timestamp,
        marker: bool,
        payload: &[&[u8]],
        dress: impl FnOnce(&mut Head),
        out: &mut impl Out,
    ) -> Option<usize> {
        let Link {
            media,
            outgoing,
            numbering,
            ..
        } = &mut self.link;
        let (sealer, path) = outgoing.ours(&media.stream.rtp)?;
        if self.negotiation.remotes.is_retired(path.peer) {
            return None;
        }
        let rtp = &mut media.stream.repair.rtp;
        let wide = numbering.next(rtp);
        let bytes = payload.iter().map(|part| part.len()).sum();
        let place = rtp.place(stamp, marker, bytes, wide);
        let mut head = rtp.header(place);
        dress(&mut head);
        let length = write(sealer, path, &head, payload, place.roll_over(), out)?;
        let departure = Departure {
            number: wide,
            bytes: length,
            is_late: false,
        };
        numbering.sent(departure, self.now);
        self.account.count(length);
        Some(length)
    }
}
