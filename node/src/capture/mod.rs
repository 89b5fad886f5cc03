//! Device to frame, and to sound.
//!
//! A [`Camera`] is what may be unplugged, a [`VideoSource`] is what is plugged in; [`Microphone`] and [`SoundSource`] likewise. Nothing here waits longer than
//! it was told to, and where pictures pile up the newest one wins, unless each needs the one before it.

pub mod alsa;
mod auto;
pub mod command;
mod error;
mod glyphs;
mod hotplug;
pub mod pattern;
mod slate;
mod sound;
mod tone;
pub mod v4l2;

use std::time::Duration;

pub use auto::Auto;
pub use command::Command;
pub use error::CaptureError;
pub use hotplug::Hotplug;
pub use pattern::Pattern;
pub use slate::Slate;
pub use sound::{Microphone, Shape, Sound, SoundError, SoundSource, microphone};
pub use v4l2::V4l2Camera;

use crate::media::{Bitrate, Frame, FrameRate, FrameSize, Inlet, PixelFormat, VideoFormat};

/// What the configuration asks of a camera; it delivers what comes nearest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The picture.
    pub size: FrameSize,
    /// How many a second.
    pub rate: FrameRate,
    /// In this format only; otherwise in the one that is the least work.
    pub format: Option<PixelFormat>,
    /// Whether it may encode by itself.
    pub own_encoding: OwnEncoding,
    /// What a hardware encoder takes from it as it is: those formats cost nothing.
    pub encoder_formats: Vec<PixelFormat>,
    /// Values for its controls. One that can't be set is complained of in the log; the picture comes nevertheless.
    pub controls: Controls,
}

/// What to think of a camera that gives H.264: it costs us no encoding, but the camera decides how good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnEncoding {
    /// It is taken where the camera gives a size and rate as near to what is wanted as otherwise, or nearly.
    Preferred,
    /// It is taken where the camera gives nothing else in colours that is nearly as near to what is wanted.
    Possible,
    /// It is not taken.
    Never,
}

/// A device that may be there or not.
pub trait Camera: Send + Sync {
    /// Takes hold of the device and starts it.
    ///
    /// # Errors
    ///
    /// What keeps it from delivering; [`CaptureError::is_transient`] tells whether trying again later can help.
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError>;

    /// Does what the device needs before anybody watches, where it is there. Nothing is captured. What keeps it from being opened is told
    /// by [`Camera::open`] only.
    ///
    /// # Errors
    ///
    /// What the configuration asks for can't be done.
    fn prepare(&self) -> Result<(), CaptureError> {
        Ok(())
    }

    /// The device in words, for a log: `the pattern`, `/dev/video0`.
    fn describe(&self) -> String;

    /// Whether what it opened last only stands in for a device that is there by now. Looks at the system's devices: not for every frame.
    fn is_superseded(&self) -> bool {
        false
    }
}

/// A device that delivers. Dropping it closes the device.
pub trait VideoSource: Send {
    /// What every frame is.
    fn format(&self) -> VideoFormat;

    /// What the source at its input sends, in words, where that is not its own: `1920x1080 30 fps`.
    fn signal(&self) -> Option<String> {
        None
    }

    /// The newest frame, waiting at most `patience` for one: `None` means that there was none. Frames that were
    /// not fetched in time are lost, as [`Frame::sequence`] shows. Of a source that encodes by itself it is the oldest that
    /// was not fetched yet: one that is passed over spoils those after it.
    ///
    /// # Errors
    ///
    /// The device has failed, gone, or delivered nothing for seconds. The source is of no further use then.
    fn next(&mut self, patience: Duration) -> Result<Option<Frame<'_>>, CaptureError>;

    /// Sets these controls while it delivers. Those that were set before and are not among them go back to the
    /// driver's default. What has no controls (a test picture) does nothing.
    ///
    /// # Errors
    ///
    /// The first that can't be set; the others are set.
    fn set_controls(&mut self, controls: &Controls) -> Result<(), CaptureError>;

    /// The controls that it has, with their present values. Asks the device: not for every frame.
    fn controls(&mut self) -> Vec<v4l2::Control> {
        Vec::new()
    }

    /// Whether a source that encodes can be asked for keyframes.
    fn makes_keyframes_on_request(&self) -> bool {
        false
    }

    /// Asks a source that encodes for a keyframe as soon as one can be made; `false` where it can't be asked.
    fn request_keyframe(&mut self) -> bool {
        false
    }

    /// Tells a source that encodes which rate to keep to from now on; `false` where it can't be told.
    fn set_bitrate(&mut self, _bitrate: Bitrate) -> bool {
        false
    }
}

/// Values for a camera's controls by their names, as in `[camera.controls]`.
pub type Controls = std::collections::BTreeMap<String, i64>;

/// What the other cameras of a configuration have, by the names that it gives their devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Those that are named: `auto` takes none of them.
    pub named: Vec<String>,
    /// Those in front of this one that may be the same device under another name, each as what messages call the camera, and its device.
    /// They keep it.
    pub before: Vec<(String, String)>,
}

/// The camera that a configuration's `device` names: `auto`, `pattern`, or what [`V4l2Camera::new`] takes; and how it is to be set, where it is
/// one of the kernel's.
pub fn camera(device: &str, others: Others, inlet: Inlet) -> Box<dyn Camera> {
    match device {
        "auto" => Box::new(Auto::besides(others.named, inlet)),
        "pattern" => Box::new(Pattern),
        device => Box::new(V4l2Camera::new(device).behind(others.before).at(inlet)),
    }
}
