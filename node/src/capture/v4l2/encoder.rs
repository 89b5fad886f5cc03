use std::io;

use v4l::Device;

use super::{
    controls,
    flags::{
        CID_MPEG_VIDEO_BITRATE, CID_MPEG_VIDEO_FORCE_KEY_FRAME, CID_MPEG_VIDEO_H264_I_PERIOD,
        CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, CTRL_FLAG_DISABLED, CTRL_FLAG_READ_ONLY,
    },
    ioctl::{self, Control},
};
use crate::{
    capture::Controls,
    media::{Bitrate, FrameRate},
};

/// Seconds from keyframe to keyframe. A viewer who comes late is sent what came since the last, and one that has lost
/// something waits for the next, unless it can be asked for; each costs several times a normal frame.
const GROUP: u32 = 2;
/// The same where keyframes can be asked for.
const GROUP_ON_REQUEST: u32 = 10;

/// The encoder inside a camera, as far as its driver lets it be steered (kernel documentation, "Codec Control Reference"). Of
/// those that are in use few do: for UVC there is no such control.
#[derive(Debug, Default)]
pub struct Encoder {
    force_keyframe: Option<Control>,
    bitrate: Option<Control>,
    /// What it is to be set to, unless the configuration's own controls say otherwise.
    settings: Vec<(Control, i64)>,
}

impl Encoder {
    /// Looks which controls there are, and asks for keyframes at intervals that suit viewers and for parameter sets with each.
    /// What the configuration's `own` controls name is theirs.
    pub fn set_up(device: &Device, rate: FrameRate, own: &Controls) -> io::Result<Self> {
        let mut encoder = Self {
            force_keyframe: find(device, CID_MPEG_VIDEO_FORCE_KEY_FRAME)?,
            bitrate: find(device, CID_MPEG_VIDEO_BITRATE)?,
            settings: Vec::new(),
        };
        let seconds = if encoder.makes_keyframes_on_request() {
            GROUP_ON_REQUEST
        } else {
            GROUP
        };
        let frames = (rate.as_f64() * f64::from(seconds)).round() as i64;
        for (id, value) in [
            (CID_MPEG_VIDEO_H264_I_PERIOD, frames),
            (CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 1),
        ] {
            encoder
                .settings
                .extend(find(device, id)?.map(|control| (control, value)));
        }
        encoder.set_again(device, own);
        Ok(encoder)
    }

    /// The same once more, after the configuration's `own` controls have changed: those that it names no longer are ours again.
    pub fn set_again(&self, device: &Device, own: &Controls) {
        for (control, value) in &self.settings {
            if !controls::is_named(control, own) {
                set(device, control, *value);
            }
        }
    }

    /// Whether its driver has a control for that.
    pub fn makes_keyframes_on_request(&self) -> bool {
        self.force_keyframe.is_some()
    }

    /// Asks for a keyframe; whether that was possible.
    pub fn request_keyframe(&self, device: &Device) -> bool {
        self.force_keyframe
            .as_ref()
            .is_some_and(|button| set(device, button, 1))
    }

    /// Sets the rate, or the nearest that the encoder takes, unless it is among the configuration's `own` controls; whether it was set.
    pub fn set_bitrate(&mut self, device: &Device, bitrate: Bitrate, own: &Controls) -> bool {
        let Some(control) = self.bitrate.clone() else {
            return false;
        };
        let wanted = i64::try_from(bitrate.bps()).unwrap_or(i64::MAX);
        let is_set = !controls::is_named(&control, own) && set(device, &control, wanted);
        self.settings.retain(|(known, _)| known.id != control.id);
        self.settings.push((control, wanted));
        is_set
    }
}

/// The control where it can be set.
fn find(device: &Device, id: u32) -> io::Result<Option<Control>> {
    let control = ioctl::query_control(device, id)?;
    Ok(control.filter(|control| control.flags & (CTRL_FLAG_DISABLED | CTRL_FLAG_READ_ONLY) == 0))
}

/// A driver that refuses is one that can't: the picture is what counts.
fn set(device: &Device, control: &Control, wanted: i64) -> bool {
    match ioctl::set_control(device, control.id, nearest(control, wanted)) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(
                control = control.name,
                wanted,
                "the camera's encoder does not obey: {error}"
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
    fn a_value_is_moved_to_the_nearest_that_the_control_takes() {
        let control = |minimum, maximum, step| Control {
            id: 1,
            kind: 1,
            name: "Video Bitrate".to_owned(),
            minimum,
            maximum,
            step,
            default: minimum,
            flags: 0,
        };
        for (minimum, maximum, step, wanted, expected) in [
            (25_000, 25_000_000, 25_000, 2_000_000, 2_000_000),
            (25_000, 25_000_000, 25_000, 2_010_000, 2_000_000),
            (25_000, 25_000_000, 25_000, 1, 25_000),
            (25_000, 25_000_000, 25_000, i64::MAX, 25_000_000),
            (0, 10, 4, 10, 8),
            (0, 10, 0, 7, 7),
            (0, 0, 0, 1, 0),
            (i32::MIN, i32::MAX, 1, i64::MIN, i32::MIN),
            (5, -5, 1, 1, 5),
        ] {
            assert_eq!(
                nearest(&control(minimum, maximum, step), wanted),
                expected,
                "{wanted}"
            );
        }
    }
}
