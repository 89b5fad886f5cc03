//! H.264 out of RTP payloads (RFC 6184, packetization mode 1) into an Annex B byte stream.

use bytes::Bytes;

use super::{AccessUnit, Codec, Defect};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

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

/// Puts the payloads of a picture together. It remembers the parameter sets, so that a keyframe whose
/// sender sent them only once can still be a start.
#[derive(Default)]
pub struct Depacketizer {
    sps: Option<Bytes>,
    pps: Option<Bytes>,
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
        let has = |kind| units.iter().any(|unit| nal::kind(unit[0]) == kind);
        let (idr, own_sps, own_pps) = (has(nal::IDR), has(nal::SPS), has(nal::PPS));
        for unit in &units {
            match nal::kind(unit[0]) {
                nal::SPS => self.sps = Some(unit.clone()),
                nal::PPS => self.pps = Some(unit.clone()),
                _ => {}
            }
        }
        let mut data = Vec::with_capacity(
            units
                .iter()
                .map(|unit| unit.len() + START_CODE.len())
                .sum::<usize>()
                + 64,
        );
        let mut append = |unit: &Bytes| {
            data.extend_from_slice(&START_CODE);
            data.extend_from_slice(unit);
        };
        if idr && !own_sps {
            self.sps.iter().for_each(&mut append);
        }
        if idr && !own_pps {
            self.pps.iter().for_each(&mut append);
        }
        units.iter().for_each(append);
        AccessUnit {
            codec: Codec::H264,
            data: data.into(),
            is_keyframe: idr && self.sps.is_some() && self.pps.is_some(),
            timestamp,
        }
    }
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

    const SPS: [u8; 4] = [0x67, 0x42, 0xE0, 0x1F];
    const PPS: [u8; 3] = [0x68, 0xCE, 0x38];

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
