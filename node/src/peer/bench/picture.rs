//! Pictures without a camera: as H.264 or VP8 they look to whoever carries them, and the receiver can tell what was carried.

use bytes::Bytes;

use crate::media::{Codec, Layer};

/// What can be read of a picture that came through whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Counts the pictures of a source.
    pub(super) number: u32,
    pub(super) is_keyframe: bool,
    /// The number of the one that it builds upon, unless it is a keyframe.
    pub(super) base: u32,
    /// Whether others may build upon it.
    pub(super) layer: Layer,
}

const START: [u8; 4] = [0, 0, 0, 1];
/// Constrained baseline, level 3.1, and what a decoder would be told with it. Nobody reads further.
const SEQUENCE_PARAMETERS: [u8; 6] = [0x67, 0x42, 0xe0, 0x1f, 0xda, 0x01];
const PICTURE_PARAMETERS: [u8; 4] = [0x68, 0xce, 0x38, 0x80];
/// The types of H.264's NAL units (RFC 6184, section 1.3), with `nal_ref_idc`.
const SLICE: u8 = 0x41;
const IDR_SLICE: u8 = 0x65;
/// The first byte of VP8's frame tag (RFC 6386, section 9.1), which tells the kind of frame.
const KEYFRAME: u8 = 0x10;
const INTERFRAME: u8 = 0x11;
/// Bytes that hold the number, seven bits in each.
const NUMBER: usize = 5;
/// How a layer is written.
const BASE: u8 = 0x81;
const UPPER: u8 = 0x82;
/// The shortest picture that can be written.
pub(super) const SHORTEST: usize = 40;

impl Picture {
    /// This picture in `length` bytes, or [`SHORTEST`].
    pub(super) fn write(self, codec: Codec, length: usize) -> Bytes {
        let length = length.max(SHORTEST);
        let mut data = Vec::with_capacity(length);
        match (codec, self.is_keyframe) {
            (Codec::H264, true) => {
                for unit in [&SEQUENCE_PARAMETERS[..], &PICTURE_PARAMETERS, &[IDR_SLICE]] {
                    data.extend_from_slice(&START);
                    data.extend_from_slice(unit);
                }
            }
            (Codec::H264, false) => {
                data.extend_from_slice(&START);
                data.push(SLICE);
            }
            (Codec::Vp8, true) => data.push(KEYFRAME),
            (Codec::Vp8, false) => data.push(INTERFRAME),
        }
        data.extend_from_slice(&written(self.number));
        data.extend_from_slice(&written(self.base));
        data.push(if self.layer == Layer::Upper { UPPER } else { BASE });
        data.resize(length, filling(self.number));
        data.into()
    }

    /// The picture in an access unit; `None` where it is not as it was written.
    pub(super) fn read(codec: Codec, data: &[u8]) -> Option<Self> {
        let (is_keyframe, content) = match codec {
            Codec::H264 => match data.strip_prefix(&START)? {
                [SLICE, content @ ..] => (false, content),
                rest => (true, after_parameters(rest)?),
            },
            Codec::Vp8 => match data {
                [KEYFRAME, content @ ..] => (true, content),
                [INTERFRAME, content @ ..] => (false, content),
                _ => return None,
            },
        };
        let (digits, rest) = content.split_at_checked(NUMBER)?;
        let (base, rest) = rest.split_at_checked(NUMBER)?;
        let (layer, filled) = rest.split_first()?;
        let number = |digits: &[u8]| {
            let digits = digits.iter();
            digits.fold(0, |number: u32, digit| number << 7 | u32::from(digit & 0x7f))
        };
        let (number, base) = (number(digits), number(base));
        let is_intact = filled.iter().all(|byte| *byte == filling(number));
        let layer = if *layer == UPPER {
            Layer::Upper
        } else {
            Layer::Base
        };
        is_intact.then_some(Self {
            number,
            is_keyframe,
            base,
            layer,
        })
    }
}

/// What is in the IDR slice behind the parameter sets.
fn after_parameters(unit: &[u8]) -> Option<&[u8]> {
    let rest = unit.strip_prefix(&SEQUENCE_PARAMETERS)?.strip_prefix(&START)?;
    let rest = rest.strip_prefix(&PICTURE_PARAMETERS)?.strip_prefix(&START)?;
    rest.strip_prefix(&[IDR_SLICE])
}

/// A number without a zero byte: nothing in it looks like a start code.
fn written(number: u32) -> [u8; NUMBER] {
    std::array::from_fn(|place| 0x80 | (number >> (7 * (NUMBER - 1 - place)) & 0x7f) as u8)
}

fn filling(number: u32) -> u8 {
    0x80 | (number & 0x7f) as u8
}

/// Whether a decoder could start with the picture whose first packet this payload is.
pub(super) fn begins_keyframe(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        // An aggregate with the parameter sets comes first (RFC 6184, section 5.7.1).
        Codec::H264 => payload.first().is_some_and(|header| header & 0x1f == 24),
        Codec::Vp8 => {
            // The descriptor (RFC 7741, section 4.2): S and partition 0, then a picture id of 15 bits, TL0PICIDX and TID.
            let begins = payload
                .first()
                .is_some_and(|descriptor| descriptor & 0x1f == 0x10);
            begins && payload.get(6) == Some(&KEYFRAME)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_was_damaged_is_not() {
        for (codec, is_keyframe) in [
            (Codec::H264, true),
            (Codec::H264, false),
            (Codec::Vp8, true),
            (Codec::Vp8, false),
        ] {
            for number in [0, 1, 127, 128, 1_000_000, u32::MAX] {
                let picture = Picture {
                    number,
                    is_keyframe,
                    base: number / 2,
                    layer: Layer::Upper,
                };
                let written = picture.write(codec, 3000);
                assert_eq!(written.len(), 3000);
                assert_eq!(Picture::read(codec, &written), Some(picture));
                let mut damaged = written.to_vec();
                damaged[2000] ^= 1;
                assert_eq!(Picture::read(codec, &damaged), None);
                // As when a packet in the middle is left out.
                damaged.drain(1000..2500);
                damaged.truncate(100);
                damaged[50] ^= 1;
                assert_eq!(Picture::read(codec, &damaged), None);
            }
        }
    }
}
