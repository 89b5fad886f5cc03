//! The estimate: down at once, up slowly (draft-ietf-rmcat-gcc-02, section 5.5).

use super::trend::Signal;

/// What is left of what arrives, where the path is full.
const DECREASE: f64 = 0.85;
/// One decrease leaves at least this much: what arrived meanwhile may have been held up.
const MOST_AT_ONCE: f64 = 0.5;
/// Growth in a second, far from the rate at which the path was full …
const GROWTH: f64 = 1.08;
/// … and near it, in bits of a packet for each round trip and what a report takes.
const PACKET: f64 = 1200.0 * 8.0;
const REPORT: f64 = 0.1;
/// Near is up to this multiple of that rate.
const NEAR: f64 = 1.2;
/// How much of what is known of that rate a new one leaves.
const KNOWN: f64 = 0.7;
/// Above this multiple of what arrives it says nothing of the path.
const CAP: f64 = 1.5;
const BESIDE: f64 = 10_000.0;
/// The least that is ever told: sound, and some pictures.
const FLOOR: f64 = 50_000.0;
/// The longest time for which it grows at once, in seconds.
const LONGEST: f64 = 0.5;
/// After a decrease its effect is waited for, besides a round trip, in microseconds.
const EFFECT: u64 = 200_000;

/// What the path carries, in bits a second. Times are microseconds.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// `None`: the path was never found full, and is believed to carry whatever comes.
    estimate: Option<f64>,
    /// At which the path was full.
    full: Option<f64>,
    updated: u64,
    decreased: Option<u64>,
}

/// What an update goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) signal: Signal,
    /// What arrives, over some time …
    pub(super) received: Option<f64>,
    /// … and what arrived in a burst.
    pub(super) peak: Option<f64>,
    /// Whether packets hardly wait.
    pub(super) is_clear: bool,
    /// In microseconds.
    pub(super) round_trip: u64,
}

impl Rate {
    /// In bits a second; `None` while the path was never full.
    pub(super) fn estimate(&self) -> Option<f64> {
        self.estimate
    }

    /// Takes a report.
    pub(super) fn update(&mut self, seen: Seen, now: u64) {
        let passed = (now.saturating_sub(self.updated) as f64 / 1e6).min(LONGEST);
        self.updated = now;
        match seen.signal {
            Signal::Overuse => self.decrease(seen, now),
            Signal::Underuse => {}
            Signal::Normal => self.increase(seen, passed),
        }
    }

    /// Nothing is heard, though something is sent, of which so much arrived last.
    pub(super) fn halve(&mut self, received: Option<f64>, now: u64) {
        if let Some(before) = self.estimate.or(received) {
            self.estimate = Some((before / 2.0).max(FLOOR));
            self.decreased = Some(now);
        }
    }

    fn decrease(&mut self, seen: Seen, now: u64) {
        let Some(peak) = seen.peak else { return };
        let waits = self
            .decreased
            .is_some_and(|at| now < at + seen.round_trip + EFFECT);
        if waits {
            return;
        }
        self.decreased = Some(now);
        self.full = Some(match self.full {
            Some(full) if (0.5..2.0).contains(&(peak / full)) => KNOWN * full + (1.0 - KNOWN) * peak,
            _ => peak,
        });
        let least = self.estimate.map_or(0.0, |before| before * MOST_AT_ONCE);
        let new = (peak * DECREASE).max(least).max(FLOOR);
        self.estimate = Some(self.estimate.map_or(new, |before| before.min(new)));
    }

    fn increase(&mut self, seen: Seen, passed: f64) {
        let (Some(before), Some(received)) = (self.estimate, seen.received) else {
            return;
        };
        if self.full.is_some_and(|full| before > full * NEAR) {
            // It carries more than it did then.
            self.full = None;
        }
        let grown = match self.full {
            Some(full) if before > full * DECREASE * 0.9 => {
                let trip = seen.round_trip as f64 / 1e6 + REPORT;
                before + PACKET / trip * passed
            }
            _ => before * GROWTH.powf(passed),
        };
        // What has arrived without waiting, the path carries.
        let shown = if seen.is_clear { received } else { 0.0 };
        let cap = received * CAP + BESIDE;
        self.estimate = Some(grown.min(cap.max(before)).max(shown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(signal: Signal, received: f64) -> Seen {
        Seen {
            signal,
            received: Some(received),
            peak: Some(received),
            is_clear: false,
            round_trip: 50_000,
        }
    }

    #[test]
    fn it_is_unlimited_until_the_path_was_full() {
        let mut rate = Rate::default();
        rate.update(seen(Signal::Normal, 1e6), 1_000_000);
        rate.update(seen(Signal::Underuse, 1e6), 2_000_000);
        assert_eq!(rate.estimate(), None);
        rate.update(seen(Signal::Overuse, 1e6), 3_000_000);
        assert_eq!(rate.estimate(), Some(850_000.0));
    }

    #[test]
    fn it_falls_once_in_a_round_trip_and_not_to_nothing() {
        let mut rate = Rate::default();
        rate.update(seen(Signal::Overuse, 2e6), 1_000_000);
        rate.update(seen(Signal::Overuse, 1e5), 1_100_000);
        assert_eq!(rate.estimate(), Some(1_700_000.0));
        rate.update(seen(Signal::Overuse, 1e5), 1_300_000);
        assert_eq!(rate.estimate(), Some(850_000.0));
    }

    #[test]
    fn it_grows_slowly_near_where_it_was_full_and_no_further_than_what_arrives_tells() {
        let mut rate = Rate::default();
        rate.update(seen(Signal::Overuse, 1e6), 1_000_000);
        let mut now = 1_000_000;
        let mut run = |rate: &mut Rate, received, seconds| {
            for _ in 0..seconds * 10 {
                now += 100_000;
                rate.update(seen(Signal::Normal, received), now);
            }
            rate.estimate().expect("an estimate")
        };
        let after_one = run(&mut rate, 8e5, 1);
        assert!((900_000.0..930_000.0).contains(&after_one), "{after_one}");
        let capped = run(&mut rate, 8e5, 60);
        assert!((capped - 1_210_000.0).abs() < 1.0, "{capped}");
        let more = run(&mut rate, 2e6, 5);
        assert!(more > 1.4e6 && more < 1.9e6, "{more}");
    }

    #[test]
    fn without_a_word_it_is_halved() {
        let mut rate = Rate::default();
        rate.halve(None, 1);
        assert_eq!(rate.estimate(), None, "nothing is known");
        rate.halve(Some(1e6), 1);
        rate.halve(Some(1e6), 2);
        assert_eq!(rate.estimate(), Some(250_000.0));
        (0..20).for_each(|now| rate.halve(None, now));
        assert_eq!(rate.estimate(), Some(FLOOR));
    }
}
