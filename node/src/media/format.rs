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
    /// 4:2:0, a plane of Y, then a plane of interleaved Cb Cr (`V4L2_PIX_FMT_NV12`).
    Nv12,
    /// The same with Cr Cb (`V4L2_PIX_FMT_NV21`).
    Nv21,
    /// 4:2:0, planes of Y, Cb, Cr (`V4L2_PIX_FMT_YUV420`, "YU12", I420).
    Yu12,
    /// 4:2:0, planes of Y, Cr, Cb (`V4L2_PIX_FMT_YVU420`, "YV12").
    Yv12,
    /// Y alone (`V4L2_PIX_FMT_GREY`).
    Grey,
    /// Packed R G B (`V4L2_PIX_FMT_RGB24`).
    Rgb24,
    /// Packed B G R (`V4L2_PIX_FMT_BGR24`).
    Bgr24,
    /// One JPEG image per frame (`V4L2_PIX_FMT_MJPEG`).
    Mjpeg,
    /// One access unit of H.264 per frame, an Annex B byte stream (`V4L2_PIX_FMT_H264`): the source encodes by itself, and
    /// a frame that is lost spoils those after it.
    H264,
}

impl PixelFormat {
    /// Every one.
    pub const ALL: [Self; 12] = [
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Yvyu,
        PixelFormat::Nv12,
        PixelFormat::Nv21,
        PixelFormat::Yu12,
        PixelFormat::Yv12,
        PixelFormat::Grey,
        PixelFormat::Rgb24,
        PixelFormat::Bgr24,
        PixelFormat::Mjpeg,
        PixelFormat::H264,
    ];

    /// The kernel's four-character code.
    pub const fn fourcc(self) -> &'static [u8; 4] {
        match self {
            PixelFormat::Yuyv => b"YUYV",
            PixelFormat::Uyvy => b"UYVY",
            PixelFormat::Yvyu => b"YVYU",
            PixelFormat::Nv12 => b"NV12",
            PixelFormat::Nv21 => b"NV21",
            PixelFormat::Yu12 => b"YU12",
            PixelFormat::Yv12 => b"YV12",
            PixelFormat::Grey => b"GREY",
            PixelFormat::Rgb24 => b"RGB3",
            PixelFormat::Bgr24 => b"BGR3",
            PixelFormat::Mjpeg => b"MJPG",
            PixelFormat::H264 => b"H264",
        }
    }

    /// Whether samples are red, green and blue.
    pub const fn is_rgb(self) -> bool {
        matches!(self, PixelFormat::Rgb24 | PixelFormat::Bgr24)
    }

    /// The fewest bytes that a line of the first plane takes; zero for what has no lines.
    pub const fn least_stride(self, width: u32) -> u32 {
        match self {
            PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Yvyu => 4 * width.div_ceil(2),
            PixelFormat::Nv12
            | PixelFormat::Nv21
            | PixelFormat::Yu12
            | PixelFormat::Yv12
            | PixelFormat::Grey => width,
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => 3 * width,
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
            PixelFormat::Nv12 => "NV12",
            PixelFormat::Nv21 => "NV21",
            PixelFormat::Yu12 => "YU12",
            PixelFormat::Yv12 => "YV12",
            PixelFormat::Grey => "GREY",
            PixelFormat::Rgb24 => "RGB24",
            PixelFormat::Bgr24 => "BGR24",
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

    /// By the name that it is shown with, or by the kernel's code; in upper or lower case.
    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let is_meant = |format: &Self| {
            written.eq_ignore_ascii_case(&format.to_string())
                || written.as_bytes().eq_ignore_ascii_case(format.fourcc())
        };
        let found = Self::ALL.into_iter().find(is_meant);
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

impl FrameRate {
    /// A whole number of frames per second.
    pub const fn per_second(frames: u32) -> Self {
        Self { frames, seconds: 1 }
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

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frames.is_multiple_of(self.seconds.max(1)) {
            write!(f, "{} fps", self.frames / self.seconds.max(1))
        } else {
            write!(f, "{:.2} fps", self.as_f64())
        }
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
            PixelFormat::Nv12 | PixelFormat::Nv21 => 2 * self.stride.div_ceil(2),
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
        assert_eq!(least(PixelFormat::Mjpeg, 0), 0);
        assert_eq!(least(PixelFormat::H264, 0), 0);
    }

    #[test]
    fn formats_are_known_by_name_and_by_code() {
        for format in PixelFormat::ALL {
            assert_eq!(format.to_string().to_lowercase().parse(), Ok(format));
            assert_eq!(String::from_utf8_lossy(format.fourcc()).parse(), Ok(format));
        }
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
    }
}
