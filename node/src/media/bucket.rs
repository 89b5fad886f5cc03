use std::time::{Duration, Instant};

const BURST: u32 = 100;
const INTERVAL: Duration = Duration::from_millis(20);
/// Between two words about a flood.
const SAY_AFTER: Duration = Duration::from_secs(1);

/// How much a viewer or a program may say: [`BURST`] messages at once, and one more in each [`INTERVAL`]. Without a clock.
#[derive(Debug)]
pub struct Bucket {
    left: u32,
    /// When `left` was true.
    at: Instant,
    told: Option<Instant>,
}

impl Bucket {
    /// A full one.
    pub fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            at: now,
            told: None,
        }
    }

    /// Whether one more may be heard.
    pub fn take(&mut self, now: Instant) -> bool {
        let intervals = now.saturating_duration_since(self.at).as_nanos() / INTERVAL.as_nanos();
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(intervals);
        if self.left >= BURST {
            self.left = BURST;
            self.at = now;
        } else {
            self.at += INTERVAL * intervals;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    /// Whether it is time to say that something was not heard.
    pub fn may_tell(&mut self, now: Instant) -> bool {
        let may = self
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= SAY_AFTER);
        if may {
            self.told = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_heard_no_faster_than_anybody_needs() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let heard = (0..100_000u64)
            .filter(|number| bucket.take(at(number / 100)))
            .count();
        assert_eq!(heard, 100 + 49, "in a second");
        // A hand on a joystick, for an hour.
        let mut bucket = Bucket::new(start);
        assert!((0..36_000).all(|number| bucket.take(at(number * 100))));
        assert!(
            (0..)
                .take(20_000)
                .all(|number| bucket.take(at(3_600_000 + number * 20)))
        );
    }

    #[test]
    fn a_flood_is_told_of_once_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let told = (0..2500).filter(|ms| bucket.may_tell(start + Duration::from_millis(*ms)));
        assert_eq!(told.count(), 3);
    }
}
