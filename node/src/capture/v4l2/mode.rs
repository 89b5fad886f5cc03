use std::{cmp::Reverse, fmt, io};

use v4l::{
    Device, FourCC, Fraction, frameinterval::FrameIntervalEnum, framesize::FrameSizeEnum, video::Capture,
};

use crate::{
    capture::{OwnEncoding, Want},
    media::{FrameRate, FrameSize, PixelFormat},
};

/// What can be encoded here, by the kernel's names, the cheapest first. Planar 4:2:0 is what the encoders take,
/// semi-planar is one pass away from it, packed 4:2:2 takes twice the bus and memory, and a JPEG has to be decoded.
/// What the camera encodes by itself costs nothing; whether that is wanted says [`OwnEncoding`].
const USABLE: [(&[u8; 4], PixelFormat); 6] = [
    (b"H264", PixelFormat::H264),
    (b"YU12", PixelFormat::Yu12),
    (b"NV12", PixelFormat::Nv12),
    (b"YUYV", PixelFormat::Yuyv),
    (b"MJPG", PixelFormat::Mjpeg),
    (b"JPEG", PixelFormat::Mjpeg),
];

/// Differences in rate below this share of the wanted one don't matter: 29.97 is as good as 30.
const SAME_RATE: f64 = 0.05;

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
    let names: Vec<_> = USABLE
        .iter()
        .map(|(fourcc, _)| String::from_utf8_lossy(*fourcc))
        .collect();
    names.join(", ")
}

/// What the kernel's code stands for, where it can be encoded here.
pub fn usable(fourcc: FourCC) -> Option<PixelFormat> {
    USABLE
        .iter()
        .find(|(code, _)| **code == fourcc.repr)
        .map(|&(_, pixel)| pixel)
}

/// The modes of a device. Where it takes any size or rate of a range, the one that comes nearest to `want` stands
/// for all.
///
/// # Errors
///
/// The driver's, if it can't even list its formats.
pub fn modes(device: &Device, want: &Want) -> io::Result<Vec<Mode>> {
    let mut modes = Vec::new();
    for format in device.enum_formats()? {
        let fourcc = format.fourcc;
        let mode = |size, rates| Mode {
            fourcc: fourcc.repr,
            pixel: usable(fourcc),
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

/// The mode to ask for: the nearest size, then the nearest rate, then the cheapest format. With it the rate.
pub fn choose<'a>(modes: &'a [Mode], want: &Want) -> Option<(&'a Mode, FrameRate)> {
    let is_own = |mode: &Mode| mode.pixel == Some(PixelFormat::H264);
    let usable = modes.iter().filter(|mode| mode.pixel.is_some());
    let usable = usable.filter(|mode| !is_own(mode) || want.own_encoding != OwnEncoding::Never);
    let with_rate = usable.map(|mode| {
        let nearest = mode
            .rates
            .iter()
            .min_by(|a, b| off(**a, want.rate).total_cmp(&off(**b, want.rate)));
        (mode, nearest.copied().unwrap_or(want.rate))
    });
    with_rate.min_by(|(a, a_rate), (b, b_rate)| {
        let distance = |mode: &Mode| mode.size.map_or(0, |size| size_distance(size, want.size));
        let cost = |mode: &Mode| {
            let is_last = is_own(mode) && want.own_encoding == OwnEncoding::Possible;
            (is_last, USABLE.iter().position(|(code, _)| **code == mode.fourcc))
        };
        distance(a)
            .cmp(&distance(b))
            .then_with(|| coarse(off(*a_rate, want.rate)).total_cmp(&coarse(off(*b_rate, want.rate))))
            .then_with(|| cost(a).cmp(&cost(b)))
    })
}

/// How far a rate is from the wanted one, as a share of it. Too slow is worse than too fast.
fn off(rate: FrameRate, want: FrameRate) -> f64 {
    let ratio = rate.as_f64() / want.as_f64().max(f64::MIN_POSITIVE);
    if ratio < 1.0 {
        2.0 * (1.0 - ratio)
    } else {
        ratio - 1.0
    }
}

/// Whether nobody would notice that a rate is not the wanted one.
pub fn is_same_rate(rate: FrameRate, want: FrameRate) -> bool {
    off(rate, want) < SAME_RATE
}

fn coarse(off: f64) -> f64 {
    if off < SAME_RATE { 0.0 } else { off }
}

fn size_distance(a: FrameSize, b: FrameSize) -> u32 {
    a.width.abs_diff(b.width) + a.height.abs_diff(b.height)
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
            FrameIntervalEnum::Stepwise(range) => {
                let (fastest, slowest) = (rate(range.min)?, rate(range.max)?);
                Some(match want {
                    want if want.as_f64() > fastest.as_f64() => fastest,
                    want if want.as_f64() < slowest.as_f64() => slowest,
                    want => want,
                })
            }
        })
        .collect();
    rates.sort_by_key(|rate| Reverse((rate.as_f64() * 1000.0).round() as u64));
    rates
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

    fn mode(fourcc: &[u8; 4], size: &str, rates: &[u32]) -> Mode {
        Mode {
            fourcc: *fourcc,
            pixel: usable(FourCC::new(fourcc)),
            size: Some(size.parse().unwrap()),
            rates: rates.iter().map(|&rate| FrameRate::per_second(rate)).collect(),
        }
    }

    fn chosen(modes: &[Mode], size: &str, rate: u32) -> Option<String> {
        chosen_with(OwnEncoding::Never, modes, size, rate)
    }

    fn chosen_with(own_encoding: OwnEncoding, modes: &[Mode], size: &str, rate: u32) -> Option<String> {
        let want = Want {
            size: size.parse().unwrap(),
            rate: FrameRate::per_second(rate),
            own_encoding,
            controls: crate::capture::Controls::new(),
        };
        choose(modes, &want).map(|(mode, rate)| {
            let fourcc = String::from_utf8_lossy(&mode.fourcc);
            format!("{fourcc} {} {rate}", mode.size.unwrap())
        })
    }

    #[test]
    fn a_webcam_gives_jpeg_where_raw_pictures_are_too_slow() {
        let webcam = [
            mode(b"YUYV", "1280x720", &[10, 5]),
            mode(b"YUYV", "640x480", &[30, 15]),
            mode(b"MJPG", "1280x720", &[30, 15]),
            mode(b"MJPG", "640x480", &[30]),
        ];
        assert_eq!(chosen(&webcam, "1280x720", 30).unwrap(), "MJPG 1280x720 30 fps");
        assert_eq!(chosen(&webcam, "1280x720", 10).unwrap(), "YUYV 1280x720 10 fps");
        assert_eq!(chosen(&webcam, "640x480", 30).unwrap(), "YUYV 640x480 30 fps");
        assert_eq!(chosen(&webcam, "800x600", 25).unwrap(), "YUYV 640x480 30 fps");
    }

    #[test]
    fn at_the_same_size_and_rate_the_cheapest_format_wins() {
        let all = ["MJPG", "YUYV", "NV12", "H264", "YU12"];
        let all = all.map(|code| mode(code.as_bytes().try_into().unwrap(), "1280x720", &[30]));
        assert_eq!(chosen(&all, "1280x720", 30).unwrap(), "YU12 1280x720 30 fps");
        assert_eq!(chosen(&all[..3], "1280x720", 30).unwrap(), "NV12 1280x720 30 fps");
        assert_eq!(chosen(&all[..2], "1280x720", 30).unwrap(), "YUYV 1280x720 30 fps");
        assert_eq!(chosen(&all[3..4], "1280x720", 30), None);
    }

    #[test]
    fn a_camera_encodes_by_itself_where_that_is_wanted() {
        let modes = [
            mode(b"YUYV", "1280x720", &[30]),
            mode(b"H264", "1280x720", &[30]),
            mode(b"H264", "1920x1080", &[30]),
        ];
        for (own, size, expected) in [
            (OwnEncoding::Preferred, "1280x720", "H264 1280x720 30 fps"),
            (OwnEncoding::Preferred, "1920x1080", "H264 1920x1080 30 fps"),
            (OwnEncoding::Possible, "1280x720", "YUYV 1280x720 30 fps"),
            (OwnEncoding::Possible, "1920x1080", "H264 1920x1080 30 fps"),
            (OwnEncoding::Never, "1920x1080", "YUYV 1280x720 30 fps"),
        ] {
            assert_eq!(chosen_with(own, &modes, size, 30).unwrap(), expected, "{own:?}");
        }
    }

    #[test]
    fn ntsc_rates_count_as_whole_ones() {
        let mut slow = mode(b"YU12", "640x480", &[]);
        slow.rates = vec![FrameRate {
            frames: 30000,
            seconds: 1001,
        }];
        let modes = [mode(b"MJPG", "640x480", &[30]), slow];
        assert_eq!(chosen(&modes, "640x480", 30).unwrap(), "YU12 640x480 29.97 fps");
    }

    #[test]
    fn a_size_is_found_in_steps() {
        assert_eq!(nearest(1280, 16, 4096, 2), 1280);
        assert_eq!(nearest(1281, 16, 4096, 16), 1280);
        assert_eq!(nearest(1290, 16, 4096, 16), 1296);
        assert_eq!(nearest(10, 16, 4096, 16), 16);
        assert_eq!(nearest(9999, 16, 4096, 16), 4096);
        assert_eq!(nearest(100, 64, 64, 0), 64);
    }
}
