use std::time::Duration;

/// Packets that are remembered: two and a half seconds of the usual 20 ms.
const WINDOW: usize = 128;
/// The share of packets that shall come in time. The rest is concealed, which is less of a nuisance than talking with
/// a delay that the one worst packet has made.
const IN_TIME: f64 = 0.97;

/// How long to hold packets back so that nearly all have come when they are due: learned from how unevenly they
/// come. Without a clock.
#[derive(Debug)]
pub(super) struct Delay {
    /// For each of the last packets how much later it came than its time stamp says, from an arbitrary zero, in ms.
    transits: Vec<f64>,
    next: usize,
    sorted: Vec<f64>,
    target: Duration,
    /// No less than this, as long as little is known.
    known: Duration,
}

impl Delay {
    /// However even the network is: a scheduler that is late by a tick must not be heard.
    pub(super) const LEAST: Duration = Duration::from_millis(20);
    /// However uneven it is: beyond this people talk into each other's words.
    pub(super) const MOST: Duration = Duration::from_millis(120);
    /// Before anything is known.
    const FIRST: Duration = Duration::from_millis(40);

    /// A packet of the length `frame`, whose first sample is `media_time` after the stream's beginning, came
    /// `arrival` after an arbitrary, fixed instant.
    pub(super) fn see(&mut self, arrival: Duration, media_time: Duration, frame: Duration) {
        let transit = (arrival.as_secs_f64() - media_time.as_secs_f64()) * 1e3;
        if self.transits.len() < WINDOW {
            self.transits.push(transit);
        } else {
            self.transits[self.next] = transit;
            self.next = (self.next + 1) % WINDOW;
        }
        self.sorted.clone_from(&self.transits);
        self.sorted.sort_unstable_by(f64::total_cmp);
        let (Some(least), count) = (self.sorted.first(), self.sorted.len()) else {
            return;
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a smaller count"
        )]
        let place = ((count as f64 * IN_TIME).ceil() as usize).clamp(1, count) - 1;
        let spread = Duration::from_secs_f64((self.sorted[place] - least).max(0.0) / 1e3);
        let wanted = (spread + frame).clamp(Self::LEAST, Self::MOST);
        // A handful says little about the worst of a hundred.
        self.target = if count < 10 {
            wanted.max(self.known)
        } else {
            wanted
        };
    }

    /// How much sound to hold.
    pub(super) fn target(&self) -> Duration {
        self.target
    }

    /// Another stream begins; what the network is like is not forgotten.
    pub(super) fn restart(&mut self) {
        self.transits.clear();
        self.next = 0;
        self.known = self.target;
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            transits: Vec::with_capacity(WINDOW),
            next: 0,
            sorted: Vec::with_capacity(WINDOW),
            target: Self::FIRST,
            known: Self::FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    /// What is learned from 500 packets that are late by what `lateness` says for each.
    fn learned(mut lateness: impl FnMut(u32) -> Duration) -> Duration {
        let mut delay = Delay::default();
        for number in 0..500 {
            let media = FRAME * number;
            delay.see(Duration::from_secs(7) + media + lateness(number), media, FRAME);
        }
        delay.target()
    }

    #[test]
    fn an_even_network_costs_the_least() {
        assert_eq!(learned(|_| Duration::ZERO), Delay::LEAST);
    }

    #[test]
    fn unevenness_is_allowed_for() {
        let mut random = StdRng::seed_from_u64(1);
        let target = learned(|_| Duration::from_micros(random.random_range(0..60_000)));
        assert!(
            (Duration::from_millis(70)..Duration::from_millis(82)).contains(&target),
            "{target:?}"
        );
    }

    #[test]
    fn one_late_packet_in_a_hundred_delays_nobody() {
        let target = learned(|number| {
            if number % 100 == 50 {
                Duration::from_millis(300)
            } else {
                Duration::ZERO
            }
        });
        assert_eq!(target, Delay::LEAST);
    }

    #[test]
    fn a_bad_network_costs_no_more_than_the_bound() {
        let mut random = StdRng::seed_from_u64(2);
        assert_eq!(
            learned(|_| Duration::from_millis(random.random_range(0..1000))),
            Delay::MOST
        );
    }

    #[test]
    fn another_clock_rate_is_no_unevenness() {
        // 200 ppm: in the window of 2.5 s half a millisecond.
        let target = learned(|number| Duration::from_micros(u64::from(number) * 4));
        assert!(target < Duration::from_millis(21), "{target:?}");
    }

    #[test]
    fn a_network_that_becomes_even_is_trusted_again() {
        let mut random = StdRng::seed_from_u64(3);
        let target = learned(|number| {
            if number < 200 {
                Duration::from_millis(random.random_range(0..100))
            } else {
                Duration::ZERO
            }
        });
        assert_eq!(target, Delay::LEAST);
    }
}
