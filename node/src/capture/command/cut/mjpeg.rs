use super::{Cutter, Look};
use crate::media::FrameSize;

/// JPEG images one behind the other (ITU-T T.81, annex B). Their segments are followed by their lengths: a thumbnail in a
/// header has an end-of-image marker, too.
#[derive(Default)]
pub struct Mjpeg {
    /// Where the next marker is looked for.
    at: usize,
    /// Whether `at` is within entropy-coded data, which has no length.
    in_scan: bool,
    size: Option<FrameSize>,
}

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// More than any camera's image: 8192x8192 at two bits a pixel.
const LARGEST: usize = 16 * 1024 * 1024;

impl Mjpeg {
    fn over(&mut self, look: Look) -> Look {
        (self.at, self.in_scan) = (0, false);
        look
    }

    /// Up to where an image may start, `from` at least.
    fn garbage(&mut self, bytes: &[u8], from: usize) -> Look {
        let next = bytes[from..]
            .windows(2)
            .position(|pair| pair == [0xff, START_OF_IMAGE]);
        // A single 0xff at the end may be the first half of it.
        let end = bytes.len() - usize::from(bytes.len() > from && bytes.ends_with(&[0xff]));
        self.over(Look::Garbage(next.map_or(end, |next| from + next)))
    }

    /// Moves over entropy-coded data to the marker that ends it; `false` where that has not come yet.
    fn skip_scan(&mut self, bytes: &[u8]) -> bool {
        while let Some(found) = bytes[self.at..].iter().position(|byte| *byte == 0xff) {
            self.at += found;
            match bytes.get(self.at + 1) {
                None => return false,
                // A stuffed zero, a restart marker: still the same scan. A second 0xff is a fill byte.
                Some(0x00 | 0xd0..=0xd7) => self.at += 2,
                Some(0xff) => self.at += 1,
                Some(_) => return true,
            }
        }
        self.at = bytes.len();
        false
    }
}

impl Cutter for Mjpeg {
    fn look(&mut self, bytes: &[u8]) -> Look {
        loop {
            if self.in_scan {
                if !self.skip_scan(bytes) {
                    return Look::More;
                }
                self.in_scan = false;
            }
            let Some(&[mark, code]) = bytes.get(self.at..self.at + 2) else {
                return match bytes.get(self.at) {
                    Some(byte) if *byte != 0xff => self.garbage(bytes, self.at + 1),
                    _ => Look::More,
                };
            };
            let starts = self.at == 0;
            match (mark, code) {
                (0xff, START_OF_IMAGE) if starts => self.at = 2,
                _ if starts => return self.garbage(bytes, 1),
                (0xff, START_OF_IMAGE) => {
                    let cut_short = self.at;
                    return self.over(Look::Garbage(cut_short));
                }
                (0xff, END_OF_IMAGE) => {
                    let length = self.at + 2;
                    return self.over(Look::Frame(length));
                }
                (0xff, 0xff) => self.at += 1,
                (0xff, 0x01 | 0xd0..=0xd7) => self.at += 2,
                (0xff, _) => {
                    let Some(&[high, low]) = bytes.get(self.at + 2..self.at + 4) else {
                        return Look::More;
                    };
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    if length < 2 {
                        return self.garbage(bytes, self.at + 2);
                    }
                    let Some(segment) = bytes.get(self.at + 4..self.at + 2 + length) else {
                        return Look::More;
                    };
                    if is_frame_header(code) {
                        self.size = size(segment).or(self.size);
                    }
                    self.at += 2 + length;
                    self.in_scan = code == START_OF_SCAN;
                }
                _ => return self.garbage(bytes, self.at + 1),
            }
        }
    }

    fn largest(&self) -> usize {
        LARGEST
    }

    fn size(&self) -> Option<FrameSize> {
        self.size
    }
}

/// `SOF0` to `SOF15`, without the three of that range that are something else (table B.1).
fn is_frame_header(code: u8) -> bool {
    matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc)
}

/// What a frame header says of the picture (B.2.2): precision, lines, samples in a line.
fn size(header: &[u8]) -> Option<FrameSize> {
    let &[_precision, h1, h0, w1, w0, ..] = header else {
        return None;
    };
    let size = FrameSize {
        width: u16::from_be_bytes([w1, w0]).into(),
        height: u16::from_be_bytes([h1, h0]).into(),
    };
    let possible = 16..=8192;
    (possible.contains(&size.width) && possible.contains(&size.height)).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::{super::frames, *};

    /// An image with a thumbnail in its header, a restart marker, a stuffed byte, and `last` in its scan.
    fn image(last: u8) -> Vec<u8> {
        let thumbnail = [0xff, 0xd8, 0xff, 0xd9];
        let frame_header = [0xff, 0xc0, 0, 11, 8, 0x02, 0xd0, 0x05, 0x00, 1, 1, 0x11, 0];
        [
            &[0xff, 0xd8, 0xff, 0xe1, 0, 2 + 4][..],
            &thumbnail,
            &[0xff], // a fill byte
            &frame_header,
            &[
                0xff, 0xda, 0, 3, 1, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd3, 0x56, last, 0xff, 0xd9,
            ],
        ]
        .concat()
    }

    #[test]
    fn images_are_cut_wherever_the_reads_end() {
        let images = [image(1), image(2), image(3)];
        let stream = [b"\xff\x00noise".to_vec(), images.concat()].concat();
        for cut in 0..stream.len() {
            assert_eq!(frames(&mut Mjpeg::default(), &stream, [cut]), images, "{cut}");
        }
        let mut mjpeg = Mjpeg::default();
        assert_eq!(
            frames(&mut mjpeg, &stream, 0..stream.len()),
            images,
            "byte by byte"
        );
        assert_eq!(mjpeg.size(), Some("1280x720".parse().unwrap()));
    }

    #[test]
    fn after_a_damaged_image_the_next_ones_come_whole() {
        let whole = image(1);
        // A damaged length spans 64 kB at most.
        let more = whole.repeat(2000);
        for length in 1..whole.len() - 1 {
            let stream = [&whole[..length], &more].concat();
            let found = frames(&mut Mjpeg::default(), &stream, (0..stream.len()).step_by(999));
            assert!(found.len() > 200, "cut at {length}: {}", found.len());
            assert!(found[1..].iter().all(|image| *image == whole), "cut at {length}");
        }
    }

    #[test]
    fn garbage_is_passed_over_without_a_panic() {
        let mut random = 1_u32;
        let mut stream = Vec::new();
        for _ in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let interesting = [0xff, 0xd8, 0xd9, 0xda, 0xe0, 0x00, 0x02, 0x10];
            stream.push(interesting[(random >> 29) as usize]);
        }
        frames(&mut Mjpeg::default(), &stream, (0..stream.len()).step_by(7));
    }
}
