//! What the numbers in a raw picture mean.

use std::fmt;

/// How samples stand for colours. Brightness curve and primaries are taken for those of sRGB and BT.709, which every
/// camera for people's eyes comes close to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// How Y'CbCr was made of R'G'B'. Means nothing for RGB and grey.
    pub matrix: ColourMatrix,
    /// Which numbers are black and white.
    pub range: ColourRange,
}

/// The shares of red, green and blue in Y'. Named as in the kernel's "Colorspaces" chapter (`enum v4l2_ycbcr_encoding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColourMatrix {
    /// ITU-R BT.601: webcams, JPEG.
    Bt601,
    /// ITU-R BT.709: HDMI receivers, some camera modules.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
    /// SMPTE 240M: the first high definition.
    Smpte240m,
}

/// Which of the numbers 0 to 255 are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColourRange {
    /// 16 to 235; chroma 16 to 240.
    Limited,
    /// 0 to 255.
    Full,
}

impl Colour {
    /// What video is by default, and what everything that is encoded here becomes.
    pub const VIDEO: Self = Self {
        matrix: ColourMatrix::Bt601,
        range: ColourRange::Limited,
    };

    /// What a JPEG is (JFIF 1.02).
    pub const JPEG: Self = Self {
        matrix: ColourMatrix::Bt601,
        range: ColourRange::Full,
    };
}

impl ColourMatrix {
    /// The shares of red and blue in Y'; green has the rest.
    pub const fn shares(self) -> (f64, f64) {
        match self {
            ColourMatrix::Bt601 => (0.299, 0.114),
            ColourMatrix::Bt709 => (0.2126, 0.0722),
            ColourMatrix::Bt2020 => (0.2627, 0.0593),
            ColourMatrix::Smpte240m => (0.212, 0.087),
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matrix = match self.matrix {
            ColourMatrix::Bt601 => "BT.601",
            ColourMatrix::Bt709 => "BT.709",
            ColourMatrix::Bt2020 => "BT.2020",
            ColourMatrix::Smpte240m => "SMPTE 240M",
        };
        let range = match self.range {
            ColourRange::Limited => "limited range",
            ColourRange::Full => "full range",
        };
        write!(f, "{matrix}, {range}")
    }
}
