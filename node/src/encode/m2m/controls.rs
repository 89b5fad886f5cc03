//! How an encoder is to encode, in the controls that its driver has (kernel documentation, "Codec Control Reference"). None of them is in all
//! drivers; what is missing is the driver's own choice.

use super::{
    CodedFormat, flags,
    ioctl::{Control, Device},
};
use crate::{
    encode::level::level_for,
    media::{Bitrate, FrameRate, FrameSize},
};

/// Seconds from keyframe to keyframe where nobody asks for one: those who watch ask, so it is as long as the driver allows.
const GROUP: u32 = 60;

/// An encoder's controls.
#[derive(Debug)]
pub struct Controls {
    rate: Rate,
    force_keyframe: Option<Control>,
    /// Bits per second that the level allows.
    ceiling: u64,
}

/// How a bitrate is kept.
#[derive(Debug)]
enum Rate {
    /// The driver does it.
    Driver(Control),
    /// By the coarseness of keyframes and other pictures, for a codec whose encoders control no rate (FWHT): a quantizer for the bits that
    /// each pixel may take, roughly.
    Quantizers([Option<Control>; 2], f64),
    /// It can't be told.
    None,
}

impl Controls {
    /// Sets up an encoder for pictures of that size and rate, before its queues run.
    pub fn set_up(
        device: &Device,
        coded: CodedFormat,
        visible: FrameSize,
        rate: FrameRate,
        bitrate: Bitrate,
    ) -> Self {
        let pixels = f64::from(visible.width) * f64::from(visible.height) * rate.as_f64();
        let level = level_for(visible, rate, bitrate);
        let controls = Self {
            rate: match coded {
                CodedFormat::Fwht => Rate::Quantizers(
                    [flags::CID_FWHT_I_FRAME_QP, flags::CID_FWHT_P_FRAME_QP].map(|id| device.control(id)),
                    pixels,
                ),
                CodedFormat::H264 => device
                    .control(flags::CID_BITRATE)
                    .map_or(Rate::None, Rate::Driver),
            },
            force_keyframe: device.control(flags::CID_FORCE_KEY_FRAME),
            ceiling: level.map_or(u64::MAX, |level| level.bitrate),
        };
        let group = (rate.as_f64() * f64::from(GROUP)).round() as i64;
        let mut wanted = vec![(flags::CID_GOP_SIZE, group), (flags::CID_B_FRAMES, 0)];
        if coded == CodedFormat::H264 {
            wanted.extend([
                (flags::CID_H264_I_PERIOD, group),
                (flags::CID_FRAME_RC_ENABLE, 1),
                (flags::CID_BITRATE_MODE, flags::BITRATE_MODE_CBR),
                (flags::CID_HEADER_MODE, flags::HEADER_MODE_JOINED),
                (flags::CID_REPEAT_SEQ_HEADER, 1),
                (flags::CID_PREPEND_SPSPPS_TO_IDR, 1),
            ]);
            let profiles = [
                flags::H264_PROFILE_CONSTRAINED_BASELINE,
                flags::H264_PROFILE_BASELINE,
            ];
            if let Some(profile) = device.control(flags::CID_H264_PROFILE) {
                // Not each is in a driver's menu; viewers were promised the first.
                let _ = profiles.into_iter().any(|value| set(device, &profile, value));
            }
            wanted.extend(level.map(|level| (flags::CID_H264_LEVEL, menu_level(level.idc))));
        }
        for (id, value) in wanted {
            if let Some(control) = device.control(id) {
                set(device, &control, value);
            }
        }
        controls.set_bitrate(device, bitrate);
        controls
    }

    /// Encodes at that rate, or the nearest that there is, from the next picture on; whether the driver could be told.
    pub fn set_bitrate(&self, device: &Device, bitrate: Bitrate) -> bool {
        let bps = bitrate.bps().min(self.ceiling);
        match &self.rate {
            Rate::Driver(control) => set(device, control, i64::try_from(bps).unwrap_or(i64::MAX)),
            Rate::Quantizers(controls, pixels) => {
                let quantizer = quantizer(bps as f64 / pixels);
                let set = |control: &Control| set(device, control, quantizer);
                controls
                    .iter()
                    .flatten()
                    .map(set)
                    .fold(false, |any, done| any | done)
            }
            Rate::None => false,
        }
    }

    /// Makes the next picture a keyframe; `false` where the driver has no control for that.
    pub fn force_keyframe(&self, device: &Device) -> bool {
        self.force_keyframe
            .as_ref()
            .is_some_and(|button| set(device, button, 1))
    }
}

/// The item of `V4L2_CID_MPEG_VIDEO_H264_LEVEL` for a `level_idc` from 31 to 52.
fn menu_level(idc: i32) -> i64 {
    let steps = [31, 32, 40, 41, 42, 50, 51, 52];
    let step = steps.iter().position(|&step| step >= idc).unwrap_or(0);
    flags::H264_LEVEL_3_1 + i64::try_from(step).unwrap_or(0)
}

/// FWHT's quantizer, 1 to 31, for so many bits per pixel: what halves the bits takes about twice the quantizer.
fn quantizer(bits: f64) -> i64 {
    (4.0 / bits.max(0.01)).round().clamp(1.0, 31.0) as i64
}

/// A driver that refuses is one that can't: the picture is what counts.
fn set(device: &Device, control: &Control, wanted: i64) -> bool {
    match device.set_control(control.id, nearest(control, wanted)) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(
                control = format_args!("{:#x}", control.id),
                wanted,
                "the encoder does not obey: {error}"
            );
            false
        }
    }
}

/// The value nearest to `wanted` that a control takes. A button takes anything.
fn nearest(control: &Control, wanted: i64) -> i32 {
    let (minimum, maximum) = (i64::from(control.minimum), i64::from(control.maximum));
    if minimum >= maximum {
        return control.minimum;
    }
    let within = wanted.clamp(minimum, maximum);
    let step = i64::from(control.step.max(1));
    let value = minimum + (within - minimum + step / 2) / step * step;
    let value = if value > maximum { value - step } else { value };
    i32::try_from(value).unwrap_or(control.default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_menu() {
        // linux/v4l2-controls.h, enum v4l2_mpeg_video_h264_level
        for (idc, item) in [(31, 9), (40, 11), (42, 13), (51, 15), (52, 16)] {
            assert_eq!(menu_level(idc), item, "{idc}");
        }
    }

    #[test]
    fn fewer_bits_take_a_coarser_quantizer() {
        let quantizers: Vec<_> = [100.0, 2.0, 1.0, 0.5, 0.1, 0.0].map(quantizer).into();
        assert_eq!(quantizers, [1, 2, 4, 8, 31, 31]);
    }

    #[test]
    fn a_value_is_moved_to_the_nearest_that_the_control_takes() {
        let control = |minimum, maximum, step| Control {
            id: 1,
            minimum,
            maximum,
            step,
            default: minimum,
        };
        assert_eq!(
            nearest(&control(25_000, 25_000_000, 25_000), 2_010_000),
            2_000_000
        );
        assert_eq!(
            nearest(&control(25_000, 25_000_000, 25_000), i64::MAX),
            25_000_000
        );
        assert_eq!(nearest(&control(1, 16, 1), 1800), 16);
        assert_eq!(nearest(&control(0, 10, 4), 10), 8);
        assert_eq!(nearest(&control(0, 0, 0), 1), 0);
    }
}
