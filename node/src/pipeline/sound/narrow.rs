use crate::media::SOUND_FRAME;

/// 48 kHz into 8 kHz.
const EVERY: usize = 6;
/// A whole number of output samples, so that the filter's delay of a half of it is one, too.
const TAPS: usize = 96;
/// Samples of a frame at 8 kHz.
pub(super) const NARROW_FRAME: usize = SOUND_FRAME / EVERY;

/// Makes telephone sound: takes off what is above 3.6 kHz and keeps every sixth sample. It delays by 1 ms.
pub(super) struct Narrow {
    filter: [f32; TAPS],
    /// The last samples of the frame before, and a frame.
    samples: [f32; TAPS + SOUND_FRAME],
}

impl Default for Narrow {
    fn default() -> Self {
        Self {
            filter: low_pass(),
            samples: [0.0; TAPS + SOUND_FRAME],
        }
    }
}

impl Narrow {
    /// The same 20 ms, in 16 bits.
    pub(super) fn frame(&mut self, frame: &[f32; SOUND_FRAME]) -> [i16; NARROW_FRAME] {
        self.samples.copy_within(SOUND_FRAME.., 0);
        self.samples[TAPS..].copy_from_slice(frame);
        std::array::from_fn(|number| {
            let heard = &self.samples[number * EVERY..][..TAPS];
            let sum: f32 = heard
                .iter()
                .zip(&self.filter)
                .map(|(sample, tap)| sample * tap)
                .sum();
            #[allow(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
            let sample = (sum * 32_767.0).round() as i16;
            sample
        })
    }
}

/// A sinc under a Hamming window.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a filter of 96 taps"
)]
fn low_pass() -> [f32; TAPS] {
    const CUT: f64 = 3_600.0 / 48_000.0;
    let tap = |number: usize| {
        let x = number as f64 - (TAPS - 1) as f64 / 2.0;
        let turn = std::f64::consts::TAU;
        let sinc = (turn * CUT * x).sin() / (turn / 2.0 * x);
        sinc * (0.54 - 0.46 * (turn * number as f64 / (TAPS - 1) as f64).cos())
    };
    let sum: f64 = (0..TAPS).map(tap).sum();
    std::array::from_fn(|number| (tap(number) / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How loud a tone of `hertz` comes out, 1 being as it went in.
    fn passes(hertz: f32) -> f32 {
        let mut narrow = Narrow::default();
        let mut loudness = 0.0;
        for frame in 0..5 {
            let at = |sample| (frame * SOUND_FRAME + sample) as f32 / 48_000.0;
            let tone = std::array::from_fn(|sample| 0.5 * (std::f32::consts::TAU * hertz * at(sample)).sin());
            let heard = narrow.frame(&tone).map(|sample| f32::from(sample) / 32_768.0);
            let square: f32 = heard.iter().map(|sample| sample * sample).sum();
            loudness = (square / NARROW_FRAME as f32 * 2.0).sqrt() / 0.5;
        }
        loudness
    }

    #[test]
    fn voices_pass_and_what_would_fold_back_does_not() {
        for hertz in [100.0, 1000.0, 3000.0] {
            assert!(
                (0.95..1.05).contains(&passes(hertz)),
                "{hertz}: {}",
                passes(hertz)
            );
        }
        for hertz in [5000.0, 7000.0, 12_000.0, 20_000.0] {
            assert!(passes(hertz) < 0.01, "{hertz}: {}", passes(hertz));
        }
    }
}
