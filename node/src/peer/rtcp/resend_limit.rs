//! How often a packet is sent again.

use std::time::{Duration, Instant};

use crate::media::Bitrate;

/// Until a round trip was measured.
const ASSUMED: Duration = Duration::from_millis(100);
/// What is measured counts within these bounds: a report is the viewer's word.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);
/// Packets that are remembered as sent again. At least as many as are kept for it.
const REMEMBERED: usize = 1024;

/// Bytes that are sent again at once, whatever was sent before, and the most that is saved up: a lost keyframe.
const FIRST: usize = 64 * 1024;
const MOST: usize = 256 * 1024;
/// In the long run one byte is sent again for this many that were sent. A path that loses more is helped by a lower rate, not by more
/// packets.
const SHARE: usize = 2;
/// Of a path that was found full as much as it carries, and at once what it carries in so much time. What else is missing then is better asked for again, or made
/// good by a keyframe, than sent into a queue. With half of it a keyframe that had lost its end was not whole before the next one came, and so for ever.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Has a packet sent again at most once in a round trip, and no more than half of the stream in all: a request of a few bytes can
/// name thousands of packets.
///
/// Viewers repeat their requests (RFC 4585, section 6.2.1) until the packet is there, some every 20 ms. Where the round trip takes longer, all but
/// the first only ask for what is on its way, and the answers to them would fill a narrow path with copies until nothing else gets
/// through.
#[derive(Debug)]
pub(in crate::peer) struct ResendLimit {
    round_trip: Duration,
    /// By the last bits of the sequence number: which packet was sent again last, and when.
    resent: Box<[Option<(u16, Instant)>]>,
    /// Bytes that may be sent again.
    budget: usize,
    /// Where it is known what the path carries.
    path: Option<Path>,
}

/// What of a path may be for what is sent again.
#[derive(Clone, Copy, Debug)]
struct Path {
    carries: Bitrate,
    /// Bytes that may go there now.
    left: f64,
    since: Instant,
}

impl Path {
    fn new(carries: Bitrate, now: Instant) -> Self {
        Self {
            carries,
            left: Self::most(carries),
            since: now,
        }
    }

    fn most(carries: Bitrate) -> f64 {
        carries.bps() as f64 / 8.0 * AT_ONCE.as_secs_f64()
    }

    /// The path carries this now.
    fn change(&mut self, carries: Bitrate, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        let earned = self.carries.bps() as f64 / 8.0 * passed;
        self.left = (self.left + earned).min(Self::most(carries));
        (self.carries, self.since) = (carries, now);
    }
}

impl Default for ResendLimit {
    fn default() -> Self {
        Self {
            round_trip: ASSUMED,
            // Without memory until the first request.
            resent: Box::default(),
            budget: FIRST,
            path: None,
        }
    }
}

impl ResendLimit {
    /// The round trip was measured.
    pub(in crate::peer) fn measured(&mut self, round_trip: Duration) {
        self.round_trip = round_trip.clamp(SHORTEST, LONGEST);
    }

    /// The path carries this; `None` where it was never found full.
    pub(in crate::peer) fn obey(&mut self, carries: Option<Bitrate>, now: Instant) {
        match (&mut self.path, carries) {
            (Some(path), Some(carries)) => path.change(carries, now),
            (path, carries) => *path = carries.map(|carries| Path::new(carries, now)),
        }
    }

    /// So many bytes were sent for the first time.
    pub(in crate::peer) fn earn(&mut self, bytes: usize) {
        self.budget = (self.budget + bytes / SHARE).min(MOST);
    }

    /// Whether the packet of this number and so many bytes is to be sent again: it is not on its way already, and there is a budget for it. If
    /// so, it is on its way from now on. Who still misses one that was refused asks again.
    pub(in crate::peer) fn takes(&mut self, sequence: u16, bytes: usize, now: Instant) -> bool {
        if self.resent.is_empty() {
            self.resent = vec![None; REMEMBERED].into_boxed_slice();
        }
        let last = &mut self.resent[usize::from(sequence) % REMEMBERED];
        let is_on_its_way = last.is_some_and(|(packet, at)| {
            packet == sequence && now.saturating_duration_since(at) < self.round_trip
        });
        let is_carried = self.path.is_none_or(|path| path.left > 0.0);
        match self.budget.checked_sub(bytes) {
            Some(left) if !is_on_its_way && is_carried => {
                *last = Some((sequence, now));
                self.budget = left;
                if let Some(path) = &mut self.path {
                    path.left -= bytes as f64;
                }
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// What is left of a request for these packets.
    fn due(limit: &mut ResendLimit, sequences: &[u16], now: Instant) -> Vec<u16> {
        let due = |sequence: &u16| limit.takes(*sequence, 1, now);
        sequences.iter().copied().filter(due).collect()
    }

    #[test]
    fn a_packet_is_sent_again_once_in_a_round_trip() {
        let (mut limit, now) = (ResendLimit::default(), Instant::now());
        assert_eq!(due(&mut limit, &[7, 9, 65_535, 9], now), [7, 9, 65_535]);
        let soon = now + ASSUMED - MILLISECOND;
        assert_eq!(
            due(&mut limit, &[7, 8, 9], soon),
            [8],
            "the others are on their way"
        );
        assert_eq!(due(&mut limit, &[7, 8], now + ASSUMED), [7]);
    }

    #[test]
    fn the_round_trip_counts_within_its_bounds() {
        let mut now = Instant::now();
        let mut limit = ResendLimit::default();
        for (measured, expected) in [(300, 300), (0, 20), (60_000, 1000)] {
            limit.measured(measured * MILLISECOND);
            now += 2 * LONGEST;
            assert_eq!(due(&mut limit, &[7], now), [7]);
            assert!(due(&mut limit, &[7], now + (expected - 1) * MILLISECOND).is_empty());
            assert_eq!(due(&mut limit, &[7], now + expected * MILLISECOND), [7]);
        }
    }

    #[test]
    fn whatever_is_asked_for_costs_no_more_memory() {
        let mut limit = ResendLimit::default();
        assert!(limit.resent.is_empty());
        limit.earn(MOST * SHARE);
        let all: Vec<_> = (0..=u16::MAX).collect();
        assert_eq!(due(&mut limit, &all, Instant::now()), all);
        assert_eq!(limit.resent.len(), REMEMBERED);
    }

    #[test]
    fn what_a_path_carries_is_not_all_for_what_is_sent_again() {
        let (mut limit, mut now) = (ResendLimit::default(), Instant::now());
        limit.earn(MOST * SHARE);
        let mut next = 0;
        let mut spent = |limit: &mut ResendLimit, carries: Option<u64>, now: Instant| {
            limit.obey(carries.map(Bitrate::from_bps), now);
            let first = next;
            while next - first < 100 && limit.takes(next, 1000, now) {
                next += 1;
            }
            next - first
        };
        assert_eq!(spent(&mut limit, None, now), 100, "nobody knows");
        assert_eq!(
            spent(&mut limit, Some(800_000), now),
            50,
            "what it carries in half a second"
        );
        now += 100 * MILLISECOND;
        assert_eq!(spent(&mut limit, Some(800_000), now), 10);
        now += Duration::from_secs(60);
        assert_eq!(spent(&mut limit, Some(400_000), now), 25, "no more is saved up");
    }

    #[test]
    fn half_of_the_stream_may_be_sent_again_and_a_keyframe_at_once() {
        let mut limit = ResendLimit::default();
        let now = Instant::now();
        let mut next = 0;
        let mut spent = |limit: &mut ResendLimit| {
            let first = next;
            while limit.takes(next, 1000, now) {
                next += 1;
            }
            usize::from(next - first)
        };
        assert_eq!(spent(&mut limit), FIRST / 1000);
        limit.earn(20_000);
        assert_eq!(spent(&mut limit), 10);
        limit.earn(100_000_000);
        assert_eq!(spent(&mut limit), MOST / 1000, "no more is saved up");
        limit.earn(2000);
        assert!(
            limit.takes(next, 1000, now),
            "it was refused, and is not taken to be on its way"
        );
    }
}
