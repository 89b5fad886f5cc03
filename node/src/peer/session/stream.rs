use rtc::{
    media_stream::MediaStreamTrack,
    rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
};

use super::{
    rtp::{Place, Rtp},
    setup,
    stamps::Stamps,
};
use crate::{
    media::Codec,
    peer::{
        ring::{self, Ring},
        rtcp::VIDEO_CLOCK,
        sdp::Coding,
    },
};

/// The picture of one session.
pub(super) struct Stream {
    codec: Codec,
    pub(super) rtp: Rtp,
    /// Since when the packets are the feed's without a gap, where any were sent.
    run: Option<Run>,
    units: u64,
}

/// Packets that follow each other in the feed as they do in the stream.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The first in the feed's numbers …
    feed: u64,
    /// … and in the stream's.
    number: u64,
    stamps: Stamps,
}

impl Stream {
    pub(super) fn new(codec: Codec, payload_type: u8) -> Self {
        Self {
            codec,
            rtp: Rtp::new(payload_type, VIDEO_CLOCK),
            run: None,
            units: 0,
        }
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes the payload type that the viewer's answer gave the coding. What was sent by another one is not sent again: with it the header
    /// would be another one, for the same nonce.
    pub(super) fn renumber(&mut self, payload_type: u8) {
        if self.rtp.renumber(payload_type) {
            self.run = None;
        }
    }

    /// Access units so far.
    pub(super) fn units(&self) -> u64 {
        self.units
    }

    /// Packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.rtp.packets()
    }

    /// Bits of payload so far.
    pub(super) fn bits(&self) -> u64 {
        self.rtp.bytes() * 8
    }

    /// This stream as the core wants it described.
    pub(super) fn track(&self, coding: &Coding) -> MediaStreamTrack {
        let parameters = RTCRtpCodingParameters {
            ssrc: Some(self.rtp.ssrc()),
            ..RTCRtpCodingParameters::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: parameters,
            codec: setup::codec(coding, "video"),
            ..RTCRtpEncodingParameters::default()
        };
        MediaStreamTrack::new(
            "pinhole".into(),
            "video".into(),
            "video".into(),
            RtpCodecKind::Video,
            vec![encoding],
        )
    }

    /// So many access units are to be sent, all of them, which begin with this number of the feed.
    pub(super) fn begin(&mut self, feed: u64, units: u64) {
        let number = self.rtp.next();
        // After a pause, or with another feed, the viewer's numbers go on where they were.
        let goes_on = |run: &Run| number.wrapping_sub(run.number) == feed.wrapping_sub(run.feed);
        if !self.run.as_ref().is_some_and(goes_on) {
            self.begin_with(feed, Stamps::default());
        }
        self.units += units;
    }

    /// What follows begins with this number of the feed, and has these time stamps, which it keeps when it is sent again.
    pub(super) fn begin_with(&mut self, feed: u64, stamps: Stamps) {
        let number = self.rtp.next();
        self.run = Some(Run { feed, number, stamps });
    }

    /// An access unit was sent up to its end, or not yet.
    pub(super) fn count(&mut self, is_end: bool) {
        self.units += u64::from(is_end);
    }

    /// Whether the packet that the viewer calls by this number is one of the last that were sent to it.
    pub(super) fn may_be_kept(&self, sequence: u16) -> bool {
        let oldest = self.rtp.next().saturating_sub(ring::KEPT as u64);
        let oldest = self.run.map_or(u64::MAX, |run| run.number.max(oldest));
        self.rtp.number(sequence).is_some_and(|number| number >= oldest)
    }

    /// The packet that the viewer calls by this number, where it is still there to be sent again.
    pub(super) fn kept(&self, sequence: u16, ring: &Ring) -> Option<(Place, ring::Packet)> {
        let run = self.run?;
        let number = self.rtp.number(sequence)?;
        let packet = ring.get(run.feed + number.checked_sub(run.number)?)?;
        let place = Place {
            number,
            captured_at: run.stamps.of(packet.captured_at),
            marker: packet.marker,
        };
        Some((place, packet))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::{
        media::{AccessUnit, Layer, Timestamp},
        peer::feed::Packetised,
    };

    /// The next picture of a feed, of so many packets.
    fn picture(ring: &Ring, packets: usize) -> Packetised {
        let captured_at = Timestamp::from_monotonic(Duration::from_secs(1));
        let payloads: Vec<_> = (0..packets)
            .map(|number| Bytes::from(vec![number as u8]))
            .collect();
        let unit = AccessUnit {
            data: Bytes::new(),
            captured_at,
            is_keyframe: true,
            layer: Layer::Base,
        };
        Packetised {
            first: ring.keep(&payloads, &unit),
            unit,
            payloads,
            ring: ring.clone(),
        }
    }

    fn send(stream: &mut Stream, packetised: &Packetised) -> Vec<u16> {
        stream.begin(packetised.first, 1);
        let last = packetised.payloads.len() - 1;
        let place = |(number, payload): (usize, &Bytes)| {
            stream
                .rtp
                .place(packetised.unit.captured_at, number == last, payload.len())
        };
        let places = packetised.payloads.iter().enumerate().map(place);
        places.map(|place| place.number as u16).collect()
    }

    #[test]
    fn a_packet_that_is_sent_again_is_the_same() {
        let (ring, mut stream) = (Ring::default(), Stream::new(Codec::Vp8, 96));
        // Before the viewer came.
        picture(&ring, 5);
        let (one, other) = (picture(&ring, 3), picture(&ring, 2));
        let numbers = [send(&mut stream, &one), send(&mut stream, &other)].concat();
        let payloads: Vec<_> = one.payloads.iter().chain(&other.payloads).collect();
        let markers = [false, false, true, false, true];
        for ((sequence, payload), marker) in numbers.iter().zip(payloads).zip(markers) {
            let (place, packet) = stream.kept(*sequence, &ring).expect("it is kept");
            assert_eq!((place.number as u16, place.marker), (*sequence, marker));
            assert_eq!(packet.payload.as_ptr(), payload.as_ptr(), "shared, not copied");
        }
        assert!(
            stream.kept(numbers[0].wrapping_sub(1), &ring).is_none(),
            "not this viewer's"
        );
        assert!(
            stream.kept(numbers[4].wrapping_add(1), &ring).is_none(),
            "not sent yet"
        );
        assert_eq!((stream.units(), stream.packets(), stream.bits()), (2, 5, 40));
    }

    #[test]
    fn what_was_sent_by_another_payload_type_is_not_sent_again() {
        let (ring, mut stream) = (Ring::default(), Stream::new(Codec::Vp8, 96));
        let before = send(&mut stream, &picture(&ring, 2));
        stream.renumber(96);
        assert!(stream.kept(before[0], &ring).is_some(), "nothing has changed");
        stream.renumber(97);
        assert!(stream.kept(before[0], &ring).is_none());
        let after = send(&mut stream, &picture(&ring, 2));
        assert!(stream.kept(before[1], &ring).is_none() && stream.kept(after[0], &ring).is_some());
    }

    #[test]
    fn after_a_pause_the_numbers_go_on_and_what_was_before_is_not_mistaken() {
        let (ring, mut stream) = (Ring::default(), Stream::new(Codec::Vp8, 96));
        assert!(
            stream.kept(0, &ring).is_none() && !stream.may_be_kept(0),
            "nothing was sent"
        );
        let before = send(&mut stream, &picture(&ring, 2));
        picture(&ring, 4);
        let after = send(&mut stream, &picture(&ring, 2));
        assert_eq!(after[0], before[1].wrapping_add(1), "without a gap");
        assert!(stream.kept(before[1], &ring).is_none());
        assert!(!stream.may_be_kept(before[1]) && stream.may_be_kept(after[1]));
        assert!(!stream.may_be_kept(after[1].wrapping_add(1)));
        let (_, packet) = stream.kept(after[1], &ring).expect("it is kept");
        assert_eq!(packet.payload[..], [1]);
    }
}
