//! What viewers say: a voice of sorts, encoded once for all of them, and sent as a browser's microphone would be.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use pinhole_node::{
    encode::opus::Encoder,
    media::{Bitrate, SOUND_FRAME, SOUND_RATE},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use rtc::{
    media_stream::MediaStreamTrack,
    rtp::{Header, Packet},
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
    },
};

/// The payload type of sound in offers.
pub const OPUS: u8 = 111;
/// What browsers choose for a voice by themselves.
const BITRATE: Bitrate = Bitrate::from_bps(32_000);
const FRAME: Duration = Duration::from_millis(20);
/// Five seconds, said again and again.
const FRAMES: usize = 250;
/// In Hz; with as many overtones as make a voice bright.
const PITCH: f32 = 130.0;
const OVERTONES: u8 = 30;
/// Syllables a second.
const SYLLABLES: f32 = 4.0;

/// Opus packets of 20 ms.
#[derive(Clone)]
pub struct Recording(Arc<[Bytes]>);

impl Recording {
    /// Makes up a voice and encodes it: overtones that get weaker, a breath of noise, and syllables.
    pub fn make() -> anyhow::Result<Self> {
        let mut encoder = Encoder::new(BITRATE, false)?;
        let mut noise = SmallRng::seed_from_u64(1);
        let mut number = 0_u32;
        let mut sample = || {
            let time = number as f32 / SOUND_RATE as f32;
            number += 1;
            let tones: f32 = (1..=OVERTONES)
                .map(f32::from)
                .map(|overtone| (TAU * PITCH * overtone * time).sin() / overtone)
                .sum();
            let loudness = 0.6 + 0.4 * (TAU * SYLLABLES * time).sin();
            0.2 * loudness * (tones + noise.random_range(-0.1..0.1))
        };
        let mut packets = Vec::with_capacity(FRAMES);
        for _ in 0..FRAMES {
            let frame: [f32; SOUND_FRAME] = std::array::from_fn(|_| sample());
            let packet = encoder.encode(&frame)?.context("the voice is silent")?;
            packets.push(Bytes::copy_from_slice(packet));
        }
        Ok(Self(packets.into()))
    }
}

/// One viewer that says it, from its connection on.
pub struct Voice {
    recording: Recording,
    /// Where in the recording it begins, so that not all say the same.
    place: usize,
    ssrc: u32,
    said: u32,
    started: Option<Instant>,
}

impl Voice {
    /// The voice of the viewer with this number.
    pub fn new(recording: Recording, number: usize) -> Self {
        Self {
            recording,
            place: number * 29,
            ssrc: rand::random(),
            said: 0,
            started: None,
        }
    }

    /// The stream, for the offer.
    pub fn track(&self) -> MediaStreamTrack {
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(self.ssrc),
                ..RTCRtpCodingParameters::default()
            },
            codec: opus().rtp_codec,
            ..RTCRtpEncodingParameters::default()
        };
        MediaStreamTrack::new(
            "bench".into(),
            "voice".into(),
            "voice".into(),
            RtpCodecKind::Audio,
            vec![encoding],
        )
    }

    /// Begins to talk.
    pub fn start(&mut self, now: Instant) {
        self.started.get_or_insert(now);
    }

    /// When the next packet is due, while it talks.
    pub fn due(&self) -> Option<Instant> {
        Some(self.started? + FRAME * self.said)
    }

    /// The next packet that is due by now.
    pub fn next(&mut self, now: Instant) -> Option<Packet> {
        if self.due()? > now {
            return None;
        }
        let Recording(packets) = &self.recording;
        let payload = packets[(self.place + self.said as usize) % packets.len()].clone();
        let samples = u32::try_from(SOUND_FRAME).unwrap_or_default();
        let header = Header {
            version: 2,
            marker: self.said == 0,
            payload_type: OPUS,
            // Both go round.
            sequence_number: (self.said & 0xffff) as u16,
            timestamp: self.said.wrapping_mul(samples),
            ssrc: self.ssrc,
            ..Header::default()
        };
        self.said = self.said.wrapping_add(1);
        Some(Packet { header, payload })
    }
}

/// Opus as browsers offer it.
pub fn opus() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "audio/opus".into(),
            clock_rate: SOUND_RATE,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
            rtcp_feedback: vec![],
        },
        payload_type: OPUS,
    }
}
