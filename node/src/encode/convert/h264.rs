use openh264::{decoder, formats::YUVSource};

use super::{ConvertError, Output};
use crate::media::{FrameSize, h264::nal_units};

/// Decodes a camera's own H.264, for viewers who want another codec. It has to see every unit from a keyframe on.
pub(super) struct Decoder(decoder::Decoder);

impl Decoder {
    pub(super) fn new() -> Result<Self, ConvertError> {
        decoder::Decoder::new()
            .map(Self)
            .map_err(|_| ConvertError::H264("OpenH264's decoder does not start"))
    }

    /// Decodes one access unit into `buffer` as YU12, and tells the size of the picture.
    pub(super) fn decode(&mut self, unit: &[u8], buffer: &mut Vec<u8>) -> Result<FrameSize, ConvertError> {
        // The library's interface counts in 32 bits, and takes an empty unit for the end of the stream.
        if nal_units(unit).next().is_none() || i32::try_from(unit.len()).is_err() {
            return Err(ConvertError::H264("it has no start code"));
        }
        let decoded = self.0.decode(unit);
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
        let output = Output::new(buffer, size);
        let (luma, chroma_u, chroma_v) = picture.strides();
        let (width, height) = (output.width(), output.height());
        copy(picture.y(), luma, output.y, output.stride, width, height);
        let (width, height) = (width.div_ceil(2), height.div_ceil(2));
        copy(
            picture.u(),
            chroma_u,
            output.u,
            output.chroma_stride,
            width,
            height,
        );
        copy(
            picture.v(),
            chroma_v,
            output.v,
            output.chroma_stride,
            width,
            height,
        );
        Ok(size)
    }
}

/// Copies the visible part of a plane. Lines that `from` does not have are left as they are.
fn copy(from: &[u8], from_stride: usize, to: &mut [u8], to_stride: usize, width: usize, height: usize) {
    let lines = from
        .chunks(from_stride.max(1))
        .zip(to.chunks_mut(to_stride.max(1)));
    for (from, to) in lines.take(height) {
        let width = width.min(from.len()).min(to.len());
        to[..width].copy_from_slice(&from[..width]);
    }
}
