use std::time::{Duration, Instant};

use crate::media::Orders;

/// On average there is at least this long between two ordered keyframes. A keyframe costs several times a
/// normal frame, so a crowd that joins, or one viewer on a bad network, must not turn the stream into keyframes.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(400);
/// As many may be ordered in a row: the one that starts the encoder is over when the viewer that it was started
/// for is connected, and that viewer should not wait.
const KEYFRAMES_IN_A_ROW: u32 = 2;

/// Where the wishes of all viewers become one set of orders. Without clock or IO.
#[derive(Debug, Default)]
pub(super) struct Desk {
    keyframe_wanted: bool,
    /// When the keyframes ordered so far are paid for, at one an interval.
    paid_until: Option<Instant>,
}

impl Desk {
    pub(super) fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// What to do for the next frame. A keyframe stays wanted until one was really made: an encoder may skip
    /// the frame that it was ordered for.
    pub(super) fn take(&mut self, now: Instant) -> Orders {
        let paid_until = self.paid_until.map_or(now, |paid_until| paid_until.max(now));
        let debt = paid_until.saturating_duration_since(now);
        let keyframe = self.keyframe_wanted && debt <= KEYFRAME_INTERVAL * (KEYFRAMES_IN_A_ROW - 1);
        if keyframe {
            self.paid_until = Some(paid_until + KEYFRAME_INTERVAL);
        }
        Orders {
            keyframe,
            bitrate: None,
        }
    }

    pub(super) fn keyframe_made(&mut self) {
        self.keyframe_wanted = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_gets_one_keyframe() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        for _ in 0..100 {
            desk.want_keyframe();
        }
        assert!(desk.take(start).keyframe);
        desk.keyframe_made();
        assert!(
            !desk.take(start + KEYFRAME_INTERVAL).keyframe,
            "it was for all of them"
        );
    }

    #[test]
    fn a_viewer_that_connects_does_not_wait_for_the_keyframe_before() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        for millisecond in [0, 30] {
            desk.want_keyframe();
            assert!(desk.take(start + Duration::from_millis(millisecond)).keyframe);
            desk.keyframe_made();
        }
    }

    #[test]
    fn keyframes_are_limited_in_rate_and_no_wish_is_lost() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        let mut asked_and_ordered = |millisecond| {
            desk.want_keyframe();
            let keyframe = desk.take(start + Duration::from_millis(millisecond)).keyframe;
            if keyframe {
                desk.keyframe_made();
            }
            keyframe
        };
        let ordered = (0..10_000)
            .filter(|millisecond| asked_and_ordered(*millisecond))
            .count();
        assert_eq!(ordered, 26, "two at once and then one in 400 ms");
        assert!(
            desk.take(start + Duration::from_secs(20)).keyframe,
            "the last wish was kept"
        );
    }

    #[test]
    fn a_skipped_keyframe_is_ordered_again() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        desk.want_keyframe();
        assert!(desk.take(start).keyframe);
        assert!(desk.take(start + KEYFRAME_INTERVAL).keyframe, "none was made");
    }
}
