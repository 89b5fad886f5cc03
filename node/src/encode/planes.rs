use crate::media::{Frame, FrameSize, PixelFormat};

/// The three planes of a YU12 frame, each checked to be as long as its lines need.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    /// The visible picture; the chroma planes have half of it each way, rounded up.
    pub size: FrameSize,
    /// Luma.
    pub y: &'a [u8],
    /// Cb.
    pub u: &'a [u8],
    /// Cr.
    pub v: &'a [u8],
    /// Bytes from line to line of `y`.
    pub stride: usize,
    /// Bytes from line to line of `u` and `v`.
    pub chroma_stride: usize,
}

/// A frame's bytes are not the picture that its format promises.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// It is another pixel format.
    #[error("the frame is {0}, not {1}")]
    Pixel(PixelFormat, PixelFormat),
    /// A line would not fit between two line starts.
    #[error("lines of {width} pixels do not fit in {stride} bytes")]
    Stride {
        /// Pixels in a line.
        width: u32,
        /// Bytes from line to line.
        stride: u32,
    },
    /// The frame ends early.
    #[error("the frame has {actual} bytes and needs {needed}")]
    Short {
        /// Bytes that are there.
        actual: usize,
        /// Bytes that its format takes.
        needed: usize,
    },
}

impl<'a> Planes<'a> {
    /// The planes of `frame`, laid out as the kernel lays out `V4L2_PIX_FMT_YUV420`.
    ///
    /// # Errors
    ///
    /// The frame is not YU12 or shorter than its format says.
    pub fn of(frame: &Frame<'a>) -> Result<Self, LayoutError> {
        let pixel = frame.format.pixel;
        if pixel != PixelFormat::Yu12 {
            return Err(LayoutError::Pixel(pixel, PixelFormat::Yu12));
        }
        Self::of_either(frame)
    }

    /// The same for a frame that is YU12 or YV12.
    pub(super) fn of_either(frame: &Frame<'a>) -> Result<Self, LayoutError> {
        let format = frame.format;
        let FrameSize { width, height } = format.size;
        if format.stride < width.max(1) {
            return Err(LayoutError::Stride {
                width,
                stride: format.stride,
            });
        }
        let needed = format.least_bytes();
        let Some(data) = frame.data.get(..needed) else {
            return Err(LayoutError::Short {
                actual: frame.data.len(),
                needed,
            });
        };
        // No overflow: it is all within the frame.
        let (stride, chroma_stride) = (format.stride as usize, format.chroma_stride() as usize);
        let (luma, chroma) = (
            stride * height as usize,
            chroma_stride * height.div_ceil(2) as usize,
        );
        let (y, rest) = data.split_at(luma);
        let (first, second) = rest.split_at(chroma);
        let (u, v) = match format.pixel {
            PixelFormat::Yv12 => (second, first),
            _ => (first, second),
        };
        Ok(Self {
            size: format.size,
            y,
            u,
            v,
            stride,
            chroma_stride,
        })
    }
}
