use openh264::{decoder, formats::YUVSource};

use super::{ConvertError, Output, raw, recolour::Recolour};
use crate::{
    encode::Planes,
    media::{
        FrameSize,
        h264::{Kind, Sps, nal_units},
    },
};

/// Decodes a camera's own H.264, for viewers who want another codec. It has to see every unit from a keyframe on.
pub(super) struct Decoder {
    library: decoder::Decoder,
    /// What the stream's colours need.
    recolour: Option<Recolour>,
}

impl Decoder {
    pub(super) fn new() -> Result<Self, ConvertError> {
        let library =
            decoder::Decoder::new().map_err(|_| ConvertError::H264("OpenH264's decoder does not start"))?;
        Ok(Self {
            library,
            recolour: None,
        })
    }

    /// Decodes one access unit into `buffer` as YU12, and tells the size of the picture.
    pub(super) fn decode(&mut self, unit: &[u8], buffer: &mut Vec<u8>) -> Result<FrameSize, ConvertError> {
        // The library's interface counts in 32 bits, and takes an empty unit for the end of the stream.
        let sets = nal_units(unit).filter(|unit| unit.kind() == Kind::SequenceParameters);
        if let Some(sps) = sets.filter_map(|set| Sps::read(set.bytes)).last() {
            self.recolour = Recolour::from(sps.colour);
        }
        if nal_units(unit).next().is_none() || i32::try_from(unit.len()).is_err() {
            return Err(ConvertError::H264("it has no start code"));
        }
        let decoded = self.library.decode(unit);
        let picture = decoded
            .map_err(|_| ConvertError::H264("OpenH264 can't decode it"))?
            .ok_or(ConvertError::H264(
                "it is a part of a picture only, or out of order",
            ))?;
        let (width, height) = picture.dimensions();
        let side = |pixels: usize| {
            u32::try_from(pixels)
                .ok()
                .filter(|side| (2..=8192).contains(side))
        };
        let size = side(width).zip(side(height));
        let (width, height) = size.ok_or(ConvertError::H264("its size is not possible"))?;
        let size = FrameSize { width, height };
        let strides = picture.strides();
        let planes = Planes {
            size,
            y: picture.y(),
            u: picture.u(),
            v: picture.v(),
            stride: strides.0,
            chroma_stride: strides.1,
        };
        let is_whole = |plane: &[u8], stride: usize, width: u32, height: u32| {
            let width = width as usize;
            stride >= width && plane.len() >= stride * (height as usize - 1) + width
        };
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let chroma = [(planes.u, strides.1), (planes.v, strides.2)];
        let chroma_is_whole = chroma
            .into_iter()
            .all(|(plane, stride)| stride == strides.1 && is_whole(plane, stride, half_width, half_height));
        if !is_whole(planes.y, strides.0, width, height) || !chroma_is_whole {
            return Err(ConvertError::H264("OpenH264 decoded a part of it only"));
        }
        raw::planes(&planes, &mut Output::new(buffer, size), self.recolour.as_ref());
        Ok(size)
    }
}
