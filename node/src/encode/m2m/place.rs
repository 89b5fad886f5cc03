//! Where the samples of a picture lie, in the camera's memory and in the encoder's; and the way from the one to the other.

use super::ioctl::Layout;
use crate::{
    encode::LayoutError,
    media::{Frame, PixelFormat, VideoFormat},
};

/// The formats that may go into an encoder as they are, the kernel's code for each being [`PixelFormat::fourcc`]. Colours other than
/// Y'CbCr are not among them: what an encoder makes of RGB is not told.
pub const NATIVE: [PixelFormat; 7] = [
    PixelFormat::Yu12,
    PixelFormat::Nv12,
    PixelFormat::Nv21,
    PixelFormat::Yv12,
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Yvyu,
];

/// A plane of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plane {
    offset: usize,
    stride: usize,
    /// Bytes of a line that are picture.
    bytes: usize,
    lines: usize,
    /// Bytes that belong together: what is repeated to the right of a line's end.
    group: usize,
}

impl Plane {
    /// Behind its last byte.
    fn end(&self) -> usize {
        self.offset + self.stride * self.lines.saturating_sub(1) + self.bytes
    }
}

/// The planes of a picture of `width` by `height` whose memory has `lines` lines of luma, the first plane's of `stride` bytes.
fn planes(pixel: PixelFormat, width: u32, height: u32, stride: u32, lines: u32) -> Vec<Plane> {
    let (width, height) = (width as usize, height as usize);
    let (stride, lines) = (stride as usize, lines as usize);
    let luma = Plane {
        offset: 0,
        stride,
        bytes: width,
        lines: height,
        group: 1,
    };
    let chroma_offset = stride * lines;
    match pixel {
        PixelFormat::Yu12 | PixelFormat::Yv12 => {
            let chroma = |number: usize| {
                let stride = stride.div_ceil(2);
                Plane {
                    offset: chroma_offset + number * stride * lines.div_ceil(2),
                    stride,
                    bytes: width.div_ceil(2),
                    lines: height.div_ceil(2),
                    group: 1,
                }
            };
            vec![luma, chroma(0), chroma(1)]
        }
        PixelFormat::Nv12 | PixelFormat::Nv21 => {
            let chroma = Plane {
                offset: chroma_offset,
                stride: 2 * stride.div_ceil(2),
                bytes: 2 * width.div_ceil(2),
                lines: height.div_ceil(2),
                group: 2,
            };
            vec![luma, chroma]
        }
        _ => vec![Plane {
            bytes: pixel.least_stride(u32::try_from(width).unwrap_or(0)) as usize,
            group: 4,
            ..luma
        }],
    }
}

/// Whether a picture of `format` lies exactly as an encoder wants one of `layout` to lie, in memory of `length` bytes: then it need not be
/// copied.
pub fn is_the_same(format: &VideoFormat, layout: &Layout, length: usize) -> bool {
    let size = format.size;
    let has_chroma_behind = format.chroma_stride() > 0;
    *format.pixel.fourcc() == layout.fourcc
        && format.stride == layout.stride
        // Otherwise the chroma lies elsewhere.
        && (layout.height == size.height || (!has_chroma_behind && layout.height >= size.height))
        && layout.width >= size.width & !1
        && length >= layout.image as usize
}

/// Copies pictures into an encoder's memory; the planes are worked out once.
#[derive(Debug)]
pub struct Copying {
    from: Vec<Plane>,
    to: Vec<Plane>,
    /// Of three planes two are made.
    weaves: bool,
    /// What all planes take.
    needed: usize,
    image: usize,
}

impl Copying {
    /// From frames of `format` into an encoder's `layout`, which holds pictures of `pixel`: the same format, or NV12 for YU12.
    pub fn new(format: &VideoFormat, pixel: PixelFormat, layout: &Layout) -> Self {
        let size = format.size;
        let from = planes(format.pixel, size.width, size.height, format.stride, size.height);
        Self {
            needed: from.iter().map(Plane::end).max().unwrap_or(0),
            from,
            // All of the coded picture: what is around the visible one is filled, too.
            to: planes(pixel, layout.width, layout.height, layout.stride, layout.height),
            weaves: format.pixel != pixel,
            image: layout.image as usize,
        }
    }

    /// Copies `frame` into `to`, and returns how much of that is filled then. What is outside of the picture repeats its edge, which costs an
    /// encoder the least bits.
    ///
    /// # Errors
    /// The frame is shorter than its format says, or the encoder's memory than its layout.
    pub fn copy(&self, frame: &Frame<'_>, to: &mut [u8]) -> Result<usize, LayoutError> {
        let short = |actual, needed| LayoutError::Short { actual, needed };
        if frame.data.len() < self.needed {
            return Err(short(frame.data.len(), self.needed));
        }
        let room = self.to.iter().map(Plane::end).max().unwrap_or(0);
        if to.len() < room {
            return Err(short(to.len(), room));
        }
        if self.weaves {
            if let ([luma, cb, cr], [to_luma, to_chroma]) = (&self.from[..], &self.to[..]) {
                copy_plane(frame.data, luma, to, to_luma);
                weave_planes(frame.data, [cb, cr], to, to_chroma);
            }
        } else {
            for (plane, to_plane) in self.from.iter().zip(&self.to) {
                copy_plane(frame.data, plane, to, to_plane);
            }
        }
        Ok(self.image.min(to.len()).max(room))
    }
}

fn copy_plane(data: &[u8], from: &Plane, to: &mut [u8], place: &Plane) {
    let bytes = from.bytes.min(place.bytes);
    fill_plane(from.lines, to, place, |number, line| {
        let start = from.offset + number * from.stride;
        line[..bytes].copy_from_slice(&data[start..start + bytes]);
        bytes
    });
}

fn weave_planes(data: &[u8], from: [&Plane; 2], to: &mut [u8], place: &Plane) {
    let pairs = from[0].bytes.min(place.bytes / 2);
    fill_plane(from[0].lines, to, place, |number, line| {
        let [cb, cr] = from.map(|plane| {
            let start = plane.offset + number * plane.stride;
            &data[start..start + pairs]
        });
        for ((pair, cb), cr) in line.as_chunks_mut::<2>().0.iter_mut().zip(cb).zip(cr) {
            *pair = [*cb, *cr];
        }
        2 * pairs
    });
}

/// Has `write` fill each of the first `lines` lines, as far as there are so many, and repeats edges to the right and downwards. `write` gets the
/// number of the line and tells how many bytes it wrote.
fn fill_plane(lines: usize, to: &mut [u8], place: &Plane, mut write: impl FnMut(usize, &mut [u8]) -> usize) {
    let lines = lines.min(place.lines);
    for number in 0..lines {
        let start = place.offset + number * place.stride;
        let line = &mut to[start..start + place.bytes];
        let written = write(number, line);
        if let Some(edge) = written.checked_sub(place.group) {
            let mut at = written;
            while at < line.len() {
                let count = place.group.min(line.len() - at);
                line.copy_within(edge..edge + count, at);
                at += count;
            }
        }
    }
    let Some(last) = lines
        .checked_sub(1)
        .map(|last| place.offset + last * place.stride)
    else {
        return;
    };
    for number in lines..place.lines {
        let start = place.offset + number * place.stride;
        to.copy_within(last..last + place.bytes, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, FrameRate, FrameSize, Timestamp};

    fn format(pixel: PixelFormat, size: &str, stride: u32) -> VideoFormat {
        VideoFormat {
            pixel,
            size: size.parse().unwrap(),
            stride,
            colour: Colour::VIDEO,
            rate: FrameRate::per_second(30),
        }
    }

    fn layout(fourcc: &[u8; 4], width: u32, height: u32, stride: u32, image: u32) -> Layout {
        Layout {
            fourcc: *fourcc,
            width,
            height,
            stride,
            image,
        }
    }

    fn frame(format: VideoFormat, data: &[u8]) -> Frame<'_> {
        Frame {
            format,
            captured_at: Timestamp::now(),
            sequence: 1,
            data,
            dmabuf: None,
        }
    }

    #[test]
    fn only_what_lies_as_the_encoder_wants_it_is_imported() {
        let nv12 = format(PixelFormat::Nv12, "1280x720", 1280);
        let bytes = 1280 * 720 * 3 / 2;
        let same = layout(b"NV12", 1280, 720, 1280, bytes);
        let length = bytes as usize;
        assert!(is_the_same(&nv12, &same, length));
        assert!(!is_the_same(&nv12, &same, length - 1), "too short");
        for (other, why) in [
            (layout(b"NV21", 1280, 720, 1280, bytes), "another format"),
            (layout(b"NV12", 1280, 720, 1344, bytes), "another stride"),
            (layout(b"NV12", 1280, 736, 1280, bytes), "chroma further below"),
        ] {
            assert!(!is_the_same(&nv12, &other, 2 * length), "{why}");
        }
        let yuyv = format(PixelFormat::Yuyv, "1920x1080", 3840);
        let taller = layout(b"YUYV", 1920, 1088, 3840, 3840 * 1088);
        assert!(
            is_the_same(&yuyv, &taller, 3840 * 1088),
            "nothing lies behind the picture"
        );
        assert!(!is_the_same(&yuyv, &taller, 3840 * 1080));
        let odd = format(PixelFormat::Yuyv, "641x360", 1284);
        assert!(is_the_same(
            &odd,
            &layout(b"YUYV", 640, 360, 1284, 1284 * 360),
            1284 * 360
        ));
    }

    #[test]
    fn edges_are_repeated_around_the_picture() {
        // 4x2 luma in lines of 6, into 8x4 in lines of 8.
        let yu12 = VideoFormat {
            size: FrameSize { width: 4, height: 2 },
            ..format(PixelFormat::Yu12, "16x16", 6)
        };
        let mut data = vec![1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0];
        data.extend([10, 11, 0, 20, 21, 0]);
        let to = layout(b"YU12", 8, 4, 8, 48);
        let mut out = vec![99; 48];
        let used = Copying::new(&yu12, PixelFormat::Yu12, &to)
            .copy(&frame(yu12, &data), &mut out)
            .unwrap();
        assert_eq!(used, 48);
        let second = [5, 6, 7, 8, 8, 8, 8, 8];
        assert_eq!(out[..8], [1, 2, 3, 4, 4, 4, 4, 4]);
        for line in 1..4 {
            assert_eq!(out[8 * line..8 * line + 8], second, "line {line}");
        }
        assert_eq!(out[32..40], [10, 11, 11, 11, 10, 11, 11, 11]);
        assert_eq!(out[40..48], [20, 21, 21, 21, 20, 21, 21, 21]);
    }

    #[test]
    fn chroma_is_woven_for_an_encoder_that_takes_nv12_alone() {
        let yu12 = VideoFormat {
            size: FrameSize { width: 4, height: 2 },
            ..format(PixelFormat::Yu12, "16x16", 4)
        };
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 20, 21];
        let mut out = [0; 12];
        let used = Copying::new(&yu12, PixelFormat::Nv12, &layout(b"NV12", 4, 2, 4, 12))
            .copy(&frame(yu12, &data), &mut out)
            .unwrap();
        assert_eq!(used, 12);
        assert_eq!(out, [1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 11, 21]);
    }

    #[test]
    fn packed_pictures_keep_their_order() {
        let yuyv = VideoFormat {
            size: FrameSize { width: 4, height: 1 },
            ..format(PixelFormat::Yuyv, "16x16", 10)
        };
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0];
        let mut out = [0; 24];
        Copying::new(&yuyv, PixelFormat::Yuyv, &layout(b"YUYV", 6, 2, 12, 24))
            .copy(&frame(yuyv, &data), &mut out)
            .unwrap();
        let line = [1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8];
        assert_eq!(out[..12], line);
        assert_eq!(out[12..], line);
    }

    #[test]
    fn a_picture_with_an_odd_edge_loses_it() {
        let odd = VideoFormat {
            size: FrameSize { width: 3, height: 3 },
            ..format(PixelFormat::Nv12, "16x16", 3)
        };
        // Lines of chroma have an even number of bytes.
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 11, 21, 12, 22, 13, 23];
        let mut out = [0; 6];
        Copying::new(&odd, PixelFormat::Nv12, &layout(b"NV12", 2, 2, 2, 6))
            .copy(&frame(odd, &data), &mut out)
            .unwrap();
        assert_eq!(out, [1, 2, 4, 5, 10, 20]);
    }

    #[test]
    fn what_is_too_short_is_refused() {
        let nv12 = format(PixelFormat::Nv12, "64x64", 64);
        let to = layout(b"NV12", 64, 64, 64, 6144);
        let copying = Copying::new(&nv12, PixelFormat::Nv12, &to);
        let (data, mut out) = (vec![0; 6144], vec![0; 6144]);
        assert!(copying.copy(&frame(nv12, &data[..6143]), &mut out).is_err());
        assert!(copying.copy(&frame(nv12, &data), &mut out[..6143]).is_err());
        assert_eq!(copying.copy(&frame(nv12, &data), &mut out), Ok(6144));
    }
}
