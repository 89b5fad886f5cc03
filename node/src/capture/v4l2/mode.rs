use std::{cmp::Reverse, fmt, io};

use v4l::{
    Device, FourCC, Fraction,
    frameinterval::{FrameIntervalEnum, Stepwise},
    framesize::FrameSizeEnum,
    video::Capture,
};

use super::ioctl::{self, Dialect};
use crate::{
    capture::Want,
    media::{FrameRate, FrameSize, PixelFormat},
};

/// A format and size that a device offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The kernel's four-character code.
    pub fourcc: [u8; 4],
    /// What it is, where it can be encoded here.
    pub pixel: Option<PixelFormat>,
    /// The picture; `None` where the driver lists no sizes.
    pub size: Option<FrameSize>,
    /// Frames a second, as the driver lists them; empty where it lists none.
    pub rates: Vec<FrameRate>,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(String::from_utf8_lossy(&self.fourcc).trim_end())?;
        if let Some(size) = self.size {
            write!(f, " {size}")?;
        }
        let fastest = self.rates.iter().max_by(|a, b| a.as_f64().total_cmp(&b.as_f64()));
        match fastest {
            Some(rate) => write!(f, " up to {rate}"),
            None => Ok(()),
        }
    }
}

/// The formats that a camera may deliver, for an error.
pub fn usable_formats() -> String {
    let names: Vec<_> = PixelFormat::codes()
        .map(|code| String::from_utf8_lossy(code.trim_ascii_end()))
        .collect();
    names.join(", ")
}

/// The modes of a device. Where it takes any size or rate of a range, the one that comes nearest to `want` stands
/// for all.
///
/// # Errors
///
/// The driver's, if it can't even list its formats.
pub fn modes(device: &Device, dialect: Dialect, want: &Want) -> io::Result<Vec<Mode>> {
    let mut modes = Vec::new();
    for repr in ioctl::formats(device, dialect)? {
        let fourcc = FourCC::new(&repr);
        let mode = |size, rates| Mode {
            fourcc: fourcc.repr,
            pixel: PixelFormat::of_fourcc(fourcc.repr),
            size,
            rates,
        };
        // Listing sizes is optional for a driver.
        let sizes = device.enum_framesizes(fourcc).unwrap_or_default();
        if sizes.is_empty() {
            modes.push(mode(None, Vec::new()));
        }
        for size in sizes {
            let size = nearest_size(&size.size, want.size);
            modes.push(mode(Some(size), rates(device, fourcc, size, want.rate)));
        }
    }
    Ok(modes)
}

/// The formats alone, each once: what has a source sends pictures of its source's size, whatever the driver lists.
pub fn without_sizes(mut modes: Vec<Mode>) -> Vec<Mode> {
    for mode in &mut modes {
        mode.size = None;
        mode.rates.clear();
    }
    modes.dedup();
    modes
}

/// Whether encoders take pictures of that size.
pub fn is_possible(size: FrameSize) -> bool {
    let possible = 16..=8192;
    possible.contains(&size.width) && possible.contains(&size.height)
}

fn nearest_size(offer: &FrameSizeEnum, want: FrameSize) -> FrameSize {
    match offer {
        FrameSizeEnum::Discrete(size) => FrameSize {
            width: size.width,
            height: size.height,
        },
        FrameSizeEnum::Stepwise(range) => FrameSize {
            width: nearest(want.width, range.min_width, range.max_width, range.step_width),
            height: nearest(want.height, range.min_height, range.max_height, range.step_height),
        },
    }
}

fn nearest(want: u32, minimum: u32, maximum: u32, step: u32) -> u32 {
    let step = step.max(1);
    let within = want.clamp(minimum, maximum.max(minimum));
    let below = minimum + (within - minimum) / step * step;
    let above = below.saturating_add(step);
    if above <= maximum && above - within < within - below {
        above
    } else {
        below
    }
}

fn rates(device: &Device, fourcc: FourCC, size: FrameSize, want: FrameRate) -> Vec<FrameRate> {
    let listed = device
        .enum_frameintervals(fourcc, size.width, size.height)
        .unwrap_or_default();
    let mut rates: Vec<FrameRate> = listed
        .into_iter()
        .filter_map(|listed| match listed.interval {
            FrameIntervalEnum::Discrete(interval) => rate(interval),
            FrameIntervalEnum::Stepwise(range) => nearest_rate(&range, want),
        })
        .collect();
    rates.sort_by_key(|rate| Reverse((rate.as_f64() * 1000.0).round() as u64));
    rates
}

/// The rate nearest to `want` that a range of intervals has.
fn nearest_rate(range: &Stepwise, want: FrameRate) -> Option<FrameRate> {
    let (fastest, slowest) = (rate(range.min)?, rate(range.max)?);
    if want.as_f64() >= fastest.as_f64() {
        return Some(fastest);
    }
    if want.as_f64() <= slowest.as_f64() {
        return Some(slowest);
    }
    // Any interval of the range, which the kernel writes as a step of a whole second, or of none.
    let Some(step) = rate(range.step).filter(|step| step.as_f64() > 1.0) else {
        return Some(want);
    };
    // The shortest interval and so many steps, over a common denominator.
    let steps = ((1.0 / want.as_f64() - 1.0 / fastest.as_f64()) * step.as_f64()).round();
    let frames = u64::from(fastest.frames) * u64::from(step.frames);
    let seconds = u64::from(fastest.seconds) * u64::from(step.frames)
        + (steps as u64).saturating_mul(u64::from(step.seconds) * u64::from(fastest.frames));
    let divisor = greatest_common_divisor(frames, seconds);
    Some(FrameRate {
        frames: u32::try_from(frames / divisor).ok()?,
        seconds: u32::try_from(seconds / divisor).ok()?,
    })
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a.max(1)
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// An interval of the kernel as a rate; `None` for the zeros that some drivers send.
pub fn rate(interval: Fraction) -> Option<FrameRate> {
    (interval.numerator > 0 && interval.denominator > 0).then_some(FrameRate {
        frames: interval.denominator,
        seconds: interval.numerator,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_found_in_steps() {
        assert_eq!(nearest(1280, 16, 4096, 2), 1280);
        assert_eq!(nearest(1281, 16, 4096, 16), 1280);
        assert_eq!(nearest(1290, 16, 4096, 16), 1296);
        assert_eq!(nearest(10, 16, 4096, 16), 16);
        assert_eq!(nearest(9999, 16, 4096, 16), 4096);
        assert_eq!(nearest(100, 64, 64, 0), 64);
    }

    #[test]
    fn a_rate_is_found_in_steps() {
        let found = |step: (u32, u32), want| {
            let range = Stepwise {
                min: Fraction::new(1, 60),
                max: Fraction::new(1, 2),
                step: Fraction::new(step.0, step.1),
            };
            nearest_rate(&range, want).unwrap().to_string()
        };
        let per_second = FrameRate::per_second;
        assert_eq!(found((1, 60), per_second(30)), "30 fps");
        assert_eq!(found((1, 60), per_second(25)), "30 fps", "between 30 and 20");
        assert_eq!(found((1, 60), per_second(120)), "60 fps");
        assert_eq!(found((1, 60), per_second(1)), "2 fps");
        let ntsc = FrameRate {
            frames: 30000,
            seconds: 1001,
        };
        assert_eq!(found((1, 1), ntsc), "29.97 fps", "continuous");
        assert_eq!(found((0, 0), per_second(25)), "25 fps");
    }
}
