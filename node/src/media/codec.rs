use std::fmt;

/// A video coding that travels to viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// H.264, constrained baseline, Annex B byte stream (ITU-T H.264, annex B).
    H264,
    /// VP8 (RFC 6386).
    Vp8,
}

impl Codec {
    /// Every codec, the preferred one first.
    pub const ALL: [Codec; 2] = [Codec::H264, Codec::Vp8];
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::H264 => "H.264",
            Codec::Vp8 => "VP8",
        })
    }
}
