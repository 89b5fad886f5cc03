//! H.264 out of RTP payloads (RFC 6184, packetization mode 1) into an Annex B byte stream.

use std::collections::BTreeMap;

use bytes::Bytes;
use h264_reader::rbsp::{BitRead, BitReader, ByteReader};

use super::{AccessUnit, Codec, Defect};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The longest parameter set that is remembered; there are 288 at most.
const LONGEST_SET: usize = 4096;

/// NAL unit types (ITU-T H.264, table 7-1) and payload structures (RFC 6184, table 1).
pub mod nal {
    /// A slice of a picture where decoding may start.
    pub const IDR: u8 = 5;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const DELIMITER: u8 = 9;
    /// Several NAL units in a packet.
    pub const STAP_A: u8 = 24;
    /// A piece of a NAL unit.
    pub const FU_A: u8 = 28;

    /// The type of a NAL unit, out of its first byte.
    pub const fn kind(header: u8) -> u8 {
        header & 0x1F
    }
}

/// Puts the payloads of a picture together. It remembers all parameter sets, so that a keyframe whose
/// sender sent them only once can still be a start.
#[derive(Default)]
pub struct Depacketizer {
    /// By kind and number: those of sequences come first.
    sets: BTreeMap<(u8, u32), Bytes>,
}

impl Depacketizer {
    /// The access unit in the payloads of one picture.
    ///
    /// # Errors
    /// A [`Defect`] where the payloads do not follow RFC 6184 or hold a structure of another packetization mode.
    pub fn unpack(&mut self, timestamp: u64, payloads: &[Bytes]) -> Result<AccessUnit, Defect> {
        let mut units = Vec::new();
        let mut pieces: Option<Vec<u8>> = None;
        for payload in payloads {
            let header = *payload.first().ok_or(Defect::Short)?;
            let kind = nal::kind(header);
            if pieces.is_some() && kind != nal::FU_A {
                return Err(Defect::Unfinished);
            }
            match kind {
                1..=23 => units.push(payload.clone()),
                nal::STAP_A => split(payload, &mut units)?,
                nal::FU_A => {
                    let indicator = *payload.get(1).ok_or(Defect::Short)?;
                    let (first, last) = (indicator & 0x80 != 0, indicator & 0x40 != 0);
                    match (&mut pieces, first) {
                        // The NAL unit's own header: importance from the packet's, type from the piece's.
                        (None, true) => pieces = Some(vec![header & 0xE0 | nal::kind(indicator)]),
                        (Some(_), false) => {}
                        (None, false) => return Err(Defect::NoStart),
                        (Some(_), true) => return Err(Defect::Unfinished),
                    }
                    if let Some(unit) = &mut pieces {
                        unit.extend_from_slice(&payload[2..]);
                    }
                    if last && let Some(unit) = pieces.take() {
                        units.push(unit.into());
                    }
                }
                other => return Err(Defect::Unsupported(other)),
            }
        }
        if pieces.is_some() {
            return Err(Defect::Unfinished);
        }
        Ok(self.join(timestamp, units))
    }

    fn join(&mut self, timestamp: u64, units: Vec<Bytes>) -> AccessUnit {
        let is_slice = |unit: &Bytes| (1..=nal::IDR).contains(&nal::kind(unit[0]));
        let idr = units.iter().any(|unit| nal::kind(unit[0]) == nal::IDR);
        let first_slice = units.iter().position(is_slice).unwrap_or(units.len());
        let (before, from_slice) = units.split_at(first_slice);
        before.iter().for_each(|unit| self.remember(unit));
        let has = |kind| self.sets.keys().any(|key| key.0 == kind);
        let is_keyframe = idr && has(nal::SPS) && has(nal::PPS);
        let length: usize = units.iter().chain(self.sets.values()).map(Bytes::len).sum();
        let starts = START_CODE.len() * (units.len() + self.sets.len());
        let mut data = Vec::with_capacity(length + starts);
        let mut append = |unit: &Bytes| {
            data.extend_from_slice(&START_CODE);
            data.extend_from_slice(unit);
        };
        if idr {
            // All that hold, between the delimiter and the rest; those of this picture are among them.
            let (first, others): (Vec<_>, Vec<_>) = before
                .iter()
                .filter(|unit| !self.remembers(unit))
                .partition(|unit| nal::kind(unit[0]) == nal::DELIMITER);
            first.into_iter().for_each(&mut append);
            self.sets.values().for_each(&mut append);
            others.into_iter().for_each(&mut append);
        } else {
            before.iter().for_each(&mut append);
        }
        from_slice.iter().for_each(append);
        from_slice.iter().for_each(|unit| self.remember(unit));
        AccessUnit {
            codec: Codec::H264,
            data: data.into(),
            is_keyframe,
            timestamp,
        }
    }

    fn remember(&mut self, unit: &Bytes) {
        if unit.len() <= LONGEST_SET
            && let Some(number) = set_number(unit)
        {
            self.sets.insert((nal::kind(unit[0]), number), unit.clone());
        }
    }

    fn remembers(&self, unit: &Bytes) -> bool {
        let key = set_number(unit).map(|number| (nal::kind(unit[0]), number));
        key.and_then(|key| self.sets.get(&key)) == Some(unit)
    }
}

/// The number of a parameter set (ITU-T H.264, sections 7.3.2.1.1 and 7.3.2.2); `None` where it is none, or damaged.
pub fn set_number(unit: &[u8]) -> Option<u32> {
    match nal::kind(*unit.first()?) {
        // Behind its profile and level.
        nal::SPS => numbers(unit, 24).map(|[own]| own).filter(|own| *own < 32),
        nal::PPS => numbers(unit, 0).map(|[own]| own).filter(|own| *own < 256),
        _ => None,
    }
}

/// The number of the sequence parameter set that a picture parameter set builds upon.
pub fn sequence_of(picture_set: &[u8]) -> Option<u32> {
    numbers(picture_set, 0).map(|[_own, sequence]| sequence)
}

/// The number of the picture parameter set of a slice (section 7.3.3).
pub fn picture_set_of(slice: &[u8]) -> Option<u32> {
    numbers(slice, 0).map(|[_first_macroblock, _type, set]| set)
}

/// What a NAL unit begins with, behind its header and so many bits.
fn numbers<const COUNT: usize>(unit: &[u8], skipped: u32) -> Option<[u32; COUNT]> {
    /// More than they can take.
    const LONGEST: usize = 64;
    let start = unit.get(..unit.len().min(LONGEST))?;
    let mut bits = BitReader::new(ByteReader::skipping_h264_header(start));
    bits.skip(skipped, "profile and level").ok()?;
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        *number = bits.read_ue("a number").ok()?;
    }
    Some(numbers)
}

/// The NAL units in a STAP-A packet: a 16-bit length before each (RFC 6184, section 5.7.1).
fn split(payload: &Bytes, units: &mut Vec<Bytes>) -> Result<(), Defect> {
    let mut rest = payload.slice(1..);
    while !rest.is_empty() {
        if rest.len() < 2 {
            return Err(Defect::Short);
        }
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        if length == 0 || rest.len() < 2 + length {
            return Err(Defect::Short);
        }
        units.push(rest.slice(2..2 + length));
        rest = rest.slice(2 + length..);
    }
    Ok(())
}

/// The NAL units of an Annex B byte stream, without their start codes.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        loop {
            let start = find_start_code(rest)? + 3;
            let from = &rest[start..];
            let end = find_start_code(from).unwrap_or(from.len());
            rest = &from[end..];
            // The zero byte of a four-byte start code, and trailing zeros, belong to no unit (annex B.1).
            let zeros = from[..end].iter().rev().take_while(|&&byte| byte == 0).count();
            if end > zeros {
                return Some(&from[..end - zeros]);
            }
        }
    })
}

fn find_start_code(stream: &[u8]) -> Option<usize> {
    stream.windows(3).position(|window| window == [0, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: [u8; 5] = [0x67, 0x42, 0xE0, 0x1F, 0x8C];
    const PPS: [u8; 3] = [0x68, 0xCE, 0x38];
    /// Number 1, of the same sequence.
    const SECOND_PPS: [u8; 3] = [0x68, 0x5E, 0x38];

    fn payload(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }

    fn stap(units: &[&[u8]]) -> Bytes {
        let mut packet = vec![0x78];
        for unit in units {
            packet.extend_from_slice(&(unit.len() as u16).to_be_bytes());
            packet.extend_from_slice(unit);
        }
        packet.into()
    }

    #[test]
    fn a_keyframe_of_all_three_packet_kinds_is_put_together() {
        let packets = [
            payload(&[0x09, 0xF0]),
            stap(&[&SPS, &PPS]),
            payload(&[0x7C, 0x85, 1, 2]),
            payload(&[0x7C, 0x05, 3]),
            payload(&[0x7C, 0x45, 4]),
        ];
        let unit = Depacketizer::default().unpack(7, &packets).expect("well-formed");
        assert!(unit.is_keyframe);
        assert_eq!(unit.timestamp, 7);
        let units: Vec<_> = nal_units(&unit.data).collect();
        assert_eq!(units, [&[0x09, 0xF0][..], &SPS, &PPS, &[0x65, 1, 2, 3, 4]]);
    }

    #[test]
    fn a_keyframe_without_parameter_sets_gets_the_last_ones() {
        let mut depacketizer = Depacketizer::default();
        let bare = [payload(&[0x65, 9])];
        assert!(
            !depacketizer.unpack(0, &bare).expect("well-formed").is_keyframe,
            "none known yet"
        );
        depacketizer
            .unpack(1, &[stap(&[&SPS, &PPS])])
            .expect("well-formed");
        let unit = depacketizer.unpack(2, &bare).expect("well-formed");
        assert!(unit.is_keyframe);
        assert_eq!(
            nal_units(&unit.data).collect::<Vec<_>>(),
            [&SPS[..], &PPS, &[0x65, 9]]
        );
    }

    #[test]
    fn a_keyframe_has_all_parameter_sets_that_hold() {
        let mut depacketizer = Depacketizer::default();
        let mut unpack = |packets: &[Bytes]| {
            let unit = depacketizer.unpack(0, packets).expect("well-formed");
            nal_units(&unit.data).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let start = [stap(&[&SPS, &PPS, &SECOND_PPS]), payload(&[0x65, 9])];
        assert_eq!(unpack(&start), [&SPS[..], &PPS, &SECOND_PPS, &[0x65, 9]]);
        // One alone in mid-group, where it is and in the place of the one with its number.
        let changed = [0x68, 0x5E, 0x3C];
        let middle = [payload(&changed), payload(&[0x41, 1]), payload(&[0x41, 2])];
        assert_eq!(unpack(&middle), [&changed[..], &[0x41, 1], &[0x41, 2]]);
        let all = [&SPS[..], &PPS, &changed, &[0x65, 9]];
        assert_eq!(unpack(&[payload(&[0x65, 9])]), all);
        assert_eq!(unpack(&[stap(&[&SPS, &PPS]), payload(&[0x65, 9])]), all);
        // Behind a slice it holds for what follows.
        let behind = [payload(&[0x65, 9]), payload(&SECOND_PPS)];
        let expected = [&all[..], &[&SECOND_PPS[..]]].concat();
        assert_eq!(unpack(&behind), expected);
        assert_eq!(
            unpack(&[payload(&[0x65, 9])]),
            [&SPS[..], &PPS, &SECOND_PPS, &[0x65, 9]]
        );
    }

    #[test]
    fn numbers_are_read_and_nothing_of_what_is_damaged() {
        assert_eq!(set_number(&SPS), Some(0));
        assert_eq!((set_number(&PPS), sequence_of(&PPS)), (Some(0), Some(0)));
        assert_eq!(
            (set_number(&SECOND_PPS), sequence_of(&SECOND_PPS)),
            (Some(1), Some(0))
        );
        assert_eq!(picture_set_of(&[0x65, 0b1000_1000, 0b0100_0000]), Some(1));
        for damaged in [
            &[][..],
            &[0x67, 0x42, 0xE0, 0x1F],
            &[0x68],
            &[0x68, 0, 0],
            &[0x65, 0x88, 0x84],
        ] {
            assert_eq!(set_number(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn an_ordinary_picture_is_no_keyframe() {
        let unit = Depacketizer::default()
            .unpack(0, &[payload(&[0x41, 1]), payload(&[0x41, 2])])
            .expect("well-formed");
        assert!(!unit.is_keyframe);
        assert_eq!(nal_units(&unit.data).count(), 2);
    }

    #[test]
    fn broken_payloads_are_errors_not_panics() {
        let cases: [(&[&[u8]], Defect); 8] = [
            (&[&[0x7C]], Defect::Short),
            (&[&[0x78, 0]], Defect::Short),
            (&[&[0x78, 0, 9, 1]], Defect::Short),
            (&[&[0x78, 0, 0]], Defect::Short),
            (&[&[0x7C, 0x05, 1]], Defect::NoStart),
            (&[&[0x7C, 0x85, 1]], Defect::Unfinished),
            (&[&[0x7C, 0x85, 1], &[0x41, 1]], Defect::Unfinished),
            (&[&[0x79, 1, 2]], Defect::Unsupported(25)),
        ];
        for (packets, defect) in cases {
            let packets: Vec<_> = packets.iter().map(|packet| payload(packet)).collect();
            assert_eq!(
                Depacketizer::default().unpack(0, &packets).map(|_| ()),
                Err(defect),
                "{packets:?}"
            );
        }
    }

    #[test]
    fn start_codes_of_both_lengths_end_a_unit() {
        let stream = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3, 0, 0];
        assert_eq!(
            nal_units(&stream).collect::<Vec<_>>(),
            [&[0x67, 1][..], &[0x68, 2], &[0x65, 3]]
        );
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
    }
}
