//! What a file must say of its video track before the first frame.

use h264_reader::{
    nal::sps::SeqParameterSet,
    rbsp::{BitReader, decode_nal},
};

use crate::receive::{
    AccessUnit, Codec,
    h264::{nal, nal_units, picture_set_of, sequence_of, set_number},
    vp8,
};

/// A video track's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Its codec.
    pub codec: Codec,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// For H.264 the `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, section 5.3.3); empty for VP8.
    pub private: Vec<u8>,
}

/// Why a keyframe does not tell its format.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The keyframe has no (complete) header.
    #[error("a {0} keyframe without a valid header")]
    NoHeader(Codec),
    /// The sequence parameter set can't be read.
    #[error("an H.264 keyframe whose sequence parameter set cannot be read: {0}")]
    ParameterSet(String),
}

impl VideoFormat {
    /// The format of the stream that starts with this keyframe.
    ///
    /// # Errors
    /// Where its headers are missing or broken.
    pub fn of(keyframe: &AccessUnit) -> Result<Self, FormatError> {
        match keyframe.codec {
            Codec::H264 => h264(&keyframe.data),
            Codec::Vp8 => {
                let size = vp8::keyframe_size(&keyframe.data);
                let (width, height) = size.ok_or(FormatError::NoHeader(Codec::Vp8))?;
                Ok(Self {
                    codec: Codec::Vp8,
                    width,
                    height,
                    private: Vec::new(),
                })
            }
        }
    }

    /// Whether frames of `other` can follow in the same track. H.264's parameter sets may differ: they are
    /// in the stream, too.
    pub fn continues_as(&self, other: &VideoFormat) -> bool {
        (self.codec, self.width, self.height) == (other.codec, other.width, other.height)
    }
}

fn h264(stream: &[u8]) -> Result<VideoFormat, FormatError> {
    let sets = |kind| nal_units(stream).filter(move |unit| nal::kind(unit[0]) == kind);
    let (sequences, pictures): (Vec<_>, Vec<_>) = (sets(nal::SPS).collect(), sets(nal::PPS).collect());
    let (Some(first), false) = (sequences.first(), pictures.is_empty()) else {
        return Err(FormatError::NoHeader(Codec::H264));
    };
    let sps = sequence_in_use(stream, &sequences, &pictures).unwrap_or(first);
    let bits = decode_nal(sps).map_err(|error| FormatError::ParameterSet(error.to_string()))?;
    let parsed = SeqParameterSet::from_bits(BitReader::new(bits.as_ref()));
    let size = parsed.and_then(|sps| sps.pixel_dimensions());
    let (width, height) = size.map_err(|error| FormatError::ParameterSet(format!("{error:?}")))?;
    let private = decoder_configuration(sps, &sequences, &pictures);
    Ok(VideoFormat {
        codec: Codec::H264,
        width,
        height,
        private: private.ok_or(FormatError::NoHeader(Codec::H264))?,
    })
}

/// The sequence parameter set by which the picture is coded.
fn sequence_in_use<'a>(stream: &[u8], sequences: &[&'a [u8]], pictures: &[&[u8]]) -> Option<&'a [u8]> {
    let with_number = |number| move |set: &&&[u8]| set_number(set) == Some(number);
    let slice = nal_units(stream).find(|unit| nal::kind(unit[0]) == nal::IDR)?;
    let picture = pictures.iter().find(with_number(picture_set_of(slice)?))?;
    let number = sequence_of(picture)?;
    sequences
        .iter()
        .find(|set| set_number(set) == Some(number))
        .copied()
}

/// An `AVCDecoderConfigurationRecord` with four-byte NAL unit lengths, for pictures by `sps`, and all parameter sets for which it has
/// room.
fn decoder_configuration(sps: &[u8], sequences: &[&[u8]], pictures: &[&[u8]]) -> Option<Vec<u8>> {
    const SEQUENCES: usize = 31;
    const PICTURES: usize = 255;
    let (sequences, pictures) = (
        &sequences[..sequences.len().min(SEQUENCES)],
        &pictures[..pictures.len().min(PICTURES)],
    );
    // Version 1; profile, compatibility and level as in the parameter set; lengths of 3 + 1 bytes.
    let mut record = vec![1, *sps.get(1)?, *sps.get(2)?, *sps.get(3)?, 0xFC | 3];
    for (marks, sets) in [(0xE0, sequences), (0, pictures)] {
        record.push(marks | u8::try_from(sets.len()).ok()?);
        for set in sets {
            record.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            record.extend_from_slice(set);
        }
    }
    Some(record)
}

/// An access unit as files store it: H.264 with a four-byte length before each NAL unit in place of start
/// codes, VP8 as it is.
pub fn to_sample(unit: &AccessUnit) -> Vec<u8> {
    match unit.codec {
        Codec::Vp8 => unit.data.to_vec(),
        Codec::H264 => {
            let mut sample = Vec::with_capacity(unit.data.len() + 16);
            // Delimiters are for byte streams; in files the container delimits.
            for nal_unit in nal_units(&unit.data).filter(|unit| nal::kind(unit[0]) != nal::DELIMITER) {
                sample.extend_from_slice(&(nal_unit.len() as u32).to_be_bytes());
                sample.extend_from_slice(nal_unit);
            }
            sample
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: [u8; 4] = [0x67, 0x42, 0xE0, 0x1F];
    const PPS: [u8; 3] = [0x68, 0xCE, 0x38];

    fn unit(codec: Codec, data: Vec<u8>) -> AccessUnit {
        AccessUnit {
            codec,
            data: data.into(),
            is_keyframe: true,
            timestamp: 0,
        }
    }

    #[test]
    fn h264_tells_its_size_and_parameter_sets() {
        let mut encoder = openh264::encoder::Encoder::new().expect("an encoder");
        let picture = openh264::formats::YUVBuffer::new(176, 98);
        let data = encoder.encode(&picture).expect("encode").to_vec();
        let format = VideoFormat::of(&unit(Codec::H264, data.clone())).expect("a keyframe");
        assert_eq!((format.width, format.height), (176, 98));
        let set = |kind| {
            nal_units(&data)
                .find(|unit| nal::kind(unit[0]) == kind)
                .expect("a parameter set")
        };
        let (sps, pps) = (set(nal::SPS), set(nal::PPS));
        let head = [1, sps[1], sps[2], sps[3], 0xFF, 0xE1, 0, sps.len() as u8];
        assert_eq!(
            format.private,
            [&head[..], sps, &[1, 0, pps.len() as u8], pps].concat()
        );
    }

    #[test]
    fn all_parameter_sets_are_told_and_the_size_is_of_the_one_in_use() {
        // 640x368 and, as number 1, 320x240; a picture parameter set of each, and a picture by the latter.
        let sequences: [&[u8]; 2] = [
            &[
                0x67,
                66,
                0xC0,
                30,
                0b1101_1010,
                0b0000_0010,
                0b1000_0000,
                0b1011_1110,
                0b0100_0000,
            ],
            &[
                0x67,
                66,
                0xC0,
                30,
                0b0101_0110,
                0b1000_0001,
                0b0100_0001,
                0b1111_1001,
            ],
        ];
        let pictures: [&[u8]; 2] = [&[0x68, 0xCE, 0x38], &[0x68, 0b0100_1000, 0b1110_0000]];
        let idr = [0x65, 0b1000_1000, 0b0100_1000];
        let all = [sequences[0], sequences[1], pictures[0], pictures[1], &idr];
        let data = all.map(|unit| [&[0, 0, 1], unit].concat()).concat();
        let format = VideoFormat::of(&unit(Codec::H264, data)).expect("a keyframe");
        assert_eq!((format.width, format.height), (320, 240));
        let with_length = |set: &&[u8]| [&[0, set.len() as u8], *set].concat();
        let sets = |sets: &[&[u8]]| sets.iter().flat_map(with_length).collect::<Vec<_>>();
        let expected = [
            &[1, 66, 0xC0, 30, 0xFF, 0xE2][..],
            &sets(&sequences),
            &[2],
            &sets(&pictures),
        ];
        assert_eq!(format.private, expected.concat());
    }

    #[test]
    fn samples_have_lengths_and_no_delimiter() {
        let start = [0, 0, 0, 1];
        let stream = [
            &start[..],
            &[9, 0xF0],
            &start,
            &SPS,
            &start,
            &PPS,
            &start,
            &[0x65, 1, 2],
        ];
        let sample = to_sample(&unit(Codec::H264, stream.concat()));
        let parts = [
            &[0, 0, 0, 4][..],
            &SPS,
            &[0, 0, 0, 3],
            &PPS,
            &[0, 0, 0, 3],
            &[0x65, 1, 2],
        ];
        assert_eq!(sample, parts.concat());
    }

    #[test]
    fn keyframes_without_headers_are_refused() {
        for data in [
            vec![],
            vec![0, 0, 1, 0x65, 1],
            vec![0, 0, 1, 0x67, 0, 0, 1, 0x68, 1],
        ] {
            assert!(VideoFormat::of(&unit(Codec::H264, data)).is_err());
        }
        assert!(VideoFormat::of(&unit(Codec::Vp8, vec![0; 5])).is_err());
    }
}
