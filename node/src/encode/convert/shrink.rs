//! Smaller pictures for machines that are too slow for whole ones: each sample is the mean of those that it stands for, so that nothing
//! flickers.

use super::{Output, line_length};
use crate::{
    encode::{LayoutError, Planes},
    media::{Frame, FrameSize, VideoFormat},
};

/// What becomes of a picture's width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// They stay.
    Full,
    /// Two of three: 1280x720 becomes 852x480.
    TwoThirds,
    /// Half: 1280x720 becomes 640x360.
    Half,
}

/// Below this nothing would be left to see.
const LEAST: u32 = 64;

impl Scale {
    /// The share of the pixels that is left.
    pub fn area(self) -> f64 {
        match self {
            Scale::Full => 1.0,
            Scale::TwoThirds => 4.0 / 9.0,
            Scale::Half => 0.25,
        }
    }

    /// What becomes of a picture of this size; one that is very small already stays.
    pub fn of(self, size: FrameSize) -> FrameSize {
        // Whole samples of chroma, of which two stand for three as well.
        let side = |length: u32| match self {
            Scale::Full => length,
            Scale::TwoThirds => (length * 2 / 3) & !3,
            Scale::Half => (length / 2) & !1,
        };
        let small = FrameSize {
            width: side(size.width),
            height: side(size.height),
        };
        if small.width.min(small.height) < LEAST {
            size
        } else {
            small
        }
    }
}

/// Shrinks frames of YU12, each into the same buffer.
#[derive(Default)]
pub struct Shrinker {
    buffer: Vec<u8>,
}

impl Shrinker {
    /// The format of what `shrink` makes of frames of `format`.
    pub fn output(format: VideoFormat, scale: Scale) -> VideoFormat {
        let size = scale.of(format.size);
        if size == format.size {
            return format;
        }
        VideoFormat {
            size,
            stride: u32::try_from(line_length(size.width)).unwrap_or(size.width),
            ..format
        }
    }

    /// The picture of `frame` in that scale: the frame itself where nothing changes. A last column or line that has no partners is
    /// left out.
    ///
    /// # Errors
    ///
    /// The frame is not YU12, or shorter than its format says.
    pub fn shrink<'a>(&'a mut self, frame: &Frame<'a>, scale: Scale) -> Result<Frame<'a>, LayoutError> {
        let size = scale.of(frame.format.size);
        if size == frame.format.size {
            return Ok(*frame);
        }
        let planes = Planes::of(frame)?;
        let mut output = Output::new(&mut self.buffer, size);
        let (stride, chroma_stride) = (output.stride, output.chroma_stride);
        let (width, height) = (output.width(), output.height());
        let shrink = match scale {
            Scale::TwoThirds => two_thirds,
            _ => half,
        };
        shrink(
            (planes.y, planes.stride),
            (&mut *output.y, stride),
            (width, height),
        );
        for (from, to) in [(planes.u, &mut output.u), (planes.v, &mut output.v)] {
            let size = (width / 2, height / 2);
            shrink((from, planes.chroma_stride), (&mut **to, chroma_stride), size);
        }
        Ok(Frame {
            format: Self::output(frame.format, scale),
            data: &self.buffer,
            dmabuf: None,
            ..*frame
        })
    }
}

/// A plane and its bytes from line to line.
type From<'a> = (&'a [u8], usize);
type To<'a> = (&'a mut [u8], usize);

/// Each sample is the mean of four.
fn half((from, stride): From<'_>, (to, to_stride): To<'_>, (width, height): (usize, usize)) {
    for (pair, line) in from.chunks(2 * stride).zip(to.chunks_mut(to_stride)).take(height) {
        let (upper, lower) = pair.split_at(stride.min(pair.len()));
        let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
        for ((upper, lower), to) in upper.iter().zip(lower).zip(&mut line[..width]) {
            let sum = [upper[0], upper[1], lower[0], lower[1]].map(u16::from);
            *to = ((sum.iter().sum::<u16>() + 2) / 4) as u8;
        }
    }
}

/// Four samples of nine: each is the mean of a square of one and a half.
fn two_thirds((from, stride): From<'_>, (to, to_stride): To<'_>, (width, height): (usize, usize)) {
    for (three, two) in from
        .chunks(3 * stride)
        .zip(to.chunks_mut(2 * to_stride))
        .take(height / 2)
    {
        let line = |number: usize| {
            three
                .get(number * stride..)
                .unwrap_or_default()
                .as_chunks::<3>()
                .0
        };
        let (first, middle, last) = (line(0), line(1), line(2));
        let (upper, lower) = two.split_at_mut(to_stride.min(two.len()));
        for (outer, to) in [(first, upper), (last, lower)] {
            let to = to.get_mut(..width).unwrap_or_default().as_chunks_mut::<2>().0;
            for ((outer, middle), to) in outer.iter().zip(middle).zip(to) {
                // The middle line, and the middle column, are shared.
                let column = |x: usize| 2 * u32::from(outer[x]) + u32::from(middle[x]);
                to[0] = ninth(2 * column(0) + column(1));
                to[1] = ninth(column(1) + 2 * column(2));
            }
        }
    }
}

/// The ninth part of nine samples, rounded.
fn ninth(sum: u32) -> u8 {
    ((sum * 7282 + 32_768) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, FrameRate, PixelFormat, Timestamp};

    fn size(written: &str) -> FrameSize {
        written.parse().expect("a size")
    }

    /// A picture whose samples are what `sample` says of plane, column and line.
    fn picture(size: FrameSize, sample: impl Fn(usize, usize, usize) -> u8) -> (VideoFormat, Vec<u8>) {
        let stride = size.width.next_multiple_of(32) as usize;
        let format = VideoFormat {
            pixel: PixelFormat::Yu12,
            size,
            stride: stride as u32,
            colour: Colour::VIDEO,
            rate: FrameRate::per_second(30),
        };
        let (height, chroma_height) = (size.height as usize, size.height.div_ceil(2) as usize);
        let mut data = Vec::new();
        for (plane, stride, lines) in [
            (0, stride, height),
            (1, stride / 2, chroma_height),
            (2, stride / 2, chroma_height),
        ] {
            for line in 0..lines {
                data.extend((0..stride).map(|column| sample(plane, column, line)));
            }
        }
        (format, data)
    }

    fn shrunk<'a>(
        shrinker: &'a mut Shrinker,
        (format, data): &'a (VideoFormat, Vec<u8>),
        scale: Scale,
    ) -> Frame<'a> {
        let frame = Frame {
            format: *format,
            captured_at: Timestamp::now(),
            sequence: 0,
            data,
            dmabuf: None,
        };
        shrinker.shrink(&frame, scale).expect("a whole frame")
    }

    #[test]
    fn sizes_have_whole_samples_of_chroma() {
        for (of, two_thirds, half) in [
            ("1280x720", "852x480", "640x360"),
            ("1920x1080", "1280x720", "960x540"),
            ("1366x768", "908x512", "682x384"),
            ("641x361", "424x240", "320x180"),
            ("96x96", "64x64", "96x96"),
            ("64x48", "64x48", "64x48"),
        ] {
            assert_eq!(Scale::TwoThirds.of(size(of)), size(two_thirds));
            assert_eq!(Scale::Half.of(size(of)), size(half));
            assert_eq!(Scale::Full.of(size(of)), size(of));
        }
    }

    #[test]
    fn every_sample_is_the_mean_of_its_square() {
        // No plane is even in any direction.
        let sample = |plane: usize, column: usize, line: usize| {
            ((column * (7 + plane) + line * (11 + 2 * plane)) % 251) as u8
        };
        for of in ["288x162", "289x163", "286x166", "1366x768"] {
            let picture = picture(size(of), sample);
            for (scale, factor) in [(Scale::TwoThirds, 1.5), (Scale::Half, 2.0)] {
                let mut shrinker = Shrinker::default();
                let frame = shrunk(&mut shrinker, &picture, scale);
                assert_eq!(frame.format.size, scale.of(size(of)));
                let planes = Planes::of(&frame).expect("YU12");
                let (width, height) = (planes.size.width as usize, planes.size.height as usize);
                for (plane, data, stride, width, height) in [
                    (0, planes.y, planes.stride, width, height),
                    (1, planes.u, planes.chroma_stride, width / 2, height / 2),
                    (2, planes.v, planes.chroma_stride, width / 2, height / 2),
                ] {
                    for line in 0..height {
                        for column in 0..width {
                            let expected = mean(|x, y| sample(plane, x, y), column, line, factor);
                            let actual = f64::from(data[line * stride + column]);
                            assert!(
                                (actual - expected).abs() <= 0.51,
                                "{of} {scale:?} plane {plane} at {column},{line}: {actual}, not {expected}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// The mean over the square that sample `column`, `line` stands for.
    fn mean(sample: impl Fn(usize, usize) -> u8, column: usize, line: usize, factor: f64) -> f64 {
        let shares = |at: usize| {
            let (from, to) = (at as f64 * factor, (at + 1) as f64 * factor);
            let all = from.floor() as usize..to.ceil() as usize;
            all.map(move |x| (x, (to.min(x as f64 + 1.0) - from.max(x as f64)) / factor))
        };
        let mut sum = 0.0;
        for (y, down) in shares(line) {
            for (x, across) in shares(column) {
                sum += f64::from(sample(x, y)) * down * across;
            }
        }
        sum
    }

    #[test]
    fn a_whole_picture_is_not_copied() {
        let picture = picture(size("320x180"), |_, _, _| 16);
        let mut shrinker = Shrinker::default();
        let frame = shrunk(&mut shrinker, &picture, Scale::Full);
        assert_eq!(frame.data.as_ptr(), picture.1.as_ptr());
    }

    #[test]
    fn a_frame_that_ends_early_is_refused() {
        let (format, mut data) = picture(size("320x180"), |_, _, _| 16);
        data.pop();
        let frame = Frame {
            format,
            captured_at: Timestamp::now(),
            sequence: 0,
            data: &data,
            dmabuf: None,
        };
        let mut shrinker = Shrinker::default();
        assert!(matches!(
            shrinker.shrink(&frame, Scale::Half),
            Err(LayoutError::Short { .. })
        ));
    }
}
