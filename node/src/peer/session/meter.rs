use std::time::{Duration, Instant};

/// A rate is of at least this time.
const WINDOW: Duration = Duration::from_secs(1);

/// The rate of something that is only counted. Without a clock: the caller brings the time.
#[derive(Debug)]
pub(super) struct Meter {
    since: Instant,
    bytes: u64,
    bits_per_second: Option<f64>,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            bytes: 0,
            bits_per_second: None,
        }
    }

    /// The rate over the last window that is full; `bytes` is the count so far. To be called more often than
    /// once in a window, or what happened before is spread over the time since.
    pub(super) fn look(&mut self, now: Instant, bytes: u64) -> Option<f64> {
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW {
            let sent = bytes.saturating_sub(self.bytes);
            self.bits_per_second = Some(sent as f64 * 8.0 / passed.as_secs_f64());
            (self.since, self.bytes) = (now, bytes);
        }
        self.bits_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_what_is_sent_and_a_pause_is_one() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut meter = Meter::new(start);
        assert_eq!(meter.look(at(999), 100_000), None);
        assert_eq!(meter.look(at(1000), 125_000), Some(1e6));
        assert_eq!(meter.look(at(1500), 999_999), Some(1e6), "the window is not full");
        assert_eq!(meter.look(at(3000), 625_000), Some(2e6));
        assert_eq!(meter.look(at(13_000), 625_000), Some(0.0));
    }
}
