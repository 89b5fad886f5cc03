use std::time::Duration;

/// Growing pauses between tries. Without clock or chance: the caller brings a random number.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    /// Short enough that a camera is back soon after its server.
    const LONGEST: Duration = Duration::from_secs(3);

    /// As after many tries.
    pub(super) fn at_its_longest() -> Self {
        Self { tries: 8 }
    }

    /// The next pause: half of it by chance, so that a hundred cameras don't come back in one instant.
    pub(super) fn next(&mut self, chance: u8) -> Duration {
        let full = (Self::FIRST * 2u32.saturating_pow(self.tries.min(8))).min(Self::LONGEST);
        self.tries += 1;
        full / 2 + full / 2 * u32::from(chance) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_spread() {
        let (mut early, mut late) = (Backoff::default(), Backoff::default());
        for _ in 0..20 {
            let (least, most) = (early.next(0), late.next(255));
            assert_eq!(least * 2, most);
            assert!(most <= Backoff::LONGEST);
        }
        assert_eq!(late.next(255), Backoff::LONGEST);
        assert_eq!(Backoff::at_its_longest().next(255), Backoff::LONGEST);
    }
}
