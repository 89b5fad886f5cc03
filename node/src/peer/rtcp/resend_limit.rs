//! How often a packet is sent again.

use std::time::{Duration, Instant};

use crate::media::Bitrate;

/// Until a round trip was measured.
const ASSUMED: Duration = Duration::from_millis(100);
/// What is measured counts within these bounds: a report is the viewer's word.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);
/// This part of it is left out: what is measured varies, and viewers ask by a rhythm of their own, so that the next request may be half a round trip away.
const EARLY: u32 = 8;
/// A packet that is asked for again within so much time was lost a second time. Longer ago it was another one of the same number.
const ASKED_AGAIN: Duration = Duration::from_secs(2);
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

    /// How often the packet of this number and so many bytes is to be sent again now: not at all while it is on its way already, or there is no budget for
    /// it, and else it is on its way from now on. One that got lost a second time is sent twice where the path was never found full: a third time would be a
    /// freeze of several round trips. Who still misses one that was refused asks again.
    pub(in crate::peer) fn copies(&mut self, sequence: u16, bytes: usize, now: Instant) -> usize {
        if self.resent.is_empty() {
            self.resent = vec![None; REMEMBERED].into_boxed_slice();
        }
        // A path that was found full loses by its queue, and its round trips grow with that: more of the same makes both worse.
        let is_wide = self.path.is_none();
        let early = if is_wide {
            self.round_trip / EARLY
        } else {
            Duration::ZERO
        };
        let wait = self.round_trip - early;
        let last = &mut self.resent[usize::from(sequence) % REMEMBERED];
        let before = last.filter(|(packet, _)| *packet == sequence);
        let before = before.map(|(_, at)| now.saturating_duration_since(at));
        let is_on_its_way = before.is_some_and(|ago| ago < wait);
        let is_carried = self.path.is_none_or(|path| path.left > 0.0);
        if is_on_its_way || !is_carried || self.budget < bytes {
            return 0;
        }
        *last = Some((sequence, now));
        let is_lost_again = before.is_some_and(|ago| ago < ASKED_AGAIN);
        let has_room = is_wide && self.budget >= 2 * bytes;
        let copies = if is_lost_again && has_room { 2 } else { 1 };
        self.budget -= copies * bytes;
        if let Some(path) = &mut self.path {
            path.left -= (copies * bytes) as f64;
        }
        copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// What is left of a request for these packets.
    fn due(limit: &mut ResendLimit, sequences: &[u16], now: Instant) -> Vec<u16> {
        let due = |sequence: &u16| limit.copies(*sequence, 1, now) > 0;
        sequences.iter().copied().filter(due).collect()
    }

    #[test]
    fn a_packet_is_sent_again_once_in_a_round_trip() {
        let (mut limit, now) = (ResendLimit::default(), Instant::now());
        assert_eq!(due(&mut limit, &[7, 9, 65_535, 9], now), [7, 9, 65_535]);
        let soon = now + ASSUMED - ASSUMED / EARLY - MILLISECOND;
        assert_eq!(
            due(&mut limit, &[7, 8, 9], soon),
            [8],
            "the others are on their way"
        );
        assert_eq!(due(&mut limit, &[7, 8], soon + MILLISECOND), [7]);
    }

    #[test]
    fn what_got_lost_a_second_time_is_sent_twice_where_the_path_was_never_full() {
        let (mut limit, mut now) = (ResendLimit::default(), Instant::now());
        let mut copies = |limit: &mut ResendLimit, later: u32| {
            now += later * MILLISECOND;
            limit.copies(7, 1000, now)
        };
        assert_eq!(copies(&mut limit, 0), 1);
        assert_eq!(copies(&mut limit, 20), 0, "it is on its way");
        assert_eq!(copies(&mut limit, 100), 2);
        assert_eq!(copies(&mut limit, 100), 2);
        assert_eq!(copies(&mut limit, 5000), 1, "another one of the same number");
        limit.budget = 1500;
        assert_eq!(copies(&mut limit, 100), 1);
        assert_eq!(copies(&mut limit, 100), 0);
        limit = ResendLimit::default();
        limit.obey(Some(Bitrate::from_bps(1_000_000)), now);
        let at = |milliseconds: u32| now + milliseconds * MILLISECOND;
        assert_eq!(limit.copies(7, 1000, now), 1);
        assert_eq!(limit.copies(7, 1000, at(99)), 0, "all of a round trip");
        assert_eq!(limit.copies(7, 1000, at(100)), 1, "a path that was full");
    }

    #[test]
    fn the_round_trip_counts_within_its_bounds() {
        let mut now = Instant::now();
        let mut limit = ResendLimit::default();
        for (measured, expected) in [(300, 300), (0, 20), (60_000, 1000)] {
            limit.measured(measured * MILLISECOND);
            now += 2 * LONGEST;
            assert_eq!(due(&mut limit, &[7], now), [7]);
            let expected = expected * MILLISECOND * (EARLY - 1) / EARLY;
            assert!(due(&mut limit, &[7], now + expected - MILLISECOND).is_empty());
            assert_eq!(due(&mut limit, &[7], now + expected), [7]);
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
            while next - first < 100 && limit.copies(next, 1000, now) > 0 {
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
            while limit.copies(next, 1000, now) > 0 {
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
            limit.copies(next, 1000, now) > 0,
            "it was refused, and is not taken to be on its way"
        );
    }
}
