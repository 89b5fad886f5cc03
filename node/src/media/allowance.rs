use std::time::{Duration, Instant};

/// How much may happen: some at once, and one more in each interval. Without a clock: the caller brings the time.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    burst: u32,
    interval: Duration,
    /// When everything that was taken will have been earned. The generic cell rate algorithm (ITU-T I.371, annex A) keeps no
    /// other state.
    earned: Option<Instant>,
}

impl Allowance {
    /// `burst` at once, and `per_second` in the long run; none of them may be zero.
    pub const fn new(burst: u32, per_second: u32) -> Self {
        Self {
            burst,
            interval: Duration::from_nanos(1_000_000_000 / per_second as u64),
            earned: None,
        }
    }

    /// Takes one, where there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.take_while_left(now, 0)
    }

    /// Takes one, where at least `left` remain: who is to come last leaves some for the others.
    pub fn take_while_left(&mut self, now: Instant, left: u32) -> bool {
        let earned = self.earned.map_or(now, |earned| earned.max(now)) + self.interval;
        let may = earned <= now + self.interval * self.burst.saturating_sub(left);
        if may {
            self.earned = Some(earned);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(allowance: &mut Allowance, start: Instant, from: u64, to: u64, left: u32) -> usize {
        (from..to)
            .filter(|ms| allowance.take_while_left(start + Duration::from_millis(*ms), left))
            .count()
    }

    #[test]
    fn some_at_once_and_then_one_in_each_interval() {
        let start = Instant::now();
        let mut allowance = Allowance::new(5, 10);
        assert_eq!((0..100).filter(|_| allowance.take(start)).count(), 5);
        assert_eq!(taken(&mut allowance, start, 0, 1000, 0), 9);
        let later = start + Duration::from_secs(60);
        assert_eq!(
            (0..100).filter(|_| allowance.take(later)).count(),
            5,
            "no more is saved up than that"
        );
    }

    #[test]
    fn who_comes_last_leaves_some_for_the_others() {
        let start = Instant::now();
        let mut allowance = Allowance::new(10, 10);
        assert_eq!(taken(&mut allowance, start, 0, 1, 0), 1);
        let last = (0..100).filter(|_| allowance.take_while_left(start, 5)).count();
        assert_eq!(last, 4, "down to five");
        assert_eq!((0..100).filter(|_| allowance.take(start)).count(), 5);
    }
}
