use std::time::Duration;

/// An instant of the machine's monotonic clock (`CLOCK_MONOTONIC`), the one that V4L2 stamps buffers with
/// (`V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC`), so that times of all devices compare. Never the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The instant `since_boot` after the clock's zero.
    pub const fn from_monotonic(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// Now, by the same clock.
    pub fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Self(Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        ))
    }

    /// Time since the clock's zero.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant in ticks of an RTP clock of `hertz`, wrapped to 32 bits (RFC 3550, section 5.1).
    #[allow(
        clippy::cast_possible_truncation,
        reason = "an RTP timestamp wraps at 32 bits by definition"
    )]
    pub fn to_rtp(self, hertz: u32) -> u32 {
        (self.0.as_nanos() * u128::from(hertz) / 1_000_000_000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_ticks_follow_the_clock_rate_and_wrap() {
        let one_second = Timestamp::from_monotonic(Duration::from_secs(1));
        assert_eq!(one_second.to_rtp(90_000), 90_000);
        let past_the_wrap = Timestamp::from_monotonic(Duration::from_secs(47_722));
        assert_eq!(
            past_the_wrap.to_rtp(90_000),
            (47_722u64 * 90_000 % (1 << 32)) as u32
        );
    }

    #[test]
    fn the_clock_does_not_run_backwards() {
        let earlier = Timestamp::now();
        assert!(Timestamp::now() >= earlier);
    }
}
