//! H.264 by OpenH264.

mod ffi;

use bytes::Bytes;

use super::{EncodeError, Planes, VideoEncoder, level::level_for, threads};
use crate::media::{AccessUnit, Bitrate, Codec, Frame, FrameSize, Orders, PixelFormat, VideoFormat};

/// What it is called.
pub const NAME: &str = "OpenH264";

/// What OpenH264 takes, in either orientation.
const LARGEST: FrameSize = FrameSize {
    width: 3840,
    height: 2160,
};

/// Below this its rate control has nothing left to control.
const LEAST_BITRATE: u64 = 30_000;

/// An H.264 encoder: constrained baseline, no frame ever reordered or left out, an IDR picture (with its
/// parameter sets) at the start and on request only. Nothing refers to every second picture.
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
    fn name(&self) -> &str {
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
        if frame.format.rate != self.format.rate {
            self.library.set_rate(frame.format.rate)?;
            self.format.rate = frame.format.rate;
        }
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
            layer: picture.layer,
        }))
    }
}

fn library_bitrate(bitrate: Bitrate, ceiling: u64) -> i32 {
    i32::try_from(bitrate.bps().clamp(LEAST_BITRATE, ceiling)).unwrap_or(i32::MAX)
}
