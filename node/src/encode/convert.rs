//! Whatever a camera delivers to YU12, which the software encoders take.
//!
//! Colours: everything that leaves here is BT.601 in limited range ([`Colour::VIDEO`]): VP8 knows nothing else, the H.264
//! encoder writes it into its VUI, and nearly all cameras deliver it already. What they deliver else is changed here, in
//! the same pass: RGB, full range as in JPEG, and other matrices.

mod h264;
mod mjpeg;
mod raw;
mod recolour;
mod rgb;
mod shrink;

use super::LayoutError;
use crate::media::{Colour, Frame, FrameSize, PixelFormat, VideoFormat};
use raw::Lines;
use recolour::Recolour;

pub use shrink::{Scale, Shrinker};

/// Lines start at multiples of this, so that the widest vector loads of today do not cross a cache line.
const ALIGNMENT: usize = 64;

/// Converts frames to YU12, each into the same buffer.
#[derive(Default)]
pub struct Converter {
    buffer: Vec<u8>,
    jpeg: Option<mjpeg::Decoder>,
    h264: Option<h264::Decoder>,
}

/// Why a frame was not converted. The next one may be fine.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The frame's bytes do not hold the picture that its format promises.
    #[error("a frame from the camera is incomplete")]
    Layout(#[from] LayoutError),
    /// A JPEG that cannot be decoded.
    #[error("a JPEG from the camera is damaged: {0}")]
    Jpeg(String),
    /// A unit of H.264 that cannot be passed on or decoded.
    #[error("an H.264 picture from the camera is damaged: {0}")]
    H264(&'static str),
    /// A JPEG of another size than the camera promised, or of a kind that no camera should send.
    #[error("a JPEG from the camera is {actual}, not {expected}")]
    JpegKind {
        /// What it is.
        actual: String,
        /// What it should be.
        expected: String,
    },
}

impl Converter {
    /// A converter without a buffer yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The format of what `to_yu12` makes of frames of `format`.
    pub fn output(format: VideoFormat) -> VideoFormat {
        if is_output(format) {
            return format;
        }
        VideoFormat {
            pixel: PixelFormat::Yu12,
            stride: u32::try_from(line_length(format.size.width)).unwrap_or(format.size.width),
            colour: Colour::VIDEO,
            ..format
        }
    }

    /// The picture of `frame` as YU12 in [`Colour::VIDEO`]: the frame itself where it is that already, else a copy in
    /// this converter's buffer. Of H.264 it has to see every unit, from a keyframe on; [`Converter::forget`] ends that.
    ///
    /// # Errors
    ///
    /// The frame is shorter than its format says, or cannot be decoded.
    pub fn to_yu12<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Frame<'a>, ConvertError> {
        if is_output(frame.format) {
            return Ok(*frame);
        }
        if frame.format.pixel == PixelFormat::H264 {
            return self.decode(frame);
        }
        let format = Self::output(frame.format);
        let mut output = Output::new(&mut self.buffer, format.size);
        let recolour = Recolour::from(frame.format.colour);
        let recolour = recolour.as_ref();
        match frame.format.pixel {
            PixelFormat::Yuyv => raw::packed::<0, 1, 3>(frame, &mut output, recolour)?,
            PixelFormat::Uyvy => raw::packed::<1, 0, 2>(frame, &mut output, recolour)?,
            PixelFormat::Yvyu => raw::packed::<0, 3, 1>(frame, &mut output, recolour)?,
            PixelFormat::Vyuy => raw::packed::<1, 2, 0>(frame, &mut output, recolour)?,
            PixelFormat::Nv12 => raw::semi_planar::<0, 1>(frame, &mut output, recolour)?,
            PixelFormat::Nv21 => raw::semi_planar::<1, 0>(frame, &mut output, recolour)?,
            PixelFormat::Nv16 => raw::semi_planar_tall::<0, 1>(frame, &mut output, recolour)?,
            PixelFormat::Nv61 => raw::semi_planar_tall::<1, 0>(frame, &mut output, recolour)?,
            PixelFormat::Yu12 | PixelFormat::Yv12 => raw::planar(frame, &mut output, recolour)?,
            PixelFormat::Grey => raw::grey(frame, &mut output, recolour)?,
            PixelFormat::Y10 => raw::deep_grey::<2>(frame, &mut output, recolour)?,
            PixelFormat::Y16 => raw::deep_grey::<8>(frame, &mut output, recolour)?,
            PixelFormat::Rgb24 => rgb::packed(frame, &mut output, |&[r, g, b]: &[u8; 3]| [r, g, b])?,
            PixelFormat::Bgr24 => rgb::packed(frame, &mut output, |&[b, g, r]: &[u8; 3]| [r, g, b])?,
            PixelFormat::Xbgr32 => rgb::packed(frame, &mut output, |&[b, g, r, _]: &[u8; 4]| [r, g, b])?,
            PixelFormat::Xrgb32 => rgb::packed(frame, &mut output, |&[_, r, g, b]: &[u8; 4]| [r, g, b])?,
            PixelFormat::Bgrx32 => rgb::packed(frame, &mut output, |&[_, b, g, r]: &[u8; 4]| [r, g, b])?,
            PixelFormat::Rgbx32 => rgb::packed(frame, &mut output, |&[r, g, b, _]: &[u8; 4]| [r, g, b])?,
            PixelFormat::Rgb565 => rgb::packed(frame, &mut output, rgb::of_565)?,
            PixelFormat::Mjpeg => {
                let decoder = match &mut self.jpeg {
                    Some(decoder) => decoder,
                    none => none.insert(mjpeg::Decoder::new()?),
                };
                decoder.decode(frame, &mut output)?;
            }
            // Above.
            PixelFormat::H264 => {}
        }
        Ok(Frame {
            format,
            data: &self.buffer,
            dmabuf: None,
            ..*frame
        })
    }

    fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Frame<'a>, ConvertError> {
        let decoder = match &mut self.h264 {
            Some(decoder) => decoder,
            none => none.insert(h264::Decoder::new()?),
        };
        match decoder.decode(frame.data, &mut self.buffer) {
            Ok(size) => Ok(Frame {
                format: Self::output(VideoFormat { size, ..frame.format }),
                data: &self.buffer,
                dmabuf: None,
                ..*frame
            }),
            Err(error) => {
                self.forget();
                Err(error)
            }
        }
    }

    /// Frees the H.264 decoder: the next unit that it sees is a keyframe.
    pub fn forget(&mut self) {
        self.h264 = None;
    }
}

/// Whether encoders take such frames as they are.
fn is_output(format: VideoFormat) -> bool {
    format.pixel == PixelFormat::Yu12 && format.colour == Colour::VIDEO
}

/// Bytes from line to line of a luma plane of `width` pixels; half of it for chroma.
fn line_length(width: u32) -> usize {
    (width.max(1) as usize).next_multiple_of(2 * ALIGNMENT)
}

/// The planes of a YU12 picture to write.
struct Output<'a> {
    size: FrameSize,
    y: &'a mut [u8],
    u: &'a mut [u8],
    v: &'a mut [u8],
    stride: usize,
    chroma_stride: usize,
}

impl<'a> Output<'a> {
    fn new(buffer: &'a mut Vec<u8>, size: FrameSize) -> Self {
        let stride = line_length(size.width);
        let chroma_stride = stride / 2;
        let luma = stride * size.height as usize;
        let chroma = chroma_stride * size.height.div_ceil(2) as usize;
        // Allocates for the first frame only; the bytes between lines stay neutral.
        buffer.resize(luma + 2 * chroma, 128);
        let (y, rest) = buffer.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(chroma);
        Self {
            size,
            y,
            u,
            v,
            stride,
            chroma_stride,
        }
    }

    /// Pixels in a line of luma.
    fn width(&self) -> usize {
        self.size.width as usize
    }

    /// Lines of luma.
    fn height(&self) -> usize {
        self.size.height as usize
    }

    /// Its lines by two, from the top.
    fn pairs(&mut self) -> impl Iterator<Item = Lines<'_>> {
        let (width, chroma_width, stride) = (self.width(), self.chroma_width(), self.stride);
        let chroma = self
            .u
            .chunks_mut(self.chroma_stride)
            .zip(self.v.chunks_mut(self.chroma_stride));
        self.y
            .chunks_mut(2 * stride)
            .zip(chroma)
            .map(move |(luma, (u, v))| {
                let (upper, lower) = luma.split_at_mut(stride);
                let lower_width = width.min(lower.len());
                Lines {
                    upper: &mut upper[..width],
                    lower: &mut lower[..lower_width],
                    u: &mut u[..chroma_width],
                    v: &mut v[..chroma_width],
                }
            })
    }

    /// Pixels in a line of chroma.
    fn chroma_width(&self) -> usize {
        self.width().div_ceil(2)
    }
}

#[cfg(test)]
mod jpegs;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
