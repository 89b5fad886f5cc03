use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Samples over which a level is taken: a third of a second at 48 kHz, as meters do.
const WINDOW: usize = 16_000;
/// What no sound is: below all that 24 bits can say. In dB of full scale.
const NOTHING: f32 = -150.0;

/// How loud it is, for whoever asks.
#[derive(Debug)]
pub struct Level {
    mean: AtomicU32,
    peak: AtomicU32,
}

impl Default for Level {
    fn default() -> Self {
        let nothing = || AtomicU32::new(NOTHING.to_bits());
        Self {
            mean: nothing(),
            peak: nothing(),
        }
    }
}

impl Level {
    /// The mean (RMS) of the last third of a second, in dB of full scale.
    pub fn mean(&self) -> f32 {
        f32::from_bits(self.mean.load(Relaxed))
    }

    /// The highest sample of the last third of a second, in dB of full scale.
    pub fn peak(&self) -> f32 {
        f32::from_bits(self.peak.load(Relaxed))
    }

    fn set(&self, mean: f32, peak: f32) {
        self.mean.store(decibels(mean).to_bits(), Relaxed);
        self.peak.store(decibels(peak).to_bits(), Relaxed);
    }
}

/// Takes the level of what passes.
#[derive(Debug, Default)]
pub(super) struct Meter {
    samples: usize,
    squares: f32,
    peak: f32,
}

impl Meter {
    pub(super) fn take(&mut self, samples: &[f32], level: &Level) {
        self.samples += samples.len();
        for sample in samples {
            self.squares += sample * sample;
            self.peak = self.peak.max(sample.abs());
        }
        if self.samples >= WINDOW {
            level.set((self.squares / self.samples as f32).sqrt(), self.peak);
            *self = Self::default();
        }
    }
}

fn decibels(amplitude: f32) -> f32 {
    (20.0 * amplitude.log10()).max(NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_of_half_scale_is_six_decibels_down_at_its_peak_and_nine_on_average() {
        let (level, mut meter) = (Level::default(), Meter::default());
        assert_eq!(level.mean(), NOTHING);
        let sine: Vec<f32> = (0..48_000)
            .map(|sample| 0.5 * (sample as f32 / 48.0 * std::f32::consts::TAU).sin())
            .collect();
        for frame in sine.chunks(960) {
            meter.take(frame, &level);
        }
        assert!((level.peak() + 6.02).abs() < 0.1, "{}", level.peak());
        assert!((level.mean() + 9.03).abs() < 0.1, "{}", level.mean());
        for _ in 0..20 {
            meter.take(&[0.0; 960], &level);
        }
        assert_eq!((level.mean(), level.peak()), (NOTHING, NOTHING));
    }
}
