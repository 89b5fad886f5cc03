use turbojpeg::{Compressor, Subsamp, YuvImage};

use super::{super::Planes, *};
use crate::media::{FrameRate, Timestamp};

pub(super) fn frame<'a>(pixel: PixelFormat, size: &str, stride: u32, data: &'a [u8]) -> Frame<'a> {
    Frame {
        format: VideoFormat {
            pixel,
            size: size.parse().unwrap(),
            stride,
            colour: if pixel == PixelFormat::Mjpeg {
                Colour::JPEG
            } else {
                Colour::VIDEO
            },
            rate: FrameRate::per_second(30),
        },
        captured_at: Timestamp::now(),
        sequence: 7,
        dmabuf: None,
        data,
    }
}

pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..length).map(next).collect()
}

/// Each visible sample of the converted frame against `expected(x, y)` for Y, and in chroma samples for Cb and Cr.
fn assert_samples(
    converted: &Frame<'_>,
    tolerance: u8,
    luma: impl Fn(usize, usize) -> u8,
    chroma: impl Fn(usize, usize) -> (u8, u8),
) {
    let planes = Planes::of(converted).unwrap();
    let (width, height) = (planes.size.width as usize, planes.size.height as usize);
    for y in 0..height {
        for x in 0..width {
            let (actual, expected) = (planes.y[y * planes.stride + x], luma(x, y));
            assert!(
                actual.abs_diff(expected) <= tolerance,
                "Y at {x},{y}: {actual}, not {expected}"
            );
        }
    }
    for y in 0..height.div_ceil(2) {
        for x in 0..width.div_ceil(2) {
            let at = y * planes.chroma_stride + x;
            let (actual, expected) = ((planes.u[at], planes.v[at]), chroma(x, y));
            assert!(
                actual.0.abs_diff(expected.0) <= tolerance && actual.1.abs_diff(expected.1) <= tolerance,
                "CbCr at {x},{y}: {actual:?}, not {expected:?}"
            );
        }
    }
}

#[test]
fn yu12_goes_through_untouched() {
    let data = noise(100 * 32 + 2 * 50 * 16);
    let frame = frame(PixelFormat::Yu12, "64x32", 100, &data);
    let mut converter = Converter::new();
    let converted = converter.to_yu12(&frame).unwrap();
    assert_eq!(converted.data.as_ptr(), data.as_ptr());
    assert_eq!(converted.format, frame.format);
}

#[test]
fn the_buffer_is_made_once() {
    let data = noise(64 * 2 * 32);
    let mut converter = Converter::new();
    let first = converter
        .to_yu12(&frame(PixelFormat::Yuyv, "64x32", 128, &data))
        .unwrap()
        .data
        .as_ptr();
    let second = converter
        .to_yu12(&frame(PixelFormat::Yuyv, "64x32", 128, &data))
        .unwrap();
    assert_eq!(second.data.as_ptr(), first);
    assert_eq!(second.sequence, 7);
    assert_eq!(
        second.format,
        Converter::output(frame(PixelFormat::Yuyv, "64x32", 128, &data).format)
    );
}

#[test]
fn frames_that_end_early_are_refused() {
    let data = noise(64 * 3 * 32);
    for (pixel, stride, length) in [
        (PixelFormat::Yuyv, 128, 128 * 32 - 1),
        (PixelFormat::Yuyv, 127, 128 * 32),
        (PixelFormat::Nv12, 64, 64 * 48 - 1),
        (PixelFormat::Nv12, 63, 64 * 48),
        (PixelFormat::Nv21, 80, 80 * 48 - 17),
        (PixelFormat::Yv12, 64, 64 * 48 - 1),
        (PixelFormat::Grey, 64, 64 * 32 - 1),
        (PixelFormat::Rgb24, 192, 192 * 32 - 1),
        (PixelFormat::Bgr24, 191, 192 * 32),
        (PixelFormat::Yuyv, 128, 0),
    ] {
        let frame = frame(pixel, "64x32", stride, &data[..length]);
        let error = Converter::new().to_yu12(&frame).expect_err("refused");
        assert!(matches!(error, ConvertError::Layout(_)), "{error}");
    }
}

/// Slow changes both ways, which JPEG keeps nearly as they are.
fn ramp(x: usize, y: usize, phase: usize) -> u8 {
    (20 + (2 * x + 3 * y + phase) % 200) as u8
}

/// A JPEG of the ramps with chroma planes as `subsamp` has them.
fn jpeg(width: usize, height: usize, subsamp: Subsamp) -> Vec<u8> {
    let (across, down) = subsamp.size();
    let (luma_width, luma_height) = (width.next_multiple_of(across), height.next_multiple_of(down));
    let plane = |width: usize, height: usize, step: (usize, usize), phase: usize| {
        let at = move |x: usize, y: usize| ramp((x * step.0).min(250), (y * step.1) / 8, phase);
        (0..height)
            .flat_map(move |y| (0..width).map(move |x| at(x / 8 * 8, y)))
            .collect::<Vec<_>>()
    };
    let mut pixels = plane(luma_width, luma_height, (1, 1), 0);
    if subsamp != Subsamp::Gray {
        for phase in [40, 90] {
            pixels.extend(plane(luma_width / across, luma_height / down, (0, 0), phase));
        }
    }
    let image = YuvImage {
        pixels: &pixels[..],
        width,
        align: 1,
        height,
        subsamp,
    };
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(100).unwrap();
    compressor.set_subsamp(subsamp).unwrap();
    compressor.compress_yuv_to_vec(image).unwrap()
}

pub(super) const SUBSAMPLINGS: [Subsamp; 7] = [
    Subsamp::Sub2x2,
    Subsamp::Sub2x1,
    Subsamp::None,
    Subsamp::Gray,
    Subsamp::Sub1x2,
    Subsamp::Sub4x1,
    Subsamp::Sub1x4,
];

fn full_to_limited(y: u8) -> u8 {
    (16.0 + 219.0 * f32::from(y) / 255.0).round() as u8
}

fn full_to_limited_chroma(c: u8) -> u8 {
    (128.0 + 224.0 * (f32::from(c) - 128.0) / 255.0).round() as u8
}

#[test]
fn jpegs_of_every_subsampling_come_out_in_limited_range() {
    for subsamp in SUBSAMPLINGS {
        for (size, width, height) in [("128x64", 128, 64), ("160x90", 160, 90), ("63x35", 63, 35)] {
            let data = jpeg(width, height, subsamp);
            let mut converter = Converter::new();
            let converted = converter
                .to_yu12(&frame(PixelFormat::Mjpeg, size, 0, &data))
                .unwrap();
            let chroma = match subsamp {
                Subsamp::Gray => (128, 128),
                _ => (
                    full_to_limited_chroma(ramp(0, 0, 40)),
                    full_to_limited_chroma(ramp(0, 0, 90)),
                ),
            };
            assert_samples(
                &converted,
                4,
                |x, y| full_to_limited(ramp((x / 8 * 8).min(250), y / 8, 0)),
                |_, _| chroma,
            );
        }
    }
}

#[test]
fn chroma_of_a_jpeg_stays_where_it_is() {
    // Cb is one thing in the upper left quarter and another elsewhere.
    let (width, height) = (128, 64);
    for subsamp in SUBSAMPLINGS
        .into_iter()
        .filter(|&subsamp| subsamp != Subsamp::Gray)
    {
        let (across, down) = subsamp.size();
        let (chroma_width, chroma_height) = (width / across, height / down);
        let mut pixels = vec![100; width * height];
        let inside = |x: usize, y: usize, width: usize, height: usize| x < width / 2 && y < height / 2;
        for y in 0..chroma_height {
            pixels.extend((0..chroma_width).map(|x| {
                if inside(x, y, chroma_width, chroma_height) {
                    200
                } else {
                    60
                }
            }));
        }
        pixels.extend(vec![128; chroma_width * chroma_height]);
        let mut compressor = Compressor::new().unwrap();
        compressor.set_quality(100).unwrap();
        compressor.set_subsamp(subsamp).unwrap();
        let image = YuvImage {
            pixels: &pixels[..],
            width,
            align: 1,
            height,
            subsamp,
        };
        let data = compressor.compress_yuv_to_vec(image).unwrap();
        let mut converter = Converter::new();
        let converted = converter
            .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, &data))
            .unwrap();
        assert_samples(
            &converted,
            4,
            |_, _| full_to_limited(100),
            |x, y| {
                let full = if inside(x, y, width / 2, height / 2) {
                    200
                } else {
                    60
                };
                (full_to_limited_chroma(full), 128)
            },
        );
    }
}

#[test]
fn a_jpeg_without_huffman_tables_is_read_with_the_standard_ones() {
    let whole = jpeg(128, 64, Subsamp::Sub2x1);
    let mut stripped = Vec::new();
    let mut rest = &whole[2..];
    stripped.extend_from_slice(&whole[..2]);
    while rest[1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] != 0xc4 {
            stripped.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    stripped.extend_from_slice(rest);
    assert!(stripped.len() < whole.len());
    let (mut a, mut b) = (Converter::new(), Converter::new());
    let expected = a
        .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, &whole))
        .unwrap();
    let actual = b
        .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, &stripped))
        .unwrap();
    assert!(actual.data == expected.data);
}

#[test]
fn a_damaged_jpeg_costs_only_itself() {
    let good = jpeg(128, 64, Subsamp::Sub2x1);
    let mut converter = Converter::new();
    let expected = converter
        .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, &good))
        .unwrap()
        .data
        .to_vec();
    let damaged = [&good[..good.len() / 2], &good[..20], &[][..], &[0; 500][..]];
    for data in damaged {
        let error = converter
            .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, data))
            .expect_err("damaged");
        assert!(matches!(error, ConvertError::Jpeg(_)), "{error}");
        let again = converter
            .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, &good))
            .unwrap();
        assert!(again.data == expected);
    }
}

#[test]
fn bytes_before_the_end_marker_do_no_harm() {
    let good = jpeg(128, 64, Subsamp::Sub2x1);
    let mut padded = good[..good.len() - 2].to_vec();
    padded.extend([0, 0, 0, 0xff, 0xd9, 0, 0, 0, 0]);
    let mut converter = Converter::new();
    let expected = converter
        .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, &good))
        .unwrap()
        .data
        .to_vec();
    let actual = converter
        .to_yu12(&frame(PixelFormat::Mjpeg, "128x64", 0, &padded))
        .unwrap();
    assert!(actual.data == expected);
}

#[test]
fn a_jpeg_padded_to_blocks_is_cut_and_another_size_is_refused() {
    let data = jpeg(128, 64, Subsamp::Sub2x2);
    let mut converter = Converter::new();
    let cut = converter
        .to_yu12(&frame(PixelFormat::Mjpeg, "120x60", 0, &data))
        .unwrap();
    assert_samples(
        &cut,
        4,
        |x, y| full_to_limited(ramp((x / 8 * 8).min(250), y / 8, 0)),
        |_, _| {
            (
                full_to_limited_chroma(ramp(0, 0, 40)),
                full_to_limited_chroma(ramp(0, 0, 90)),
            )
        },
    );
    for size in ["130x64", "128x66", "64x64", "32x16"] {
        let error = converter
            .to_yu12(&frame(PixelFormat::Mjpeg, size, 0, &data))
            .expect_err("refused");
        assert!(matches!(error, ConvertError::JpegKind { .. }), "{error}");
    }
}
