//! What a file must say of its video track before the first frame.

use h264_reader::{
    nal::sps::SeqParameterSet,
    rbsp::{BitReader, decode_nal},
};

use crate::receive::{
    AccessUnit, Codec,
    h264::{nal, nal_units},
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
    let first = |kind| nal_units(stream).find(|unit| nal::kind(unit[0]) == kind);
    let (Some(sps), Some(pps)) = (first(nal::SPS), first(nal::PPS)) else {
        return Err(FormatError::NoHeader(Codec::H264));
    };
    let bits = decode_nal(sps).map_err(|error| FormatError::ParameterSet(error.to_string()))?;
    let parsed = SeqParameterSet::from_bits(BitReader::new(bits.as_ref()));
    let size = parsed.and_then(|sps| sps.pixel_dimensions());
    let (width, height) = size.map_err(|error| FormatError::ParameterSet(format!("{error:?}")))?;
    let private = decoder_configuration(sps, pps).ok_or(FormatError::NoHeader(Codec::H264))?;
    Ok(VideoFormat {
        codec: Codec::H264,
        width,
        height,
        private,
    })
}

/// An `AVCDecoderConfigurationRecord` with four-byte NAL unit lengths and one parameter set of each kind.
fn decoder_configuration(sps: &[u8], pps: &[u8]) -> Option<Vec<u8>> {
    let (sps_length, pps_length) = (u16::try_from(sps.len()).ok()?, u16::try_from(pps.len()).ok()?);
    // Version 1; profile, compatibility and level as in the parameter set; lengths of 3 + 1 bytes.
    let mut record = vec![1, *sps.get(1)?, *sps.get(2)?, *sps.get(3)?, 0xFC | 3];
    record.push(0xE0 | 1);
    record.extend_from_slice(&sps_length.to_be_bytes());
    record.extend_from_slice(sps);
    record.push(1);
    record.extend_from_slice(&pps_length.to_be_bytes());
    record.extend_from_slice(pps);
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
