//! Our sound on its way to viewers.

use std::task::{Context, Poll};

use rtc::{
    media_stream::MediaStreamTrack,
    rtp::{Header, Packet},
    rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
};

use super::{clock::StreamClock, negotiation::Coding, setup};
use crate::{
    fanout::{Broadcast, Depth, Subscriber},
    media::{SoundCodec, SoundUnit},
};

/// Sound of one codec inside the engine: subscribed to while a session hears it.
pub(super) struct SoundFeed {
    broadcast: Broadcast<SoundUnit>,
    codec: SoundCodec,
    subscriber: Option<Subscriber<SoundUnit>>,
}

impl SoundFeed {
    pub(super) fn new(broadcast: Broadcast<SoundUnit>, codec: SoundCodec) -> Self {
        Self {
            broadcast,
            codec,
            subscriber: None,
        }
    }

    pub(super) fn codec(&self) -> SoundCodec {
        self.codec
    }

    /// Whether any session hears it: with the first the microphone is opened, with the last it may be closed.
    pub(super) fn set_heard(&mut self, heard: bool) {
        if !heard {
            self.subscriber = None;
        } else if self.subscriber.is_none() {
            self.subscriber = self.broadcast.subscribe(self.codec, Depth::SOUND);
        }
    }

    /// The next unit, `Ready(None)` when the track has ended for good.
    pub(super) fn poll_unit(&mut self, context: &mut Context<'_>) -> Poll<Option<SoundUnit>> {
        match &mut self.subscriber {
            Some(subscriber) => subscriber.poll_next(context),
            None => Poll::Pending,
        }
    }
}

/// The outgoing RTP stream of one session's sound: each unit is one packet.
pub(super) struct SoundStream {
    codec: SoundCodec,
    payload_type: u8,
    ssrc: u32,
    timestamp_offset: u32,
    sequence: u16,
    packets: u64,
}

impl SoundStream {
    /// A stream that begins at random numbers, as RFC 3550, section 5.1 wants.
    pub(super) fn new(codec: SoundCodec, payload_type: u8) -> Self {
        Self {
            codec,
            payload_type,
            ssrc: rand::random(),
            timestamp_offset: rand::random(),
            sequence: rand::random(),
            packets: 0,
        }
    }

    pub(super) fn codec(&self) -> SoundCodec {
        self.codec
    }

    /// How its time stamps follow from the clock.
    pub(super) fn clock(&self) -> StreamClock {
        StreamClock {
            ssrc: self.ssrc,
            rate: self.codec.clock_rate(),
            offset: self.timestamp_offset,
        }
    }

    /// Packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// This stream as the core wants it described: in one media stream with the picture, so that a viewer plays them together.
    pub(super) fn track(&self, coding: &Coding) -> MediaStreamTrack {
        let parameters = RTCRtpCodingParameters {
            ssrc: Some(self.ssrc),
            ..RTCRtpCodingParameters::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: parameters,
            codec: setup::codec(coding, "audio"),
            ..RTCRtpEncodingParameters::default()
        };
        MediaStreamTrack::new(
            "pinhole".into(),
            "audio".into(),
            "audio".into(),
            RtpCodecKind::Audio,
            vec![encoding],
        )
    }

    /// A unit as this viewer's packet; the payload is everybody's.
    pub(super) fn packet(&mut self, unit: &SoundUnit) -> Packet {
        let timestamp = unit.captured_at.to_rtp(self.codec.clock_rate());
        let header = Header {
            version: 2,
            // The beginning of a spell of talk (RFC 3551, section 4.1).
            marker: unit.after_silence || self.packets == 0,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp: timestamp.wrapping_add(self.timestamp_offset),
            ssrc: self.ssrc,
            ..Header::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        Packet {
            header,
            payload: unit.data.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn a_unit_is_one_packet_by_the_codecs_clock() {
        let unit = |milliseconds, after_silence| SoundUnit {
            data: Bytes::from_static(b"sound"),
            captured_at: Timestamp::from_monotonic(Duration::from_millis(milliseconds)),
            after_silence,
        };
        for (codec, ticks) in [(SoundCodec::Opus, 960), (SoundCodec::Pcmu, 160)] {
            let mut stream = SoundStream::new(codec, 111);
            let packets = [(1000, false), (1020, false), (1040, true)]
                .map(|(milliseconds, after_silence)| stream.packet(&unit(milliseconds, after_silence)));
            let markers = packets.each_ref().map(|packet| packet.header.marker);
            assert_eq!(markers, [true, false, true]);
            for pair in packets.windows(2) {
                let (one, other) = (&pair[0].header, &pair[1].header);
                assert_eq!(other.sequence_number, one.sequence_number.wrapping_add(1));
                assert_eq!(other.timestamp.wrapping_sub(one.timestamp), ticks);
            }
            assert_eq!(stream.packets(), 3);
        }
    }
}
