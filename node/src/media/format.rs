use std::{fmt, str::FromStr, time::Duration};

use serde::Deserialize;

/// How the samples of a frame lie in memory. Named like the kernel's V4L2 pixel formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Packed 4:2:2: Y0 Cb Y1 Cr (`V4L2_PIX_FMT_YUYV`).
    Yuyv,
    /// 4:2:0, a plane of Y, then a plane of interleaved Cb Cr (`V4L2_PIX_FMT_NV12`).
    Nv12,
    /// 4:2:0, planes of Y, Cb, Cr (`V4L2_PIX_FMT_YUV420`, "YU12", I420).
    Yu12,
    /// One JPEG image per frame (`V4L2_PIX_FMT_MJPEG`).
    Mjpeg,
    /// One access unit of H.264 per frame, an Annex B byte stream (`V4L2_PIX_FMT_H264`): the source encodes by itself, and
    /// a frame that is lost spoils those after it.
    H264,
}

impl PixelFormat {
    /// The kernel's four-character code.
    pub const fn fourcc(self) -> &'static [u8; 4] {
        match self {
            PixelFormat::Yuyv => b"YUYV",
            PixelFormat::Nv12 => b"NV12",
            PixelFormat::Yu12 => b"YU12",
            PixelFormat::Mjpeg => b"MJPG",
            PixelFormat::H264 => b"H264",
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PixelFormat::Yuyv => "YUYV",
            PixelFormat::Nv12 => "NV12",
            PixelFormat::Yu12 => "YU12",
            PixelFormat::Mjpeg => "MJPEG",
            PixelFormat::H264 => "H.264",
        })
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
    /// kernel derives the other planes' from it. Zero for MJPEG and H.264.
    pub stride: u32,
    /// The nominal rate; the driver's time stamps are the truth.
    pub rate: FrameRate,
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
    fn rates_are_fractions() {
        let ntsc = FrameRate {
            frames: 30000,
            seconds: 1001,
        };
        assert_eq!(ntsc.to_string(), "29.97 fps");
        assert_eq!(FrameRate::per_second(25).interval(), Duration::from_millis(40));
    }
}
