//! Single pictures as files. JPEG has the full range of values (JFIF), what is encoded here has the limited one.

use turbojpeg::{Compressor, Subsamp, YuvImage};

use super::{EncodeError, Planes};
use crate::media::Frame;

/// A picture whose faults a person does not look for.
const QUALITY: i32 = 88;
/// What is still a picture, where the better one is too large.
const COARSE: i32 = 60;

/// One frame, which must be YU12, as a JPEG of at most `largest` bytes. Takes memory and time: for pictures that
/// somebody has asked for.
///
/// # Errors
/// It is no such frame, or it can't be made that small.
pub fn jpeg(frame: &Frame<'_>, largest: usize) -> Result<Vec<u8>, EncodeError> {
    let failed = |error: turbojpeg::Error| EncodeError::Jpeg(error.to_string());
    let planes = Planes::of(frame).map_err(|error| EncodeError::Jpeg(error.to_string()))?;
    let (width, height) = (planes.size.width as usize, planes.size.height as usize);
    let (even_width, even_height) = (width.next_multiple_of(2), height.next_multiple_of(2));
    let mut pixels = Vec::with_capacity(even_width * even_height * 3 / 2);
    let luma: [u8; 256] = std::array::from_fn(|value| expand(value, 16, 0.0, 219.0));
    let chroma: [u8; 256] = std::array::from_fn(|value| expand(value, 128, 128.0, 224.0));
    fill(
        &mut pixels,
        planes.y,
        planes.stride,
        (width, height),
        (even_width, even_height),
        &luma,
    );
    let half = (even_width / 2, even_height / 2);
    for plane in [planes.u, planes.v] {
        fill(&mut pixels, plane, planes.chroma_stride, half, half, &chroma);
    }
    let mut compressor = Compressor::new().map_err(failed)?;
    for quality in [QUALITY, COARSE] {
        compressor.set_quality(quality).map_err(failed)?;
        let image = YuvImage {
            pixels: pixels.as_slice(),
            width,
            align: 1,
            height,
            subsamp: Subsamp::Sub2x2,
        };
        let file = compressor.compress_yuv_to_vec(image).map_err(failed)?;
        if file.len() <= largest {
            return Ok(file);
        }
    }
    Err(EncodeError::Jpeg(format!(
        "a picture of {} takes more than {largest} bytes",
        planes.size
    )))
}

/// A value of the limited range in the full one (ITU-T T.871, section 7).
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a byte, clamped to one"
)]
fn expand(value: usize, zero: i32, zero_there: f64, span: f64) -> u8 {
    let value = i32::try_from(value).unwrap_or(255);
    let there = f64::from(value - zero) * 255.0 / span + zero_there;
    there.round().clamp(0.0, 255.0) as u8
}

/// Appends a plane, its last column and line repeated up to `wanted`.
fn fill(
    out: &mut Vec<u8>,
    plane: &[u8],
    stride: usize,
    (width, height): (usize, usize),
    (wanted_width, wanted_height): (usize, usize),
    table: &[u8; 256],
) {
    for line in 0..wanted_height {
        let line = &plane[line.min(height - 1) * stride..][..width];
        out.extend(line.iter().map(|value| table[usize::from(*value)]));
        let last = line.last().map_or(0, |value| table[usize::from(*value)]);
        out.resize(out.len() + wanted_width - width, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, FrameRate, FrameSize, PixelFormat, Timestamp, VideoFormat};

    fn frame<'a>(data: &'a [u8], size: FrameSize, stride: u32) -> Frame<'a> {
        Frame {
            format: VideoFormat {
                pixel: PixelFormat::Yu12,
                size,
                stride,
                colour: Colour::VIDEO,
                rate: FrameRate::per_second(30),
            },
            captured_at: Timestamp::now(),
            sequence: 0,
            data,
            dmabuf: None,
        }
    }

    #[test]
    fn a_picture_keeps_its_colours_and_its_size() {
        // Left black, right white, in a red that JPEG has at 255.
        let size: FrameSize = "33x17".parse().expect("a size");
        let (width, height, stride) = (33, 17, 64);
        let mut data = vec![128; stride * height + 2 * (stride / 2) * 9];
        for line in 0..height {
            for column in 0..width {
                data[line * stride + column] = if column < 16 { 16 } else { 235 };
            }
        }
        let file = jpeg(&frame(&data, size, 64), 100_000).expect("a picture");
        let image = turbojpeg::decompress(&file, turbojpeg::PixelFormat::GRAY).expect("a JPEG");
        assert_eq!((image.width, image.height), (33, 17));
        assert!(image.pixels[image.pitch * 8 + 3] < 6, "black is black");
        assert!(image.pixels[image.pitch * 8 + 30] > 249, "white is white");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let size: FrameSize = "64x64".parse().expect("a size");
        let data: Vec<u8> = (0..64 * 64 * 3 / 2u32)
            .map(|number| (number * 7919 % 251) as u8)
            .collect();
        let error = jpeg(&frame(&data, size, 64), 100)
            .expect_err("it has more")
            .to_string();
        assert!(error.contains("64x64") && error.contains("100 bytes"), "{error}");
        let short = &data[..100];
        assert!(jpeg(&frame(short, size, 64), 100_000).is_err());
    }
}
