//! How fast clients may sign in: so many at once, as after a power cut, and then one in a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Pace;
use crate::budget::Source;

/// For each client when its sign-ins so far are paid off, one in each [`Pace::every`] (the generic cell rate algorithm, ITU-T
/// I.371). Who owes nothing is not in it.
#[derive(Debug, Default)]
pub(super) struct Debts {
    of: HashMap<Source, Instant>,
    /// With so many of them those that are paid off are swept out.
    sweep_at: usize,
}

impl Debts {
    /// Whether the client may do it once more.
    pub(super) fn allow(&self, of: Source, pace: Pace, now: Instant) -> bool {
        let owed = self
            .of
            .get(&of)
            .map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now));
        owed + pace.every <= pace.every * pace.at_once
    }

    /// The client has done it once more.
    pub(super) fn add(&mut self, of: Source, pace: Pace, now: Instant) {
        if self.of.len() >= self.sweep_at {
            self.of.retain(|_, paid| *paid > now);
            self.of.shrink_to(64);
            self.sweep_at = (2 * self.of.len()).max(64);
        }
        let paid = self.of.entry(of).or_insert(now);
        *paid = (*paid).max(now) + pace.every;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PACE: Pace = Pace {
        at_once: 3,
        every: Duration::from_secs(2),
    };

    fn source(number: u32) -> Source {
        Source(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn some_go_at_once_and_then_one_in_a_while() {
        let (mut debts, start) = (Debts::default(), Instant::now());
        let mut tries = |from: u64, seconds: u64, of| {
            let now = start + Duration::from_secs(seconds);
            let done = (0..from).filter(|_| {
                let is_allowed = debts.allow(source(of), PACE, now);
                if is_allowed {
                    debts.add(source(of), PACE, now);
                }
                is_allowed
            });
            done.count()
        };
        assert_eq!(tries(10, 0, 1), 3);
        assert_eq!(tries(10, 0, 2), 3, "another client");
        assert_eq!(tries(10, 1, 1), 0);
        assert_eq!(tries(10, 2, 1), 1);
        assert_eq!(tries(10, 6, 1), 2);
        assert_eq!(tries(10, 100, 1), 3);
    }

    #[test]
    fn who_owes_nothing_is_forgotten() {
        let (mut debts, start) = (Debts::default(), Instant::now());
        for number in 0..10_000 {
            debts.add(source(number), PACE, start + PACE.every * number);
        }
        assert!(debts.of.len() <= 64);
    }
}
