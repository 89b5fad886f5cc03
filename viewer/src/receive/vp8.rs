//! VP8 out of RTP payloads (RFC 7741).

use bytes::Bytes;

use super::{AccessUnit, Codec, Defect};

/// The frame in the payloads of one picture.
///
/// # Errors
/// A [`Defect`] where a payload is shorter than its descriptor says, or the first one does not start a frame.
pub fn unpack(timestamp: u64, payloads: &[Bytes]) -> Result<AccessUnit, Defect> {
    let mut data = Vec::with_capacity(payloads.iter().map(Bytes::len).sum());
    for (index, payload) in payloads.iter().enumerate() {
        let (starts_frame, body) = descriptor(payload)?;
        if (index == 0) != starts_frame {
            return Err(if starts_frame {
                Defect::Unfinished
            } else {
                Defect::NoStart
            });
        }
        data.extend_from_slice(&payload[body..]);
    }
    // The inverse key frame flag is the lowest bit of the frame header (RFC 6386, section 9.1).
    let is_keyframe = data.first().ok_or(Defect::Short)? & 1 == 0;
    Ok(AccessUnit {
        codec: Codec::Vp8,
        data: data.into(),
        is_keyframe,
        timestamp,
    })
}

/// Reads the payload descriptor (RFC 7741, section 4.2): whether a frame starts here, and where its bytes do.
fn descriptor(payload: &[u8]) -> Result<(bool, usize), Defect> {
    let byte = |index: usize| payload.get(index).copied().ok_or(Defect::Short);
    let first = byte(0)?;
    let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
    let mut at = 1;
    if first & 0x80 != 0 {
        let extensions = byte(1)?;
        at = 2;
        if extensions & 0x80 != 0 {
            // The picture id takes two bytes where its top bit says so.
            at += if byte(at)? & 0x80 != 0 { 2 } else { 1 };
        }
        if extensions & 0x40 != 0 {
            at += 1;
        }
        if extensions & 0x30 != 0 {
            at += 1;
        }
    }
    if at >= payload.len() {
        Err(Defect::Short)
    } else {
        Ok((starts_frame, at))
    }
}

/// Width and height in the header of a keyframe (RFC 6386, section 9.1); `None` for any other frame.
pub fn keyframe_size(frame: &[u8]) -> Option<(u32, u32)> {
    let header = frame.get(..10)?;
    let size = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    (header[0] & 1 == 0 && header[3..6] == [0x9D, 0x01, 0x2A])
        .then(|| (size(header[6], header[7]), size(header[8], header[9])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack_all(packets: &[&[u8]]) -> Result<AccessUnit, Defect> {
        let packets: Vec<_> = packets
            .iter()
            .map(|packet| Bytes::copy_from_slice(packet))
            .collect();
        unpack(3, &packets)
    }

    #[test]
    fn every_shape_of_descriptor_is_skipped() {
        let shapes: [&[u8]; 6] = [
            &[0x10],
            &[0x90, 0x00],
            &[0x90, 0x80, 0x11],
            &[0x90, 0x80, 0x91, 0x22],
            &[0x90, 0xE0, 0x91, 0x22, 7, 0x20],
            &[0x90, 0x10, 0x05],
        ];
        for shape in shapes {
            let unit = unpack_all(&[&[shape, &[0xA0, 1, 2]].concat()]).expect("well-formed");
            assert_eq!(&unit.data[..], [0xA0, 1, 2], "{shape:02x?}");
            assert!(unit.is_keyframe);
        }
    }

    #[test]
    fn a_short_last_fragment_still_counts() {
        let unit = unpack_all(&[&[0x10, 0x01, 2, 3], &[0x00, 4]]).expect("well-formed");
        assert_eq!(&unit.data[..], [1, 2, 3, 4]);
        assert!(!unit.is_keyframe);
    }

    #[test]
    fn descriptors_do_not_leak_into_the_next_packet() {
        // The first has a picture id, the second has no extension at all.
        let unit = unpack_all(&[&[0x90, 0x80, 0x11, 0x01], &[0x00, 2, 3]]).expect("well-formed");
        assert_eq!(&unit.data[..], [1, 2, 3]);
    }

    #[test]
    fn later_partitions_go_on_with_the_frame() {
        let unit = unpack_all(&[&[0x10, 0x01], &[0x11, 2], &[0x12, 3]]).expect("well-formed");
        assert_eq!(&unit.data[..], [1, 2, 3]);
    }

    #[test]
    fn broken_payloads_are_errors_not_panics() {
        let cases: [(&[&[u8]], Defect); 6] = [
            (&[&[0x10]], Defect::Short),
            (&[&[0x90]], Defect::Short),
            (&[&[0x90, 0x80]], Defect::Short),
            (&[&[0x90, 0xF0, 0x80, 1]], Defect::Short),
            (&[&[0x00, 1]], Defect::NoStart),
            (&[&[0x10, 1], &[0x10, 1]], Defect::Unfinished),
        ];
        for (packets, defect) in cases {
            assert_eq!(unpack_all(packets).map(|_| ()), Err(defect), "{packets:02x?}");
        }
    }

    #[test]
    fn the_size_is_read_from_keyframes_only() {
        let keyframe = [0x50, 0, 0, 0x9D, 0x01, 0x2A, 0x00, 0x45, 0xD0, 0x42];
        assert_eq!(keyframe_size(&keyframe), Some((1280, 720)));
        assert_eq!(
            keyframe_size(&[0x51, 0, 0, 0x9D, 0x01, 0x2A, 0x00, 0x05, 0xD0, 0x02]),
            None
        );
        assert_eq!(keyframe_size(&keyframe[..9]), None);
    }
}
