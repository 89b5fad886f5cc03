use std::{fmt, str::FromStr, time::Duration};

use serde::Deserialize;

use super::Colour;

/// How the samples of a frame lie in memory. Named like the kernel's V4L2 pixel formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Packed 4:2:2: Y0 Cb Y1 Cr (`V4L2_PIX_FMT_YUYV`).
    Yuyv,
    /// Packed 4:2:2: Cb Y0 Cr Y1 (`V4L2_PIX_FMT_UYVY`).
    Uyvy,
    /// Packed 4:2:2: Y0 Cr Y1 Cb (`V4L2_PIX_FMT_YVYU`).
    Yvyu,
    /// Packed 4:2:2: Cr Y0 Cb Y1 (`V4L2_PIX_FMT_VYUY`).
    Vyuy,
    /// 4:2:0, a plane of Y, then a plane of interleaved Cb Cr (`V4L2_PIX_FMT_NV12`).
    Nv12,
    /// The same with Cr Cb (`V4L2_PIX_FMT_NV21`).
    Nv21,
    /// 4:2:2, a plane of Y, then a plane of interleaved Cb Cr (`V4L2_PIX_FMT_NV16`).
    Nv16,
    /// The same with Cr Cb (`V4L2_PIX_FMT_NV61`).
    Nv61,
    /// 4:2:0, planes of Y, Cb, Cr (`V4L2_PIX_FMT_YUV420`, "YU12", I420).
    Yu12,
    /// 4:2:0, planes of Y, Cr, Cb (`V4L2_PIX_FMT_YVU420`, "YV12").
    Yv12,
    /// Y alone (`V4L2_PIX_FMT_GREY`).
    Grey,
    /// Y alone in the lower ten bits of two bytes, the lower byte first (`V4L2_PIX_FMT_Y10`).
    Y10,
    /// Y alone in two bytes, the lower one first (`V4L2_PIX_FMT_Y16`).
    Y16,
    /// Packed R G B (`V4L2_PIX_FMT_RGB24`).
    Rgb24,
    /// Packed B G R (`V4L2_PIX_FMT_BGR24`).
    Bgr24,
    /// Four bytes: B G R and one that is not in use (`V4L2_PIX_FMT_XBGR32`, "XR24"; also "AR24" and the old "BGR4").
    Xbgr32,
    /// One that is not in use, R G B (`V4L2_PIX_FMT_XRGB32`, "BX24"; also "BA24" and the old "RGB4").
    Xrgb32,
    /// One that is not in use, B G R (`V4L2_PIX_FMT_BGRX32`, "RX24"; also "RA24").
    Bgrx32,
    /// R G B and one that is not in use (`V4L2_PIX_FMT_RGBX32`, "XB24"; also "AB24").
    Rgbx32,
    /// Five, six and five bits of R G B in two bytes, the lower byte first (`V4L2_PIX_FMT_RGB565`, "RGBP").
    Rgb565,
    /// One JPEG image per frame (`V4L2_PIX_FMT_MJPEG`).
    Mjpeg,
    /// One access unit of H.264 per frame, an Annex B byte stream (`V4L2_PIX_FMT_H264`): the source encodes by itself, and
    /// a frame that is lost spoils those after it.
    H264,
}

/// The kernel's four-character codes. Where a format has several, the first is the one that it is known by here.
const CODES: [(&[u8; 4], PixelFormat); 29] = [
    (b"H264", PixelFormat::H264),
    (b"YU12", PixelFormat::Yu12),
    (b"YV12", PixelFormat::Yv12),
    (b"NV12", PixelFormat::Nv12),
    (b"NV21", PixelFormat::Nv21),
    (b"NV16", PixelFormat::Nv16),
    (b"NV61", PixelFormat::Nv61),
    (b"YUYV", PixelFormat::Yuyv),
    (b"UYVY", PixelFormat::Uyvy),
    (b"YVYU", PixelFormat::Yvyu),
    (b"VYUY", PixelFormat::Vyuy),
    (b"RGB3", PixelFormat::Rgb24),
    (b"BGR3", PixelFormat::Bgr24),
    (b"XR24", PixelFormat::Xbgr32),
    (b"BGR4", PixelFormat::Xbgr32),
    (b"AR24", PixelFormat::Xbgr32),
    (b"BX24", PixelFormat::Xrgb32),
    (b"RGB4", PixelFormat::Xrgb32),
    (b"BA24", PixelFormat::Xrgb32),
    (b"RX24", PixelFormat::Bgrx32),
    (b"RA24", PixelFormat::Bgrx32),
    (b"XB24", PixelFormat::Rgbx32),
    (b"AB24", PixelFormat::Rgbx32),
    (b"RGBP", PixelFormat::Rgb565),
    (b"GREY", PixelFormat::Grey),
    (b"Y10 ", PixelFormat::Y10),
    (b"Y16 ", PixelFormat::Y16),
    (b"MJPG", PixelFormat::Mjpeg),
    (b"JPEG", PixelFormat::Mjpeg),
];

impl PixelFormat {
    /// Every one.
    pub const ALL: [Self; 22] = [
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Yvyu,
        PixelFormat::Vyuy,
        PixelFormat::Nv12,
        PixelFormat::Nv21,
        PixelFormat::Nv16,
        PixelFormat::Nv61,
        PixelFormat::Yu12,
        PixelFormat::Yv12,
        PixelFormat::Grey,
        PixelFormat::Y10,
        PixelFormat::Y16,
        PixelFormat::Rgb24,
        PixelFormat::Bgr24,
        PixelFormat::Xbgr32,
        PixelFormat::Xrgb32,
        PixelFormat::Bgrx32,
        PixelFormat::Rgbx32,
        PixelFormat::Rgb565,
        PixelFormat::Mjpeg,
        PixelFormat::H264,
    ];

    /// The kernel's four-character code; of several the usual one.
    pub const fn fourcc(self) -> &'static [u8; 4] {
        match self {
            PixelFormat::Yuyv => b"YUYV",
            PixelFormat::Uyvy => b"UYVY",
            PixelFormat::Yvyu => b"YVYU",
            PixelFormat::Vyuy => b"VYUY",
            PixelFormat::Nv12 => b"NV12",
            PixelFormat::Nv21 => b"NV21",
            PixelFormat::Nv16 => b"NV16",
            PixelFormat::Nv61 => b"NV61",
            PixelFormat::Yu12 => b"YU12",
            PixelFormat::Yv12 => b"YV12",
            PixelFormat::Grey => b"GREY",
            PixelFormat::Y10 => b"Y10 ",
            PixelFormat::Y16 => b"Y16 ",
            PixelFormat::Rgb24 => b"RGB3",
            PixelFormat::Bgr24 => b"BGR3",
            PixelFormat::Xbgr32 => b"XR24",
            PixelFormat::Xrgb32 => b"BX24",
            PixelFormat::Bgrx32 => b"RX24",
            PixelFormat::Rgbx32 => b"XB24",
            PixelFormat::Rgb565 => b"RGBP",
            PixelFormat::Mjpeg => b"MJPG",
            PixelFormat::H264 => b"H264",
        }
    }

    /// What a code of the kernel stands for; `None` for what can't be taken here.
    pub fn of_fourcc(code: [u8; 4]) -> Option<Self> {
        let found = CODES.iter().find(|(known, _)| **known == code);
        found.map(|&(_, format)| format)
    }

    /// All codes that [`PixelFormat::of_fourcc`] knows.
    pub fn codes() -> impl Iterator<Item = &'static [u8; 4]> {
        CODES.iter().map(|&(code, _)| code)
    }

    /// Whether samples are red, green and blue.
    pub const fn is_rgb(self) -> bool {
        matches!(
            self,
            PixelFormat::Rgb24
                | PixelFormat::Bgr24
                | PixelFormat::Xbgr32
                | PixelFormat::Xrgb32
                | PixelFormat::Bgrx32
                | PixelFormat::Rgbx32
                | PixelFormat::Rgb565
        )
    }

    /// Whether there are no colours in it.
    pub const fn is_grey(self) -> bool {
        matches!(self, PixelFormat::Grey | PixelFormat::Y10 | PixelFormat::Y16)
    }

    /// The fewest bytes that a line of the first plane takes; zero for what has no lines.
    pub const fn least_stride(self, width: u32) -> u32 {
        match self {
            PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Yvyu | PixelFormat::Vyuy => {
                4 * width.div_ceil(2)
            }
            PixelFormat::Nv12
            | PixelFormat::Nv21
            | PixelFormat::Nv16
            | PixelFormat::Nv61
            | PixelFormat::Yu12
            | PixelFormat::Yv12
            | PixelFormat::Grey => width,
            PixelFormat::Y10 | PixelFormat::Y16 | PixelFormat::Rgb565 => 2 * width,
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => 3 * width,
            PixelFormat::Xbgr32 | PixelFormat::Xrgb32 | PixelFormat::Bgrx32 | PixelFormat::Rgbx32 => {
                4 * width
            }
            PixelFormat::Mjpeg | PixelFormat::H264 => 0,
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PixelFormat::Yuyv => "YUYV",
            PixelFormat::Uyvy => "UYVY",
            PixelFormat::Yvyu => "YVYU",
            PixelFormat::Vyuy => "VYUY",
            PixelFormat::Nv12 => "NV12",
            PixelFormat::Nv21 => "NV21",
            PixelFormat::Nv16 => "NV16",
            PixelFormat::Nv61 => "NV61",
            PixelFormat::Yu12 => "YU12",
            PixelFormat::Yv12 => "YV12",
            PixelFormat::Grey => "GREY",
            PixelFormat::Y10 => "Y10",
            PixelFormat::Y16 => "Y16",
            PixelFormat::Rgb24 => "RGB24",
            PixelFormat::Bgr24 => "BGR24",
            PixelFormat::Xbgr32 => "XBGR32",
            PixelFormat::Xrgb32 => "XRGB32",
            PixelFormat::Bgrx32 => "BGRX32",
            PixelFormat::Rgbx32 => "RGBX32",
            PixelFormat::Rgb565 => "RGB565",
            PixelFormat::Mjpeg => "MJPEG",
            PixelFormat::H264 => "H.264",
        })
    }
}

/// What is wrong with a written format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format that can be encoded here; there are {names}", names = PixelFormat::ALL.map(|format| format.to_string()).join(", "))]
pub struct PixelFormatError(String);

impl FromStr for PixelFormat {
    type Err = PixelFormatError;

    /// By the name that it is shown with, or by a code of the kernel; in upper or lower case.
    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let is_named = |format: &Self| written.eq_ignore_ascii_case(&format.to_string());
        let code = written.as_bytes().trim_ascii_end();
        let is_coded = |(known, _): &&(&[u8; 4], Self)| code.eq_ignore_ascii_case(known.trim_ascii_end());
        let named = Self::ALL.into_iter().find(is_named);
        let found = named.or_else(|| CODES.iter().find(is_coded).map(|&(_, format)| format));
        found.ok_or_else(|| PixelFormatError(written.to_owned()))
    }
}

/// Width and height in pixels. Written `"1280x720"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct FrameSize {
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
}

/// What is wrong with a written size.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a picture size; write WIDTHxHEIGHT in pixels, 16x16 to 8192x8192, for example \"1280x720\""
)]
pub struct SizeError(String);

impl FromStr for FrameSize {
    type Err = SizeError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (width, height) = written.trim().split_once(['x', 'X'])?;
            let size = Self {
                width: width.parse().ok()?,
                height: height.parse().ok()?,
            };
            let possible = 16..=8192;
            (possible.contains(&size.width) && possible.contains(&size.height)).then_some(size)
        };
        parse().ok_or_else(|| SizeError(written.to_owned()))
    }
}

impl TryFrom<String> for FrameSize {
    type Error = SizeError;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        written.parse()
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Frames per second as a fraction, as drivers count them (30000/1001 for NTSC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    /// Frames …
    pub frames: u32,
    /// … in that many seconds.
    pub seconds: u32,
}

/// What is wrong with a written rate.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no rate; write frames per second, 1 to 240, as 30, 7.5 or 59.94, or a fraction as \"30000/1001\""
)]
pub struct FrameRateError(String);

impl FrameRate {
    /// A whole number of frames per second.
    pub const fn per_second(frames: u32) -> Self {
        Self { frames, seconds: 1 }
    }

    /// The rate that a decimal number of frames per second means: the NTSC rate that is as good as equal to it (59.94 is 60000/1001), or
    /// else what the number says, to a thousandth.
    ///
    /// # Errors
    /// It is not between 1 and 240.
    pub fn from_decimal(number: f64) -> Result<Self, FrameRateError> {
        let error = || FrameRateError(number.to_string());
        if !(1.0..=240.0).contains(&number) {
            return Err(error());
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "240 000 at most, and not negative"
        )]
        let rounded = |value: f64| value.round() as u32;
        // The digits after the point are two or three as a rule: 23.98, 23.976.
        const NTSC: f64 = 1000.0 / 1001.0;
        const SAME: f64 = 0.005;
        let whole = rounded(number / NTSC);
        let is_whole = (number - number.round()).abs() < f64::EPSILON;
        if !is_whole && (number - f64::from(whole) * NTSC).abs() < SAME {
            return Self::of(whole * 1000, 1001).ok_or_else(error);
        }
        Self::of(rounded(number * 1000.0), 1000).ok_or_else(error)
    }

    /// So many frames in so many seconds, in lowest terms, where that is a rate of moving pictures.
    fn of(frames: u32, seconds: u32) -> Option<Self> {
        let per_second = f64::from(frames) / f64::from(seconds);
        if seconds == 0 || !(1.0..=240.0).contains(&per_second) {
            return None;
        }
        let (mut divisor, mut rest) = (frames, seconds);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        Some(Self {
            frames: frames / divisor,
            seconds: seconds / divisor,
        })
    }

    /// Frames per second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds.max(1))
    }

    /// The time from one frame to the next.
    pub fn interval(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds.max(1))) / self.frames.max(1)
    }
}

impl FromStr for FrameRate {
    type Err = FrameRateError;

    /// `30`, `7.5` or `30000/1001`.
    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let error = || FrameRateError(format!("`{written}`"));
        if let Some((frames, seconds)) = written.split_once('/') {
            let number = |part: &str| part.trim().parse::<u32>().ok();
            let rate = number(frames).zip(number(seconds));
            return rate
                .and_then(|(frames, seconds)| Self::of(frames, seconds))
                .ok_or_else(error);
        }
        let number = written.trim().parse::<f64>().map_err(|_| error())?;
        Self::from_decimal(number).map_err(|_| error())
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = format!("{:.2}", self.as_f64());
        let shown = hundredths.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{shown} fps")
    }
}

/// What a source delivers: the layout of each frame, and how many a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// The layout of the samples.
    pub pixel: PixelFormat,
    /// The visible picture.
    pub size: FrameSize,
    /// Bytes from the start of a line of the first plane to the start of the next (`bytesperline`); the
    /// kernel derives the other planes' from it ([`VideoFormat::chroma_stride`]). Zero for MJPEG and H.264.
    pub stride: u32,
    /// What the samples mean. Of H.264 its parameter sets tell that.
    pub colour: Colour,
    /// The nominal rate; the driver's time stamps are the truth.
    pub rate: FrameRate,
}

impl VideoFormat {
    /// Bytes from line to line of the planes of chroma, as the kernel derives them; zero where there are none.
    pub const fn chroma_stride(&self) -> u32 {
        match self.pixel {
            PixelFormat::Yu12 | PixelFormat::Yv12 => self.stride.div_ceil(2),
            PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Nv16 | PixelFormat::Nv61 => {
                2 * self.stride.div_ceil(2)
            }
            _ => 0,
        }
    }

    /// Bytes that a whole raw picture takes. The padding behind its last line may be lacking where the format has one
    /// plane, or two. Zero for what is compressed.
    pub fn least_bytes(&self) -> usize {
        let FrameSize { width, height } = self.size;
        let (stride, chroma_stride) = (u64::from(self.stride), u64::from(self.chroma_stride()));
        let (lines, chroma_lines) = (u64::from(height), u64::from(height.div_ceil(2)));
        let last = u64::from(self.pixel.least_stride(width));
        let bytes = match self.pixel {
            PixelFormat::Mjpeg | PixelFormat::H264 => 0,
            PixelFormat::Yu12 | PixelFormat::Yv12 => stride * lines + 2 * chroma_stride * chroma_lines,
            PixelFormat::Nv12 | PixelFormat::Nv21 => {
                stride * lines + chroma_stride * chroma_lines.saturating_sub(1) + last.next_multiple_of(2)
            }
            PixelFormat::Nv16 | PixelFormat::Nv61 => {
                stride * lines + chroma_stride * lines.saturating_sub(1) + last.next_multiple_of(2)
            }
            _ => stride * lines.saturating_sub(1) + last,
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.size, self.pixel, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_checked() {
        assert_eq!(
            "1280x720".parse(),
            Ok(FrameSize {
                width: 1280,
                height: 720
            })
        );
        for wrong in [
            "",
            "1280",
            "1280x",
            "x720",
            "0x0",
            "-1x5",
            "99999x720",
            "1280x720x3",
        ] {
            assert!(wrong.parse::<FrameSize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_whole_picture_has_all_its_lines() {
        let least = |pixel, stride| {
            let format = VideoFormat {
                pixel,
                size: "641x361".parse().unwrap(),
                stride,
                colour: Colour::VIDEO,
                rate: FrameRate::per_second(30),
            };
            format.least_bytes()
        };
        assert_eq!(least(PixelFormat::Yuyv, 1284), 1284 * 361);
        assert_eq!(least(PixelFormat::Uyvy, 1300), 1300 * 360 + 1284);
        assert_eq!(least(PixelFormat::Rgb24, 1923), 1923 * 361);
        assert_eq!(least(PixelFormat::Grey, 700), 700 * 360 + 641);
        assert_eq!(least(PixelFormat::Nv12, 641), 641 * 361 + 642 * 181);
        assert_eq!(least(PixelFormat::Nv21, 704), 704 * 361 + 704 * 180 + 642);
        assert_eq!(least(PixelFormat::Yu12, 641), 641 * 361 + 2 * 321 * 181);
        assert_eq!(least(PixelFormat::Nv16, 641), 641 * 361 + 642 * 361);
        assert_eq!(least(PixelFormat::Nv61, 704), 704 * 361 + 704 * 360 + 642);
        assert_eq!(least(PixelFormat::Y10, 1300), 1300 * 360 + 1282);
        assert_eq!(least(PixelFormat::Rgb565, 1282), 1282 * 361);
        assert_eq!(least(PixelFormat::Xrgb32, 2564), 2564 * 361);
        assert_eq!(least(PixelFormat::Mjpeg, 0), 0);
        assert_eq!(least(PixelFormat::H264, 0), 0);
    }

    #[test]
    fn formats_are_known_by_name_and_by_code() {
        for format in PixelFormat::ALL {
            assert_eq!(format.to_string().to_lowercase().parse(), Ok(format));
            assert_eq!(String::from_utf8_lossy(format.fourcc()).parse(), Ok(format));
            assert_eq!(PixelFormat::of_fourcc(*format.fourcc()), Some(format));
        }
        for (code, format) in CODES {
            assert_eq!(String::from_utf8_lossy(code).parse(), Ok(format));
        }
        assert_eq!(PixelFormat::of_fourcc(*b"BA81"), None);
        let sixteen_the_other_way = (u32::from_le_bytes(*b"Y16 ") | 1 << 31).to_le_bytes();
        assert_eq!(PixelFormat::of_fourcc(sixteen_the_other_way), None);
        let error = "BA81".parse::<PixelFormat>().expect_err("a Bayer pattern");
        assert!(
            error.to_string().contains("`BA81`") && error.to_string().contains("RGB24, BGR24"),
            "{error}"
        );
    }

    #[test]
    fn rates_are_fractions() {
        let ntsc = FrameRate {
            frames: 30000,
            seconds: 1001,
        };
        assert_eq!(ntsc.to_string(), "29.97 fps");
        assert_eq!(FrameRate::per_second(25).interval(), Duration::from_millis(40));
        for (written, frames, seconds, shown) in [
            ("30", 30, 1, "30 fps"),
            ("30.0", 30, 1, "30 fps"),
            ("1", 1, 1, "1 fps"),
            ("240", 240, 1, "240 fps"),
            ("7.5", 15, 2, "7.5 fps"),
            ("12.5", 25, 2, "12.5 fps"),
            ("59.94", 60_000, 1001, "59.94 fps"),
            ("29.97", 30_000, 1001, "29.97 fps"),
            ("23.976", 24_000, 1001, "23.98 fps"),
            ("23.98", 24_000, 1001, "23.98 fps"),
            ("119.88", 120_000, 1001, "119.88 fps"),
            ("33.333", 33_333, 1000, "33.33 fps"),
            ("30000/1001", 30_000, 1001, "29.97 fps"),
            (" 60 / 2 ", 30, 1, "30 fps"),
            ("15/2", 15, 2, "7.5 fps"),
        ] {
            let rate: FrameRate = written.parse().expect(written);
            assert_eq!((rate.frames, rate.seconds), (frames, seconds), "{written}");
            assert_eq!(rate.to_string(), shown, "{written}");
        }
        for wrong in [
            "",
            "fast",
            "0",
            "0.99",
            "-5",
            "241",
            "1e9",
            "nan",
            "inf",
            "30/0",
            "0/1",
            "/",
            "1/2",
            "30000/1001/1",
            "99999999999/1",
            "7,5",
            "1000/4.5",
        ] {
            let error = wrong.parse::<FrameRate>().expect_err(wrong).to_string();
            assert!(error.contains(wrong) && error.contains("30000/1001"), "{error}");
        }
    }
}
