use super::{Cutter, Look};
use crate::media::{
    FrameSize,
    jpeg::{self, Part, START_OF_IMAGE, START_OF_SCAN, Walk},
};

/// JPEG images one behind the other. Their segments are followed by their lengths: a thumbnail in a header has an end-of-image marker, too.
/// An image without an end ends where the next one begins.
#[derive(Default)]
pub struct Mjpeg {
    /// How far the image is known that the bytes begin with.
    walk: Option<Walk>,
    /// Whether it has a picture, as far as it is known.
    has_scan: bool,
    size: Option<FrameSize>,
}

/// More than any camera's image: 8192x8192 at two bits a pixel.
const LARGEST: usize = 16 * 1024 * 1024;

impl Mjpeg {
    /// Up to where an image may start, `from` at least.
    fn garbage(bytes: &[u8], from: usize) -> Look {
        let next = bytes[from..]
            .windows(2)
            .position(|pair| pair == [0xff, START_OF_IMAGE]);
        // A single 0xff at the end may be the first half of it.
        let end = bytes.len() - usize::from(bytes.len() > from && bytes.ends_with(&[0xff]));
        Look::Garbage(next.map_or(end, |next| from + next))
    }

    /// The image ends behind `length` bytes. Without a scan it is none.
    fn cut(&mut self, length: usize) -> Look {
        self.walk = None;
        if std::mem::take(&mut self.has_scan) {
            Look::Frame(length)
        } else {
            Look::Garbage(length)
        }
    }
}

impl Cutter for Mjpeg {
    fn look(&mut self, bytes: &[u8]) -> Look {
        loop {
            let walk = match (&mut self.walk, bytes) {
                (Some(walk), _) => walk,
                (none, [0xff, START_OF_IMAGE, ..]) => none.insert(Walk::default()),
                (None, [] | [0xff]) => return Look::More,
                (None, _) => return Self::garbage(bytes, 1),
            };
            match walk.next(bytes, false) {
                None => return Look::More,
                Some(Part::Segment(code, parameters)) => {
                    self.has_scan |= code == START_OF_SCAN;
                    self.size = jpeg::size(code, &bytes[parameters]).or(self.size);
                }
                Some(Part::Scan(_)) => {}
                Some(Part::End(length) | Part::Cut(length)) => return self.cut(length),
            }
        }
    }

    fn look_at_end(&mut self, bytes: &[u8]) -> Look {
        if self.has_scan {
            self.cut(bytes.len())
        } else {
            Look::More
        }
    }

    fn largest(&self) -> usize {
        LARGEST
    }

    fn size(&self) -> Option<FrameSize> {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::{super::frames, *};
    use crate::media::jpeg::variants::{self, Dice};

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
                0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd3, 0x56, last, 0xff,
                0xd9,
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
        // A damaged length spans 64 kB at most. What is cut short within its scan is cut out as well: only decoding shows it.
        let more = whole.repeat(2000);
        for length in 1..whole.len() - 1 {
            let stream = [&whole[..length], &more].concat();
            let found = frames(&mut Mjpeg::default(), &stream, (0..stream.len()).step_by(999));
            assert!(found.len() > 200, "cut at {length}: {}", found.len());
            assert!(found[1..].iter().all(|image| *image == whole), "cut at {length}");
        }
    }

    #[test]
    fn an_image_without_an_end_ends_where_the_next_begins() {
        let images = [image(1), image(2), image(3)];
        let endless = images.each_ref().map(|image| image[..image.len() - 2].to_vec());
        let stream = endless.concat();
        for cut in 0..stream.len() {
            assert_eq!(
                frames(&mut Mjpeg::default(), &stream, [cut]),
                endless[..2],
                "{cut}"
            );
        }
        let mut mjpeg = Mjpeg::default();
        assert_eq!(mjpeg.look(&endless[2]), Look::More);
        assert_eq!(
            mjpeg.look_at_end(&endless[2]),
            Look::Frame(endless[2].len()),
            "nor need another come"
        );
        assert_eq!(mjpeg.look_at_end(&[]), Look::More);
        assert_eq!(mjpeg.look(&endless[2][..30]), Look::More);
        assert_eq!(
            mjpeg.look_at_end(&endless[2][..30]),
            Look::More,
            "a header is no picture"
        );
    }

    #[test]
    fn images_come_whole_however_a_camera_writes_them() {
        let base = image(1);
        for seed in 0..500 {
            let mut dice = Dice::new(seed);
            let written: Vec<_> = (0..4).map(|_| variants::in_a_stream(&base, &mut dice)).collect();
            // The last one need not have an end.
            let stream = [written.concat(), base.clone()].concat();
            let cuts = [dice.below(stream.len()), dice.below(stream.len())];
            let found = frames(
                &mut Mjpeg::default(),
                &stream,
                [cuts[0].min(cuts[1]), cuts[0].max(cuts[1])],
            );
            assert_eq!(found.len(), 5, "seed {seed}: {written:02x?}");
            let mut mended = Vec::new();
            for frame in found {
                jpeg::mend(&frame, &mut mended).expect("it is whole");
                assert_eq!(
                    variants::without_zeros(&mended),
                    variants::essence(&base),
                    "seed {seed}"
                );
            }
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
