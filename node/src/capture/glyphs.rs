//! Letters and digits for pictures that we draw ourselves.

use std::fmt::{Arguments, Write};

/// Pixels from glyph to glyph.
pub const ADVANCE: usize = WIDTH + 1;
/// Lines of a line of text, with a gap above and below.
pub const LINE: usize = HEIGHT + 2;

const WIDTH: usize = 5;
const HEIGHT: usize = 7;

/// A glyph's lines from top to bottom, each five pixels, the leftmost in the highest bit.
type Glyph = [u8; HEIGHT];

const DIGITS: [Glyph; 10] = [
    [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
    [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
    [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
    [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
    [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
    [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
    [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
    [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
    [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
    [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
];
/// A to Z.
const LETTERS: [Glyph; 26] = [
    [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
    [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110],
    [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
    [0b11100, 0b10010, 0b10001, 0b10001, 0b10001, 0b10010, 0b11100],
    [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
    [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
    [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111],
    [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
    [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
    [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100],
    [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
    [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
    [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
    [0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001],
    [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
    [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
    [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101],
    [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
    [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
    [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
    [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
    [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
    [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b10101, 0b01010],
    [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001],
    [0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100],
    [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111],
];
const COLON: Glyph = [0, 0b00100, 0b00100, 0, 0b00100, 0b00100, 0];
const POINT: Glyph = [0, 0, 0, 0, 0, 0b00110, 0b00110];
const SPACE: Glyph = [0; HEIGHT];

/// Writes capitals, digits, `:`, `.` and spaces from the left into a strip of [`LINE`] times `scale` lines of a luma plane.
pub fn write(text: Arguments<'_>, strip: &mut [u8], stride: usize, scale: usize, luma: u8) {
    let mut pen = Pen {
        strip,
        stride,
        scale,
        luma,
        column: 0,
    };
    // Writing into the strip has no error to report: what does not fit is cut.
    let _ = pen.write_fmt(text);
    pen.thicken();
}

struct Pen<'a> {
    strip: &'a mut [u8],
    stride: usize,
    scale: usize,
    luma: u8,
    column: usize,
}

impl Pen<'_> {
    /// Draws the first of the `scale` lines that each line of a glyph takes.
    fn draw(&mut self, glyph: &Glyph) {
        let left = (self.column * ADVANCE + 1) * self.scale;
        self.column += 1;
        for (row, bits) in glyph.iter().enumerate() {
            let start = (row + 1) * self.scale * self.stride;
            for pixel in (0..WIDTH).filter(|pixel| bits >> (WIDTH - 1 - pixel) & 1 == 1) {
                let x = left + pixel * self.scale;
                if x + self.scale <= self.stride {
                    self.strip[start + x..][..self.scale].fill(self.luma);
                }
            }
        }
    }

    /// Copies those first lines to the others.
    fn thicken(&mut self) {
        let line_bytes = self.scale * self.stride;
        for lines in self.strip.chunks_exact_mut(line_bytes) {
            let (first, others) = lines.split_at_mut(self.stride);
            for line in others.chunks_mut(self.stride) {
                line.copy_from_slice(first);
            }
        }
    }
}

impl Write for Pen<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.bytes() {
            let glyph = match character {
                digit @ b'0'..=b'9' => &DIGITS[usize::from(digit - b'0')],
                letter @ b'A'..=b'Z' => &LETTERS[usize::from(letter - b'A')],
                b':' => &COLON,
                b'.' => &POINT,
                _ => &SPACE,
            };
            self.draw(glyph);
        }
        Ok(())
    }
}
