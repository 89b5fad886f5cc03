use std::fmt;

use super::Codec;

/// A step of a camera's ladder of sizes, rates and bitrates, counted from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rung(pub u8);

impl Rung {
    /// All of the picture, or as much of it as this machine can encode.
    pub const TOP: Rung = Rung(0);
    /// Half of its width and height, for a part of its bits.
    pub const SMALL: Rung = Rung(1);
    /// Those that there may be, the top one first.
    pub const ALL: [Rung; 2] = [Rung::TOP, Rung::SMALL];
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Rung::TOP => f.write_str("full"),
            Rung::SMALL => f.write_str("small"),
            Rung(number) => write!(f, "{number}"),
        }
    }
}

/// What a viewer gets of a camera: the picture of a rung in a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rendition {
    /// How it is coded.
    pub codec: Codec,
    /// How much of the picture it is.
    pub rung: Rung,
}

impl Rendition {
    /// The top of the ladder in this codec.
    pub const fn top(codec: Codec) -> Self {
        Self {
            codec,
            rung: Rung::TOP,
        }
    }

    /// The small picture in this codec.
    pub const fn small(codec: Codec) -> Self {
        Self {
            codec,
            rung: Rung::SMALL,
        }
    }
}
