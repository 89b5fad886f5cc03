//! Writing EBML (RFC 8794), the binary tree that Matroska is made of: an id, a size, a body.

/// A size that is not known yet: all ones in the widest form, which [`size8`] replaces.
pub const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// Element id of [`void`].
const VOID: u32 = 0xEC;

/// A size in eight bytes, whatever its value, so that it fits where [`UNKNOWN_SIZE`] was.
pub fn size8(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

/// Appends an element id; its length is part of it.
pub fn id(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    out.extend_from_slice(&bytes[id.leading_zeros() as usize / 8..]);
}

/// Appends a size in as few bytes as it needs.
fn size(out: &mut Vec<u8>, size: u64) {
    // A form of n bytes holds 7n bits; all of them one means "unknown" and is avoided.
    let length = (1..8).find(|n| size < (1 << (7 * n)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * length);
    out.extend_from_slice(&marked.to_be_bytes()[8 - length..]);
}

/// Appends an element with that body.
pub fn binary(out: &mut Vec<u8>, element: u32, body: &[u8]) {
    id(out, element);
    size(out, body.len() as u64);
    out.extend_from_slice(body);
}

/// Appends an unsigned integer.
pub fn uint(out: &mut Vec<u8>, element: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let skip = (value.leading_zeros() as usize / 8).min(7);
    binary(out, element, &bytes[skip..]);
}

/// Appends an unsigned integer in eight bytes whatever its value, for places that are rewritten.
pub fn uint8(out: &mut Vec<u8>, element: u32, value: u64) {
    binary(out, element, &value.to_be_bytes());
}

/// Appends a floating-point number of eight bytes.
pub fn float(out: &mut Vec<u8>, element: u32, value: f64) {
    binary(out, element, &value.to_be_bytes());
}

/// Appends a text.
pub fn text(out: &mut Vec<u8>, element: u32, value: &str) {
    binary(out, element, value.as_bytes());
}

/// Appends an element that holds others.
pub fn master(out: &mut Vec<u8>, element: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    binary(out, element, &body);
}

/// Appends a filler of `total` bytes, 2 to 128, that readers skip: room for what is written later.
pub fn void(out: &mut Vec<u8>, total: usize) {
    debug_assert!((2..=128).contains(&total));
    binary(out, VOID, &vec![0; total.saturating_sub(2)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_the_fewest_bytes_and_never_look_unknown() {
        let written = |value| {
            let mut out = Vec::new();
            size(&mut out, value);
            out
        };
        assert_eq!(written(0), [0x80]);
        assert_eq!(written(126), [0xFE]);
        assert_eq!(written(127), [0x40, 127]);
        assert_eq!(written(16_382), [0x7F, 0xFE]);
        assert_eq!(written(16_383), [0x20, 0x3F, 0xFF]);
        assert_eq!(size8(5), [1, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn elements_are_id_size_body() {
        let mut out = Vec::new();
        uint(&mut out, 0x4286, 1);
        text(&mut out, 0x86, "V_VP8");
        uint(&mut out, 0xD7, 0);
        uint(&mut out, 0x2A_D7B1, 1_000_000);
        let expected = [
            &[0x42, 0x86, 0x81, 1][..],
            &[0x86, 0x85, b'V', b'_', b'V', b'P', b'8'],
            &[0xD7, 0x81, 0],
            &[0x2A, 0xD7, 0xB1, 0x83, 0x0F, 0x42, 0x40],
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn fillers_have_the_size_that_was_asked_for() {
        for total in [2, 3, 100, 128] {
            let mut out = Vec::new();
            void(&mut out, total);
            assert_eq!(out.len(), total);
        }
    }
}
