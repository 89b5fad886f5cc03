//! VP8 by libvpx.

#[cfg(test)]
pub mod decoder;
mod ffi;

use super::{EncodeError, Planes, VideoEncoder, threads};
use crate::media::{AccessUnit, Bitrate, Codec, Frame, FrameSize, Orders, PixelFormat, VideoFormat};

/// What it is called.
pub const NAME: &str = "libvpx";

/// A VP8 encoder for real time: one picture in, one picture out, keyframes at the start and on request only. Nothing refers to every second
/// picture.
pub struct Encoder {
    library: ffi::Encoder,
    format: VideoFormat,
}

impl Encoder {
    /// For YU12 frames of `format`.
    ///
    /// # Errors
    ///
    /// The format is not YU12, or libvpx fails.
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
            codec: Codec::Vp8,
            format,
            reason,
        };
        if format.pixel != PixelFormat::Yu12 {
            return Err(unsupported("it is not converted to YU12"));
        }
        // RFC 6386, section 9.1: 14 bits for each.
        if !(1..=16_383).contains(&format.size.width) || !(1..=16_383).contains(&format.size.height) {
            return Err(unsupported("VP8 pictures have 1x1 to 16383x16383 pixels"));
        }
        let library = ffi::Encoder::new(&ffi::Settings {
            size: format.size,
            rate: format.rate,
            bitrate,
            threads,
            speed: speed(format.size),
        })?;
        Ok(Self { library, format })
    }
}

impl VideoEncoder for Encoder {
    fn name(&self) -> &str {
        NAME
    }

    fn encode(&mut self, frame: &Frame<'_>, orders: Orders) -> Result<Option<AccessUnit>, EncodeError> {
        if frame.format.size != self.format.size {
            return Err(EncodeError::FormatChanged {
                codec: Codec::Vp8,
                expected: self.format,
                actual: frame.format,
            });
        }
        let planes = Planes::of(frame).map_err(|source| EncodeError::Layout {
            codec: Codec::Vp8,
            source,
        })?;
        if frame.format.rate != self.format.rate {
            self.library.set_rate(frame.format.rate);
            self.format.rate = frame.format.rate;
        }
        if let Some(bitrate) = orders.bitrate {
            self.library.set_bitrate(bitrate)?;
        }
        let picture = self.library.encode(&planes, frame.captured_at, orders.keyframe)?;
        Ok(picture.map(|picture| AccessUnit {
            data: picture.data,
            captured_at: frame.captured_at,
            is_keyframe: picture.is_keyframe,
            layer: picture.layer,
        }))
    }
}

/// libvpx's `cpu-used`: how much quality it gives for speed, fixed and not adapted (the negative values).
///
/// Measured with `examples/encode_bench` at 1280x720 on one x86-64 core: 10 ms a frame at -4, 5.7 at -6, 4.8 at -8 and
/// no less beyond.
fn speed(size: FrameSize) -> i32 {
    match size.width * size.height {
        0..=307_200 => -6, // up to 640x480
        _ => -8,
    }
}
