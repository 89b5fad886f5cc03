//! The uncompressed formats. The inner loops are plain ones over slices of equal length, which the compiler turns
//! into vector instructions on every target; no table of hand-written variants is needed.

use super::Output;
use crate::{encode::LayoutError, media::Frame};

/// Packed 4:2:2. Each chroma line is the mean of the two that 4:2:0 has no room for.
pub fn yuyv(frame: &Frame<'_>, output: &mut Output<'_>) -> Result<(), LayoutError> {
    let (stride, width, height) = (frame.format.stride as usize, output.width(), output.height());
    let line_bytes = 2 * width.next_multiple_of(2);
    let data = check(frame, line_bytes, stride, height)?;
    let line = |number: usize| &data[number * stride..][..line_bytes];
    for pair in 0..height.div_ceil(2) {
        // An odd last line is its own neighbour.
        let (upper, lower) = (line(2 * pair), line((2 * pair + 1).min(height - 1)));
        let lines = output.y[2 * pair * output.stride..].chunks_mut(output.stride);
        for (packed, y) in [upper, lower].into_iter().zip(lines) {
            luma(packed, &mut y[..width]);
        }
        let start = pair * output.chroma_stride;
        let chroma_width = output.chroma_width();
        let u = &mut output.u[start..][..chroma_width];
        let v = &mut output.v[start..][..chroma_width];
        let quads = upper.as_chunks::<4>().0.iter().zip(lower.as_chunks::<4>().0);
        for (((upper, lower), u), v) in quads.zip(u).zip(v) {
            *u = mean(upper[1], lower[1]);
            *v = mean(upper[3], lower[3]);
        }
    }
    Ok(())
}

/// Two planes, the chroma of the second interleaved.
pub fn nv12(frame: &Frame<'_>, output: &mut Output<'_>) -> Result<(), LayoutError> {
    let (stride, width, height) = (frame.format.stride as usize, output.width(), output.height());
    let data = check(
        frame,
        width.next_multiple_of(2),
        stride,
        height + height.div_ceil(2),
    )?;
    let (y, uv) = data.split_at(stride * height);
    for (from, to) in y.chunks(stride).zip(output.y.chunks_mut(output.stride)) {
        to[..width].copy_from_slice(&from[..width]);
    }
    let chroma_width = output.chroma_width();
    let to = output
        .u
        .chunks_mut(output.chroma_stride)
        .zip(output.v.chunks_mut(output.chroma_stride));
    for (from, (u, v)) in uv.chunks(stride).zip(to) {
        let pairs = from.as_chunks::<2>().0;
        for ((pair, u), v) in pairs
            .iter()
            .zip(&mut u[..chroma_width])
            .zip(&mut v[..chroma_width])
        {
            *u = pair[0];
            *v = pair[1];
        }
    }
    Ok(())
}

fn luma(packed: &[u8], line: &mut [u8]) {
    for (pair, y) in packed.as_chunks::<2>().0.iter().zip(line) {
        *y = pair[0];
    }
}

/// Rounded up, as the halving instructions of vector units do it.
fn mean(a: u8, b: u8) -> u8 {
    #[allow(clippy::cast_possible_truncation, reason = "a mean of bytes is a byte")]
    let mean = ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    mean
}

/// The frame's bytes, where they hold `lines` lines of `line_bytes`; the last may lack its padding.
fn check<'a>(
    frame: &Frame<'a>,
    line_bytes: usize,
    stride: usize,
    lines: usize,
) -> Result<&'a [u8], LayoutError> {
    if stride < line_bytes {
        return Err(LayoutError::Stride {
            width: frame.format.size.width,
            stride: frame.format.stride,
        });
    }
    let needed = stride * (lines - 1) + line_bytes;
    if frame.data.len() < needed {
        return Err(LayoutError::Short {
            actual: frame.data.len(),
            needed,
        });
    }
    Ok(frame.data)
}
