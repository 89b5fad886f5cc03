//! The clock that the test pattern draws into the picture.
//!
//! A grid of 32 columns and 2 rows of black and white blocks in the top left corner holds 64 bits, row by
//! row, most significant bit first: 48 bits of wall-clock time in units of 0.1 ms since the UNIX epoch,
//! modulo 2^48, then a CRC-16/CCITT-FALSE of those six bytes. A block is a square of a 32nd of the picture's
//! width, rounded down to an even number of pixels.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Luma;

const COLUMNS: usize = 32;
const ROWS: usize = 2;
const TIME_BITS: u32 = 48;
const CRC_BITS: u32 = 16;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Luma from which a block counts as white.
const WHITE: u32 = 128;

/// A reading of the picture's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// The stamp of an instant of the wall clock.
    pub fn at(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        // 0.1 ms units fit in 64 bits for fifty million years; the mask is the format's own wrap.
        Self((since_epoch.as_micros() / 100) as u64 & TIME_MASK)
    }

    /// Milliseconds from `earlier` to this stamp; negative where `earlier` is the later one, which two
    /// machines with different wall clocks can produce.
    pub fn milliseconds_since(self, earlier: Stamp) -> f64 {
        let forward = self.0.wrapping_sub(earlier.0) & TIME_MASK;
        // The shorter way round the 48-bit circle decides the sign.
        let signed = if forward > TIME_MASK / 2 {
            -((TIME_MASK + 1 - forward) as f64)
        } else {
            forward as f64
        };
        signed / 10.0
    }

    /// Reads the clock in a picture; `None` where there is none or its check does not match.
    pub fn read(picture: &Luma<'_>) -> Option<Self> {
        let block = block_size(picture.width);
        if block == 0 || picture.height < ROWS * block {
            return None;
        }
        let mut bits = 0u64;
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let white = block_is_white(picture, column * block, row * block, block)?;
                bits = bits << 1 | u64::from(white);
            }
        }
        let time = bits >> CRC_BITS;
        (u64::from(crc16(time)) == bits & 0xFFFF).then_some(Self(time))
    }
}

/// The edge of a block, in pixels, in a picture of that width.
fn block_size(width: usize) -> usize {
    (width / COLUMNS) & !1
}

/// Whether the middle of the block at (`left`, `top`) is white. The middle quarter is averaged, because
/// coding noise at a single pixel can be large at low bitrates.
fn block_is_white(picture: &Luma<'_>, left: usize, top: usize, block: usize) -> Option<bool> {
    let (margin, span) = (block / 4, (block / 2).max(1));
    let mut sum = 0u32;
    for y in top + margin..top + margin + span {
        let start = y * picture.stride + left + margin;
        sum += picture
            .samples
            .get(start..start + span)?
            .iter()
            .map(|&s| u32::from(s))
            .sum::<u32>();
    }
    Some(sum >= WHITE * (span * span) as u32)
}

/// CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF, no reflection) over the six big-endian bytes of a time.
fn crc16(time: u64) -> u16 {
    let mut crc = 0xFFFFu16;
    for byte in &time.to_be_bytes()[2..] {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 {
                crc << 1 ^ 0x1021
            } else {
                crc << 1
            };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey picture with `stamp` drawn in it.
    fn drawn(stamp: Stamp, width: usize, height: usize, stride: usize) -> Vec<u8> {
        let mut samples = vec![90u8; stride * height];
        let bits = stamp.0 << CRC_BITS | u64::from(crc16(stamp.0));
        let block = block_size(width);
        for y in 0..ROWS * block {
            for x in 0..COLUMNS * block {
                let index = y / block * COLUMNS + x / block;
                let white = bits >> (63 - index) & 1 == 1;
                samples[y * stride + x] = if white { 235 } else { 16 };
            }
        }
        samples
    }

    fn read(samples: &[u8], width: usize, height: usize, stride: usize) -> Option<Stamp> {
        Stamp::read(&Luma {
            samples,
            stride,
            width,
            height,
        })
    }

    #[test]
    fn the_check_is_the_well_known_one() {
        // CRC-16/CCITT-FALSE of "123456" by any published calculator.
        assert_eq!(crc16(0x3132_3334_3536), 0x2EF4);
    }

    #[test]
    fn what_is_drawn_is_read_at_any_size_and_stride() {
        let stamp = Stamp::at(UNIX_EPOCH + Duration::from_micros(1_795_000_000_123_400));
        for (width, height, padding) in [
            (1280, 720, 0),
            (640, 360, 32),
            (320, 180, 0),
            (854, 480, 10),
            (64, 16, 0),
        ] {
            let stride = width + padding;
            let samples = drawn(stamp, width, height, stride);
            assert_eq!(
                read(&samples, width, height, stride),
                Some(stamp),
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn coding_noise_does_not_hide_the_clock() {
        let stamp = Stamp::at(SystemTime::now());
        let mut samples = drawn(stamp, 640, 360, 640);
        // A small linear congruential generator: noise of up to +-80 that is the same on every run.
        let mut state = 1u32;
        for sample in &mut samples {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 24) as i32 * 160 / 255 - 80;
            *sample = (i32::from(*sample) + noise).clamp(0, 255) as u8;
        }
        assert_eq!(read(&samples, 640, 360, 640), Some(stamp));
    }

    #[test]
    fn a_picture_scaled_to_half_keeps_its_clock() {
        let stamp = Stamp::at(SystemTime::now());
        let large = drawn(stamp, 1280, 720, 1280);
        let small: Vec<u8> = (0..360)
            .flat_map(|y| (0..640).map(move |x| (x, y)))
            .map(|(x, y)| large[y * 2 * 1280 + x * 2])
            .collect();
        assert_eq!(read(&small, 640, 360, 640), Some(stamp));
    }

    #[test]
    fn a_picture_without_a_clock_has_none() {
        for luma in [0u8, 16, 128, 235, 255] {
            assert_eq!(read(&vec![luma; 640 * 360], 640, 360, 640), None, "all {luma}");
        }
        assert_eq!(read(&[0; 16 * 16], 16, 16, 16), None, "too small for a grid");
        assert_eq!(
            read(&[0; 64], 640, 360, 640),
            None,
            "fewer samples than the size promises"
        );
    }

    #[test]
    fn one_wrong_block_is_noticed() {
        let mut samples = drawn(Stamp::at(SystemTime::now()), 640, 360, 640);
        for y in 0..20 {
            for sample in &mut samples[y * 640 + 100..y * 640 + 120] {
                *sample = 255 - *sample;
            }
        }
        assert_eq!(read(&samples, 640, 360, 640), None);
    }

    #[test]
    fn differences_survive_the_wrap_and_know_their_sign() {
        let before = Stamp(TIME_MASK - 4);
        let after = Stamp(5);
        assert_eq!(after.milliseconds_since(before), 1.0);
        assert_eq!(before.milliseconds_since(after), -1.0);
    }
}
