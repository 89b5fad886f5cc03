//! Packed red, green and blue, in any order and of several widths.

use super::{
    Output,
    recolour::{byte, fixed, offset},
};
use crate::{
    encode::LayoutError,
    media::{ColourMatrix, ColourRange, Frame},
};

/// Fixed-point factors from R'G'B' to BT.601 in limited range.
struct Factors {
    luma: [i16; 3],
    luma_offset: i32,
    cb: [i16; 3],
    cr: [i16; 3],
    chroma_offset: i32,
}

impl Factors {
    fn from(range: ColourRange) -> Self {
        let (black, span) = match range {
            ColourRange::Limited => (16.0, 219.0),
            ColourRange::Full => (0.0, 255.0),
        };
        let (red, blue) = ColourMatrix::Bt601.shares();
        let shares = [red, 1.0 - red - blue, blue];
        let chroma = |primary: usize| {
            let full = 2.0 * (1.0 - shares[primary]);
            [0, 1, 2].map(|index| {
                let difference = f64::from(u8::from(index == primary)) - shares[index];
                // A quarter: it is applied to the sum of four pixels.
                fixed(difference / full * 224.0 / span / 4.0)
            })
        };
        Self {
            luma: shares.map(|share| fixed(share * 219.0 / span)),
            luma_offset: offset(16.0 - black * 219.0 / span),
            cb: chroma(2),
            cr: chroma(0),
            // The factors of a chroma sum up to zero, so black does not matter.
            chroma_offset: offset(128.0),
        }
    }
}

/// Pixels line by line.
pub struct Pixels<'a> {
    /// All of them.
    pub data: &'a [u8],
    /// Bytes from line to line.
    pub stride: usize,
    /// Which of their numbers are in use.
    pub range: ColourRange,
}

/// So many bytes a pixel, of which `parts` makes red, green and blue. Each chroma sample is the mean of four pixels'.
pub fn packed<const BYTES: usize>(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
    parts: impl Fn(&[u8; BYTES]) -> [u8; 3] + Copy,
) -> Result<(), LayoutError> {
    let pixels = Pixels {
        data: super::raw::check(frame)?,
        stride: frame.format.stride as usize,
        range: frame.format.colour.range,
    };
    convert(&pixels, output, parts);
    Ok(())
}

/// The same of pixels that are known to be enough for `output`.
pub fn convert<const BYTES: usize>(
    pixels: &Pixels<'_>,
    output: &mut Output<'_>,
    parts: impl Fn(&[u8; BYTES]) -> [u8; 3] + Copy,
) {
    let (width, height) = (output.width(), output.height());
    let factors = Factors::from(pixels.range);
    let line = |number: usize| {
        let line = &pixels.data[number * pixels.stride..][..BYTES * width];
        line.as_chunks::<BYTES>().0
    };
    for (pair, lines) in output.pairs().enumerate() {
        // An odd last line is its own neighbour.
        let (upper, lower) = (line(2 * pair), line((2 * pair + 1).min(height - 1)));
        luma(&factors, upper, lines.upper, parts);
        luma(&factors, lower, lines.lower, parts);
        chroma(&factors, [upper, lower], lines.u, lines.v, parts);
    }
}

/// Red, green and blue of five, six and five bits in two bytes, the lower one first (`V4L2_PIX_FMT_RGB565`).
pub fn of_565(pixel: &[u8; 2]) -> [u8; 3] {
    let bits = u16::from_le_bytes(*pixel);
    // What is missing below repeats what is above, so that the largest number is 255.
    let spread = |value: u16, width: u32| {
        let value = value & ((1 << width) - 1);
        #[allow(clippy::cast_possible_truncation, reason = "eight bits are left")]
        let byte = (value << (8 - width) | value >> (2 * width - 8)) as u8;
        byte
    };
    [spread(bits >> 11, 5), spread(bits >> 5, 6), spread(bits, 5)]
}

fn luma<const BYTES: usize>(
    factors: &Factors,
    pixels: &[[u8; BYTES]],
    line: &mut [u8],
    parts: impl Fn(&[u8; BYTES]) -> [u8; 3],
) {
    for (pixel, y) in pixels.iter().zip(line) {
        *y = byte(weighed(parts(pixel).map(i16::from), factors.luma) + factors.luma_offset);
    }
}

fn chroma<const BYTES: usize>(
    factors: &Factors,
    [upper, lower]: [&[[u8; BYTES]]; 2],
    u: &mut [u8],
    v: &mut [u8],
    parts: impl Fn(&[u8; BYTES]) -> [u8; 3],
) {
    let mixed = |four: [&[u8; BYTES]; 4]| {
        let four = four.map(&parts);
        let sum = [0, 1, 2].map(|part| four.iter().map(|pixel| i16::from(pixel[part])).sum::<i16>());
        (
            byte(weighed(sum, factors.cb) + factors.chroma_offset),
            byte(weighed(sum, factors.cr) + factors.chroma_offset),
        )
    };
    let (upper_pairs, upper_last) = upper.as_chunks::<2>();
    let (lower_pairs, lower_last) = lower.as_chunks::<2>();
    for (((upper, lower), u), v) in upper_pairs.iter().zip(lower_pairs).zip(&mut *u).zip(&mut *v) {
        (*u, *v) = mixed([&upper[0], &upper[1], &lower[0], &lower[1]]);
    }
    // An odd last column, too.
    if let ([upper], [lower], Some(u), Some(v)) = (upper_last, lower_last, u.last_mut(), v.last_mut()) {
        (*u, *v) = mixed([upper, upper, lower, lower]);
    }
}

fn weighed(parts: [i16; 3], factors: [i16; 3]) -> i32 {
    let product = |index: usize| i32::from(parts[index]) * i32::from(factors[index]);
    product(0) + product(1) + product(2)
}
