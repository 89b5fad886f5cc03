use alsa::pcm::Format;

use crate::media::Channels;

/// The formats that a card's samples may have, the preferred one first: the ear does not hear more
/// than 16 bits of a voice, and they are the least to move. Nearly all cards have the lowest byte first; the others are for those that
/// have nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleFormat {
    /// 16 bits.
    S16,
    /// 32 bits.
    S32,
    /// 24 bits in three bytes.
    S24Packed,
    /// 24 bits in the lower three of four bytes.
    S24,
    /// 32 bits of floating point.
    Float,
    /// 8 bits, of which 128 is silence.
    U8,
    /// 16 bits, the highest byte first.
    S16Be,
    /// 32 bits, the highest byte first.
    S32Be,
    /// 24 bits in three bytes, the highest first.
    S24PackedBe,
    /// 24 bits in the lower three of four bytes, of which the highest comes first.
    S24Be,
    /// 32 bits of floating point, the highest byte first.
    FloatBe,
}

impl SampleFormat {
    /// All of them.
    pub const ALL: [SampleFormat; 11] = [
        SampleFormat::S16,
        SampleFormat::S32,
        SampleFormat::S24Packed,
        SampleFormat::S24,
        SampleFormat::Float,
        SampleFormat::U8,
        SampleFormat::S16Be,
        SampleFormat::S32Be,
        SampleFormat::S24PackedBe,
        SampleFormat::S24Be,
        SampleFormat::FloatBe,
    ];

    /// ALSA's name.
    pub const fn name(self) -> &'static str {
        match self {
            SampleFormat::S16 => "S16_LE",
            SampleFormat::S32 => "S32_LE",
            SampleFormat::S24Packed => "S24_3LE",
            SampleFormat::S24 => "S24_LE",
            SampleFormat::Float => "FLOAT_LE",
            SampleFormat::U8 => "U8",
            SampleFormat::S16Be => "S16_BE",
            SampleFormat::S32Be => "S32_BE",
            SampleFormat::S24PackedBe => "S24_3BE",
            SampleFormat::S24Be => "S24_BE",
            SampleFormat::FloatBe => "FLOAT_BE",
        }
    }

    /// ALSA's number.
    pub const fn alsa(self) -> Format {
        match self {
            SampleFormat::S16 => Format::S16LE,
            SampleFormat::S32 => Format::S32LE,
            SampleFormat::S24Packed => Format::S243LE,
            SampleFormat::S24 => Format::S24LE,
            SampleFormat::Float => Format::FloatLE,
            SampleFormat::U8 => Format::U8,
            SampleFormat::S16Be => Format::S16BE,
            SampleFormat::S32Be => Format::S32BE,
            SampleFormat::S24PackedBe => Format::S243BE,
            SampleFormat::S24Be => Format::S24BE,
            SampleFormat::FloatBe => Format::FloatBE,
        }
    }

    /// Bytes of one sample.
    pub const fn bytes(self) -> usize {
        match self {
            SampleFormat::S16 | SampleFormat::S16Be => 2,
            SampleFormat::S24Packed | SampleFormat::S24PackedBe => 3,
            SampleFormat::S32
            | SampleFormat::S32Be
            | SampleFormat::S24
            | SampleFormat::S24Be
            | SampleFormat::Float
            | SampleFormat::FloatBe => 4,
            SampleFormat::U8 => 1,
        }
    }

    /// Adds to `mixed` one sample, between -1 and 1, of each frame of `channels` in `bytes`: the mean of all of them, or the one that is
    /// `wanted`.
    pub fn mix(self, bytes: &[u8], channels: usize, wanted: Channels, mixed: &mut Vec<f32>) {
        let from = (bytes, channels, wanted);
        match self {
            SampleFormat::S16 => mix(from, mixed, |[a, b]| {
                f32::from(i16::from_le_bytes([a, b])) / 32_768.0
            }),
            SampleFormat::S32 => mix(from, mixed, |four| whole(i32::from_le_bytes(four))),
            SampleFormat::S24Packed => mix(from, mixed, |[a, b, c]| whole(i32::from_le_bytes([0, a, b, c]))),
            // What is in the fourth byte is up to the driver.
            SampleFormat::S24 => mix(from, mixed, |[a, b, c, _]| {
                whole(i32::from_le_bytes([0, a, b, c]))
            }),
            SampleFormat::Float => mix(from, mixed, |four| sound(f32::from_le_bytes(four))),
            SampleFormat::U8 => mix(from, mixed, |[a]| (f32::from(a) - 128.0) / 128.0),
            SampleFormat::S16Be => mix(from, mixed, |[a, b]| {
                f32::from(i16::from_be_bytes([a, b])) / 32_768.0
            }),
            SampleFormat::S32Be => mix(from, mixed, |four| whole(i32::from_be_bytes(four))),
            SampleFormat::S24PackedBe => {
                mix(from, mixed, |[a, b, c]| whole(i32::from_be_bytes([a, b, c, 0])));
            }
            SampleFormat::S24Be => mix(from, mixed, |[_, a, b, c]| {
                whole(i32::from_be_bytes([a, b, c, 0]))
            }),
            SampleFormat::FloatBe => mix(from, mixed, |four| sound(f32::from_be_bytes(four))),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "24 bits are more than is heard")]
fn whole(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

/// Not a number would stay in every filter for ever.
fn sound(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

fn mix<const BYTES: usize>(
    (bytes, channels, wanted): (&[u8], usize, Channels),
    mixed: &mut Vec<f32>,
    sample: impl Fn([u8; BYTES]) -> f32,
) {
    let (samples, _) = bytes.as_chunks::<BYTES>();
    let frames = samples.chunks_exact(channels.max(1));
    match wanted {
        Channels::All => {
            #[allow(clippy::cast_precision_loss, reason = "a handful of channels")]
            let share = 1.0 / channels.max(1) as f32;
            mixed.extend(frames.map(|frame| frame.iter().map(|bytes| sample(*bytes)).sum::<f32>() * share));
        }
        Channels::Only(channel) => {
            let channel = usize::from(channel);
            mixed.extend(frames.map(|frame| frame.get(channel).map_or(0.0, |bytes| sample(*bytes))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(format: SampleFormat, bytes: &[u8], channels: usize) -> Vec<f32> {
        taken(format, bytes, channels, Channels::All)
    }

    fn taken(format: SampleFormat, bytes: &[u8], channels: usize, wanted: Channels) -> Vec<f32> {
        let mut mixed = Vec::new();
        format.mix(bytes, channels, wanted, &mut mixed);
        mixed
    }

    #[test]
    fn half_of_full_scale_is_a_half_in_every_format() {
        for (format, bytes) in [
            (SampleFormat::S16, &[0, 0x40, 0, 0xc0][..]),
            (SampleFormat::S32, &[0, 0, 0, 0x40, 0, 0, 0, 0xc0]),
            (SampleFormat::S24Packed, &[0, 0, 0x40, 0, 0, 0xc0]),
            (SampleFormat::S24, &[0, 0, 0x40, 0x55, 0, 0, 0xc0, 0]),
            (SampleFormat::Float, &[0, 0, 0, 0x3f, 0, 0, 0, 0xbf]),
            (SampleFormat::U8, &[192, 64]),
            (SampleFormat::S16Be, &[0x40, 0, 0xc0, 0]),
            (SampleFormat::S32Be, &[0x40, 0, 0, 0, 0xc0, 0, 0, 0]),
            (SampleFormat::S24PackedBe, &[0x40, 0, 0, 0xc0, 0, 0]),
            (SampleFormat::S24Be, &[0x55, 0x40, 0, 0, 0, 0xc0, 0, 0]),
            (SampleFormat::FloatBe, &[0x3f, 0, 0, 0, 0xbf, 0, 0, 0]),
        ] {
            assert_eq!(mixed(format, bytes, 1), [0.5, -0.5], "{format:?}");
            assert_eq!(mixed(format, bytes, 2), [0.0], "{format:?}, both channels");
            for (channel, expected) in [(0, 0.5), (1, -0.5)] {
                let one = taken(format, bytes, 2, Channels::Only(channel));
                assert_eq!(one, [expected], "{format:?}, channel {channel}");
            }
            assert_eq!(bytes.len(), 2 * format.bytes());
        }
    }

    #[test]
    fn what_is_no_number_is_silence_and_half_a_frame_is_left_out() {
        let mut bytes = f32::NAN.to_le_bytes().to_vec();
        bytes.extend(f32::INFINITY.to_le_bytes());
        bytes.extend(7.0f32.to_le_bytes());
        bytes.push(1);
        assert_eq!(mixed(SampleFormat::Float, &bytes, 1), [0.0, 0.0, 1.0]);
        assert!(mixed(SampleFormat::S16, &[1, 2, 3], 2).is_empty());
    }

    #[test]
    fn one_microphone_of_an_array_loses_nothing_to_the_others() {
        // Three frames of four channels, each sample telling where it is from.
        let bytes: Vec<u8> = (0..12i16)
            .flat_map(|number| (number * 1024).to_le_bytes())
            .collect();
        let samples = |numbers: [f32; 3]| numbers.map(|number| number / 32.0);
        for (channel, numbers) in [(0, [0.0, 4.0, 8.0]), (2, [2.0, 6.0, 10.0]), (3, [3.0, 7.0, 11.0])] {
            let one = taken(SampleFormat::S16, &bytes, 4, Channels::Only(channel));
            assert_eq!(one, samples(numbers), "channel {channel}");
        }
        let all = taken(SampleFormat::S16, &bytes, 4, Channels::All);
        assert_eq!(all, samples([1.5, 5.5, 9.5]));
        let none = taken(SampleFormat::S16, &bytes, 4, Channels::Only(4));
        assert_eq!(none, [0.0; 3], "silence, and never a neighbour's");
    }
}
