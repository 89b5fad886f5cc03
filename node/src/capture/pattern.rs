//! A test picture that moves, at any size and rate.
//!
//! Colour bars, a square that wanders about (so that no two frames are alike), the frame's number and the time of
//! day in digits, and that time once more for machines (see [`crate::media::clock`]). The bars are drawn once; a frame costs
//! only what changes in it.

mod picture;

use std::{
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Camera, CaptureError, Controls, VideoSource, Want};
use crate::media::{Colour, Frame, FrameRate, PixelFormat, Timestamp, VideoFormat};
use picture::Picture;

/// The test picture as a camera: always there, in any format that was asked for.
pub struct Pattern;

impl Camera for Pattern {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        Ok(Box::new(Source::new(want)))
    }

    fn describe(&self) -> String {
        "the pattern".to_owned()
    }
}

/// The running test picture. Frame `n` is due `n` intervals after the start by the monotonic clock, so the rate
/// does not drift however long it takes to fetch the frames; those that were not fetched are never drawn.
struct Source {
    picture: Picture,
    format: VideoFormat,
    start: Timestamp,
    /// The number of the next frame that was not delivered yet.
    next: u64,
}

impl Source {
    fn new(want: &Want) -> Self {
        let picture = Picture::new(want.size);
        Self {
            format: VideoFormat {
                pixel: PixelFormat::Yu12,
                size: want.size,
                stride: picture.stride(),
                colour: Colour::VIDEO,
                rate: want.rate,
            },
            picture,
            start: Timestamp::now(),
            next: 0,
        }
    }

    fn due(&self, number: u64) -> Timestamp {
        Timestamp::from_monotonic(self.start.as_duration() + after(number, self.format.rate))
    }

    /// The newest frame that is due `now`, or else the next one.
    fn newest(&self, now: Timestamp) -> u64 {
        let elapsed = now.since(self.start).as_nanos();
        let rate = self.format.rate;
        let intervals = elapsed * u128::from(rate.frames) / (1_000_000_000 * u128::from(rate.seconds.max(1)));
        u64::try_from(intervals).unwrap_or(u64::MAX).max(self.next)
    }
}

impl VideoSource for Source {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Frame<'_>>, CaptureError> {
        let wait = self.due(self.newest(Timestamp::now())).since(Timestamp::now());
        if wait > patience {
            thread::sleep(patience);
            return Ok(None);
        }
        thread::sleep(wait);
        let number = self.newest(Timestamp::now());
        self.next = number + 1;
        let captured_at = self.due(number);
        self.picture.draw(number, wall_clock(captured_at));
        #[allow(clippy::cast_possible_truncation, reason = "a sequence number wraps")]
        let sequence = number as u32;
        Ok(Some(Frame {
            format: self.format,
            captured_at,
            sequence,
            dmabuf: None,
            data: self.picture.data(),
        }))
    }

    fn set_controls(&mut self, _controls: &Controls) -> Result<(), CaptureError> {
        Ok(())
    }
}

/// The time that `number` frames take.
fn after(number: u64, rate: FrameRate) -> Duration {
    let nanoseconds = u128::from(number) * 1_000_000_000 * u128::from(rate.seconds.max(1));
    // Rounded up, so that `newest` finds a frame due at the very moment that this names.
    let nanoseconds = nanoseconds.div_ceil(u128::from(rate.frames.max(1)));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// What the wall clock showed at `instant`, since 1970.
fn wall_clock(instant: Timestamp) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Timestamp::now().since(instant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{FrameSize, clock::read_clock};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn source(size: &str, rate: FrameRate) -> Box<dyn VideoSource> {
        let size: FrameSize = size.parse().unwrap();
        Pattern
            .open(&Want {
                size,
                rate,
                format: None,
                own_encoding: super::super::OwnEncoding::Never,
                encoder_formats: Vec::new(),
                controls: Controls::new(),
            })
            .unwrap()
    }

    #[test]
    fn frames_come_at_their_rate_without_drift() {
        let mut source = source("320x180", FrameRate::per_second(200));
        let first = source.next(PATIENCE).unwrap().unwrap().captured_at;
        for _ in 0..60 {
            let frame = source.next(PATIENCE).unwrap().unwrap();
            let late = frame.captured_at.since(first).as_nanos() % 5_000_000;
            assert_eq!(late, 0, "frame {} is off the grid", frame.sequence);
        }
    }

    #[test]
    fn a_slow_reader_gets_the_newest_frame_and_sees_the_gap() {
        let mut source = source("64x64", FrameRate::per_second(1000));
        let first = source.next(PATIENCE).unwrap().unwrap().sequence;
        thread::sleep(Duration::from_millis(20));
        let frame = source.next(PATIENCE).unwrap().unwrap();
        assert!(frame.sequence >= first + 20);
        assert!(Timestamp::now().since(frame.captured_at) < Duration::from_millis(20));
    }

    #[test]
    fn patience_ends_before_a_slow_frame() {
        let rate = FrameRate {
            frames: 1,
            seconds: 1000,
        };
        let mut source = source("64x64", rate);
        assert!(
            source.next(PATIENCE).unwrap().is_some(),
            "the first is due at once"
        );
        assert!(source.next(Duration::from_millis(1)).unwrap().is_none());
    }

    #[test]
    fn every_frame_differs_and_carries_the_time() {
        let mut compared = 0;
        for size in [
            "1280x720",
            "640x480",
            "641x361",
            "176x144",
            "64x64",
            "1920x1080",
            "16x16",
            "17x31",
        ] {
            let mut source = source(size, FrameRate::per_second(500));
            let mut last: Option<(u32, Vec<u8>)> = None;
            for _ in 0..5 {
                let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let frame = source.next(PATIENCE).unwrap().unwrap();
                let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let format = frame.format;
                let shown = read_clock(frame.data, format.stride as usize, format.size.width as usize);
                if format.size.width >= 64 {
                    let shown = Duration::from_micros(shown.expect("a clock") * 100);
                    // A frame may have been due a little before it was asked for.
                    assert!(
                        shown + Duration::from_millis(50) > before && shown <= after,
                        "{shown:?} {before:?}"
                    );
                } else {
                    assert_eq!(shown, None, "{size} is too small for a clock");
                }
                // In a small picture the square is soon where it was: on a busy machine frames are left out.
                if let Some((sequence, picture)) = &last
                    && frame.sequence == sequence + 1
                {
                    assert_ne!(picture, frame.data, "{size}: the picture stands still");
                    compared += 1;
                }
                last = Some((frame.sequence, frame.data.to_vec()));
            }
        }
        assert!(compared > 0, "no two frames in a row");
    }
}
