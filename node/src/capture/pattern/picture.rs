use std::{ops::Range, time::Duration};

use crate::{
    capture::glyphs,
    media::{FrameSize, clock},
};

/// Colour bars at 75 %, in Y, Cb, Cr of BT.601, limited range: white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];

/// The square: its border and its middle.
const BORDER: [u8; 3] = [235, 128, 128];
const MIDDLE: [u8; 3] = [145, 54, 34];

const NEUTRAL: u8 = 128;

/// `4294967295 23:59:59.999`: the longest line of text.
const LONGEST_TEXT: usize = 23;

/// The picture, redrawn in place in its one buffer.
pub struct Picture {
    buffer: Vec<u8>,
    width: usize,
    stride: usize,
    luma: usize,
    chroma: usize,
    /// One line of each plane of the bars, to restore what the square leaves.
    bars: [Vec<u8>; 3],
    /// Lines of the machine-readable clock at the top; none where it does not fit.
    clock_lines: usize,
    /// Lines between the clock and the text, where the square wanders.
    lane: Range<usize>,
    /// Pixels of the picture for a pixel of a glyph; zero where no text fits.
    text_scale: usize,
    side: usize,
    square: (usize, usize),
}

impl Picture {
    pub fn new(size: FrameSize) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        let stride = width.next_multiple_of(64);
        let (luma, chroma) = (stride * height, stride / 2 * height.div_ceil(2));

        let clock_lines = clock::ROWS * clock::block_size(width);
        let clock_lines = if clock_lines <= height / 2 { clock_lines } else { 0 };
        let text_scale = (height / 120).min(width / (LONGEST_TEXT * glyphs::ADVANCE));
        let text_lines = (text_scale * glyphs::LINE).next_multiple_of(2);
        let lane = clock_lines..(height - text_lines) & !1;
        let side = ((lane.len() / 3).min(width / 8) & !1).max(2);

        let bar = |x: usize, across: usize| BARS[(x * BARS.len() / across).min(BARS.len() - 1)];
        let chroma_width = width.div_ceil(2);
        let bars = [
            (0..width).map(|x| bar(x, width)[0]).collect(),
            (0..chroma_width).map(|x| bar(x, chroma_width)[1]).collect(),
            (0..chroma_width).map(|x| bar(x, chroma_width)[2]).collect(),
        ];
        let mut picture = Self {
            buffer: vec![NEUTRAL; luma + 2 * chroma],
            width,
            stride,
            luma,
            chroma,
            bars,
            clock_lines,
            lane: lane.clone(),
            text_scale,
            side,
            square: (0, lane.start),
        };
        // Under the clock and the text the chroma stays neutral; their luma is drawn for each frame.
        picture.restore(0..width, lane.start..height - text_lines);
        picture
    }

    pub fn stride(&self) -> u32 {
        u32::try_from(self.stride).unwrap_or(u32::MAX)
    }

    pub fn data(&self) -> &[u8] {
        &self.buffer
    }

    /// Draws frame `number`, due at `time` since 1970.
    pub fn draw(&mut self, number: u64, time: Duration) {
        self.move_square(number);
        if self.clock_lines > 0 {
            clock::draw(clock::encode(time), &mut self.buffer, self.stride, self.width);
        }
        if self.text_scale > 0 {
            let lines = self.text_scale * glyphs::LINE;
            let start = self.luma - lines * self.stride;
            let strip = &mut self.buffer[start..self.luma];
            strip.fill(clock::BLACK);
            let seconds = time.as_secs();
            let text = format_args!(
                "{} {:02}:{:02}:{:02}.{:03}",
                number % (1 << 32),
                seconds / 3600 % 24,
                seconds / 60 % 60,
                seconds % 60,
                time.subsec_millis()
            );
            glyphs::write(text, strip, self.stride, self.text_scale, clock::WHITE);
        }
    }

    fn move_square(&mut self, number: u64) {
        let (x, y) = self.square;
        self.restore(x..x + self.side, y..y + self.side);
        // Even steps, so that the chroma moves with the luma.
        let step = 2 * (self.width / 640).max(1);
        let across = (self.width - self.side) / step;
        let down = (self.lane.len().saturating_sub(self.side)) / 2;
        let x = step * swing(number, across);
        let y = self.lane.start + 2 * swing(number / 3, down);
        self.square = (x, y);
        self.fill(x..x + self.side, y..y + self.side, BORDER);
        let inset = (self.side / 4) & !1;
        self.fill(
            x + inset..x + self.side - inset,
            y + inset..y + self.side - inset,
            MIDDLE,
        );
    }

    fn restore(&mut self, x: Range<usize>, y: Range<usize>) {
        let bars = std::mem::take(&mut self.bars);
        self.each_line(x, y, |plane, x, line| line.copy_from_slice(&bars[plane][x]));
        self.bars = bars;
    }

    fn fill(&mut self, x: Range<usize>, y: Range<usize>, colour: [u8; 3]) {
        self.each_line(x, y, |plane, _, line| line.fill(colour[plane]));
    }

    /// Calls `paint` for each line of the rectangle in each plane, cut to the picture.
    fn each_line(
        &mut self,
        x: Range<usize>,
        y: Range<usize>,
        mut paint: impl FnMut(usize, Range<usize>, &mut [u8]),
    ) {
        let (luma, chroma) = self.buffer.split_at_mut(self.luma);
        let (u, v) = chroma.split_at_mut(self.chroma);
        let half = |range: &Range<usize>| range.start / 2..range.end.div_ceil(2);
        let planes = [
            (luma, self.stride, x.clone(), y.clone()),
            (u, self.stride / 2, half(&x), half(&y)),
            (v, self.stride / 2, half(&x), half(&y)),
        ];
        for (plane, (samples, stride, x, y)) in planes.into_iter().enumerate() {
            for line in samples.chunks_mut(stride).take(y.end).skip(y.start) {
                paint(plane, x.clone(), &mut line[x.clone()]);
            }
        }
    }
}

/// There and back again between 0 and `end`.
fn swing(number: u64, end: usize) -> usize {
    if end == 0 {
        return 0;
    }
    let phase = usize::try_from(number % (2 * end as u64)).unwrap_or(0);
    phase.min(2 * end - phase)
}
