//! Listening: tones for those who talk, and what is in a recording.

use std::f64::consts::TAU;
use std::path::Path;

use crate::guest::Guest;
use crate::process::Process;

/// What a sound card is to deliver: what `arecord` calls rate, channels and format.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Samples a second.
    pub rate: u32,
    /// Channels.
    pub channels: u32,
    /// `S16_LE`, `S32_LE` or `S16_BE`.
    pub format: &'static str,
}

impl Card {
    /// What most cards have.
    pub const USUAL: Card = Card {
        rate: 48_000,
        channels: 2,
        format: "S16_LE",
    };
}

/// A recording that is being made in a guest, at the far end of a loopback card.
pub struct Recording<'guest> {
    guest: &'guest Guest,
    card: Card,
    file: String,
    recorder: Process,
}

/// A recording, one channel of samples between -1 and 1.
pub struct Sound {
    samples: Vec<f64>,
    rate: u32,
}

impl<'guest> Recording<'guest> {
    /// Records `seconds` from what is played on the first device of the card `Loopback`. Who plays on it has to
    /// take the same parameters from now on.
    pub fn start(guest: &'guest Guest, card: Card, seconds: u32) -> Self {
        let Card {
            rate,
            channels,
            format,
        } = card;
        let file = format!("recording-{rate}-{channels}-{format}-{}", guest.count());
        let text = format!(
            "exec arecord -v -D hw:CARD=Loopback,DEV=1,SUBDEV=0 -t raw -r {rate} -c {channels} -f {format} -d {seconds} /rig/{file}"
        );
        let recorder = guest.start("arecord", &text);
        recorder.wait_for_line("period_size");
        Self {
            guest,
            card,
            file,
            recorder,
        }
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Sound {
        let status = self.recorder.wait();
        assert_eq!(status, 0, "arecord: {}", self.recorder.log().tail(20));
        let bytes = self.guest.take(&self.file);
        let is_swapped = self.card.format.ends_with("_BE");
        let sample = |bytes: &[u8]| match *bytes {
            [a, b] if is_swapped => f64::from(i16::from_be_bytes([a, b])) / 32_768.0,
            [a, b] => f64::from(i16::from_le_bytes([a, b])) / 32_768.0,
            [a, b, c, d] => f64::from(i32::from_le_bytes([a, b, c, d])) / 2_147_483_648.0,
            _ => panic!("{} has a width that is not read here", self.card.format),
        };
        let width = if self.card.format.starts_with("S16") { 2 } else { 4 };
        // Every channel has the same; the first is as good as any.
        let frames = bytes.chunks_exact(width * self.card.channels as usize);
        Sound {
            samples: frames.map(|frame| sample(&frame[..width])).collect(),
            rate: self.card.rate,
        }
    }
}

impl Sound {
    /// The last `seconds` of it.
    pub fn last(&self, seconds: f64) -> Sound {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few seconds"
        )]
        let count = (seconds * f64::from(self.rate)) as usize;
        Sound {
            samples: self.samples[self.samples.len().saturating_sub(count)..].to_vec(),
            rate: self.rate,
        }
    }

    /// The share of one frequency in the power of a tenth of a second, 1 for a pure tone: the median of all of them. What was
    /// repaired turns the tone's phase, so that longer pieces of it cancel themselves out.
    pub fn usually(&self, frequency: f64) -> f64 {
        let share = |piece: &[f64]| {
            let power: f64 = piece.iter().map(|sample| sample * sample).sum();
            if power == 0.0 {
                0.0
            } else {
                2.0 * self.power(piece, frequency) / (power * piece.len() as f64)
            }
        };
        let mut shares: Vec<f64> = self.pieces(10).map(share).collect();
        shares.sort_unstable_by(f64::total_cmp);
        shares.get(shares.len() / 2).copied().unwrap_or_default()
    }

    /// Pieces of which so many make a second.
    fn pieces(&self, count: u32) -> impl Iterator<Item = &[f64]> {
        self.samples.chunks_exact((self.rate / count) as usize)
    }

    /// How much of one frequency is in a piece.
    fn power(&self, piece: &[f64], frequency: f64) -> f64 {
        let (turn_sin, turn_cos) = (TAU * frequency / f64::from(self.rate)).sin_cos();
        let (mut sin, mut cos) = (0.0_f64, 1.0_f64);
        let (mut sine, mut cosine) = (0.0, 0.0);
        for sample in piece {
            sine += sample * sin;
            cosine += sample * cos;
            (sin, cos) = (sin * turn_cos + cos * turn_sin, cos * turn_cos - sin * turn_sin);
        }
        sine * sine + cosine * cosine
    }

    /// The strongest frequency between `from` and `to` hertz, to a quarter: that of which most is in all quarters of a second
    /// together.
    pub fn dominant(&self, from: u32, to: u32) -> f64 {
        let quarters = (from * 4..to * 4).map(|quarter| f64::from(quarter) / 4.0);
        let power = |frequency| {
            self.pieces(4)
                .map(|piece| self.power(piece, frequency))
                .sum::<f64>()
        };
        quarters
            .map(|frequency| (frequency, power(frequency)))
            .max_by(|one, other| one.1.total_cmp(&other.1))
            .expect("a range of frequencies")
            .0
    }
}

/// Writes a WAV file of a tone, 10 s at 48 kHz, which joins itself at its end where `frequency` is whole.
pub fn write_tone(file: &Path, frequency: u32) {
    const RATE: u32 = 48_000;
    let samples = RATE * 10;
    let mut bytes = Vec::with_capacity(44 + 2 * samples as usize);
    bytes.extend(b"RIFF");
    bytes.extend((36 + 2 * samples).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    // PCM, one channel, the rate, bytes a second, bytes a frame, bits a sample.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((2 * RATE).to_le_bytes());
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend((2 * samples).to_le_bytes());
    for at in 0..samples {
        let phase = TAU * f64::from(frequency) * f64::from(at) / f64::from(RATE);
        #[allow(clippy::cast_possible_truncation, reason = "a third of full scale")]
        bytes.extend(((12_000.0 * phase.sin()) as i16).to_le_bytes());
    }
    std::fs::write(file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
