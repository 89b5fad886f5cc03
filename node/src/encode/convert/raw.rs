//! The uncompressed formats. The inner loops are plain ones over slices of equal length, which the compiler turns
//! into vector instructions on every target; no table of hand-written variants is needed.
//!
//! Where colours have to change, that is done line by line as they are unpacked, while they are in the cache.

use super::{Output, recolour::Recolour};
use crate::{
    encode::{LayoutError, Planes},
    media::Frame,
};

/// Packed 4:2:2, in each four bytes luma at `Y` and two behind it, Cb at `CB`, Cr at `CR`. Each chroma line is the
/// mean of the two that 4:2:0 has no room for.
pub fn packed<const Y: usize, const CB: usize, const CR: usize>(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
    recolour: Option<&Recolour>,
) -> Result<(), LayoutError> {
    let (data, stride) = (check(frame)?, frame.format.stride as usize);
    let (line_bytes, height) = (4 * output.chroma_width(), output.height());
    let line = |number: usize| data[number * stride..][..line_bytes].as_chunks::<4>().0;
    for (pair, lines) in output.pairs().enumerate() {
        // An odd last line is its own neighbour.
        let (upper, lower) = (line(2 * pair), line((2 * pair + 1).min(height - 1)));
        for (quads, luma) in [(upper, lines.upper), (lower, lines.lower)] {
            match recolour {
                None => packed_luma::<Y>(quads, luma),
                Some(recolour) => recoloured_luma::<Y, CB, CR>(recolour, quads, luma),
            }
        }
        for (((upper, lower), u), v) in upper.iter().zip(lower).zip(&mut *lines.u).zip(&mut *lines.v) {
            *u = mean(upper[CB], lower[CB]);
            *v = mean(upper[CR], lower[CR]);
        }
        if let Some(recolour) = recolour {
            recolour.chroma_lines(lines.u, lines.v);
        }
    }
    Ok(())
}

/// Two planes; in the second Cb is the byte `CB` of each pair, and Cr the byte `CR`.
pub fn semi_planar<const CB: usize, const CR: usize>(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
    recolour: Option<&Recolour>,
) -> Result<(), LayoutError> {
    let data = check(frame)?;
    let (stride, chroma_stride) = (
        frame.format.stride as usize,
        frame.format.chroma_stride() as usize,
    );
    let (y, chroma) = data.split_at(stride * output.height());
    let woven = chroma.chunks(chroma_stride);
    for ((luma, woven), lines) in y.chunks(2 * stride).zip(woven).zip(output.pairs()) {
        for ((pair, u), v) in woven
            .as_chunks::<2>()
            .0
            .iter()
            .zip(&mut *lines.u)
            .zip(&mut *lines.v)
        {
            *u = pair[CB];
            *v = pair[CR];
        }
        lines.finish(luma, stride, recolour);
    }
    Ok(())
}

/// The same where each line has chroma of its own (4:2:2). In the output it is the mean of two lines'.
pub fn semi_planar_tall<const CB: usize, const CR: usize>(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
    recolour: Option<&Recolour>,
) -> Result<(), LayoutError> {
    let data = check(frame)?;
    let (stride, chroma_stride) = (
        frame.format.stride as usize,
        frame.format.chroma_stride() as usize,
    );
    let (height, woven_bytes) = (output.height(), 2 * output.chroma_width());
    let (y, chroma) = data.split_at(stride * height);
    let woven = |number: usize| chroma[number * chroma_stride..][..woven_bytes].as_chunks::<2>().0;
    for (pair, lines) in output.pairs().enumerate() {
        // An odd last line is its own neighbour.
        let (upper, lower) = (2 * pair, (2 * pair + 1).min(height - 1));
        for (number, to) in [(upper, lines.upper), (lower, lines.lower)] {
            let from = &y[number * stride..][..to.len()];
            match recolour {
                None => to.copy_from_slice(from),
                Some(recolour) => {
                    for ((from, to), woven) in from.chunks(2).zip(to.chunks_mut(2)).zip(woven(number)) {
                        let tint = recolour.tint(woven[CB], woven[CR]);
                        for (from, to) in from.iter().zip(to) {
                            *to = recolour.luma(*from, tint);
                        }
                    }
                }
            }
        }
        let woven = woven(upper).iter().zip(woven(lower));
        for (((upper, lower), u), v) in woven.zip(&mut *lines.u).zip(&mut *lines.v) {
            *u = mean(upper[CB], lower[CB]);
            *v = mean(upper[CR], lower[CR]);
        }
        if let Some(recolour) = recolour {
            recolour.chroma_lines(lines.u, lines.v);
        }
    }
    Ok(())
}

/// Three planes, in this order of chroma or the other.
pub fn planar(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
    recolour: Option<&Recolour>,
) -> Result<(), LayoutError> {
    planes(&Planes::of_either(frame)?, output, recolour);
    Ok(())
}

/// The same of planes that lie apart.
pub fn planes(planes: &Planes<'_>, output: &mut Output<'_>, recolour: Option<&Recolour>) {
    let luma = planes.y.chunks(2 * planes.stride);
    let chroma = planes
        .u
        .chunks(planes.chroma_stride)
        .zip(planes.v.chunks(planes.chroma_stride));
    for ((luma, (u, v)), lines) in luma.zip(chroma).zip(output.pairs()) {
        lines.u.copy_from_slice(&u[..lines.u.len()]);
        lines.v.copy_from_slice(&v[..lines.v.len()]);
        lines.finish(luma, planes.stride, recolour);
    }
}

/// Luma alone.
pub fn grey(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
    recolour: Option<&Recolour>,
) -> Result<(), LayoutError> {
    let (data, stride, width) = (check(frame)?, frame.format.stride as usize, output.width());
    for (from, to) in data.chunks(stride).zip(output.y.chunks_mut(output.stride)) {
        let (from, to) = (&from[..width], &mut to[..width]);
        match recolour {
            None => to.copy_from_slice(from),
            Some(recolour) => recolour.grey_line(from, to),
        }
    }
    output.u.fill(128);
    output.v.fill(128);
    Ok(())
}

/// The same in two bytes, the lower one first, of which the upper eight of `8 + MORE` bits are taken.
pub fn deep_grey<const MORE: u32>(
    frame: &Frame<'_>,
    output: &mut Output<'_>,
    recolour: Option<&Recolour>,
) -> Result<(), LayoutError> {
    let (data, stride, width) = (check(frame)?, frame.format.stride as usize, output.width());
    let mut narrow = vec![0; width];
    for (from, to) in data.chunks(stride).zip(output.y.chunks_mut(output.stride)) {
        let samples = from[..2 * width].as_chunks::<2>().0;
        for (sample, narrow) in samples.iter().zip(&mut narrow) {
            // What is above its bits is up to the driver.
            let value = u16::from_le_bytes(*sample) >> MORE;
            *narrow = u8::try_from(value).unwrap_or(u8::MAX);
        }
        let to = &mut to[..width];
        match recolour {
            None => to.copy_from_slice(&narrow),
            Some(recolour) => recolour.grey_line(&narrow, to),
        }
    }
    output.u.fill(128);
    output.v.fill(128);
    Ok(())
}

/// Two lines of the output with the chroma that they share.
pub struct Lines<'a> {
    pub upper: &'a mut [u8],
    /// Empty behind an odd last line.
    pub lower: &'a mut [u8],
    pub u: &'a mut [u8],
    pub v: &'a mut [u8],
}

impl Lines<'_> {
    /// Luma from `luma`, two lines or an odd last one; chroma is there already, in its old colours.
    fn finish(self, luma: &[u8], stride: usize, recolour: Option<&Recolour>) {
        for (from, to) in luma.chunks(stride).zip([self.upper, self.lower]) {
            let from = &from[..to.len()];
            match recolour {
                None => to.copy_from_slice(from),
                Some(recolour) => recolour.luma_line(from, self.u, self.v, to),
            }
        }
        if let Some(recolour) = recolour {
            recolour.chroma_lines(self.u, self.v);
        }
    }
}

fn packed_luma<const Y: usize>(quads: &[[u8; 4]], line: &mut [u8]) {
    for (pair, luma) in quads.as_flattened().as_chunks::<2>().0.iter().zip(line) {
        *luma = pair[Y];
    }
}

/// Of two lines that share their chroma in the output, each has its own still.
fn recoloured_luma<const Y: usize, const CB: usize, const CR: usize>(
    recolour: &Recolour,
    quads: &[[u8; 4]],
    line: &mut [u8],
) {
    let (pairs, last) = line.as_chunks_mut::<2>();
    for (quad, luma) in quads.iter().zip(pairs) {
        let tint = recolour.tint(quad[CB], quad[CR]);
        luma[0] = recolour.luma(quad[Y], tint);
        luma[1] = recolour.luma(quad[Y + 2], tint);
    }
    if let ([luma], Some(quad)) = (last, quads.last()) {
        *luma = recolour.luma(quad[Y], recolour.tint(quad[CB], quad[CR]));
    }
}

/// Rounded up, as the halving instructions of vector units do it.
fn mean(a: u8, b: u8) -> u8 {
    #[allow(clippy::cast_possible_truncation, reason = "a mean of bytes is a byte")]
    let mean = ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    mean
}

/// The frame's bytes, where they hold a whole picture.
pub fn check<'a>(frame: &Frame<'a>) -> Result<&'a [u8], LayoutError> {
    let format = frame.format;
    if format.stride < format.pixel.least_stride(format.size.width).max(1) {
        return Err(LayoutError::Stride {
            width: format.size.width,
            stride: format.stride,
        });
    }
    let needed = format.least_bytes();
    if frame.data.len() < needed {
        return Err(LayoutError::Short {
            actual: frame.data.len(),
            needed,
        });
    }
    Ok(frame.data)
}
