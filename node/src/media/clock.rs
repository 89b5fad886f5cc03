//! The time of a frame as black and white blocks that survive any codec and scaler. The test picture shows it; whoever
//! gets the picture can tell how long it was under way.
//!
//! 32 columns by two rows of square blocks from the top left corner of the picture, each as many pixels wide and
//! high as fit (`width / 32`), rounded down to even: 40 pixels at 1280. Row by row, most significant bit first, white is
//! one: 48 bits of wall-clock time since 1970 in units of 0.1 ms (modulo 2^48, which is some 890 years), then the
//! CRC-16/CCITT-FALSE of those six bytes. The chroma under them is neutral.

use std::{ops::Range, time::Duration};

/// Luma of a one.
pub const WHITE: u8 = 235;
/// Luma of a zero.
pub const BLACK: u8 = 16;

/// Blocks from left to right.
pub const COLUMNS: usize = 32;
/// Blocks from top to bottom.
pub const ROWS: usize = 2;

const TIME_BITS: u32 = 48;

/// Pixels along a block's side in a picture of `width`; zero where the clock does not fit.
pub const fn block_size(width: usize) -> usize {
    (width / COLUMNS) & !1
}

/// The 64 bits that show `time`, the time since 1970.
pub fn encode(time: Duration) -> u64 {
    let ticks = (time.as_micros() / 100) & ((1 << TIME_BITS) - 1);
    #[allow(clippy::cast_possible_truncation, reason = "48 bits by the mask above")]
    let ticks = ticks as u64;
    ticks << 16 | u64::from(check(ticks))
}

/// The 0.1 ms since 1970 (modulo 2^48) that 64 shown bits stand for, where their checksum is right.
pub fn decode(bits: u64) -> Option<u64> {
    let ticks = bits >> 16;
    (u64::from(check(ticks)) == bits & 0xffff).then_some(ticks)
}

/// Draws `bits` into the top lines of a luma plane, as far as it has them.
pub fn draw(bits: u64, luma: &mut [u8], stride: usize, width: usize) {
    let block = block_size(width);
    if block == 0 {
        return;
    }
    for (row, lines) in luma.chunks_mut(block * stride).take(ROWS).enumerate() {
        let (first, others) = lines.split_at_mut(stride);
        let first = &mut first[..COLUMNS * block];
        for (column, pixels) in first.chunks_mut(block).enumerate() {
            let bit = bits >> (63 - row * COLUMNS - column) & 1;
            pixels.fill(if bit == 1 { WHITE } else { BLACK });
        }
        for line in others.chunks_mut(stride) {
            line[..first.len()].copy_from_slice(first);
        }
    }
}

/// Reads the clock back from a luma plane: the 0.1 ms since 1970, modulo 2^48. `None` where there is no clock, or
/// not a legible one.
pub fn read_clock(luma: &[u8], stride: usize, width: usize) -> Option<u64> {
    let block = block_size(width);
    if block == 0 || stride < width || luma.len() < stride * ROWS * block {
        return None;
    }
    let mut bits = 0;
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let lines = inner(row * block, block);
            let pixels = inner(column * block, block);
            let count = lines.len() * pixels.len();
            let sum: usize = lines
                .flat_map(|line| &luma[line * stride..][pixels.clone()])
                .map(|&pixel| usize::from(pixel))
                .sum();
            bits = bits << 1 | u64::from(sum > count * usize::from(BLACK.midpoint(WHITE)));
        }
    }
    decode(bits)
}

/// The middle half of a block that starts at `start`: codecs blur its edges.
fn inner(start: usize, block: usize) -> Range<usize> {
    start + block / 4..start + block - block / 4
}

/// CRC-16/CCITT-FALSE of the six bytes of `ticks`, the most significant first.
fn check(ticks: u64) -> u16 {
    let bytes = ticks.to_be_bytes();
    bytes[2..].iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standard_one() {
        // "123456" by an independent implementation (Python's binascii.crc_hqx with 0xffff).
        assert_eq!(check(0x3132_3334_3536), 0x2ef4);
    }

    #[test]
    fn what_is_drawn_is_read_at_any_size() {
        for width in [64, 65, 176, 320, 639, 1280, 1920] {
            let stride = width + 7;
            let mut luma = vec![100; stride * 2 * block_size(width)];
            let time = Duration::from_micros(1_763_812_345_678_900);
            draw(encode(time), &mut luma, stride, width);
            assert_eq!(
                read_clock(&luma, stride, width),
                Some(17_638_123_456_789),
                "{width}"
            );
        }
    }

    #[test]
    fn damage_is_noticed() {
        let mut luma = vec![0; 1280 * 80];
        draw(encode(Duration::from_secs(1_763_812_345)), &mut luma, 1280, 1280);
        for line in luma.chunks_mut(1280).take(40) {
            line[40 * 20..40 * 21]
                .iter_mut()
                .for_each(|pixel| *pixel = 251 - *pixel);
        }
        assert_eq!(read_clock(&luma, 1280, 1280), None);
    }

    #[test]
    fn a_picture_without_a_clock_has_none() {
        assert_eq!(read_clock(&[128; 1280 * 80], 1280, 1280), None);
        assert_eq!(read_clock(&[], 1280, 1280), None);
        assert_eq!(read_clock(&[16; 4096], 32, 32), None);
    }
}
