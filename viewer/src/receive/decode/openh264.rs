//! H.264 through Cisco's openh264.

use openh264::formats::YUVSource;

use super::{DecodeError, Decoder};
use crate::receive::{Codec, Luma};

/// A decoder of constrained baseline H.264.
pub struct OpenH264(openh264::decoder::Decoder);

impl OpenH264 {
    pub fn new() -> Result<Self, DecodeError> {
        let started = openh264::decoder::Decoder::new();
        let failed = |error: openh264::Error| DecodeError::Start {
            codec: Codec::H264,
            reason: error.to_string(),
        };
        started.map(Self).map_err(failed)
    }
}

impl Decoder for OpenH264 {
    fn decode(&mut self, data: &[u8], look: &mut dyn FnMut(&Luma<'_>)) -> Result<(), DecodeError> {
        let decoded = self.0.decode(data);
        let failed = |error: openh264::Error| DecodeError::Data {
            codec: Codec::H264,
            reason: error.to_string(),
        };
        if let Some(picture) = decoded.map_err(failed)? {
            let (width, height) = picture.dimensions();
            look(&Luma {
                samples: picture.y(),
                stride: picture.strides().0,
                width,
                height,
            });
        }
        Ok(())
    }
}
