//! How often a packet is sent again.

use std::time::{Duration, Instant};

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
}

impl Default for ResendLimit {
    fn default() -> Self {
        Self {
            round_trip: ASSUMED,
            // Without memory until the first request.
            resent: Box::default(),
            budget: FIRST,
        }
    }
}

impl ResendLimit {
    /// The round trip was measured.
    pub(in crate::peer) fn measured(&mut self, round_trip: Duration) {
        self.round_trip = round_trip.clamp(SHORTEST, LONGEST);
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
        match self.budget.checked_sub(bytes) {
            Some(left) if !is_on_its_way => {
                *last = Some((sequence, now));
                self.budget = left;
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
