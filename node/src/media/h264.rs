//! The byte stream of H.264 (ITU-T H.264, annex B), as far as one has to know it who neither encodes nor decodes:
//! where its NAL units begin and end, which of them begins a picture, and what a sequence parameter set promises.
//!
//! All of it comes from outside: nothing here panics or allocates, whatever the bytes are.

mod bits;
mod sps;

pub use sps::Sps;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use bits::Bits;

/// What begins every NAL unit. A zero more may stand before it.
pub const START_CODE: [u8; 3] = [0, 0, 1];

/// Made once: to make it takes longer than to look through a short unit.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&START_CODE));

/// Where the next start code begins, at `from` or later.
pub fn find_start_code(data: &[u8], from: usize) -> Option<usize> {
    let found = FINDER.find(data.get(from..)?)?;
    Some(from + found)
}

/// The NAL units of a byte stream, each without start code and trailing zeros. What stands before the first start code is
/// passed over.
pub fn nal_units(data: &[u8]) -> NalUnits<'_> {
    NalUnits {
        data,
        next: find_start_code(data, 0).map(after),
    }
}

/// See [`nal_units`].
#[derive(Clone, Debug)]
pub struct NalUnits<'a> {
    data: &'a [u8],
    /// Behind the next start code.
    next: Option<usize>,
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = NalUnit<'a>;

    fn next(&mut self) -> Option<NalUnit<'a>> {
        loop {
            let start = self.next?;
            let end = find_start_code(self.data, start);
            self.next = end.map(after);
            let bytes = self.data.get(start..end.unwrap_or(self.data.len()))?;
            // A NAL unit never ends with a zero (section 7.4.1); those here are of the byte stream.
            let length = bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            if length > 0 {
                return Some(NalUnit {
                    bytes: &bytes[..length],
                    at: start,
                });
            }
        }
    }
}

fn after(start_code: usize) -> usize {
    start_code + START_CODE.len()
}

/// One NAL unit; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalUnit<'a> {
    /// Header and payload, with the bytes that prevent start codes in it.
    pub bytes: &'a [u8],
    /// Where `bytes` begin in the stream.
    pub at: usize,
}

/// What a NAL unit holds (table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A part of a picture that may refer to others.
    Slice,
    /// A part of a picture at which decoding may start.
    Idr,
    /// Supplemental enhancement information.
    Sei,
    /// A sequence parameter set.
    SequenceParameters,
    /// A picture parameter set.
    PictureParameters,
    /// The mark that an access unit begins.
    Delimiter,
    /// Something else that can only stand before the first slice of an access unit (types 14 to 18).
    Prelude,
    /// Anything else: fillers, ends of sequences, other layers, data partitions (which no browser decodes).
    Other,
}

impl NalUnit<'_> {
    /// What it holds.
    pub fn kind(&self) -> Kind {
        Kind::of(self.bytes[0])
    }

    /// Whether its header breaks the one rule that every header obeys (`forbidden_zero_bit`), or nothing follows it.
    pub fn is_damaged(&self) -> bool {
        self.bytes[0] & 0x80 != 0 || (self.bytes.len() < 2 && self.kind().is_slice())
    }

    /// Whether others may refer to the picture that it is a part of (`nal_ref_idc`, section 7.4.1). All slices of a picture agree in that.
    pub fn is_reference(&self) -> bool {
        self.bytes[0] & 0x60 != 0
    }

    /// Whether it is a slice that predicts from two pictures, which then come out of order (table 7-6).
    pub fn is_bidirectional(&self) -> bool {
        matches!(self.slice_header(), Some((1 | 6, _)))
    }

    /// The number of the picture parameter set that it is decoded by; `None` where it is no slice, or its header is cut short.
    pub fn picture_parameters(&self) -> Option<u32> {
        let (_, parameters) = self.slice_header()?;
        parameters
    }

    /// `slice_type`, and `pic_parameter_set_id` where it is there (section 7.3.3).
    fn slice_header(&self) -> Option<(u32, Option<u32>)> {
        if !self.kind().is_slice() {
            return None;
        }
        let mut bits = Bits::of(&self.bytes[1..]);
        let _first_macroblock = bits.unsigned()?;
        Some((bits.unsigned()?, bits.unsigned()))
    }
}

impl Kind {
    /// By the first byte of a NAL unit.
    pub const fn of(header: u8) -> Self {
        match header & 0x1f {
            1 => Kind::Slice,
            5 => Kind::Idr,
            6 => Kind::Sei,
            7 => Kind::SequenceParameters,
            8 => Kind::PictureParameters,
            9 => Kind::Delimiter,
            14..=18 => Kind::Prelude,
            _ => Kind::Other,
        }
    }

    /// Whether it is a part of a picture.
    pub const fn is_slice(self) -> bool {
        matches!(self, Kind::Slice | Kind::Idr)
    }

    /// Whether a NAL unit of this kind, with `first` as the byte behind its header, ends the access unit of the slices before
    /// it (section 7.4.1.2.3). A slice does where it is its picture's first: its `first_mb_in_slice` is zero, which is
    /// written as a single 1.
    pub const fn begins_access_unit(self, first: u8) -> bool {
        match self {
            Kind::Slice | Kind::Idr => first & 0x80 != 0,
            Kind::Sei
            | Kind::SequenceParameters
            | Kind::PictureParameters
            | Kind::Delimiter
            | Kind::Prelude => true,
            Kind::Other => false,
        }
    }
}

/// The numbers in a picture parameter set (section 7.3.2.2): its own, below 256, and that of the sequence parameter set that it
/// builds upon, below 32. `None` where it is damaged.
pub fn picture_parameter_ids(unit: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits::of(unit.get(1..)?);
    let own = bits.unsigned().filter(|id| *id < 256)?;
    let sequence = bits.unsigned().filter(|id| *id < 32)?;
    Some((own, sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_are_found_wherever_they_stand() {
        for (data, expected) in [
            (&[][..], None),
            (&[0, 0], None),
            (&[0, 0, 1], Some(0)),
            (&[0, 0, 0, 1], Some(1)),
            (&[5, 0, 0, 1], Some(1)),
            (&[0, 1, 0, 0, 1], Some(2)),
            (&[1, 1, 0, 0, 1, 7], Some(2)),
            (&[0, 0, 2, 0, 0, 1], Some(3)),
            (&[0, 0, 2, 1], None),
        ] {
            assert_eq!(find_start_code(data, 0), expected, "{data:?}");
        }
        assert_eq!(find_start_code(&[0, 0, 1, 0, 0, 1], 1), Some(3));
        assert_eq!(find_start_code(&[0, 0, 1], 17), None);
    }

    #[test]
    fn units_are_cut_at_start_codes_of_both_lengths() {
        let data = [
            9, 9, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0, 0, 1, 0x65, 0x88, 0, 0,
        ];
        let found: Vec<_> = nal_units(&data)
            .map(|unit| (unit.kind(), unit.bytes, unit.at))
            .collect();
        assert_eq!(
            found,
            [
                (Kind::SequenceParameters, &[0x67, 1, 2][..], 6),
                (Kind::PictureParameters, &[0x68, 3], 13),
                (Kind::Idr, &[0x65, 0x88], 21),
            ]
        );
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn slices_tell_which_pictures_they_refer_to() {
        // first_mb_in_slice 0 is `1`; slice types 5 (P), 6 (B), 0 (P), 1 (B).
        for (payload, bidirectional) in [
            (0b1001_1000, false),
            (0b1001_1100, true),
            (0b1100_0000, false),
            (0b1010_0000, true),
        ] {
            let bytes = [0x41, payload];
            let unit = NalUnit { bytes: &bytes, at: 0 };
            assert_eq!(unit.is_bidirectional(), bidirectional, "{payload:08b}");
        }
        for bytes in [&[0x41][..], &[0x41, 0], &[0x67, 0b1010_0000]] {
            assert!(!NalUnit { bytes, at: 0 }.is_bidirectional());
        }
    }

    #[test]
    fn a_header_tells_whether_others_refer_to_the_picture() {
        for (header, is_reference) in [
            (0x01, false),
            (0x21, true),
            (0x41, true),
            (0x61, true),
            (0x65, true),
        ] {
            let bytes = [header, 0x9a];
            assert_eq!(
                NalUnit { bytes: &bytes, at: 0 }.is_reference(),
                is_reference,
                "{header:02x}"
            );
        }
    }

    #[test]
    fn slices_and_picture_parameter_sets_tell_what_they_build_upon() {
        let of = |bytes: &[u8]| NalUnit { bytes, at: 0 }.picture_parameters();
        // first_mb_in_slice 0, slice type 7 (I), and sets 0, 1, 3.
        assert_eq!(of(&[0x65, 0b1000_1000, 0b1000_0000]), Some(0));
        assert_eq!(of(&[0x65, 0b1000_1000, 0b0100_0000]), Some(1));
        assert_eq!(of(&[0x41, 0b1000_1000, 0b0010_0000]), Some(3));
        assert_eq!(of(&[0x65, 0b1000_1000]), None, "cut short");
        assert_eq!(of(&[0x67, 0b1000_1000, 0b1000_0000]), None, "no slice");
        assert_eq!(picture_parameter_ids(&[0x68, 0b1101_0000]), Some((0, 0)));
        assert_eq!(picture_parameter_ids(&[0x68, 0b0110_1100]), Some((2, 2)));
        assert_eq!(picture_parameter_ids(&[0x68, 0b0110_0000, 0]), None, "cut short");
        assert_eq!(picture_parameter_ids(&[0x68]), None);
        // 32 and 256 in their codes.
        assert_eq!(picture_parameter_ids(&[0x68, 0b1000_0010, 0b0001_0000]), None);
        assert_eq!(picture_parameter_ids(&[0x68, 0, 0b1000_0000, 0b1100_0000]), None);
    }

    #[test]
    fn start_codes_are_found_as_by_looking_everywhere() {
        let mut random = 1_u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % below
        };
        for _ in 0..2000 {
            let length = next(80) as usize;
            let data: Vec<u8> = (0..length)
                .map(|_| [0, 0, 0, 1, 2, 3][next(6) as usize])
                .collect();
            let from = next(20) as usize;
            let windows = data.windows(3).enumerate().skip(from);
            let expected = windows
                .filter(|(_, window)| *window == START_CODE)
                .map(|(at, _)| at)
                .next();
            assert_eq!(find_start_code(&data, from), expected, "{data:?} from {from}");
        }
    }
}
