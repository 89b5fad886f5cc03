//! H.264 by OpenH264.

mod ffi;

use bytes::Bytes;

use super::{EncodeError, Planes, VideoEncoder, threads};
use crate::media::{
    AccessUnit, Bitrate, Codec, Frame, FrameRate, FrameSize, Orders, PixelFormat, VideoFormat,
};

/// What it is called.
pub const NAME: &str = "OpenH264";

/// What OpenH264 takes, in either orientation.
const LARGEST: FrameSize = FrameSize {
    width: 3840,
    height: 2160,
};

/// Below this its rate control has nothing left to control.
const LEAST_BITRATE: u64 = 30_000;

/// A level of ITU-T H.264, table A-1, as far as it concerns us.
struct Level {
    idc: i32,
    macroblocks_per_second: u32,
    macroblocks: u32,
    bitrate: u64,
}

/// From 3.1 on: a decoder that does less is not offered by any browser (`profile-level-id=42e01f`).
#[rustfmt::skip]
const LEVELS: [Level; 8] = [
    Level { idc: 31, macroblocks_per_second:   108_000, macroblocks:  3_600, bitrate:  14_000_000 },
    Level { idc: 32, macroblocks_per_second:   216_000, macroblocks:  5_120, bitrate:  20_000_000 },
    Level { idc: 40, macroblocks_per_second:   245_760, macroblocks:  8_192, bitrate:  20_000_000 },
    Level { idc: 41, macroblocks_per_second:   245_760, macroblocks:  8_192, bitrate:  50_000_000 },
    Level { idc: 42, macroblocks_per_second:   522_240, macroblocks:  8_704, bitrate:  50_000_000 },
    Level { idc: 50, macroblocks_per_second:   589_824, macroblocks: 22_080, bitrate: 135_000_000 },
    Level { idc: 51, macroblocks_per_second:   983_040, macroblocks: 36_864, bitrate: 240_000_000 },
    Level { idc: 52, macroblocks_per_second: 2_073_600, macroblocks: 36_864, bitrate: 240_000_000 },
];

/// An H.264 encoder: constrained baseline, no frame ever reordered or left out, an IDR picture (with its
/// parameter sets) at the start and on request only.
pub struct Encoder {
    library: ffi::Encoder,
    format: VideoFormat,
    /// The most that the level in the stream's parameter sets allows.
    ceiling: u64,
}

impl Encoder {
    /// For YU12 frames of `format`. An odd last column or line is left out: H.264 at 4:2:0 has none.
    ///
    /// # Errors
    ///
    /// The format is not YU12 or too large, or OpenH264 fails.
    pub fn new(format: VideoFormat, bitrate: Bitrate) -> Result<Self, EncodeError> {
        Self::with_threads(format, bitrate, threads(format.size))
    }

    /// The same with a number of threads.
    pub(super) fn with_threads(
        format: VideoFormat,
        bitrate: Bitrate,
        threads: u16,
    ) -> Result<Self, EncodeError> {
        let unsupported = |reason| EncodeError::Unsupported {
            codec: Codec::H264,
            format,
            reason,
        };
        let size = FrameSize {
            width: format.size.width & !1,
            height: format.size.height & !1,
        };
        if format.pixel != PixelFormat::Yu12 {
            return Err(unsupported("it is not converted to YU12"));
        }
        if size.width.min(size.height) < 16 {
            return Err(unsupported("it is smaller than 16x16"));
        }
        if size.width.max(size.height) > LARGEST.width || size.width.min(size.height) > LARGEST.height {
            return Err(unsupported("OpenH264 ends at 3840x2160"));
        }
        let level = level_for(size, format.rate, bitrate)
            .ok_or_else(|| unsupported("no level of H.264 allows so many pixels or bits a second"))?;
        let library = ffi::Encoder::new(&ffi::Settings {
            size,
            rate: format.rate,
            bitrate: library_bitrate(bitrate, level.bitrate),
            level: level.idc,
            threads,
        })?;
        Ok(Self {
            library,
            format,
            ceiling: level.bitrate,
        })
    }
}

impl VideoEncoder for Encoder {
    fn codec(&self) -> Codec {
        Codec::H264
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&mut self, frame: &Frame<'_>, orders: Orders) -> Result<Option<AccessUnit>, EncodeError> {
        if frame.format.size != self.format.size {
            return Err(EncodeError::FormatChanged {
                codec: Codec::H264,
                expected: self.format,
                actual: frame.format,
            });
        }
        let planes = Planes::of(frame).map_err(|source| EncodeError::Layout {
            codec: Codec::H264,
            source,
        })?;
        if let Some(bitrate) = orders.bitrate {
            self.library.set_bitrate(library_bitrate(bitrate, self.ceiling))?;
        }
        if orders.keyframe {
            self.library.force_idr()?;
        }
        let picture = self.library.encode(&planes, frame.captured_at)?;
        Ok(picture.map(|picture| AccessUnit {
            data: Bytes::from(picture.nal_units),
            captured_at: frame.captured_at,
            is_keyframe: picture.is_idr,
        }))
    }
}

/// The lowest level that allows such a stream.
fn level_for(size: FrameSize, rate: FrameRate, bitrate: Bitrate) -> Option<&'static Level> {
    let macroblocks = size.width.div_ceil(16) * size.height.div_ceil(16);
    let per_second = f64::from(macroblocks) * rate.as_f64();
    let fits = |level: &&Level| {
        macroblocks <= level.macroblocks && per_second <= f64::from(level.macroblocks_per_second)
    };
    // A bitrate above any level is a wish, not a format: it is cut, never refused.
    LEVELS
        .iter()
        .filter(fits)
        .find(|level| bitrate.bps() <= level.bitrate)
        .or_else(|| LEVELS.iter().rfind(fits))
}

fn library_bitrate(bitrate: Bitrate, ceiling: u64) -> i32 {
    i32::try_from(bitrate.bps().clamp(LEAST_BITRATE, ceiling)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(written_size: &str, fps: u32, bitrate: &str) -> Option<i32> {
        let size = written_size.parse().unwrap();
        level_for(size, FrameRate::per_second(fps), bitrate.parse().unwrap()).map(|level| level.idc)
    }

    #[test]
    fn the_level_follows_size_rate_and_bitrate() {
        assert_eq!(level("640x480", 30, "500k"), Some(31));
        assert_eq!(level("1280x720", 30, "2M"), Some(31));
        assert_eq!(level("1280x720", 60, "2M"), Some(32));
        assert_eq!(level("1280x720", 30, "18M"), Some(32));
        assert_eq!(level("1920x1080", 30, "4M"), Some(40));
        assert_eq!(level("1920x1080", 60, "4M"), Some(42));
        assert_eq!(level("3840x2160", 30, "20M"), Some(51));
        assert_eq!(level("640x480", 30, "999M"), Some(52));
        assert_eq!(level("3840x2160", 240, "20M"), None);
    }
}
