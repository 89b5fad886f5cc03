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

    /// The place of the next packet.
    pub(super) fn place(&mut self, captured_at: Timestamp, marker: bool, bytes: usize) -> Place {
        let number = self.next;
        self.next += 1;
        self.packets += 1;
        self.bytes += bytes as u64;
        Place {
            number,
            captured_at,
            marker,
        }
    }

    /// The header of the packet at this place.
    pub(super) fn header(&self, place: Place) -> [u8; HEADER] {
        let marker = if place.marker { MARKER } else { 0 };
        let mut header = [0; HEADER];
        header[0] = VERSION;
        header[1] = self.payload_type | marker;
        header[2..4].copy_from_slice(&(place.number as u16).to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp(place).to_be_bytes());
        header[8..].copy_from_slice(&self.clock.ssrc.to_be_bytes());
        header
    }

    /// The packet at this place, as the core takes it.
    pub(super) fn packet(&mut self, place: Place, payload: &Bytes) -> Packet {
        if matches!(self.seal, Seal::Unproven) {
            self.seal = Seal::Proving([&self.header(place)[..], payload].concat());
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
mod tests {
    use std::time::Duration;

    use rtc::crypto::AeadAlgorithm;

    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_monotonic(Duration::from_millis(milliseconds))
    }

    #[test]
    fn numbers_do_not_begin_anew_while_a_viewer_connects() {
        let firsts: Vec<_> = (0..1000).map(|_| first_number()).collect();
        assert!(firsts.iter().all(|first| *first < 1 << 15));
        assert!(firsts.iter().any(|first| *first >= 1 << 14), "by chance");
    }

    #[test]
    fn a_header_is_the_one_that_the_core_would_write() {
        use rtc::shared::marshal::Marshal;
        let mut rtp = Rtp::new(96, 90_000);
        for number in [5, 0xffff, 0x1_0000, 0x3_1234] {
            rtp.next = number;
            for marker in [false, true] {
                let place = rtp.place(at(number), marker, 3);
                let packet = rtp.packet(place, &Bytes::from_static(b"abc"));
                let marshalled = packet.marshal().expect("a packet");
                assert_eq!(marshalled[..HEADER], rtp.header(place), "{number}");
                assert_eq!(u64::from(place.roll_over()), place.number >> 16);
            }
        }
        assert_eq!((rtp.packets(), rtp.bytes()), (8, 24));
    }

    #[test]
    fn a_stream_is_ours_only_where_its_first_packet_came_out_as_we_would_have_made_it() {
        let sealer = |key| Sealer::gcm(AeadAlgorithm::Aes128Gcm, &[key; 16], [3; 12]).expect("a key");
        let given = |rtp: &mut Rtp| {
            let place = rtp.place(at(1), true, 3);
            rtp.packet(place, &Bytes::from_static(b"abc"));
            let mut sealed = [&rtp.header(place)[..], b"abc", &[0; 16]].concat();
            assert!(rtp.is_proving() && sealer(1).seal(&mut sealed, 0));
            sealed
        };
        for (ours, is_ours) in [(Some(sealer(1)), true), (Some(sealer(2)), false), (None, false)] {
            let mut rtp = Rtp::new(96, 90_000);
            let sealed = given(&mut rtp);
            rtp.prove(ours.as_ref(), &sealed);
            rtp.was_proved();
            assert_eq!((rtp.is_ours(), rtp.is_proving()), (is_ours, false));
            let place = rtp.place(at(2), true, 3);
            rtp.packet(place, &Bytes::from_static(b"abc"));
            assert!(!rtp.is_proving(), "once is enough");
        }
        let mut rtp = Rtp::new(96, 90_000);
        let sealed = given(&mut rtp);
        rtp.prove(Some(&sealer(1)), &sealed[..sealed.len() - 6]);
        assert!(!rtp.is_ours(), "another profile's tag is shorter");
        let mut rtp = Rtp::new(96, 90_000);
        given(&mut rtp);
        rtp.was_proved();
        given(&mut rtp);
    }

    #[test]
    fn a_sequence_number_is_the_newest_that_ends_so() {
        let mut rtp = Rtp::new(96, 90_000);
        rtp.next = 0x2_0005;
        assert_eq!(rtp.number(4), Some(0x2_0004));
        assert_eq!(rtp.number(5), None, "it is still to come");
        assert_eq!(rtp.number(0xffff), Some(0x1_ffff));
        rtp.next = 3;
        assert_eq!(rtp.number(2), Some(2));
        assert_eq!(rtp.number(4), None, "there was none");
    }

    #[test]
    fn time_stamps_follow_the_clock() {
        let mut rtp = Rtp::new(96, 90_000);
        let mut stamp = |milliseconds| {
            let place = rtp.place(at(milliseconds), true, 0);
            rtp.timestamp(place)
        };
        let (one, other) = (stamp(1000), stamp(1040));
        assert_eq!(other.wrapping_sub(one), 3600, "40 ms at 90 kHz");
    }
}
