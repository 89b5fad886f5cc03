use rtc::{
    media_stream::MediaStreamTrack,
    rtp::{Header, Packet},
    rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
};

use super::setup;
use crate::{
    media::Codec,
    peer::{
        feed::Packetised,
        rtcp::{StreamClock, VIDEO_CLOCK},
        sdp::Coding,
    },
};

/// The outgoing RTP stream (RFC 3550) of one session: what differs from viewer to viewer, which is the header.
pub(super) struct Stream {
    codec: Codec,
    payload_type: u8,
    ssrc: u32,
    sequence: u16,
    timestamp_offset: u32,
    units: u64,
    packets: u64,
    bytes: u64,
}

impl Stream {
    /// A stream that begins at random numbers, as RFC 3550, section 5.1 wants.
    pub(super) fn new(codec: Codec, payload_type: u8) -> Self {
        Self {
            codec,
            payload_type,
            ssrc: rand::random(),
            sequence: first_sequence(),
            timestamp_offset: rand::random(),
            units: 0,
            packets: 0,
            bytes: 0,
        }
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes the payload type that the viewer's answer gave the coding.
    pub(super) fn renumber(&mut self, payload_type: u8) {
        self.payload_type = payload_type;
    }

    /// What its receiver reports name it by.
    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// How its time stamps follow from the clock.
    pub(super) fn clock(&self) -> StreamClock {
        StreamClock {
            ssrc: self.ssrc,
            rate: VIDEO_CLOCK,
            offset: self.timestamp_offset,
        }
    }

    /// Access units so far.
    pub(super) fn units(&self) -> u64 {
        self.units
    }

    /// Packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// Bits of payload so far.
    pub(super) fn bits(&self) -> u64 {
        self.bytes * 8
    }

    /// This stream as the core wants it described.
    pub(super) fn track(&self, coding: &Coding) -> MediaStreamTrack {
        let parameters = RTCRtpCodingParameters {
            ssrc: Some(self.ssrc),
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

    /// An access unit as the packets of this viewer; the payloads are everybody's.
    pub(super) fn packets_of<'a>(
        &'a mut self,
        packetised: &'a Packetised,
    ) -> impl Iterator<Item = Packet> + 'a {
        let timestamp = packetised
            .unit
            .captured_at
            .to_rtp(VIDEO_CLOCK)
            .wrapping_add(self.timestamp_offset);
        self.units += 1;
        let last = packetised.payloads.len().saturating_sub(1);
        packetised
            .payloads
            .iter()
            .enumerate()
            .map(move |(number, payload)| {
                let header = Header {
                    version: 2,
                    marker: number == last,
                    payload_type: self.payload_type,
                    sequence_number: self.sequence,
                    timestamp,
                    ssrc: self.ssrc,
                    ..Header::default()
                };
                self.sequence = self.sequence.wrapping_add(1);
                self.packets += 1;
                self.bytes += payload.len() as u64;
                Packet {
                    header,
                    payload: payload.clone(),
                }
            })
    }
}

/// The number of a stream's first packet: by chance, in the lower half of all.
///
/// A receiver counts by itself how often the numbers have begun anew, and takes it for never until it has got a packet (RFC 3711,
/// section 3.3.1). Were that to happen among packets that it misses, as those before the end of its handshake, it could decrypt nothing, for
/// as long as it stayed.
pub(super) fn first_sequence() -> u16 {
    rand::random::<u16>() >> 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{AccessUnit, Timestamp};
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn numbers_do_not_begin_anew_while_a_viewer_connects() {
        let firsts: Vec<_> = (0..1000).map(|_| first_sequence()).collect();
        assert!(firsts.iter().all(|first| *first < 1 << 15));
        assert!(firsts.iter().any(|first| *first >= 1 << 14), "by chance");
    }

    #[test]
    fn a_picture_is_one_time_stamp_with_a_mark_at_its_end() {
        let payloads = vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let picture = |milliseconds| Packetised {
            unit: AccessUnit {
                data: Bytes::new(),
                captured_at: Timestamp::from_monotonic(Duration::from_millis(milliseconds)),
                is_keyframe: true,
            },
            payloads: payloads.clone(),
        };
        let mut stream = Stream::new(Codec::Vp8, 96);
        let first: Vec<_> = stream.packets_of(&picture(1000)).collect();
        let second: Vec<_> = stream.packets_of(&picture(1040)).collect();
        let headers: Vec<_> = first.iter().chain(&second).map(|packet| &packet.header).collect();
        assert!(
            headers
                .windows(2)
                .all(|pair| pair[1].sequence_number == pair[0].sequence_number.wrapping_add(1))
        );
        assert_eq!(
            headers.iter().map(|header| header.marker).collect::<Vec<_>>(),
            [false, true, false, true]
        );
        assert_eq!(headers[0].timestamp, headers[1].timestamp);
        assert_eq!(
            headers[2].timestamp.wrapping_sub(headers[0].timestamp),
            3600,
            "40 ms at 90 kHz"
        );
        assert_eq!(
            first[0].payload.as_ptr(),
            payloads[0].as_ptr(),
            "shared, not copied"
        );
        assert_eq!((stream.units(), stream.packets(), stream.bits()), (2, 4, 96));
    }
}
