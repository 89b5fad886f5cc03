//! How much arrives.

/// The width of a bucket, in microseconds, and how many there are: half a second.
const WIDTH: i64 = 25_000;
const BUCKETS: usize = 20;
/// As many of the last are a burst: in it the path is busy for longer than in the whole.
const BURST: usize = 6;

/// The rate at which packets arrive, over the last half second, by the viewer's clock.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: [u64; BUCKETS],
    /// The number of the bucket of the newest packet.
    newest: Option<i64>,
    first: i64,
}

impl Received {
    /// So many bytes arrived then, in microseconds.
    pub(super) fn add(&mut self, at: i64, bytes: u16) {
        let bucket = at.div_euclid(WIDTH);
        let newest = *self.newest.get_or_insert_with(|| {
            self.first = bucket;
            bucket
        });
        if bucket > newest {
            let passed = (bucket - newest).min(BUCKETS as i64);
            for empty in 0..passed {
                self.bytes[place(bucket - empty)] = 0;
            }
            self.newest = Some(bucket);
        } else if newest - bucket >= BUCKETS as i64 {
            return;
        }
        self.bytes[place(bucket)] += u64::from(bytes);
    }

    /// In bits a second; `None` before it is known.
    pub(super) fn rate(&self) -> Option<f64> {
        self.over(BUCKETS)
    }

    /// In bits a second, in the last burst of packets or over the whole time, whichever is more: what the path was able to carry.
    pub(super) fn peak(&self) -> Option<f64> {
        Some(self.over(BUCKETS)?.max(self.over(BURST)?))
    }

    /// Over so many of the last full buckets.
    fn over(&self, buckets: usize) -> Option<f64> {
        let newest = self.newest?;
        if newest - self.first < BUCKETS as i64 {
            return None;
        }
        // The newest one is not full yet.
        let full = 1..buckets as i64;
        let bytes: u64 = full.map(|ago| self.bytes[place(newest - ago)]).sum();
        Some(bytes as f64 * 8e6 / ((buckets - 1) as i64 * WIDTH) as f64)
    }
}

fn place(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_came_in_the_last_half_second() {
        let mut received = Received::default();
        let mut at = -3_000_000;
        let mut send = |received: &mut Received, bytes, times| {
            for _ in 0..times {
                at += 5000;
                received.add(at, bytes);
            }
        };
        send(&mut received, 1000, 80);
        assert_eq!(received.rate(), None, "too early");
        send(&mut received, 1000, 200);
        let rate = received.rate().expect("a rate");
        assert!((1_500_000.0..1_700_000.0).contains(&rate), "{rate}");
        send(&mut received, 100, 200);
        let rate = received.rate().expect("a rate");
        assert!((150_000.0..170_000.0).contains(&rate), "{rate}");
        received.add(-3_000_000, 60_000);
        assert_eq!(received.rate(), Some(rate), "it came long ago");
        received.add(at + 10_000_000, 1);
        assert!(received.rate().expect("a rate") < 1.0, "nothing came");
    }

    #[test]
    fn its_peak_is_that_of_a_burst() {
        let mut received = Received::default();
        for number in 0..100 {
            received.add(number * 33_000, 1000);
        }
        for number in 0..40 {
            received.add(3_300_000 + number * 3000, 1250);
        }
        received.add(3_450_000, 10);
        let (rate, peak) = (received.rate().expect("a rate"), received.peak().expect("a rate"));
        assert!(peak > 2.0 * rate, "{peak} {rate}");
    }
}
