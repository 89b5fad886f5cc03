//! Profiles of H.264 in `profile-level-id`.

/// A profile whose decoders read what we send, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    Extended,
    High,
}

impl Profile {
    /// Reads a `profile-level-id`: six hexadecimal digits, of which the first two are the profile's number, the next two flags
    /// of constraints, and the last two the level. The flags decide as well: a decoder of constrained baseline may be
    /// told as one of baseline, main or extended (RFC 6184, table 5 in section 8.1). Other profiles than these, and what is no
    /// such number, are `None`.
    pub(super) fn read(id: &str) -> Option<Self> {
        if id.len() != 6 || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |from: usize| u8::from_str_radix(id.get(from..from + 2)?, 16).ok();
        let (number, flags) = (byte(0)?, byte(2)?);
        let is = |mask: u8, set: u8| flags & mask == set;
        Some(match number {
            0x42 if is(0x4f, 0x40) => Self::ConstrainedBaseline,
            0x42 if is(0x4f, 0x00) => Self::Baseline,
            0x4d if is(0x8f, 0x80) => Self::ConstrainedBaseline,
            0x4d if is(0xaf, 0x00) => Self::Main,
            0x58 if is(0xcf, 0xc0) => Self::ConstrainedBaseline,
            0x58 if is(0xcf, 0x80) => Self::Baseline,
            0x58 if is(0xcf, 0x00) => Self::Extended,
            // With the flags of progressive and constrained high (H.264, section A.2.4), too, which browsers offer.
            0x64 if is(0xf3, 0x00) => Self::High,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_its_number_and_its_flags() {
        use Profile::{Baseline, ConstrainedBaseline, Extended, High, Main};
        for (id, profile) in [
            ("42e01f", Some(ConstrainedBaseline)),
            ("42c01f", Some(ConstrainedBaseline)),
            ("42401f", Some(ConstrainedBaseline)),
            ("42E00A", Some(ConstrainedBaseline)),
            ("42801f", Some(Baseline)),
            ("42a01f", Some(Baseline)),
            ("42001f", Some(Baseline)),
            ("420033", Some(Baseline)),
            ("42101f", Some(Baseline)),
            ("42011f", None),
            ("4d801f", Some(ConstrainedBaseline)),
            ("4de01f", Some(ConstrainedBaseline)),
            ("4d001f", Some(Main)),
            ("4d401f", Some(Main)),
            ("4d201f", None),
            ("58c01f", Some(ConstrainedBaseline)),
            ("58a01f", Some(Baseline)),
            ("58001f", Some(Extended)),
            ("58401f", None),
            ("64001f", Some(High)),
            ("640c1f", Some(High)),
            ("64081f", Some(High)),
            ("64101f", None),
            ("6e001f", None),
            ("f4001f", None),
            ("42e0", None),
            ("42e01f0", None),
            ("+2e01f", None),
            ("42e01ü", None),
            ("", None),
        ] {
            assert_eq!(Profile::read(id), profile, "{id}");
        }
    }
}
