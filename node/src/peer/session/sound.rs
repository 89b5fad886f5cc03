//! A session's sound.

use rtc::{
    media_stream::MediaStreamTrack,
    peer_connection::RTCPeerConnection,
    rtp::{Header, Packet},
    rtp_transceiver::{
        RTCRtpSenderId,
        rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
    },
    shared::error::Error,
};

use super::{setup, stream::first_sequence};
use crate::{
    media::{SoundCodec, SoundUnit},
    peer::{
        rtcp::StreamClock,
        sdp::{Coding, Sound},
    },
};

/// The sound of one session.
pub(super) struct SoundSender {
    stream: SoundStream,
    codings: Vec<Coding>,
    sender: Option<RTCRtpSenderId>,
    wanted: bool,
}

impl SoundSender {
    /// In the first of the codings.
    pub(super) fn new(sound: &Sound) -> Self {
        let Sound { codings, wanted } = sound;
        let first = codings.first();
        let codec = first.and_then(Coding::sound).unwrap_or(SoundCodec::Opus);
        Self {
            stream: SoundStream::new(codec, first.map_or(0, |coding| coding.payload_type)),
            codings: codings.clone(),
            sender: None,
            wanted: *wanted,
        }
    }

    /// What the connection has to know.
    pub(super) fn codings(&self) -> &[Coding] {
        &self.codings
    }

    pub(super) fn clock(&self) -> StreamClock {
        self.stream.clock()
    }

    /// Takes its place in the connection.
    pub(super) fn join(&mut self, connection: &mut RTCPeerConnection) -> Result<(), Error> {
        if let Some(coding) = self.codings.first() {
            self.sender = Some(connection.add_track(self.stream.track(coding))?);
        }
        Ok(())
    }

    /// Sends from now on, or not, as the viewer's new offer says.
    pub(super) fn obey(&mut self, sound: Option<&Sound>) {
        self.wanted = sound.is_some_and(|sound| sound.wanted);
    }

    /// The sender, while it sends.
    pub(super) fn sending(&self) -> Option<RTCRtpSenderId> {
        self.sender.filter(|_| self.wanted)
    }

    /// The codec, while it sends.
    pub(super) fn codec(&self) -> Option<SoundCodec> {
        self.sending().map(|_| self.stream.codec)
    }

    /// 20 ms of sound as a packet, while it sends.
    pub(super) fn packet(&mut self, unit: &SoundUnit) -> Option<Packet> {
        self.sending()?;
        Some(self.stream.packet(unit))
    }

    /// Packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.stream.packets
    }
}

/// The outgoing RTP stream of one session's sound: each unit is one packet.
struct SoundStream {
    codec: SoundCodec,
    payload_type: u8,
    ssrc: u32,
    timestamp_offset: u32,
    sequence: u16,
    packets: u64,
}

impl SoundStream {
    /// A stream that begins at random numbers, as RFC 3550, section 5.1 wants.
    fn new(codec: SoundCodec, payload_type: u8) -> Self {
        Self {
            codec,
            payload_type,
            ssrc: rand::random(),
            timestamp_offset: rand::random(),
            sequence: first_sequence(),
            packets: 0,
        }
    }

    /// How its time stamps follow from the clock.
    fn clock(&self) -> StreamClock {
        StreamClock {
            ssrc: self.ssrc,
            rate: self.codec.clock_rate(),
            offset: self.timestamp_offset,
        }
    }

    /// This stream as the core wants it described: in one media stream with the picture, so that a viewer plays them together.
    fn track(&self, coding: &Coding) -> MediaStreamTrack {
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
    fn packet(&mut self, unit: &SoundUnit) -> Packet {
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
            assert_eq!(stream.packets, 3);
        }
    }
}
