use std::fmt;

use super::Bits;
use crate::media::{Colour, ColourMatrix, ColourRange, FrameSize};

/// Profiles whose sequence parameter sets say more about the samples (ITU-T H.264, section 7.3.2.1.1).
const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// What a sequence parameter set promises of the pictures after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `profile_idc`.
    pub profile: u8,
    /// The `constraint_set` flags, the first one in the highest bit.
    pub constraints: u8,
    /// `level_idc`: ten times the level.
    pub level: u8,
    /// `seq_parameter_set_id`.
    pub id: u32,
    /// The visible picture.
    pub size: FrameSize,
    /// What its samples mean, as far as the set tells.
    pub colour: Colour,
}

impl Sps {
    /// Reads a NAL unit; `None` where it is damaged or promises a picture of no possible size.
    pub fn read(unit: &[u8]) -> Option<Self> {
        let [_header, profile, constraints, level, rest @ ..] = unit else {
            return None;
        };
        let mut bits = Bits::of(rest);
        let id = bits.unsigned().filter(|id| *id < 32)?;
        let mut chroma = 1;
        if HIGH_PROFILES.contains(profile) {
            chroma = bits.unsigned().filter(|format| *format <= 3)?;
            let separate_planes = chroma == 3 && bits.bit()?;
            bits.unsigned()?; // bit_depth_luma_minus8
            bits.unsigned()?; // bit_depth_chroma_minus8
            bits.bit()?; // qpprime_y_zero_transform_bypass_flag
            if bits.bit()? {
                scaling_lists(&mut bits, if chroma == 3 { 12 } else { 8 })?;
            }
            if separate_planes {
                chroma = 0;
            }
        }
        bits.unsigned()?; // log2_max_frame_num_minus4
        match bits.unsigned()? {
            0 => {
                bits.unsigned()?; // log2_max_pic_order_cnt_lsb_minus4
            }
            1 => {
                bits.bit()?; // delta_pic_order_always_zero_flag
                bits.signed()?; // offset_for_non_ref_pic
                bits.signed()?; // offset_for_top_to_bottom_field
                let cycle = bits.unsigned().filter(|frames| *frames <= 255)?;
                for _ in 0..cycle {
                    bits.signed()?;
                }
            }
            _ => {}
        }
        bits.unsigned()?; // max_num_ref_frames
        bits.bit()?; // gaps_in_frame_num_value_allowed_flag
        let (columns, rows) = (bits.unsigned()?, bits.unsigned()?);
        let whole_frames = bits.bit()?;
        if !whole_frames {
            bits.bit()?; // mb_adaptive_frame_field_flag
        }
        bits.bit()?; // direct_8x8_inference_flag
        let fields = if whole_frames { 1 } else { 2 };
        let (mut width, mut height) = (macroblocks(columns, 1)?, macroblocks(rows, fields)?);
        if bits.bit()? {
            // Table 6-1: a sample of chroma spans so many of luma.
            let (across, down) = match chroma {
                1 => (2, 2),
                2 => (2, 1),
                _ => (1, 1),
            };
            let mut edges = || bits.unsigned()?.checked_add(bits.unsigned()?);
            width = width.checked_sub(edges()?.checked_mul(across)?)?;
            height = height.checked_sub(edges()?.checked_mul(down * fields)?)?;
        }
        let colour = colour(&mut bits).unwrap_or(Colour::VIDEO);
        let possible = 16..=8192;
        (possible.contains(&width) && possible.contains(&height)).then_some(Self {
            profile: *profile,
            constraints: *constraints,
            level: *level,
            id,
            size: FrameSize { width, height },
            colour,
        })
    }
}

/// The colours, as far as the video usability information tells them (section E.1.1); `None` where it does not.
fn colour(bits: &mut Bits<'_>) -> Option<Colour> {
    const OTHER_SHAPE: u32 = 255;
    // vui_parameters_present_flag, and aspect_ratio_info_present_flag.
    if !bits.bit()? {
        return None;
    }
    if bits.bit()? && bits.number(8)? == OTHER_SHAPE {
        bits.number(32)?; // sar_width, sar_height
    }
    if bits.bit()? {
        bits.bit()?; // overscan_appropriate_flag
    }
    if !bits.bit()? {
        return None; // video_signal_type_present_flag
    }
    bits.number(3)?; // video_format
    let range = if bits.bit()? {
        ColourRange::Full
    } else {
        ColourRange::Limited
    };
    let mut matrix = Colour::VIDEO.matrix;
    if bits.bit()? {
        bits.number(16)?; // colour_primaries, transfer_characteristics
        // Table E-5.
        matrix = match bits.number(8)? {
            1 => ColourMatrix::Bt709,
            7 => ColourMatrix::Smpte240m,
            9 | 10 => ColourMatrix::Bt2020,
            _ => matrix,
        };
    }
    Some(Colour { matrix, range })
}

impl fmt::Display for Sps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = match self.profile {
            66 if self.constraints & 0x40 != 0 => "Constrained Baseline",
            66 => "Baseline",
            77 => "Main",
            88 => "Extended",
            100 => "High",
            110 => "High 10",
            122 => "High 4:2:2",
            244 => "High 4:4:4",
            other => return write!(f, "profile {other}, level {}, {}", self.level, self.size),
        };
        let (level, tenths) = (self.level / 10, self.level % 10);
        write!(f, "{profile}, level {level}.{tenths}, {}", self.size)
    }
}

/// Pixels of so many macroblocks and one more.
fn macroblocks(minus_one: u32, times: u32) -> Option<u32> {
    minus_one.checked_add(1)?.checked_mul(16 * times)
}

/// Passes over scaling lists (section 7.3.2.1.1.1).
fn scaling_lists(bits: &mut Bits<'_>, lists: u32) -> Option<()> {
    for list in 0..lists {
        if !bits.bit()? {
            continue;
        }
        let (mut last, mut next) = (8, 8);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + bits.signed().filter(|delta| (-128..=127).contains(delta))? + 256) % 256;
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // By x264: `ffmpeg -f lavfi -i testsrc2=size=1280x720 -pix_fmt yuv420p -c:v libx264 -profile:v high …`.
    #[rustfmt::skip]
    const HIGH_720P: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
        0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
    ];
    #[rustfmt::skip]
    const BASELINE_1080P: &[u8] = &[
        0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00,
        0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc9, 0x20,
    ];
    #[rustfmt::skip]
    const MAIN_768P: &[u8] = &[
        0x67, 0x4d, 0x40, 0x20, 0xec, 0xa0, 0x2b, 0x03, 0x0f, 0x37, 0x80, 0x88, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00,
        0x03, 0x01, 0x90, 0x78, 0xc1, 0x8c, 0xb0,
    ];

    #[test]
    fn a_set_tells_profile_level_and_size() {
        for (set, told) in [
            (HIGH_720P, "High, level 3.1, 1280x720"),
            (BASELINE_1080P, "Constrained Baseline, level 4.0, 1920x1080"),
            (MAIN_768P, "Main, level 3.2, 1366x768"),
        ] {
            let sps = Sps::read(set).expect(told);
            assert_eq!((sps.to_string().as_str(), sps.id), (told, 0));
        }
    }

    // The same with `-colorspace bt709 -color_range pc`, and one with `-color_range pc` alone.
    #[rustfmt::skip]
    const FULL_RANGE_BT709: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6e, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03,
        0x00, 0x80, 0x00, 0x00, 0x19, 0x07, 0x8c, 0x18, 0xcb,
    ];
    #[rustfmt::skip]
    const FULL_RANGE: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6c, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00,
        0x00, 0x19, 0x07, 0x8c, 0x18, 0xcb,
    ];

    #[test]
    fn a_set_tells_colours() {
        let colour = |set| Sps::read(set).expect("a whole set").colour;
        assert_eq!(colour(HIGH_720P), Colour::VIDEO, "it tells none");
        assert_eq!(colour(FULL_RANGE), Colour::JPEG);
        let expected = Colour {
            matrix: ColourMatrix::Bt709,
            range: ColourRange::Full,
        };
        assert_eq!(colour(FULL_RANGE_BT709), expected);
    }

    #[test]
    fn a_damaged_set_is_refused_wherever_it_is_cut_and_whatever_is_flipped() {
        // The last bytes describe timing, which is not read.
        for length in 0..10 {
            assert_eq!(Sps::read(&HIGH_720P[..length]), None, "{length}");
        }
        for at in 1..HIGH_720P.len() {
            for bit in 0..8 {
                let mut damaged = HIGH_720P.to_vec();
                damaged[at] ^= 1 << bit;
                if let Some(sps) = Sps::read(&damaged) {
                    assert!(sps.size.width <= 8192 && sps.size.height <= 8192);
                }
            }
        }
    }
}
