//! Tones, for the tests of this room.

use std::{
    f64::consts::TAU,
    time::{Duration, Instant},
};

use opus::{Application, Channels};

use super::packet::{Packet, Talker};
use crate::{
    encode::g711::Law,
    media::{SOUND_FRAME, SOUND_RATE, SoundCodec},
};

/// A tone of half of full scale.
#[allow(clippy::cast_possible_truncation, reason = "samples are 32 bits wide")]
pub fn sine(frequency: f64, rate: u32, samples: usize) -> Vec<f32> {
    let step = TAU * frequency / f64::from(rate);
    (0..samples)
        .map(|at| (0.5 * (step * at as f64).sin()) as f32)
        .collect()
}

/// The power of one frequency in these samples, as a share of all power: 1 for a pure tone.
pub fn share(samples: &[f32], frequency: f64, rate: u32) -> f64 {
    let (turn_sin, turn_cos) = (TAU * frequency / f64::from(rate)).sin_cos();
    let (mut sin, mut cos) = (0.0_f64, 1.0_f64);
    let (mut sine, mut cosine, mut power) = (0.0, 0.0, 0.0);
    for &sample in samples {
        let sample = f64::from(sample);
        sine += sample * sin;
        cosine += sample * cos;
        power += sample * sample;
        (sin, cos) = (sin * turn_cos + cos * turn_sin, cos * turn_cos - sin * turn_sin);
    }
    if power == 0.0 {
        return 0.0;
    }
    2.0 * (sine * sine + cosine * cosine) / (power * samples.len() as f64)
}

/// The strongest frequency between 300 and 800 Hz, to half a hertz, and its share.
pub fn dominant(samples: &[f32], rate: u32) -> (f64, f64) {
    let shares = (600..1600).map(|half| {
        let frequency = f64::from(half) / 2.0;
        (frequency, share(samples, frequency, rate))
    });
    shares
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .expect("there are some")
}

/// A second of a tone, in packets of 20 ms.
pub fn packets(codec: SoundCodec, frequency: f64) -> Vec<Vec<u8>> {
    const NARROW: u32 = 8000;
    let law = match codec {
        SoundCodec::Opus => {
            let mut encoder =
                opus::Encoder::new(SOUND_RATE, Channels::Mono, Application::Voip).expect("memory");
            encoder.set_inband_fec(true).expect("known");
            encoder.set_packet_loss_perc(20).expect("known");
            let samples = sine(frequency, SOUND_RATE, SOUND_RATE as usize);
            let encode = |frame| encoder.encode_vec_float(frame, 1275).expect("a frame");
            return samples.chunks(SOUND_FRAME).map(encode).collect();
        }
        SoundCodec::Pcmu => Law::Mu,
        SoundCodec::Pcma => Law::A,
    };
    let samples = sine(frequency, NARROW, NARROW as usize);
    #[allow(clippy::cast_possible_truncation, reason = "half of full scale")]
    let code = |sample: &f32| law.encode((sample * 32_767.0) as i16);
    samples
        .chunks(160)
        .map(|frame| frame.iter().map(code).collect())
        .collect()
}

/// Somebody who says one tone, again and again, from `start` on.
pub struct Voice {
    pub talker: Talker,
    pub codec: SoundCodec,
    pub start: Instant,
    payloads: Vec<Vec<u8>>,
}

impl Voice {
    pub fn new(talker: u64, codec: SoundCodec, frequency: f64, start: Instant) -> Self {
        Self {
            talker: Talker(talker),
            codec,
            start,
            payloads: packets(codec, frequency),
        }
    }

    /// The packet of that number, as it comes over an even network.
    pub fn packet(&self, number: u32) -> Packet {
        let payload = &self.payloads[number as usize % self.payloads.len()];
        #[allow(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let sequence = number as u16;
        Packet {
            talker: self.talker,
            ssrc: 7,
            codec: self.codec,
            sequence,
            timestamp: number * (self.codec.clock_rate() / 50),
            payload: payload.clone().into(),
            arrived: self.start + Duration::from_millis(20) * number,
        }
    }
}
