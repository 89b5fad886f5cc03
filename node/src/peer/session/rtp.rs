//! One outgoing RTP stream (RFC 3550): what differs from viewer to viewer, which is the header.

use bytes::Bytes;
use rtc::rtp::{Header, Packet};

use crate::{
    media::Timestamp,
    peer::{
        rtcp::{Sent, StreamClock},
        srtp::{HEADER, Sealer},
    },
};

/// The second byte of a packet whose marker is set (RFC 3550, section 5.1).
const MARKER: u8 = 0x80;
const VERSION: u8 = 0x80;
/// In the first byte: an extension follows.
const EXTENDED: u8 = 0x10;
/// There: it ends with padding.
const PADDED: u8 = 0x20;
/// Of one byte for each element, and one word long (RFC 8285, section 4.2).
const ONE_BYTE: [u8; 4] = [0xbe, 0xde, 0, 1];
/// What an extension with a number of two bytes comes to.
const NUMBERED: usize = 8;

/// The numbers of one stream.
#[derive(Debug)]
pub(super) struct Rtp {
    payload_type: u8,
    clock: StreamClock,
    /// Of the next packet, with how often the numbers have begun anew above its lower 16 bits (RFC 3711, section 3.3.1).
    next: u64,
    packets: u64,
    bytes: u64,
    seal: Seal,
    /// The element of the header extension that has the transport-wide number, where the viewer reports by those.
    extension: Option<u8>,
}

/// Who seals a stream's packets.
#[derive(Debug)]
enum Seal {
    /// The core, until the first packet has shown that we do it as it does.
    Unproven,
    /// The first packet is with the core, and this is it, before it is sealed.
    Proving(Vec<u8>),
    /// We do.
    Ours,
    /// The core, for good.
    Core,
}

/// One packet's place in its stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) captured_at: Timestamp,
    pub(super) marker: bool,
    /// The packet's number among all of the session, where it has one.
    pub(super) wide: Option<u64>,
}

/// A packet's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    bytes: [u8; HEADER + NUMBERED],
    length: usize,
}

impl Head {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Gives the packet another payload type.
    pub(super) fn is_of(&mut self, payload_type: u8) {
        self.bytes[1] = self.bytes[1] & MARKER | payload_type;
    }

    /// Says that the packet ends with padding, whose length is its last byte.
    pub(super) fn pads(&mut self) {
        self.bytes[0] |= PADDED;
    }
}

impl Place {
    /// How often the numbers had begun anew.
    pub(super) fn roll_over(self) -> u32 {
        (self.number >> 16) as u32
    }
}

impl Rtp {
    /// A stream of this clock rate that begins at random numbers, as RFC 3550, section 5.1 wants.
    pub(super) fn new(payload_type: u8, clock_rate: u32) -> Self {
        Self {
            payload_type,
            clock: StreamClock {
                ssrc: rand::random(),
                rate: clock_rate,
                offset: rand::random(),
            },
            next: first_number(),
            packets: 0,
            bytes: 0,
            seal: Seal::Unproven,
            extension: None,
        }
    }

    /// A stream of what of this one is sent once more: with its time stamps, but from another source and with numbers of its own (RFC 4588, section 4).
    /// It is ours to seal wherever this one is.
    pub(super) fn beside(&self) -> Self {
        let drawn: u32 = rand::random();
        let ssrc = if drawn == self.clock.ssrc { !drawn } else { drawn };
        Self {
            clock: StreamClock { ssrc, ..self.clock },
            seal: Seal::Ours,
            ..Self::new(self.payload_type, self.clock.rate)
        }
    }

    /// Begins with this number.
    #[cfg(any(test, fuzzing))]
    pub(super) fn begin_at(&mut self, number: u16) {
        self.next = number.into();
    }

    /// Takes another payload type. Returns whether it is another one.
    pub(super) fn renumber(&mut self, payload_type: u8) -> bool {
        std::mem::replace(&mut self.payload_type, payload_type) != payload_type
    }

    /// Has its packets numbered in this element of their headers, or not. Returns whether that is another one.
    pub(super) fn extend(&mut self, extension: Option<u8>) -> bool {
        std::mem::replace(&mut self.extension, extension) != extension
    }

    /// Whether the next packet has a transport-wide number. The core's have none: they show how it seals, and where it goes on sealing nobody
    /// would know in which order they leave.
    pub(super) fn is_numbered(&self) -> bool {
        self.is_ours() && self.extension.is_some()
    }

    /// What its receiver reports name it by.
    pub(super) fn ssrc(&self) -> u32 {
        self.clock.ssrc
    }

    /// What a sender report tells of it, once there is something to tell.
    pub(super) fn sent(&self) -> Option<Sent> {
        (self.packets > 0).then_some(Sent {
            clock: self.clock,
            packets: self.packets,
            bytes: self.bytes,
        })
    }

    /// Packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of payload so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of the next packet.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The number of those so far that ends in these bits, unless the next one ends so.
    pub(super) fn number(&self, sequence: u16) -> Option<u64> {
        let behind = (self.next as u16).wrapping_sub(sequence);
        self.next
            .checked_sub(behind.into())
            .filter(|number| *number < self.next)
    }

    /// The place of the next packet, which has this transport-wide number, where it has one.
    pub(super) fn place(
        &mut self,
        captured_at: Timestamp,
        marker: bool,
        bytes: usize,
        wide: Option<u64>,
    ) -> Place {
        let number = self.next;
        self.next += 1;
        self.packets += 1;
        self.bytes += bytes as u64;
        Place {
            number,
            captured_at,
            marker,
            wide,
        }
    }

    /// The header of the packet at this place.
    pub(super) fn header(&self, place: Place) -> Head {
        let marker = if place.marker { MARKER } else { 0 };
        let mut header = [0; HEADER + NUMBERED];
        header[0] = VERSION;
        header[1] = self.payload_type | marker;
        header[2..4].copy_from_slice(&(place.number as u16).to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp(place).to_be_bytes());
        header[8..12].copy_from_slice(&self.clock.ssrc.to_be_bytes());
        let mut length = HEADER;
        if let Some((id, wide)) = self.extension.zip(place.wide) {
            header[0] |= EXTENDED;
            header[12..16].copy_from_slice(&ONE_BYTE);
            // The number of the element, and its length less one; what is left of the word is padding.
            header[16] = id << 4 | 1;
            header[17..19].copy_from_slice(&(wide as u16).to_be_bytes());
            length += NUMBERED;
        }
        Head {
            bytes: header,
            length,
        }
    }

    /// The packet at this place, as the core takes it.
    pub(super) fn packet(&mut self, place: Place, payload: &Bytes) -> Packet {
        if matches!(self.seal, Seal::Unproven) {
            self.seal = Seal::Proving([self.header(place).as_slice(), payload].concat());
        }
        Packet {
            header: Header {
                version: 2,
                marker: place.marker,
                payload_type: self.payload_type,
                sequence_number: place.number as u16,
                timestamp: self.timestamp(place),
                ssrc: self.clock.ssrc,
                ..Header::default()
            },
            payload: payload.clone(),
        }
    }

    fn timestamp(&self, place: Place) -> u32 {
        self.clock.at(place.captured_at)
    }

    /// Whether we seal its packets.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.seal, Seal::Ours)
    }

    /// Whether the core has its first packet, and has not given it back yet.
    pub(super) fn is_proving(&self) -> bool {
        matches!(self.seal, Seal::Proving(_))
    }

    /// The core has given all back that it had. Where the first packet was not among it, another one is the first.
    pub(super) fn was_proved(&mut self) {
        if self.is_proving() {
            self.seal = Seal::Unproven;
        }
    }

    /// Looks at the first packet as the core has sealed it: where we would have sealed it so, byte for byte, the others are ours.
    pub(super) fn prove(&mut self, sealer: Option<&Sealer>, sealed: &[u8]) {
        if let Seal::Proving(packet) = &mut self.seal {
            packet.resize(sealed.len().max(packet.len()), 0);
            let is_same = sealer.is_some_and(|sealer| sealer.seal(packet, 0) && packet == sealed);
            self.seal = if is_same { Seal::Ours } else { Seal::Core };
        }
    }
}

/// The number of a stream's first packet: by chance, in the lower half of all.
///
/// A receiver counts by itself how often the numbers have begun anew, and takes it for never until it has got a packet (RFC 3711,
/// section 3.3.1). Were that to happen among packets that it misses, as those before the end of its handshake, it could decrypt nothing, for
/// as long as it stayed.
fn first_number() -> u64 {
    u64::from(rand::random::<u16>() >> 1)
}

#[cfg(test)]
mod tests;
