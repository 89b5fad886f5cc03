//! Samples as a card wants them.

use alsa::pcm::Format;

/// A sample format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Convert {
    S16,
    S32,
    /// Three bytes.
    S24In3,
    /// The lower three of four bytes.
    S24In4,
    Float,
    U8,
}

/// What we can make, the best first. A voice has no use for more than 16 bits; what has fewer noise.
pub(super) const FORMATS: [(Format, Convert); 6] = [
    (Format::S16LE, Convert::S16),
    (Format::S32LE, Convert::S32),
    (Format::S243LE, Convert::S24In3),
    (Format::S24LE, Convert::S24In4),
    (Format::FloatLE, Convert::Float),
    (Format::U8, Convert::U8),
];

impl Convert {
    /// Bytes of one sample.
    pub(super) fn width(self) -> usize {
        match self {
            Convert::U8 => 1,
            Convert::S16 => 2,
            Convert::S24In3 => 3,
            Convert::S32 | Convert::S24In4 | Convert::Float => 4,
        }
    }

    /// Appends each sample once for every channel. What is beyond full scale is cut off.
    pub(super) fn spread(self, samples: &[f32], channels: u32, bytes: &mut Vec<u8>) {
        for sample in samples {
            let sample = sample.clamp(-1.0, 1.0);
            for _ in 0..channels {
                self.put(sample, bytes);
            }
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the sample is within full scale, and each factor is what the width holds"
    )]
    fn put(self, sample: f32, bytes: &mut Vec<u8>) {
        let scaled = |most: i32| (f64::from(sample) * f64::from(most)).round() as i32;
        match self {
            Convert::S16 => bytes.extend((scaled(i32::from(i16::MAX)) as i16).to_le_bytes()),
            Convert::S32 => bytes.extend(scaled(i32::MAX).to_le_bytes()),
            Convert::S24In3 => bytes.extend(&scaled(0x7f_ffff).to_le_bytes()[..3]),
            Convert::S24In4 => bytes.extend(scaled(0x7f_ffff).to_le_bytes()),
            Convert::Float => bytes.extend(sample.to_le_bytes()),
            Convert::U8 => bytes.push((scaled(127) as i8).cast_unsigned() ^ 0x80),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_and_silence_in_every_format() {
        for (convert, expected) in [
            (Convert::S16, vec![0xff, 0x7f, 0x01, 0x80, 0, 0]),
            (Convert::S24In3, vec![0xff, 0xff, 0x7f, 0x01, 0, 0x80, 0, 0, 0]),
            (
                Convert::S24In4,
                vec![0xff, 0xff, 0x7f, 0, 0x01, 0, 0x80, 0xff, 0, 0, 0, 0],
            ),
            (
                Convert::S32,
                vec![0xff, 0xff, 0xff, 0x7f, 0x01, 0, 0, 0x80, 0, 0, 0, 0],
            ),
            (
                Convert::Float,
                vec![0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xbf, 0, 0, 0, 0],
            ),
            (Convert::U8, vec![0xff, 0x01, 0x80]),
        ] {
            let mut bytes = Vec::new();
            convert.spread(&[7.0, -7.0, 0.0], 1, &mut bytes);
            assert_eq!(bytes, expected, "{convert:?}");
            assert_eq!(bytes.len(), 3 * convert.width(), "{convert:?}");
        }
    }

    #[test]
    fn every_channel_gets_the_same() {
        let mut bytes = Vec::new();
        Convert::S16.spread(&[1.0, 0.0], 3, &mut bytes);
        assert_eq!(bytes, [0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f, 0, 0, 0, 0, 0, 0]);
    }
}
