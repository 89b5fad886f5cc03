//! Samples as a card wants them.

use crate::capture::alsa::SampleFormat;

/// Appends each sample once for every channel. What is beyond full scale is cut off.
pub(super) fn spread(format: SampleFormat, samples: &[f32], channels: u32, bytes: &mut Vec<u8>) {
    for sample in samples {
        let sample = sample.clamp(-1.0, 1.0);
        for _ in 0..channels {
            put(format, sample, bytes);
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the sample is within full scale, and each factor is what the width holds"
)]
fn put(format: SampleFormat, sample: f32, bytes: &mut Vec<u8>) {
    let scaled = |most: i32| (f64::from(sample) * f64::from(most)).round() as i32;
    match format {
        SampleFormat::S16 => bytes.extend((scaled(i32::from(i16::MAX)) as i16).to_le_bytes()),
        SampleFormat::S32 => bytes.extend(scaled(i32::MAX).to_le_bytes()),
        SampleFormat::S24Packed => bytes.extend(&scaled(0x7f_ffff).to_le_bytes()[..3]),
        SampleFormat::S24 => bytes.extend(scaled(0x7f_ffff).to_le_bytes()),
        SampleFormat::Float => bytes.extend(sample.to_le_bytes()),
        SampleFormat::U8 => bytes.push((scaled(127) as i8).cast_unsigned() ^ 0x80),
        SampleFormat::S16Be => bytes.extend((scaled(i32::from(i16::MAX)) as i16).to_be_bytes()),
        SampleFormat::S32Be => bytes.extend(scaled(i32::MAX).to_be_bytes()),
        SampleFormat::S24PackedBe => bytes.extend(&scaled(0x7f_ffff).to_be_bytes()[1..]),
        SampleFormat::S24Be => bytes.extend(scaled(0x7f_ffff).to_be_bytes()),
        SampleFormat::FloatBe => bytes.extend(sample.to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_and_silence_in_every_format() {
        for (format, expected) in [
            (SampleFormat::S16, vec![0xff, 0x7f, 0x01, 0x80, 0, 0]),
            (
                SampleFormat::S24Packed,
                vec![0xff, 0xff, 0x7f, 0x01, 0, 0x80, 0, 0, 0],
            ),
            (
                SampleFormat::S24,
                vec![0xff, 0xff, 0x7f, 0, 0x01, 0, 0x80, 0xff, 0, 0, 0, 0],
            ),
            (
                SampleFormat::S32,
                vec![0xff, 0xff, 0xff, 0x7f, 0x01, 0, 0, 0x80, 0, 0, 0, 0],
            ),
            (
                SampleFormat::Float,
                vec![0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xbf, 0, 0, 0, 0],
            ),
            (SampleFormat::U8, vec![0xff, 0x01, 0x80]),
            (SampleFormat::S16Be, vec![0x7f, 0xff, 0x80, 0x01, 0, 0]),
            (
                SampleFormat::S24PackedBe,
                vec![0x7f, 0xff, 0xff, 0x80, 0, 0x01, 0, 0, 0],
            ),
            (
                SampleFormat::S24Be,
                vec![0, 0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0x01, 0, 0, 0, 0],
            ),
            (
                SampleFormat::S32Be,
                vec![0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0x01, 0, 0, 0, 0],
            ),
            (
                SampleFormat::FloatBe,
                vec![0x3f, 0x80, 0, 0, 0xbf, 0x80, 0, 0, 0, 0, 0, 0],
            ),
        ] {
            let mut bytes = Vec::new();
            spread(format, &[7.0, -7.0, 0.0], 1, &mut bytes);
            assert_eq!(bytes, expected, "{format:?}");
            assert_eq!(bytes.len(), 3 * format.bytes(), "{format:?}");
        }
    }

    #[test]
    fn every_channel_gets_the_same() {
        let mut bytes = Vec::new();
        spread(SampleFormat::S16, &[1.0, 0.0], 3, &mut bytes);
        assert_eq!(bytes, [0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f, 0, 0, 0, 0, 0, 0]);
    }
}
