//! What arrived of an RTP stream, counted as RFC 3550 says.

use std::time::Instant;

use super::unwrap::{Unwrapper16, Unwrapper32};

/// How many sequence numbers back a duplicate is still recognised. Older packets are of no use to anyone.
const WINDOW: u64 = 2048;

/// A packet that arrived for the first time, with its counters freed of their wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The sequence number, continued beyond 16 bits.
    pub sequence: u64,
    /// The RTP timestamp, continued beyond 32 bits.
    pub timestamp: u64,
}

/// The counters of one stream at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Packets that the sender must have sent, by their sequence numbers (RFC 3550, appendix A.3).
    pub expected: u64,
    /// Different packets that arrived.
    pub received: u64,
    /// Packets that arrived after a later one: reordered on the way, or sent again after a loss.
    pub late: u64,
    /// Bytes of RTP payload.
    pub bytes: u64,
    /// Interarrival jitter in milliseconds (RFC 3550, section 6.4.1 and appendix A.8).
    pub jitter_ms: f64,
}

impl Totals {
    /// Packets that never arrived, so far.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// The share of packets that never arrived, in percent.
    pub fn loss_percent(&self) -> f64 {
        if self.expected == 0 {
            0.0
        } else {
            self.lost() as f64 * 100.0 / self.expected as f64
        }
    }

    /// What was counted after `earlier`. The jitter is a running value and stays.
    pub fn since(&self, earlier: &Totals) -> Totals {
        Totals {
            expected: self.expected.saturating_sub(earlier.expected),
            received: self.received.saturating_sub(earlier.received),
            late: self.late.saturating_sub(earlier.late),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            jitter_ms: self.jitter_ms,
        }
    }
}

/// Counts the packets of one stream (one SSRC).
pub struct Reception {
    clock_rate: f64,
    sequences: Unwrapper16,
    timestamps: Unwrapper32,
    first: Option<u64>,
    highest: u64,
    /// Bit per sequence number of the last `WINDOW`, by remainder.
    seen: Box<[bool]>,
    /// Arrival and timestamp of the packet before, for the jitter.
    previous: Option<(Instant, u64)>,
    totals: Totals,
}

impl Reception {
    /// An empty count of a stream whose timestamps tick `clock_rate` times a second.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: f64::from(clock_rate.max(1)),
            sequences: Unwrapper16::default(),
            timestamps: Unwrapper32::default(),
            first: None,
            highest: 0,
            seen: vec![false; WINDOW as usize].into(),
            previous: None,
            totals: Totals::default(),
        }
    }

    /// Counts a packet. `None`: it was here before, or is too old to tell.
    pub fn observe(
        &mut self,
        sequence: u16,
        timestamp: u32,
        payload: usize,
        now: Instant,
    ) -> Option<Arrival> {
        let sequence = self.sequences.unwrap(sequence);
        let timestamp = self.timestamps.unwrap(timestamp);
        let slot = |sequence: u64| (sequence % WINDOW) as usize;
        match self.first {
            None => {
                self.first = Some(sequence);
                self.highest = sequence;
            }
            Some(_) if sequence > self.highest => {
                let skipped = (self.highest + 1..sequence).rev().take(WINDOW as usize);
                skipped.for_each(|missing| self.seen[slot(missing)] = false);
                self.highest = sequence;
            }
            Some(first) => {
                if sequence + WINDOW <= self.highest || self.seen[slot(sequence)] {
                    return None;
                }
                // The very first packets may come in the wrong order.
                self.first = Some(first.min(sequence));
                self.totals.late += 1;
            }
        }
        self.seen[slot(sequence)] = true;
        self.totals.received += 1;
        self.totals.bytes += payload as u64;
        self.totals.expected = self.highest - self.first.unwrap_or(self.highest) + 1;
        if sequence == self.highest {
            self.update_jitter(timestamp, now);
        }
        Some(Arrival { sequence, timestamp })
    }

    /// The counters now.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The packets of one picture share a timestamp and leave in a burst: only its first one tells how evenly
    /// pictures arrive.
    fn update_jitter(&mut self, timestamp: u64, now: Instant) {
        if self.previous.is_some_and(|(_, before)| before == timestamp) {
            return;
        }
        if let Some((before, timestamp_before)) = self.previous {
            let arrived = now.saturating_duration_since(before).as_secs_f64() * 1e3;
            let sent = (timestamp as i64 - timestamp_before as i64) as f64 * 1e3 / self.clock_rate;
            self.totals.jitter_ms += ((arrived - sent).abs() - self.totals.jitter_ms) / 16.0;
        }
        self.previous = Some((now, timestamp));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn observe_all(sequences: &[u16]) -> Totals {
        let mut reception = Reception::new(90_000);
        let start = Instant::now();
        for sequence in sequences {
            reception.observe(*sequence, 0, 100, start);
        }
        reception.totals()
    }

    #[test]
    fn a_hole_is_a_loss_until_it_is_filled() {
        let lossy = observe_all(&[10, 11, 13, 14]);
        assert_eq!((lossy.expected, lossy.received, lossy.lost()), (5, 4, 1));
        assert_eq!(lossy.loss_percent(), 20.0);
        let mended = observe_all(&[10, 11, 13, 14, 12]);
        assert_eq!((mended.lost(), mended.late), (0, 1));
    }

    #[test]
    fn duplicates_count_once_and_wraps_are_no_loss() {
        let totals = observe_all(&[65_534, 65_535, 65_535, 0, 1, 1, 0]);
        assert_eq!(
            (totals.expected, totals.received, totals.lost(), totals.bytes),
            (4, 4, 0, 400)
        );
    }

    #[test]
    fn packets_older_than_the_window_are_ignored() {
        let mut reception = Reception::new(90_000);
        let now = Instant::now();
        assert!(reception.observe(100, 0, 1, now).is_some());
        assert!(reception.observe(100 + WINDOW as u16, 0, 1, now).is_some());
        assert_eq!(reception.observe(100, 0, 1, now), None);
        assert_eq!(reception.totals().received, 2);
    }

    #[test]
    fn jitter_is_zero_for_a_steady_stream_and_grows_with_unsteadiness() {
        let run = |late: fn(u64) -> u64| {
            let mut reception = Reception::new(90_000);
            let start = Instant::now();
            for n in 0..300u64 {
                let at = start + Duration::from_micros(n * 20_000 + late(n));
                reception.observe(n as u16, (n * 1800) as u32, 1, at);
            }
            reception.totals().jitter_ms
        };
        assert!(run(|_| 0) < 0.01);
        let unsteady = run(|n| n % 2 * 8000);
        assert!((unsteady - 8.0).abs() < 0.1, "{unsteady}");
    }
}
