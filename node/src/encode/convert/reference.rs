//! Every raw format against a slow reference in floating point, that knows nothing of lines, planes or integers.

use super::{super::Planes, tests::noise, *};
use crate::media::{ColourMatrix, ColourRange, FrameRate, Timestamp};

const FORMATS: [PixelFormat; 20] = [
    PixelFormat::Vyuy,
    PixelFormat::Nv16,
    PixelFormat::Nv61,
    PixelFormat::Y10,
    PixelFormat::Y16,
    PixelFormat::Xbgr32,
    PixelFormat::Xrgb32,
    PixelFormat::Bgrx32,
    PixelFormat::Rgbx32,
    PixelFormat::Rgb565,
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Yvyu,
    PixelFormat::Nv12,
    PixelFormat::Nv21,
    PixelFormat::Yu12,
    PixelFormat::Yv12,
    PixelFormat::Grey,
    PixelFormat::Rgb24,
    PixelFormat::Bgr24,
];

const MATRICES: [ColourMatrix; 4] = [
    ColourMatrix::Bt601,
    ColourMatrix::Bt709,
    ColourMatrix::Bt2020,
    ColourMatrix::Smpte240m,
];

const RANGES: [ColourRange; 2] = [ColourRange::Limited, ColourRange::Full];

/// A picture, where each sample is found by the kernel's description of its format.
struct Source<'a> {
    format: VideoFormat,
    data: &'a [u8],
}

impl Source<'_> {
    fn byte(&self, at: usize) -> f64 {
        f64::from(self.data[at])
    }

    /// Y, Cb, Cr (or R, G, B) of a pixel, as the source has them.
    fn sample(&self, x: usize, y: usize) -> [f64; 3] {
        let (stride, height) = (self.format.stride as usize, self.format.size.height as usize);
        let (line, pair) = (y * stride, y * stride + x / 2 * 4);
        let interleaved = height * stride + y / 2 * stride.next_multiple_of(2) + x / 2 * 2;
        let plane = stride.div_ceil(2) * height.div_ceil(2);
        let first = height * stride + y / 2 * stride.div_ceil(2) + x / 2;
        let tall = height * stride + y * stride.next_multiple_of(2) + x / 2 * 2;
        let two_bytes = |at: usize| u16::from_le_bytes([self.data[at], self.data[at + 1]]);
        let four = line + 4 * x;
        let at = match self.format.pixel {
            PixelFormat::Yuyv => [line + 2 * x, pair + 1, pair + 3],
            PixelFormat::Uyvy => [line + 2 * x + 1, pair, pair + 2],
            PixelFormat::Yvyu => [line + 2 * x, pair + 3, pair + 1],
            PixelFormat::Nv12 => [line + x, interleaved, interleaved + 1],
            PixelFormat::Nv21 => [line + x, interleaved + 1, interleaved],
            PixelFormat::Yu12 => [line + x, first, first + plane],
            PixelFormat::Yv12 => [line + x, first + plane, first],
            PixelFormat::Grey => return [self.byte(line + x), 128.0, 128.0],
            PixelFormat::Rgb24 => [line + 3 * x, line + 3 * x + 1, line + 3 * x + 2],
            PixelFormat::Bgr24 => [line + 3 * x + 2, line + 3 * x + 1, line + 3 * x],
            PixelFormat::Vyuy => [line + 2 * x + 1, pair + 2, pair],
            PixelFormat::Nv16 => [line + x, tall, tall + 1],
            PixelFormat::Nv61 => [line + x, tall + 1, tall],
            // Bits above the ten are not in use, and may be anything that is clearly too much.
            PixelFormat::Y10 => return [f64::from(two_bytes(line + 2 * x) / 4).min(255.0), 128.0, 128.0],
            PixelFormat::Y16 => return [f64::from(two_bytes(line + 2 * x) / 256), 128.0, 128.0],
            PixelFormat::Xbgr32 => [four + 2, four + 1, four],
            PixelFormat::Xrgb32 => [four + 1, four + 2, four + 3],
            PixelFormat::Bgrx32 => [four + 3, four + 2, four + 1],
            PixelFormat::Rgbx32 => [four, four + 1, four + 2],
            PixelFormat::Rgb565 => {
                let bits = two_bytes(line + 2 * x);
                let part = |value: u16, most: u16| f64::from(value & most) * 255.0 / f64::from(most);
                return [part(bits >> 11, 31), part(bits >> 5, 63), part(bits, 31)];
            }
            PixelFormat::Mjpeg | PixelFormat::H264 => unreachable!("not raw"),
        };
        at.map(|at| self.byte(at))
    }

    /// The pixel as BT.601 in limited range, by way of red, green and blue from 0 to 1.
    fn expected(&self, x: usize, y: usize) -> [f64; 3] {
        let sample = self.sample(x, y);
        let (black, span, chroma_span) = match self.format.colour.range {
            ColourRange::Limited => (16.0, 219.0, 224.0),
            ColourRange::Full => (0.0, 255.0, 255.0),
        };
        let [red, green, blue] = if self.format.pixel.is_rgb() {
            sample.map(|part| (part - black) / span)
        } else {
            let (red_share, blue_share) = self.format.colour.matrix.shares();
            let luma = (sample[0] - black) / span;
            let [cb, cr] = [sample[1], sample[2]].map(|chroma| (chroma - 128.0) / chroma_span);
            let red = luma + 2.0 * (1.0 - red_share) * cr;
            let blue = luma + 2.0 * (1.0 - blue_share) * cb;
            let green = (luma - red_share * red - blue_share * blue) / (1.0 - red_share - blue_share);
            [red, green, blue]
        };
        let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        [
            16.0 + 219.0 * luma,
            128.0 + 224.0 * (blue - luma) / 1.772,
            128.0 + 224.0 * (red - luma) / 1.402,
        ]
    }

    /// Cb and Cr of one sample of 4:2:0: the mean of the pixels that it stands for.
    fn expected_chroma(&self, x: usize, y: usize) -> [f64; 2] {
        let (right, bottom) = (
            self.format.size.width as usize - 1,
            self.format.size.height as usize - 1,
        );
        let across = [2 * x, (2 * x + 1).min(right)];
        let down = [2 * y, (2 * y + 1).min(bottom)];
        let pixels = down.map(|y| across.map(|x| self.expected(x, y)));
        [1, 2].map(|part| pixels.as_flattened().iter().map(|pixel| pixel[part]).sum::<f64>() / 4.0)
    }
}

/// Rounding once for the mean of chroma and once for the colours; a bit more than one step.
const TOLERANCE: f64 = 1.5;

fn compare(source: &Source<'_>, what: &str) {
    let frame = Frame {
        format: source.format,
        captured_at: Timestamp::now(),
        sequence: 0,
        dmabuf: None,
        data: source.data,
    };
    let mut converter = Converter::new();
    let converted = converter.to_yu12(&frame).unwrap();
    assert_eq!(converted.format, Converter::output(source.format));
    assert_eq!(
        (converted.format.pixel, converted.format.colour),
        (PixelFormat::Yu12, Colour::VIDEO)
    );
    let planes = Planes::of(&converted).unwrap();
    let assert_near = |actual: u8, expected: f64, part: &str, x: usize, y: usize| {
        let off = (f64::from(actual) - expected.clamp(0.0, 255.0)).abs();
        assert!(
            off <= TOLERANCE,
            "{what}: {part} at {x},{y} is {actual}, not {expected:.2}"
        );
    };
    let (width, height) = (
        source.format.size.width as usize,
        source.format.size.height as usize,
    );
    for y in 0..height {
        for x in 0..width {
            assert_near(
                planes.y[y * planes.stride + x],
                source.expected(x, y)[0],
                "Y",
                x,
                y,
            );
        }
    }
    for y in 0..height.div_ceil(2) {
        for x in 0..width.div_ceil(2) {
            let at = y * planes.chroma_stride + x;
            let [cb, cr] = source.expected_chroma(x, y);
            assert_near(planes.u[at], cb, "Cb", x, y);
            assert_near(planes.v[at], cr, "Cr", x, y);
        }
    }
}

fn format(pixel: PixelFormat, size: &str, padding: u32, colour: Colour) -> VideoFormat {
    let size: FrameSize = size.parse().unwrap();
    VideoFormat {
        pixel,
        size,
        stride: pixel.least_stride(size.width) + padding,
        colour,
        rate: FrameRate::per_second(30),
    }
}

#[test]
fn every_format_matrix_and_range_is_right_with_any_size_and_stride() {
    for pixel in FORMATS {
        for matrix in MATRICES {
            for range in RANGES {
                for (size, padding) in [
                    ("64x32", 0),
                    ("31x17", 0),
                    ("33x18", 13),
                    ("70x31", 26),
                    ("16x16", 1),
                ] {
                    let format = format(pixel, size, padding, Colour { matrix, range });
                    let data = noise(format.least_bytes());
                    let what = format!("{format} with {padding} bytes of padding, {}", format.colour);
                    compare(&Source { format, data: &data }, &what);
                }
            }
        }
    }
}

#[test]
fn the_sizes_of_real_cameras_are_right() {
    for pixel in FORMATS {
        for (size, padding) in [("1366x768", 2), ("641x361", 0)] {
            let format = format(pixel, size, padding, Colour::VIDEO);
            let data = noise(format.least_bytes());
            compare(&Source { format, data: &data }, &format.to_string());
        }
    }
    let colour = Colour {
        matrix: ColourMatrix::Bt709,
        range: ColourRange::Limited,
    };
    let format = format(PixelFormat::Yuyv, "1920x1080", 0, colour);
    let data = noise(format.least_bytes());
    compare(&Source { format, data: &data }, &format.to_string());
}

#[test]
fn black_white_and_grey_are_exact() {
    for pixel in FORMATS {
        for matrix in MATRICES {
            for range in RANGES {
                let format = format(pixel, "32x16", 0, Colour { matrix, range });
                let (black, white) = match range {
                    ColourRange::Limited => (16, 235),
                    ColourRange::Full => (0, 255),
                };
                for (level, expected) in [(black, 16), (white, 235)] {
                    // The levels of five and six bits are others.
                    if pixel == PixelFormat::Rgb565 && range == ColourRange::Limited {
                        continue;
                    }
                    // Luma is the level, chroma in the middle; in RGB everything is the level.
                    let data: Vec<u8> = (0..format.least_bytes())
                        .map(|at| {
                            if pixel == PixelFormat::Y10 {
                                return (u16::from(level) << 2).to_le_bytes()[at % 2];
                            }
                            let luma = match pixel {
                                PixelFormat::Yuyv | PixelFormat::Yvyu => at % 2 == 0,
                                PixelFormat::Uyvy => at % 2 == 1,
                                PixelFormat::Vyuy => at % 2 == 1,
                                pixel if pixel.is_rgb() => true,
                                _ => at < 32 * 16,
                            };
                            if luma { level } else { 128 }
                        })
                        .collect();
                    let frame = Frame {
                        format,
                        captured_at: Timestamp::now(),
                        sequence: 0,
                        dmabuf: None,
                        data: &data,
                    };
                    let mut converter = Converter::new();
                    let converted = converter.to_yu12(&frame).unwrap();
                    let planes = Planes::of(&converted).unwrap();
                    assert_eq!(
                        (planes.y[0], planes.y[31]),
                        (expected, expected),
                        "{format} {}",
                        format.colour
                    );
                    assert_eq!(
                        (planes.u[0], planes.v[0]),
                        (128, 128),
                        "{format} {}",
                        format.colour
                    );
                }
            }
        }
    }
}

#[test]
fn frames_of_any_length_stride_and_content_do_no_harm() {
    let mut dice = noise(8 * 4000).into_iter();
    let mut dice = |sides: usize| {
        let (a, b) = (dice.next().unwrap_or(1), dice.next().unwrap_or(1));
        (usize::from(a) * 256 + usize::from(b)) % sides
    };
    let junk = noise(96 * 96 * 4);
    let mut converter = Converter::new();
    let (mut good, mut refused) = (0, 0);
    for _ in 0..2000 {
        let pixel = FORMATS
            .into_iter()
            .chain([PixelFormat::Mjpeg])
            .nth(dice(21))
            .unwrap();
        let colour = Colour {
            matrix: MATRICES[dice(4)],
            range: RANGES[dice(2)],
        };
        let format = VideoFormat {
            pixel,
            size: FrameSize {
                width: dice(80) as u32,
                height: dice(80) as u32,
            },
            stride: dice(300) as u32,
            colour,
            rate: FrameRate::per_second(30),
        };
        // Often just enough, or a byte too little.
        let length = match dice(3) {
            0 => dice(junk.len()),
            more => (format.least_bytes() + 1).saturating_sub(more).min(junk.len()),
        };
        let frame = Frame {
            format,
            captured_at: Timestamp::now(),
            sequence: 0,
            dmabuf: None,
            data: &junk[..length],
        };
        match converter.to_yu12(&frame) {
            Ok(_) => good += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(good > 100 && refused > 100, "{good} good, {refused} refused");
}
