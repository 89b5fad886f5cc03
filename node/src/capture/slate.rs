use std::ops::Range;

use super::glyphs;
use crate::media::{Colour, Frame, FrameRate, FrameSize, PixelFormat, Timestamp, VideoFormat};

const BACKGROUND: u8 = 40;
const TEXT: u8 = 180;
const MARK: u8 = 110;
const NEUTRAL: u8 = 128;
/// Of the picture's width, what the words take at most, and what the mark takes.
const WORDS: usize = 3;
const MARKS: usize = 8;

/// A still picture with words, which stands in for a camera's: "NO SIGNAL". A mark moves below the words, so that viewers
/// see that the connection lives.
pub struct Slate {
    buffer: Vec<u8>,
    format: VideoFormat,
    /// The lines of the mark, and how wide it is; none where the picture is too small.
    lines: Range<usize>,
    number: u32,
}

impl Slate {
    /// `words` are capitals, digits and spaces; in a picture that is too small for them there are none.
    pub fn new(size: FrameSize, rate: FrameRate, words: &str) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        let stride = width.next_multiple_of(64);
        let luma = stride * height;
        let mut buffer = vec![NEUTRAL; luma + 2 * (stride / 2) * height.div_ceil(2)];
        buffer[..luma].fill(BACKGROUND);

        let across = words.len() * glyphs::ADVANCE + 1;
        let scale = (width / WORDS * 2 / across).min(height / 2 / glyphs::LINE);
        let lines = scale * glyphs::LINE;
        let top = (height - lines) / 2;
        if scale > 0 {
            let left = (width - across * scale) / 2;
            let strip = &mut buffer[top * stride..(top + lines) * stride];
            // The strip's own left edge is moved in, and its lines stay as far apart.
            glyphs::write(format_args!("{words}"), &mut strip[left..], stride, scale, TEXT);
        }
        let thickness = height / 60;
        let mark = (top + lines + 3 * thickness).min(height - thickness);
        Self {
            buffer,
            format: VideoFormat {
                pixel: PixelFormat::Yu12,
                size,
                stride: u32::try_from(stride).unwrap_or(u32::MAX),
                rate,
                colour: Colour::VIDEO,
            },
            lines: mark..mark + thickness,
            number: 0,
        }
    }

    /// What every frame is.
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// The next frame, at this moment.
    pub fn draw(&mut self) -> Frame<'_> {
        let (width, stride) = (self.format.size.width as usize, self.format.stride as usize);
        let step = width / MARKS;
        for line in self.lines.clone() {
            let line = &mut self.buffer[line * stride..][..width];
            line.fill(BACKGROUND);
            let at = self.number as usize % MARKS * step;
            line[at..at + step].fill(MARK);
        }
        self.number = self.number.wrapping_add(1);
        Frame {
            format: self.format,
            captured_at: Timestamp::now(),
            sequence: self.number,
            dmabuf: None,
            data: &self.buffer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slate(size: &str) -> Slate {
        Slate::new(size.parse().unwrap(), FrameRate::per_second(4), "NO SIGNAL")
    }

    #[test]
    fn every_size_has_a_slate_and_words_where_they_fit() {
        for size in [
            "1280x720", "641x361", "176x144", "64x64", "16x16", "8192x16", "16x8192",
        ] {
            let mut slate = slate(size);
            let (size, stride) = (slate.format().size, slate.format().stride as usize);
            let frame = slate.draw();
            let luma = &frame.data[..stride * size.height as usize];
            assert_eq!(
                luma.contains(&TEXT),
                size.width >= 83 && size.height >= 18,
                "{size}"
            );
            assert!(frame.data[luma.len()..].iter().all(|chroma| *chroma == NEUTRAL));
        }
    }

    #[test]
    fn it_moves() {
        let mut slate = slate("640x480");
        let first = slate.draw().data.to_vec();
        assert_ne!(first, slate.draw().data);
    }

    #[test]
    fn the_words_are_in_the_middle() {
        let mut slate = slate("640x480");
        let frame = slate.draw();
        let columns: Vec<usize> = (0..640)
            .filter(|x| (0..480).any(|y| frame.data[y * 640 + x] == TEXT))
            .collect();
        let (first, last) = (columns[0], columns[columns.len() - 1]);
        assert!(first.abs_diff(639 - last) < 20, "{first} to {last}");
    }
}
