use super::{Cutter, Look};
use crate::media::FrameSize;

/// Raw pictures in YU12 one behind the other, without any padding: nothing but their length tells where they end.
pub struct Raw {
    size: FrameSize,
    length: usize,
}

impl Raw {
    pub fn new(size: FrameSize) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        Self {
            size,
            length: width * height + 2 * width.div_ceil(2) * height.div_ceil(2),
        }
    }
}

impl Cutter for Raw {
    fn look(&mut self, bytes: &[u8]) -> Look {
        if bytes.len() < self.length {
            Look::More
        } else {
            Look::Frame(self.length)
        }
    }

    /// To the end of the frame and no further, so that nothing ever has to be moved.
    fn appetite(&self, have: usize) -> usize {
        self.length - have.min(self.length - 1)
    }

    fn largest(&self) -> usize {
        self.length
    }

    fn size(&self) -> Option<FrameSize> {
        Some(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::frames, *};

    #[test]
    fn frames_are_cut_by_their_length_whatever_is_in_them() {
        let mut raw = Raw::new("17x16".parse().unwrap());
        let length = 17 * 16 + 2 * 9 * 8;
        let stream: Vec<u8> = (0..2 * length + 5).map(|byte| (byte / length) as u8).collect();
        for cut in 0..stream.len() {
            assert_eq!(
                frames(&mut raw, &stream, [cut]),
                [vec![0; length], vec![1; length]]
            );
        }
        assert_eq!(raw.appetite(0), length);
        assert_eq!(raw.appetite(length - 1), 1);
    }
}
