//! What a path does to packets, as far as chance decides on it.

use std::time::Duration;

/// What a path carries nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It is whole.
    Nothing,
    /// UDP.
    Media,
    /// Signaling as well.
    Everything,
}

/// What a path does to packets in one direction.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Bits a second; `None`: as fast as it goes.
    pub rate: Option<u64>,
    /// For how long packets may wait before the bottleneck; those that would wait longer get lost.
    pub queue: Duration,
    /// How long each is on its way, besides that.
    pub delay: Duration,
    /// By how much longer one may be on its way than another, by chance.
    pub jitter: Duration,
    /// Whether a packet that takes longer is overtaken by those behind it; otherwise they wait for it.
    pub reorders: bool,
    /// The share that gets lost by chance, 0 to 1.
    pub loss: f64,
    /// What does not get through at all.
    pub cut: Cut,
}

impl Conditions {
    /// A path that everything gets through, at once.
    pub const GOOD: Self = Self {
        rate: None,
        queue: Duration::from_millis(200),
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        reorders: false,
        loss: 0.0,
        cut: Cut::Nothing,
    };

    /// One that is narrow, with a queue of a fifth of a second before it, and 40 ms there and back.
    pub const fn narrow(bits_per_second: u64) -> Self {
        Self {
            rate: Some(bits_per_second),
            delay: Duration::from_millis(20),
            ..Self::GOOD
        }
    }

    /// One that loses this share, in either direction, with this time there and back.
    pub const fn lossy(loss: f64, round_trip: Duration) -> Self {
        Self {
            loss,
            delay: Duration::from_millis(round_trip.as_millis() as u64 / 2),
            ..Self::GOOD
        }
    }
}

/// Chance that is the same each time (splitmix64).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An even number from 0 to 1.
    pub(super) fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_even_and_the_same_each_time() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..1000).map(|_| chance.draw()).sum::<f64>() / 1000.0
        };
        assert!((0.45..0.55).contains(&draw(1)), "{}", draw(1));
        assert_eq!(draw(1).to_bits(), draw(1).to_bits());
        assert_ne!(draw(1).to_bits(), draw(2).to_bits());
    }
}
