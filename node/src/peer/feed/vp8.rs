//! VP8 as RTP payloads (RFC 7741).
//!
//! Each payload has a descriptor that tells where its picture stands: a picture id, and of which layer it is. So a receiver knows that a
//! picture was left out on purpose, and goes on with the next one of the base, where it would otherwise wait for a picture that never comes.
//! The numbers stand in what all viewers share. A viewer may be given another rendition at a keyframe, so each keyframe has numbers ahead of all
//! that any rendition of its camera has had: seen by any viewer, they never run backwards.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;

use crate::media::{AccessUnit, Layer};

/// The fields of the descriptor's first byte (section 4.2): an extension follows, nothing refers to the picture, a partition begins.
const EXTENDED: u8 = 0x80;
const NON_REFERENCE: u8 = 0x20;
const BEGINS: u8 = 0x10;
/// Those of its second byte: picture id, `TL0PICIDX` and `TID` are there.
const PICTURE_ID: u8 = 0x80;
const BASE_INDEX: u8 = 0x40;
const LAYER: u8 = 0x20;
/// The picture id has 15 bits.
const LONG: u8 = 0x80;
/// Layer 1 (`TID`), which builds upon the base alone (`Y`).
const UPPER: u8 = 1 << 6 | 1 << 5;

/// How long it is.
const DESCRIPTOR: usize = 6;

/// Bits of the numbers on the wire.
const PICTURE_BITS: u32 = 15;
const BASE_BITS: u32 = 8;

/// How far the renditions of a camera are in numbering their pictures. Cheap to clone; every clone is the same.
#[derive(Clone, Debug, Default)]
pub(in crate::peer) struct PictureIds(Arc<Newest>);

/// The numbers beyond all that were given.
#[derive(Debug, Default)]
struct Newest {
    picture: AtomicU64,
    base: AtomicU64,
}

/// What cuts the pictures of one rendition, and numbers them.
#[derive(Debug)]
pub(super) struct Cutter {
    ids: PictureIds,
    /// The number of the next picture.
    picture: u64,
    /// That of the next one of the base, among those of the base.
    base: u64,
}

impl Cutter {
    /// For a rendition of the camera to which `ids` belong.
    pub(super) fn new(ids: PictureIds) -> Self {
        Self {
            ids,
            picture: 0,
            base: 0,
        }
    }

    /// A picture in RTP payloads of at most `largest` bytes, or of the few that a descriptor and one byte have; none where it is empty. Each has memory of
    /// its own, which is free as soon as the last who may have to send it again lets go of it.
    pub(super) fn payloads(&mut self, unit: &AccessUnit, largest: usize) -> Vec<Bytes> {
        if unit.data.is_empty() {
            return Vec::new();
        }
        let mut descriptor = self.number(unit);
        let parts = unit.data.chunks(largest.max(DESCRIPTOR + 1) - DESCRIPTOR);
        let payload = |part: &[u8]| {
            let payload = Bytes::from([&descriptor[..], part].concat());
            descriptor[0] &= !BEGINS;
            payload
        };
        parts.map(payload).collect()
    }

    /// The descriptor of the first payload of the next picture.
    fn number(&mut self, unit: &AccessUnit) -> [u8; DESCRIPTOR] {
        let Newest { picture, base } = &*self.ids.0;
        if unit.is_keyframe {
            self.picture = ahead(self.picture, picture.load(Ordering::Relaxed), PICTURE_BITS);
            self.base = ahead(self.base, base.load(Ordering::Relaxed), BASE_BITS);
        }
        let id = self.picture;
        self.picture += 1;
        self.base += u64::from(unit.layer == Layer::Base);
        picture.fetch_max(self.picture, Ordering::Relaxed);
        base.fetch_max(self.base, Ordering::Relaxed);
        let (reference, layer) = match unit.layer {
            Layer::Base => (0, 0),
            Layer::Upper => (NON_REFERENCE, UPPER),
        };
        let [.., high, low] = id.to_be_bytes();
        // That of the last one of the base, which may be this one.
        let [.., index] = self.base.wrapping_sub(1).to_be_bytes();
        [
            EXTENDED | BEGINS | reference,
            PICTURE_ID | BASE_INDEX | LAYER,
            LONG | high,
            low,
            index,
            layer,
        ]
    }
}

/// The least number from `newest` on that is also ahead of `next - 1` for whoever sees these bits of it only: less than half of their
/// range.
fn ahead(next: u64, newest: u64, bits: u32) -> u64 {
    let range = 1 << bits;
    match newest.saturating_sub(next) % range {
        step if next == 0 || step < range / 2 - 1 => newest,
        step => newest + range - step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;

    /// A keyframe, a picture of the base, one of the upper layer.
    const KEY: (bool, Layer) = (true, Layer::Base);
    const BASE: (bool, Layer) = (false, Layer::Base);
    const UP: (bool, Layer) = (false, Layer::Upper);

    fn unit((is_keyframe, layer): (bool, Layer), length: usize) -> AccessUnit {
        AccessUnit {
            data: (0..length).map(|number| number as u8).collect::<Vec<_>>().into(),
            captured_at: Timestamp::now(),
            is_keyframe,
            layer,
        }
    }

    /// The descriptor of the next picture.
    fn descriptor(cutter: &mut Cutter, kind: (bool, Layer)) -> [u8; DESCRIPTOR] {
        let payloads = cutter.payloads(&unit(kind, 1), 100);
        payloads[0][..DESCRIPTOR].try_into().expect("a descriptor")
    }

    /// Picture id and `TL0PICIDX`.
    fn numbers(cutter: &mut Cutter, kind: (bool, Layer)) -> (u16, u8) {
        let [_, _, high, low, base, _] = descriptor(cutter, kind);
        (u16::from_be_bytes([high & 0x7f, low]), base)
    }

    #[test]
    fn descriptors_are_those_of_the_standard() {
        let mut cutter = Cutter::new(PictureIds::default());
        for (kind, expected) in [
            (KEY, [0x90, 0xe0, 0x80, 0, 0, 0x00]),
            (UP, [0xb0, 0xe0, 0x80, 1, 0, 0x60]),
            (BASE, [0x90, 0xe0, 0x80, 2, 1, 0x00]),
            (UP, [0xb0, 0xe0, 0x80, 3, 1, 0x60]),
            (BASE, [0x90, 0xe0, 0x80, 4, 2, 0x00]),
            (KEY, [0x90, 0xe0, 0x80, 5, 3, 0x00]),
            (UP, [0xb0, 0xe0, 0x80, 6, 3, 0x60]),
        ] {
            assert_eq!(descriptor(&mut cutter, kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn numbers_begin_anew_at_the_end_of_their_range() {
        let mut cutter = Cutter::new(PictureIds::default());
        descriptor(&mut cutter, KEY);
        for number in 1..=0x8000_u32 {
            let expected = ((number & 0x7fff) as u16, number as u8);
            assert_eq!(numbers(&mut cutter, BASE), expected, "{number}");
        }
    }

    #[test]
    fn a_picture_is_cut_into_payloads_that_are_full_but_for_the_last() {
        for (length, largest, expected) in [
            (0, 100, &[][..]),
            (1, 100, &[7]),
            (94, 100, &[100]),
            (95, 100, &[100, 7]),
            (188, 100, &[100, 100]),
            (2, 0, &[7, 7]),
        ] {
            let unit = unit(KEY, length);
            let payloads = Cutter::new(PictureIds::default()).payloads(&unit, largest);
            let lengths: Vec<_> = payloads.iter().map(Bytes::len).collect();
            assert_eq!(lengths, expected, "{length} by {largest}");
            let together: Vec<_> = payloads
                .iter()
                .flat_map(|payload| &payload[DESCRIPTOR..])
                .collect();
            assert!(together.into_iter().eq(&unit.data));
            for (number, payload) in payloads.iter().enumerate() {
                assert_eq!(payload[0] & BEGINS != 0, number == 0);
                assert_eq!(payload[1..DESCRIPTOR], payloads[0][1..DESCRIPTOR]);
            }
        }
    }

    /// Whether `next` is ahead, for who sees these bits of it.
    fn is_ahead(next: u64, last: u64, bits: u32) -> bool {
        let step = next.wrapping_sub(last) % (1 << bits);
        (1..1 << (bits - 1)).contains(&step)
    }

    #[test]
    fn a_keyframe_is_ahead_of_all_renditions_and_what_follows_has_no_gaps() {
        let ids = PictureIds::default();
        let [mut full, mut small] = [(); 2].map(|()| Cutter::new(ids.clone()));
        numbers(&mut full, KEY);
        for _ in 0..50 {
            numbers(&mut full, UP);
            numbers(&mut full, BASE);
        }
        assert_eq!(numbers(&mut small, KEY), (101, 51));
        assert_eq!(numbers(&mut small, UP), (102, 51));
        assert_eq!(numbers(&mut small, BASE), (103, 52));
        assert_eq!(numbers(&mut full, UP), (101, 50), "it goes on where it was");
        assert_eq!(numbers(&mut full, KEY), (104, 53));
        assert_eq!(numbers(&mut small, KEY), (105, 54));
    }

    #[test]
    fn a_jump_is_none_backwards_for_those_who_stay() {
        for bits in [BASE_BITS, PICTURE_BITS] {
            let range = 1_u64 << bits;
            for next in [1, 2, 500, range] {
                for newest in (next..next + 3 * range).step_by(1 + (range / 300) as usize) {
                    let number = ahead(next, newest, bits);
                    assert!(number >= newest && number <= newest + range / 2 + 1);
                    assert!(
                        is_ahead(number, next - 1, bits),
                        "{number} after {next}, {newest}"
                    );
                }
            }
        }
        assert_eq!(ahead(0, 1000, BASE_BITS), 1000, "nobody has seen any");
    }
}
