use std::collections::VecDeque;

use opus::Channels;

use super::resample::Resampler;
use crate::{
    encode::g711::Law,
    media::{SOUND_FRAME, SOUND_RATE, SoundCodec},
};

/// The longest packet (RFC 6716, section 2.1.4: 120 ms), in samples.
pub(super) const MOST: usize = 5760;
/// G.711's rate.
const NARROW: u32 = 8000;
/// Samples of G.711 that are brought to our rate together: 10 ms.
const CHUNK: usize = 80;
/// Samples of G.711 that are repeated where a packet is missing: 20 ms, a few periods of any voice.
const REPEATED: usize = 160;

/// Makes samples of a talker's packets, one channel at [`SOUND_RATE`].
#[derive(Debug)]
pub(super) enum Decoder {
    Opus(Box<Opus>),
    G711(Box<G711>),
}

/// Why a packet gives no sound.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("libopus: {0}")]
    Opus(#[from] opus::Error),
    #[error("no sample rate converter: {0}")]
    Rate(#[from] rubato::ResamplerConstructionError),
}

#[derive(Debug)]
pub(super) struct Opus {
    opus: opus::Decoder,
    samples: Box<[f32; MOST]>,
}

#[derive(Debug)]
pub(super) struct G711 {
    law: Law,
    resampler: Resampler,
    /// Samples at 8 kHz that wait for more.
    narrow: Vec<f32>,
    /// The last ones that came.
    last: VecDeque<f32>,
    /// How loud they were when they were repeated last.
    fade: f32,
}

/// How many samples a packet has. `None`: it is none, or too long.
pub(super) fn samples_in(codec: SoundCodec, payload: &[u8]) -> Option<u32> {
    let samples = match codec {
        SoundCodec::Opus if payload.is_empty() => return None,
        SoundCodec::Opus => opus::packet::get_nb_samples(payload, SOUND_RATE).ok()?,
        SoundCodec::Pcmu | SoundCodec::Pcma => payload.len() * (SOUND_RATE / NARROW) as usize,
    };
    u32::try_from(samples)
        .ok()
        .filter(|_| (1..=MOST).contains(&samples))
}

impl Decoder {
    pub(super) fn new(codec: SoundCodec) -> Result<Self, DecodeError> {
        let law = match codec {
            SoundCodec::Opus => {
                return Ok(Decoder::Opus(Box::new(Opus {
                    opus: opus::Decoder::new(SOUND_RATE, Channels::Mono)?,
                    samples: Box::new([0.0; MOST]),
                })));
            }
            SoundCodec::Pcmu => Law::Mu,
            SoundCodec::Pcma => Law::A,
        };
        Ok(Decoder::G711(Box::new(G711 {
            law,
            resampler: Resampler::new(NARROW, SOUND_RATE, CHUNK)?,
            narrow: Vec::with_capacity(MOST / 6 + CHUNK),
            last: VecDeque::with_capacity(REPEATED),
            fade: 1.0,
        })))
    }

    /// Appends the samples of a packet.
    ///
    /// # Errors
    /// It can't be decoded.
    pub(super) fn decode(&mut self, payload: &[u8], out: &mut VecDeque<f32>) -> Result<(), DecodeError> {
        match self {
            Decoder::Opus(opus) => opus.decode(payload, MOST, false, out),
            Decoder::G711(g711) => {
                g711.decode(payload, out);
                Ok(())
            }
        }
    }

    /// Appends about `samples` in the place of a packet that is missing. The one after it helps, where it is there.
    pub(super) fn conceal(&mut self, following: Option<&[u8]>, samples: usize, out: &mut VecDeque<f32>) {
        match self {
            Decoder::Opus(opus) => {
                // What can be concealed are multiples of 2.5 ms.
                let samples = (samples / 120).clamp(1, MOST / 120) * 120;
                let copied = following.is_some_and(|packet| opus.decode(packet, samples, true, out).is_ok());
                if !copied && opus.decode(&[], samples, false, out).is_err() {
                    out.extend(std::iter::repeat_n(0.0, samples));
                }
            }
            Decoder::G711(g711) => g711.conceal(samples, out),
        }
    }
}

impl Opus {
    fn decode(
        &mut self,
        payload: &[u8],
        most: usize,
        fec: bool,
        out: &mut VecDeque<f32>,
    ) -> Result<(), DecodeError> {
        let count = self.opus.decode_float(payload, &mut self.samples[..most], fec)?;
        out.extend(&self.samples[..count]);
        Ok(())
    }
}

impl G711 {
    fn decode(&mut self, payload: &[u8], out: &mut VecDeque<f32>) {
        self.fade = 1.0;
        for &code in payload {
            self.push(f32::from(self.law.decode(code)) / 32_768.0);
        }
        self.widen(out);
    }

    /// What came last again, ever softer: silent after 80 ms.
    fn conceal(&mut self, samples: usize, out: &mut VecDeque<f32>) {
        let count = samples / (SOUND_RATE / NARROW) as usize;
        let step = 1.0 / (4 * REPEATED) as f32;
        for _ in 0..count {
            let sample = if self.last.len() < REPEATED {
                0.0
            } else {
                self.last[0]
            };
            self.fade = (self.fade - step).max(0.0);
            let softer = sample * self.fade;
            self.narrow.push(softer);
            // The ring turns: the same period again.
            if let Some(first) = self.last.pop_front() {
                self.last.push_back(first);
            }
        }
        self.widen(out);
    }

    fn push(&mut self, sample: f32) {
        self.narrow.push(sample);
        if self.last.len() == REPEATED {
            self.last.pop_front();
        }
        self.last.push_back(sample);
    }

    fn widen(&mut self, out: &mut VecDeque<f32>) {
        let whole = self.narrow.len() / CHUNK * CHUNK;
        for chunk in self.narrow[..whole].chunks_exact(CHUNK) {
            out.extend(self.resampler.process(chunk));
        }
        self.narrow.drain(..whole);
    }
}

/// What is concealed for one packet where none has come yet.
pub(super) const USUAL: u32 = SOUND_FRAME as u32;

#[cfg(test)]
mod tests {
    use super::{
        super::tone::{self, packets},
        *,
    };

    #[test]
    fn every_codec_gives_the_tone_back() {
        for codec in SoundCodec::ALL {
            let mut decoder = Decoder::new(codec).expect("memory");
            let mut out = VecDeque::new();
            for packet in packets(codec, 440.0) {
                assert_eq!(samples_in(codec, &packet), Some(960), "{codec}");
                decoder.decode(&packet, &mut out).expect("decodable");
            }
            let out = Vec::from(out);
            assert!(out.len().abs_diff(48_000) < 500, "{codec}: {}", out.len());
            let (frequency, share) = tone::dominant(&out[9600..], SOUND_RATE);
            assert!((frequency - 440.0).abs() < 1.0, "{codec}: {frequency}");
            assert!(share > 0.95, "{codec}: {share}");
        }
    }

    #[test]
    fn what_is_missing_is_not_heard_as_a_hole() {
        for codec in SoundCodec::ALL {
            let packets = packets(codec, 440.0);
            let mut decoder = Decoder::new(codec).expect("memory");
            let mut out = VecDeque::new();
            for (number, packet) in packets.iter().enumerate() {
                if number % 10 == 7 {
                    let following = packets.get(number + 1).map(Vec::as_slice);
                    decoder.conceal(following, 960, &mut out);
                } else {
                    decoder.decode(packet, &mut out).expect("decodable");
                }
            }
            let out = Vec::from(out);
            assert!(out.len().abs_diff(48_000) < 500, "{codec}: {}", out.len());
            let (frequency, _) = tone::dominant(&out[9600..], SOUND_RATE);
            assert!((frequency - 440.0).abs() < 2.0, "{codec}: {frequency}");
            let loudest = out.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
            assert!(loudest < 0.75, "{codec}: {loudest}");
            for (number, window) in out[9600..].chunks_exact(960).enumerate() {
                let power = window.iter().map(|sample| sample * sample).sum::<f32>() / 960.0;
                assert!(power.sqrt() > 0.15, "{codec}: a hole at {number}: {power}");
            }
        }
    }

    #[test]
    fn a_long_gap_falls_silent() {
        for codec in SoundCodec::ALL {
            let mut decoder = Decoder::new(codec).expect("memory");
            let mut out = VecDeque::new();
            for packet in packets(codec, 440.0) {
                decoder.decode(&packet, &mut out).expect("decodable");
            }
            for _ in 0..20 {
                decoder.conceal(None, 960, &mut out);
            }
            let end = Vec::from(out).split_off(48_000 + 16 * 960);
            assert!(end.iter().all(|sample| sample.abs() < 0.02), "{codec}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused_or_survived() {
        assert_eq!(samples_in(SoundCodec::Opus, &[]), None);
        assert_eq!(samples_in(SoundCodec::Pcmu, &[]), None);
        assert_eq!(samples_in(SoundCodec::Pcma, &[0; 961]), None);
        let mut decoder = Decoder::new(SoundCodec::Opus).expect("memory");
        let mut out = VecDeque::new();
        for first in 0..=255u8 {
            for length in [1, 2, 3, 40, 1200] {
                let packet = vec![first; length];
                let _ = decoder.decode(&packet, &mut out);
                decoder.conceal(Some(&packet), 960, &mut out);
                out.clear();
            }
        }
    }
}
