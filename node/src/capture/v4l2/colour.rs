//! What a driver says of its colours (kernel documentation, "Colorspaces").

use super::flags::{
    COLORSPACE_BT2020, COLORSPACE_DCI_P3, COLORSPACE_JPEG, COLORSPACE_REC709, COLORSPACE_SMPTE240M,
    QUANTIZATION_FULL_RANGE, QUANTIZATION_LIM_RANGE, YCBCR_ENC_601, YCBCR_ENC_709, YCBCR_ENC_BT2020,
    YCBCR_ENC_BT2020_CONST_LUM, YCBCR_ENC_DEFAULT, YCBCR_ENC_SMPTE240M, YCBCR_ENC_XV709,
};
use crate::media::{Colour, ColourMatrix, ColourRange, PixelFormat};

/// The colours of a raw format by `V4L2_COLORSPACE_*`, `V4L2_YCBCR_ENC_*` and `V4L2_QUANTIZATION_*`. A number that is newer
/// than this program counts as not told. JPEGs and H.264 say themselves what they are.
pub fn colour(pixel: PixelFormat, colorspace: u32, encoding: u32, quantization: u32) -> Colour {
    match pixel {
        PixelFormat::Mjpeg => return Colour::JPEG,
        PixelFormat::H264 => return Colour::VIDEO,
        _ => {}
    }
    // V4L2_MAP_YCBCR_ENC_DEFAULT
    let encoding = match encoding {
        YCBCR_ENC_DEFAULT => match colorspace {
            COLORSPACE_REC709 | COLORSPACE_DCI_P3 => YCBCR_ENC_709,
            COLORSPACE_BT2020 => YCBCR_ENC_BT2020,
            COLORSPACE_SMPTE240M => YCBCR_ENC_SMPTE240M,
            _ => YCBCR_ENC_601,
        },
        told => told,
    };
    let matrix = match encoding {
        YCBCR_ENC_709 | YCBCR_ENC_XV709 => ColourMatrix::Bt709,
        // Constant luminance is no matrix, and no camera has it; the other kind is the nearest.
        YCBCR_ENC_BT2020 | YCBCR_ENC_BT2020_CONST_LUM => ColourMatrix::Bt2020,
        YCBCR_ENC_SMPTE240M => ColourMatrix::Smpte240m,
        _ => ColourMatrix::Bt601,
    };
    let range = match quantization {
        QUANTIZATION_FULL_RANGE => ColourRange::Full,
        QUANTIZATION_LIM_RANGE => ColourRange::Limited,
        // V4L2_MAP_QUANTIZATION_DEFAULT. Grey pictures are the bare numbers of a sensor; vivid and v4l2-ctl take them for full
        // range like RGB.
        _ if pixel.is_rgb() || pixel.is_grey() || colorspace == COLORSPACE_JPEG => ColourRange::Full,
        _ => ColourRange::Limited,
    };
    Colour { matrix, range }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMPTE170M: u32 = 1;
    const SRGB: u32 = 8;

    #[test]
    fn what_is_not_told_follows_from_the_colorspace() {
        let told = |pixel, colorspace| colour(pixel, colorspace, 0, 0).to_string();
        assert_eq!(told(PixelFormat::Yuyv, 0), "BT.601, limited range");
        assert_eq!(told(PixelFormat::Yuyv, SRGB), "BT.601, limited range");
        assert_eq!(told(PixelFormat::Nv12, SMPTE170M), "BT.601, limited range");
        assert_eq!(
            told(PixelFormat::Nv12, COLORSPACE_REC709),
            "BT.709, limited range"
        );
        assert_eq!(
            told(PixelFormat::Yu12, COLORSPACE_DCI_P3),
            "BT.709, limited range"
        );
        assert_eq!(
            told(PixelFormat::Yu12, COLORSPACE_BT2020),
            "BT.2020, limited range"
        );
        assert_eq!(
            told(PixelFormat::Yu12, COLORSPACE_SMPTE240M),
            "SMPTE 240M, limited range"
        );
        assert_eq!(told(PixelFormat::Yuyv, COLORSPACE_JPEG), "BT.601, full range");
        assert_eq!(told(PixelFormat::Grey, SRGB), "BT.601, full range");
        assert_eq!(told(PixelFormat::Y16, SRGB), "BT.601, full range");
        assert_eq!(told(PixelFormat::Rgb24, SRGB), "BT.601, full range");
        assert_eq!(told(PixelFormat::Rgb565, SRGB), "BT.601, full range");
        assert_eq!(told(PixelFormat::Nv16, SRGB), "BT.601, limited range");
    }

    #[test]
    fn what_is_told_counts() {
        let told = |encoding, quantization| {
            colour(PixelFormat::Yuyv, COLORSPACE_REC709, encoding, quantization).to_string()
        };
        assert_eq!(told(YCBCR_ENC_601, 0), "BT.601, limited range");
        assert_eq!(
            told(YCBCR_ENC_XV709, QUANTIZATION_FULL_RANGE),
            "BT.709, full range"
        );
        assert_eq!(told(99, 99), "BT.601, limited range");
        let rgb = colour(PixelFormat::Bgr24, SRGB, 0, QUANTIZATION_LIM_RANGE);
        assert_eq!(rgb.range, ColourRange::Limited);
        let jpeg = colour(PixelFormat::Mjpeg, COLORSPACE_REC709, 0, QUANTIZATION_LIM_RANGE);
        assert_eq!(jpeg, Colour::JPEG);
    }
}
