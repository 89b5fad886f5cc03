//! Packed red, green and blue.

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

/// Three bytes a pixel, red the one of index `R` and blue that of index `B`. Each chroma sample is the mean of four pixels'.
pub fn packed<const R: usize, const B: usize>(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
) -> Result<(), LayoutError> {
    let (data, stride) = (super::raw::check(frame)?, frame.format.stride as usize);
    let (width, height) = (output.width(), output.height());
    let factors = Factors::from(frame.format.colour.range);
    let line = |number: usize| data[number * stride..][..3 * width].as_chunks::<3>().0;
    for (pair, lines) in output.pairs().enumerate() {
        // An odd last line is its own neighbour.
        let (upper, lower) = (line(2 * pair), line((2 * pair + 1).min(height - 1)));
        luma::<R, B>(&factors, upper, lines.upper);
        luma::<R, B>(&factors, lower, lines.lower);
        chroma::<R, B>(&factors, upper, lower, lines.u, lines.v);
    }
    Ok(())
}

fn luma<const R: usize, const B: usize>(factors: &Factors, pixels: &[[u8; 3]], line: &mut [u8]) {
    for (pixel, y) in pixels.iter().zip(line) {
        let parts = [pixel[R], pixel[1], pixel[B]];
        *y = byte(weighed(parts.map(i16::from), factors.luma) + factors.luma_offset);
    }
}

fn chroma<const R: usize, const B: usize>(
    factors: &Factors,
    upper: &[[u8; 3]],
    lower: &[[u8; 3]],
    u: &mut [u8],
    v: &mut [u8],
) {
    let mixed = |four: [&[u8; 3]; 4]| {
        let sum = [R, 1, B].map(|part| four.iter().map(|pixel| i16::from(pixel[part])).sum::<i16>());
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
