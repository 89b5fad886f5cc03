//! Numbers that the way of a frame may write at any time, and anybody may read: no lock, no allocation, no wait.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Something that only grows, from the start of the program.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The upper bounds of the buckets of [`Durations`], in microseconds. A frame at 30 per second has 33 ms for
/// everything; a person notices a fifth of a second.
const BOUNDS: [u64; 12] = [
    200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 33_333, 66_667, 100_000, 200_000, 500_000,
];

/// How long something took, each time: a histogram.
#[derive(Debug, Default)]
pub struct Durations {
    /// One for each bound, and one for what is longer.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// What [`Durations`] came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// For each upper bound in seconds, how many took at most that long and longer than the bound before. The last
    /// bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// All of them together, in seconds.
    pub seconds: f64,
}

impl Durations {
    /// It took so long this time.
    pub fn record(&self, took: Duration) {
        let microseconds = took.as_micros();
        let bucket = BOUNDS
            .iter()
            .position(|bound| microseconds <= u128::from(*bound))
            .unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// What it came to so far. Should something be recorded meanwhile, the sum may lack it.
    pub fn read(&self) -> Spread {
        let bounds = BOUNDS
            .iter()
            .map(|bound| *bound as f64 / 1e6)
            .chain([f64::INFINITY]);
        Spread {
            buckets: bounds
                .zip(&self.buckets)
                .map(|(bound, count)| (bound, count.load(Relaxed)))
                .collect(),
            seconds: self.nanoseconds.load(Relaxed) as f64 / 1e9,
        }
    }
}

impl Spread {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// How long one took on average, in seconds. `None` where there was none.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.seconds / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_bucket_that_is_wide_enough() {
        let durations = Durations::default();
        for microseconds in [0, 200, 201, 33_333, 500_000, 500_001, 90_000_000] {
            durations.record(Duration::from_micros(microseconds));
        }
        let spread = durations.read();
        let of = |bound: f64| {
            let found = spread.buckets.iter().find(|(upper, _)| *upper == bound);
            found.expect("a bound").1
        };
        assert_eq!((of(0.0002), of(0.0005), of(0.033333)), (2, 1, 1));
        assert_eq!((of(0.5), of(f64::INFINITY)), (1, 2));
        assert_eq!(spread.count(), 7);
        assert!(spread.buckets.is_sorted_by(|a, b| a.0 < b.0));
        assert!((spread.seconds - 91.033735).abs() < 1e-6, "{}", spread.seconds);
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(Durations::default().read().mean(), None);
    }
}
