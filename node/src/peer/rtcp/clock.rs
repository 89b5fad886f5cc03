//! The clocks of sender reports.

use std::time::{Duration, Instant, SystemTime};

use crate::media::Timestamp;

/// From the beginning of NTP's time in 1900 to that of Unix (RFC 5905, figure 4), in seconds.
const NTP_BEFORE_UNIX: u64 = 2_208_988_800;

/// The clock of video in RTP, in ticks a second (RFC 6184, section 8.2.1; RFC 7741, section 6.1).
pub(in crate::peer) const VIDEO_CLOCK: u32 = 90_000;

/// The same moment as an [`Instant`], by which everything here is timed, as a [`Timestamp`], by which pictures and sound are, and by the
/// clock on the wall. The first two are of `CLOCK_MONOTONIC`, so one moment leads to all others.
#[derive(Clone, Copy, Debug)]
pub(in crate::peer) struct Anchor {
    pub(in crate::peer) instant: Instant,
    pub(in crate::peer) timestamp: Timestamp,
    /// Since the beginning of 1970, UTC.
    pub(in crate::peer) wall: Duration,
}

impl Anchor {
    /// This moment, as well as it can be read.
    pub(in crate::peer) fn measure() -> Self {
        // Who is interrupted between the two readings is wrong by as much: the quickest of several is taken.
        let reading = || {
            let anchor = Self {
                instant: Instant::now(),
                timestamp: Timestamp::now(),
                wall: wall(),
            };
            (anchor.instant.elapsed(), anchor)
        };
        let again = (0..8).map(|_| reading());
        let (_, best) = again.fold(
            reading(),
            |best, other| if other.0 < best.0 { other } else { best },
        );
        best
    }

    /// The same moment, with the wall's clock as it is now: it may have been set, above all on a board without a clock of its own.
    pub(in crate::peer) fn renewed(self) -> Self {
        Self {
            wall: wall().saturating_sub(self.instant.elapsed()),
            ..self
        }
    }

    /// An instant after the anchor as NTP's time stamp: seconds since 1900, with 32 bits of fractions (RFC 5905, section 6).
    pub(in crate::peer) fn ntp(self, instant: Instant) -> u64 {
        let wall = self
            .wall
            .saturating_add(instant.saturating_duration_since(self.instant));
        let fraction = (u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000;
        // The seconds begin anew in 2036.
        wall.as_secs().wrapping_add(NTP_BEFORE_UNIX) << 32 | fraction
    }

    /// A time stamp for an instant, before the anchor or after it.
    pub(in crate::peer) fn at(self, instant: Instant) -> Timestamp {
        let anchor = self.timestamp.as_duration();
        Timestamp::from_monotonic(match instant.checked_duration_since(self.instant) {
            Some(since) => anchor.saturating_add(since),
            None => anchor.saturating_sub(self.instant.saturating_duration_since(instant)),
        })
    }
}

fn wall() -> Duration {
    // Before 1970 there was no RTP.
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// What leads from the monotonic clock to the RTP time stamps of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) struct StreamClock {
    pub(in crate::peer) ssrc: u32,
    pub(in crate::peer) rate: u32,
    pub(in crate::peer) offset: u32,
}

impl StreamClock {
    /// The stream's time stamp for this moment.
    pub(in crate::peer) fn at(self, instant: Timestamp) -> u32 {
        instant.to_rtp(self.rate).wrapping_add(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor() -> Anchor {
        Anchor {
            instant: Instant::now(),
            timestamp: Timestamp::from_monotonic(Duration::from_secs(100)),
            wall: Duration::from_millis(1_500),
        }
    }

    #[test]
    fn one_moment_on_both_clocks_leads_to_all_others() {
        let anchor = anchor();
        let by = Duration::from_millis(1500);
        let at = |instant| anchor.at(instant).as_duration().as_millis();
        assert_eq!(at(anchor.instant), 100_000);
        assert_eq!(at(anchor.instant + by), 101_500);
        if let Some(before) = anchor.instant.checked_sub(by) {
            assert_eq!(at(before), 98_500);
        }
    }

    #[test]
    fn ntp_counts_from_1900_in_fractions_of_two() {
        let anchor = anchor();
        assert_eq!(anchor.ntp(anchor.instant), (NTP_BEFORE_UNIX + 1) << 32 | 1 << 31);
        let later = anchor.instant + Duration::from_millis(750);
        assert_eq!(anchor.ntp(later), (NTP_BEFORE_UNIX + 2) << 32 | 1 << 30);
        let in_2036 = Anchor {
            wall: Duration::from_secs((1 << 32) - NTP_BEFORE_UNIX),
            ..anchor
        };
        assert_eq!(in_2036.ntp(anchor.instant), 0);
    }

    #[test]
    fn the_walls_clock_is_renewed_for_the_same_moment() {
        let anchor = Anchor::measure();
        let renewed = Anchor {
            wall: Duration::ZERO,
            ..anchor
        }
        .renewed();
        assert_eq!(
            (renewed.instant, renewed.timestamp),
            (anchor.instant, anchor.timestamp)
        );
        assert!(renewed.wall.abs_diff(anchor.wall) < Duration::from_secs(60));
    }
}
