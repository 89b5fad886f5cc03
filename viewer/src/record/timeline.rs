//! RTP timestamps to the times in a file.

use crate::receive::intake::VIDEO_CLOCK;

/// A step in the timestamps that is longer than this is another stream, not a pause.
const LONGEST_PAUSE: u64 = 600 * VIDEO_CLOCK as u64;

/// The time between two frames, in ticks, where the timestamps do not tell it.
const USUAL_STEP: u64 = VIDEO_CLOCK as u64 / 30;

/// Turns RTP timestamps into milliseconds from the first frame, which never go back: a stream that was begun
/// anew, with new timestamps, follows right behind the old one.
#[derive(Default)]
pub struct Timeline {
    last: Option<u64>,
    ticks: u64,
}

impl Timeline {
    /// The time of the frame with that timestamp, in milliseconds.
    pub fn place(&mut self, timestamp: u64) -> u64 {
        if let Some(last) = self.last {
            self.ticks += match timestamp.checked_sub(last) {
                Some(step) if step <= LONGEST_PAUSE => step,
                _ => USUAL_STEP,
            };
        }
        self.last = Some(timestamp);
        self.ticks * 1000 / u64::from(VIDEO_CLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_start_at_zero_do_not_drift_and_survive_a_new_stream() {
        let mut timeline = Timeline::default();
        let times: Vec<_> = (0..301).map(|n| timeline.place((1 << 41) + n * 3003)).collect();
        assert_eq!((times[0], times[1], times[300]), (0, 33, 10_010));
        assert_eq!(timeline.place(5), 10_043, "timestamps went back");
        assert_eq!(timeline.place(5 + 90_000 * 60), 70_043, "a pause stays a pause");
        assert_eq!(timeline.place(90_000 * 3600), 70_076, "a leap is another stream");
    }
}
