//! A session's sound.

use std::time::Instant;

use rtc::{
    media_stream::MediaStreamTrack,
    peer_connection::RTCPeerConnection,
    rtp_transceiver::{
        RTCRtpSenderId,
        rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
    },
    shared::error::Error,
};

use super::{
    redundancy::{Before, Redundancy},
    rtp::{Place, Rtp},
    setup,
};
use crate::{
    media::{SoundCodec, SoundUnit},
    peer::sdp::{Coding, Sound},
};

/// The sound of one session. Each unit is one packet.
pub(super) struct SoundSender {
    codec: SoundCodec,
    pub(super) rtp: Rtp,
    pub(super) redundancy: Redundancy,
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
        let payload_type = first.map_or(0, |coding| coding.payload_type);
        Self {
            codec,
            rtp: Rtp::new(payload_type, codec.clock_rate()),
            redundancy: Redundancy::default(),
            codings: codings.clone(),
            sender: None,
            wanted: *wanted,
        }
    }

    /// What the connection has to know.
    pub(super) fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// Takes its place in the connection.
    pub(super) fn join(&mut self, connection: &mut RTCPeerConnection) -> Result<(), Error> {
        if let Some(coding) = self.codings.first() {
            self.sender = Some(connection.add_track(self.track(coding))?);
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
        self.sending().map(|_| self.codec)
    }

    /// What goes before 20 ms of sound, where the viewer is to have it twice. Only packets that are ours can have it: the core knows of no such payload.
    pub(super) fn before(&mut self, unit: &SoundUnit, now: Instant) -> Option<Before> {
        let payload_type = self.codings.first()?.payload_type;
        let before = self.redundancy.before(unit, payload_type, now);
        before.filter(|_| self.rtp.is_ours())
    }

    /// The place of 20 ms of sound in a packet of so many bytes, while it sends, with this transport-wide number.
    pub(super) fn place(&mut self, unit: &SoundUnit, bytes: usize, wide: Option<u64>) -> Option<Place> {
        self.sending()?;
        // The beginning of a spell of talk (RFC 3551, section 4.1).
        let marker = unit.after_silence || self.rtp.packets() == 0;
        Some(self.rtp.place(unit.captured_at, marker, bytes, wide))
    }

    /// Packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.rtp.packets()
    }

    /// This stream as the core wants it described: in one media stream with the picture, so that a viewer plays them together.
    fn track(&self, coding: &Coding) -> MediaStreamTrack {
        let parameters = RTCRtpCodingParameters {
            ssrc: Some(self.rtp.ssrc()),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn a_spell_of_talk_begins_with_a_marker_and_numbers_follow_each_other() {
        let unit = |milliseconds, after_silence| SoundUnit {
            data: Bytes::from_static(b"sound"),
            captured_at: Timestamp::from_monotonic(Duration::from_millis(milliseconds)),
            after_silence,
        };
        let mut sound = SoundSender::new(&Sound {
            codings: Vec::new(),
            wanted: true,
        });
        assert!(
            sound.place(&unit(1000, false), 5, None).is_none(),
            "it is in no connection"
        );
        sound.sender = Some(RTCRtpSenderId::default());
        let places = [(1000, false), (1020, false), (1040, true)].map(|(milliseconds, after_silence)| {
            sound
                .place(&unit(milliseconds, after_silence), 5, None)
                .expect("it sends")
        });
        assert_eq!(places.map(|place| place.marker), [true, false, true]);
        assert!(places.windows(2).all(|pair| pair[1].number == pair[0].number + 1));
        let stamps = places.map(|place| {
            sound.rtp.header(place).as_slice()[4..8]
                .try_into()
                .map(u32::from_be_bytes)
                .expect("4 bytes")
        });
        assert!(
            stamps.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == 960),
            "20 ms at 48 kHz"
        );
        assert_eq!(sound.packets(), 3);
        sound.obey(None);
        assert!(sound.place(&unit(1060, false), 5, None).is_none());
    }
}
