//! A picture that a narrow path can't take at once, sent over the time until the next one. What waits is a place in the feed's ring, of one picture at most.

use std::time::{Duration, Instant};

use crate::{
    media::{Bitrate, Timestamp},
    peer::{feed::Packetised, ring::Ring},
};

/// How much faster than the path's rate at most: queues on the way take a little, and a path may carry more than is known.
const FASTER: f64 = 2.5;
/// Between two slices.
pub(super) const SLICE: Duration = Duration::from_millis(5);
/// The time between two pictures counts within these bounds.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(70);

/// What of a picture is still to be sent, where there is some.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// When the picture before was captured.
    before: Option<Timestamp>,
    pub(super) rest: Option<Rest>,
}

/// What is left of one.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) ring: Ring,
    /// The numbers in the ring: of the picture's first packet, of the next one, and of that behind the last.
    pub(super) first: u64,
    pub(super) next: u64,
    pub(super) end: u64,
    began: Instant,
    /// Bytes a second.
    rate: f64,
    /// Bytes so far.
    pub(super) sent: usize,
    pub(super) due: Instant,
}

impl Spread {
    /// Takes a picture, of which nothing was sent yet, where the path carries so much and the picture is more than that. Returns whether it is taken.
    /// Nothing of another one is left.
    pub(super) fn take(&mut self, picture: &Packetised, carries: Option<Bitrate>, now: Instant) -> bool {
        let captured_at = picture.unit.captured_at;
        let before = self.before.replace(captured_at);
        let (Some(carries), Some(before)) = (carries, before) else {
            return false;
        };
        let interval = captured_at.since(before).clamp(SHORTEST, LONGEST).as_secs_f64();
        let carries = carries.bps() as f64 / 8.0;
        let bytes: usize = picture.payloads.iter().map(|payload| payload.len()).sum();
        if bytes as f64 <= carries * interval {
            return false;
        }
        self.rest = Some(Rest {
            ring: picture.ring.clone(),
            first: picture.first,
            next: picture.first,
            end: picture.first + picture.payloads.len() as u64,
            began: now,
            // The next picture does not wait for it.
            rate: (carries * FASTER).max(bytes as f64 / interval),
            sent: 0,
            due: now,
        });
        true
    }

    /// Forgets what is left.
    pub(super) fn stop(&mut self) {
        self.rest = None;
    }

    /// When the next slice is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.rest.as_ref().map(|rest| rest.due)
    }

    /// Whether a slice is due. If so, another one is due a moment later, whatever becomes of this one.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let rest = self.rest.as_mut().filter(|rest| rest.due <= now);
        rest.map(|rest| rest.due = now + SLICE).is_some()
    }
}

impl Rest {
    /// Whether the next packet is to be sent by now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.began) + SLICE;
        (self.sent as f64) < self.rate * passed.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::{AccessUnit, Layer, Rung};

    fn picture(ring: &Ring, packets: usize, milliseconds: u64) -> Packetised {
        let payloads = vec![Bytes::from_static(&[0; 1000]); packets];
        let unit = AccessUnit {
            data: Bytes::new(),
            captured_at: Timestamp::from_monotonic(Duration::from_millis(milliseconds)),
            is_keyframe: false,
            layer: Layer::Base,
        };
        Packetised {
            first: ring.keep(&payloads, &unit),
            unit,
            payloads,
            rung: Rung::TOP,
            has_small: false,
            rates: None,
            ring: ring.clone(),
        }
    }

    #[test]
    fn what_the_path_can_t_take_at_once_goes_over_the_time_until_the_next() {
        let (ring, now) = (Ring::default(), Instant::now());
        let carries = Some(Bitrate::from_bps(1_000_000));
        let mut spread = Spread::default();
        assert!(
            !spread.take(&picture(&ring, 50, 0), carries, now),
            "nobody knows for how long"
        );
        assert!(!spread.take(&picture(&ring, 50, 40), None, now), "nor how fast");
        assert!(
            !spread.take(&picture(&ring, 5, 80), carries, now),
            "it takes 40 ms"
        );
        assert!(spread.take(&picture(&ring, 50, 120), carries, now));
        assert!(spread.is_due(now) && !spread.is_due(now));
        assert_eq!(spread.next(), Some(now + SLICE));
        let rest = spread.rest.as_mut().expect("it was taken");
        let mut sent = Vec::new();
        for slices in 0..8 {
            let before = rest.sent;
            while rest.is_due(now + slices * SLICE) {
                rest.sent += 1000;
            }
            sent.push((rest.sent - before) / 1000);
        }
        assert_eq!(sent.iter().sum::<usize>(), 50, "{sent:?}");
        assert!(sent.iter().all(|slice| (6..=7).contains(slice)), "{sent:?}");
        spread.stop();
        assert_eq!((spread.next(), spread.is_due(now + SLICE)), (None, false));
    }
}
