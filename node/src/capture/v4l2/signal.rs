use std::fmt;

use super::flags::{DV_FL_CAN_DETECT_REDUCED_FPS, DV_FL_REDUCED_FPS};
use crate::media::{FrameRate, FrameSize};

/// What the source at an HDMI input sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The visible picture; of an interlaced signal the whole frame.
    pub size: FrameSize,
    /// Whole frames a second.
    pub rate: FrameRate,
    /// Whether a frame comes as two fields, one after the other.
    pub interlaced: bool,
}

/// The numbers of a signal that say how large and how fast it is (`struct v4l2_bt_timings`), in pixels and lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    pub width: u32,
    /// Of both fields, where there are two.
    pub height: u32,
    /// Pixels of a line that are not shown: front porch, sync and back porch.
    pub horizontal_blanking: u64,
    /// The same of lines, of both fields where there are two.
    pub vertical_blanking: u64,
    pub interlaced: bool,
    /// Pixels a second.
    pub pixel_clock: u64,
    /// `V4L2_DV_FL_*`.
    pub flags: u32,
}

impl Signal {
    /// What such timings mean; `fallback` is the rate where they don't tell one that can be.
    pub fn of(timings: &Timings, fallback: FrameRate) -> Self {
        let Timings {
            width,
            height,
            interlaced,
            ..
        } = *timings;
        Self {
            size: FrameSize { width, height },
            rate: rate(timings).unwrap_or(fallback),
            interlaced,
        }
    }

    /// Pictures a second, where each is so large: a driver may give the fields of an interlaced signal one by one.
    pub fn rate_of(&self, picture: FrameSize) -> FrameRate {
        let is_field = self.interlaced && picture.height <= self.size.height / 2;
        let FrameRate { frames, seconds } = self.rate;
        FrameRate {
            frames: if is_field { 2 * frames } else { frames },
            seconds,
        }
    }

    /// Whether what is set up for the one is right for the other. A source's clock, and what a chip measures of it, are never exact.
    pub fn is_as(&self, other: &Self) -> bool {
        /// 24 and 25 a second are two rates; 59.94 and 60 are as good as one.
        const SAME_RATE: f64 = 0.01;
        let off = self.rate.as_f64() / other.rate.as_f64() - 1.0;
        self.size == other.size && self.interlaced == other.interlaced && off.abs() < SAME_RATE
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            size,
            rate,
            interlaced,
        } = self;
        let interlaced = if *interlaced { " interlaced" } else { "" };
        write!(f, "{size}{interlaced} {rate}")
    }
}

/// Pixels a second by pixels of a frame, shown or not.
#[allow(
    clippy::cast_precision_loss,
    reason = "a double holds each of these numbers exactly"
)]
fn rate(timings: &Timings) -> Option<FrameRate> {
    let across = u64::from(timings.width) + timings.horizontal_blanking;
    let down = u64::from(timings.height) + timings.vertical_blanking;
    let pixels = across as f64 * down as f64;
    // The clock is that of the whole rate then, as 60 for 59.94.
    let reduced = DV_FL_CAN_DETECT_REDUCED_FPS | DV_FL_REDUCED_FPS;
    let clock = match timings.flags & reduced == reduced {
        true => timings.pixel_clock as f64 / 1.001,
        false => timings.pixel_clock as f64,
    };
    FrameRate::from_decimal(clock / pixels).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As CTA-861 has them: visible and whole size, clock in Hz.
    fn timings(visible: [u32; 2], whole: [u64; 2], interlaced: bool, pixel_clock: u64) -> Timings {
        Timings {
            width: visible[0],
            height: visible[1],
            horizontal_blanking: whole[0] - u64::from(visible[0]),
            vertical_blanking: whole[1] - u64::from(visible[1]),
            interlaced,
            pixel_clock,
            flags: 0,
        }
    }

    fn signal(timings: &Timings) -> Signal {
        Signal::of(timings, FrameRate::per_second(30))
    }

    #[test]
    fn size_and_rate_are_those_of_the_signal() {
        let (hd, full_hd) = ([1280, 720], [1920, 1080]);
        for (timings, expected) in [
            (timings(hd, [1650, 750], false, 74_250_000), "1280x720 60 fps"),
            (timings(hd, [1980, 750], false, 74_250_000), "1280x720 50 fps"),
            (
                timings(full_hd, [2200, 1125], false, 74_250_000),
                "1920x1080 30 fps",
            ),
            (
                timings(full_hd, [2640, 1125], false, 148_500_000),
                "1920x1080 50 fps",
            ),
            (
                timings([640, 480], [800, 525], false, 25_175_000),
                "640x480 59.94 fps",
            ),
            // A computer's mode by the formula of VESA (CVT).
            (
                timings([1366, 768], [1792, 798], false, 85_500_000),
                "1366x768 59.79 fps",
            ),
        ] {
            assert_eq!(signal(&timings).to_string(), expected);
        }
    }

    #[test]
    fn an_interlaced_signal_has_whole_frames_at_half_the_rate_of_its_fields() {
        // 1080i50: 50 fields of 540 lines, and 22 and 23 lines between them.
        let pal = timings([1920, 1080], [2640, 1125], true, 74_250_000);
        assert_eq!(signal(&pal).to_string(), "1920x1080 interlaced 25 fps");
        let ntsc = timings([720, 480], [858, 525], true, 13_500_000);
        assert_eq!(signal(&ntsc).to_string(), "720x480 interlaced 29.97 fps");
        assert_eq!(
            signal(&ntsc).rate,
            FrameRate {
                frames: 30_000,
                seconds: 1001
            }
        );
        let rate_of = |size: &str| signal(&pal).rate_of(size.parse().unwrap()).to_string();
        assert_eq!(rate_of("1920x1080"), "25 fps");
        assert_eq!(rate_of("1920x540"), "50 fps", "field by field");
    }

    #[test]
    fn a_reduced_rate_is_told_by_the_clock_or_by_a_flag() {
        let by_clock = timings([1280, 720], [1650, 750], false, 74_175_824);
        let mut by_flag = timings([1280, 720], [1650, 750], false, 74_250_000);
        let expected = FrameRate {
            frames: 60_000,
            seconds: 1001,
        };
        assert_eq!(signal(&by_clock).rate, expected);
        by_flag.flags = DV_FL_REDUCED_FPS;
        assert_eq!(
            signal(&by_flag).rate,
            FrameRate::per_second(60),
            "only a receiver that can tell"
        );
        by_flag.flags |= DV_FL_CAN_DETECT_REDUCED_FPS;
        assert_eq!(signal(&by_flag).rate, expected);
    }

    #[test]
    fn what_tells_no_rate_has_that_which_is_asked_for() {
        for pixel_clock in [0, 1, u64::MAX] {
            let timings = timings([1280, 720], [1650, 750], false, pixel_clock);
            assert_eq!(signal(&timings).to_string(), "1280x720 30 fps");
        }
        assert_eq!(signal(&Timings::default()).rate, FrameRate::per_second(30));
    }

    #[test]
    fn a_clock_that_is_a_little_off_is_the_same_signal() {
        let was = signal(&timings([1280, 720], [1650, 750], false, 74_250_000));
        let is = |timings: Timings| was.is_as(&signal(&timings));
        assert!(is(timings([1280, 720], [1650, 750], false, 74_175_824)));
        assert!(is(timings([1280, 720], [1650, 750], false, 74_260_000)));
        assert!(!is(timings([1280, 720], [1980, 750], false, 74_250_000)), "50 Hz");
        assert!(!is(timings([1920, 1080], [2200, 1125], false, 148_500_000)));
        assert!(!is(timings([1280, 720], [1650, 750], true, 74_250_000)));
    }
}
