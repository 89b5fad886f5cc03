//! Median and 95th percentile of measurements in milliseconds.

use serde::Serialize;

/// Samples kept; with more, every second one is left out from then on (and every fourth, …), which changes
/// percentiles of that many samples imperceptibly. Nine hours at 30 frames a second before the first time.
const MOST_SAMPLES: usize = 1 << 20;

/// What a set of measurements comes to, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the samples are at most this.
    pub median: f64,
    /// 95 of 100 samples are at most this.
    pub p95: f64,
    /// The smallest sample.
    pub min: f64,
    /// The largest sample.
    pub max: f64,
}

/// Measurements of any length in bounded memory.
#[derive(Clone, Debug)]
pub struct Samples {
    kept: Vec<f32>,
    /// Every `stride`th sample is kept.
    stride: usize,
    seen: usize,
    most: usize,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            stride: 1,
            seen: 0,
            most: MOST_SAMPLES,
        }
    }
}

impl Samples {
    /// Adds a measurement.
    pub fn add(&mut self, milliseconds: f64) {
        if self.seen.is_multiple_of(self.stride) {
            self.kept.push(milliseconds as f32);
        }
        self.seen += 1;
        if self.kept.len() >= self.most {
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// What they come to; `None` of none.
    pub fn spread(&self) -> Option<Spread> {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        // The nearest rank: the smallest sample that enough others are not above.
        let rank = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).map(|&sample| round(sample))
        };
        Some(Spread {
            median: rank(50)?,
            p95: rank(95)?,
            min: rank(0)?,
            max: rank(100)?,
        })
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self {
            most: self.most,
            ..Self::default()
        };
    }
}

/// To the 0.1 ms that the picture's clock has.
fn round(sample: f32) -> f64 {
    (f64::from(sample) * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.spread(), None);
        (1..=100).rev().for_each(|n| samples.add(f64::from(n)));
        assert_eq!(
            samples.spread(),
            Some(Spread {
                median: 50.0,
                p95: 95.0,
                min: 1.0,
                max: 100.0
            })
        );
        samples.clear();
        samples.add(7.25);
        assert_eq!(
            samples.spread(),
            Some(Spread {
                median: 7.3,
                p95: 7.3,
                min: 7.3,
                max: 7.3
            })
        );
    }

    #[test]
    fn a_long_watch_keeps_its_percentiles_in_bounded_memory() {
        let mut samples = Samples {
            most: 1000,
            ..Samples::default()
        };
        for n in 0..100_000u32 {
            samples.add(f64::from(n % 100));
        }
        assert!(samples.kept.len() < 1000);
        let spread = samples.spread().expect("many samples");
        assert!(
            (spread.median - 50.0).abs() < 5.0 && (spread.p95 - 95.0).abs() < 5.0,
            "{spread:?}"
        );
    }
}
