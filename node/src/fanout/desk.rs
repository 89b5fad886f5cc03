use std::time::{Duration, Instant};

use crate::media::Orders;

/// The shortest time between two ordered keyframes. A keyframe costs several times a normal frame, so a crowd
/// that joins, or one viewer on a bad network, must not turn the stream into keyframes.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(250);

/// Where the wishes of all viewers become one set of orders. Without clock or IO.
#[derive(Debug, Default)]
pub(super) struct Desk {
    keyframe_wanted: bool,
    keyframe_ordered_at: Option<Instant>,
}

impl Desk {
    pub(super) fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// What to do for the next frame. A keyframe stays wanted until one was really made: an encoder may skip
    /// the frame that it was ordered for.
    pub(super) fn take(&mut self, now: Instant) -> Orders {
        let too_soon = self
            .keyframe_ordered_at
            .is_some_and(|ordered_at| now.saturating_duration_since(ordered_at) < KEYFRAME_INTERVAL);
        let keyframe = self.keyframe_wanted && !too_soon;
        if keyframe {
            self.keyframe_ordered_at = Some(now);
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
        assert!(!desk.take(start + KEYFRAME_INTERVAL).keyframe);
    }

    #[test]
    fn a_wish_that_comes_too_soon_is_kept() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        desk.want_keyframe();
        assert!(desk.take(start).keyframe);
        desk.keyframe_made();
        desk.want_keyframe();
        assert!(!desk.take(start + KEYFRAME_INTERVAL / 2).keyframe);
        assert!(desk.take(start + KEYFRAME_INTERVAL).keyframe);
    }

    #[test]
    fn a_skipped_keyframe_is_ordered_again() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        desk.want_keyframe();
        assert!(desk.take(start).keyframe);
        assert!(desk.take(start + KEYFRAME_INTERVAL).keyframe, "none was made");
    }
}
