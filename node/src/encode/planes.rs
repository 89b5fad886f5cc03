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
        let format = frame.format;
        if format.pixel != PixelFormat::Yu12 {
            return Err(LayoutError::Pixel(format.pixel, PixelFormat::Yu12));
        }
        let FrameSize { width, height } = format.size;
        let (stride, lines) = (format.stride as usize, height as usize);
        if format.stride < width {
            return Err(LayoutError::Stride {
                width,
                stride: format.stride,
            });
        }
        let (chroma_stride, chroma_lines) = (stride.div_ceil(2), lines.div_ceil(2));
        let luma = stride * lines;
        let chroma = chroma_stride * chroma_lines;
        let needed = luma + 2 * chroma;
        let Some(data) = frame.data.get(..needed) else {
            return Err(LayoutError::Short {
                actual: frame.data.len(),
                needed,
            });
        };
        let (y, rest) = data.split_at(luma);
        let (u, v) = rest.split_at(chroma);
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
