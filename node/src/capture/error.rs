use std::io;

use crate::media::{PixelFormat, VideoInput};

/// Why a camera delivers no pictures.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// There is no such device.
    #[error("there is no camera {device}; plug it in, or see `pinhole-node devices` for what is there")]
    NotFound {
        /// As the configuration names it.
        device: String,
    },
    /// Another program streams from it.
    #[error("{device} is in use by another program; stop that one (`fuser -v {path}` names it)")]
    Busy {
        /// The device.
        device: String,
        /// Its node under /dev.
        path: String,
    },
    /// Another camera of the same configuration has it.
    #[error(
        "{device}, which `{name}` means, is {camera}'s already; name another `device` (`pinhole-node devices` lists them), or leave one of \
         the two [[camera]] sections out"
    )]
    Shared {
        /// The device.
        device: String,
        /// As the configuration names it for this one.
        name: String,
        /// The camera that has it, as `camera front`.
        camera: String,
    },
    /// This user may not open it.
    #[error("not allowed to open {device}; add this user to the group `video`")]
    Permission {
        /// The device.
        device: String,
    },
    /// It is something else: a codec, a radio, metadata of a camera.
    #[error("{device} does not deliver pictures ({what}); see `pinhole-node devices` for those that do")]
    NotACamera {
        /// The device.
        device: String,
        /// What it is.
        what: String,
    },
    /// A loopback device that nothing feeds.
    #[error("{device} has no pictures to give, because no program feeds it")]
    NoProducer {
        /// The device.
        device: String,
    },
    /// It delivers nothing that can be encoded here.
    #[error(
        "{device} has no usable format; it offers {offers}, and usable are {}",
        crate::capture::v4l2::usable_formats()
    )]
    NoUsableFormat {
        /// The device.
        device: String,
        /// The formats that it has.
        offers: String,
    },
    /// It does not deliver the format that was asked for.
    #[error("{device} has no format {wanted}; it offers {offers}; with format = \"auto\" the best is taken")]
    NoSuchFormat {
        /// The device.
        device: String,
        /// The format in the configuration.
        wanted: PixelFormat,
        /// The formats that it has.
        offers: String,
    },
    /// It has no control of that name.
    #[error("{device} has no control `{control}`; it has {known}")]
    UnknownControl {
        /// The device.
        device: String,
        /// The name in the configuration.
        control: String,
        /// All names that it has.
        known: String,
    },
    /// A control does not take that value.
    #[error("{device} does not take {control} = {value}; it takes {range}")]
    ControlOutOfRange {
        /// The device.
        device: String,
        /// The control.
        control: String,
        /// The value in the configuration.
        value: i64,
        /// What it takes.
        range: String,
    },
    /// A control can't be set at all, or not now.
    #[error("{device} does not let its control {control} be set: {reason}")]
    ControlRefused {
        /// The device.
        device: String,
        /// The control.
        control: String,
        /// Why.
        reason: String,
    },
    /// It has no such input.
    #[error("{device} has no input {wanted}; it has {known}; `input` in [[camera]] names one")]
    NoSuchInput {
        /// The device.
        device: String,
        /// As the configuration names it.
        wanted: VideoInput,
        /// All that it has: "0 (Webcam), 1 (HDMI)".
        known: String,
    },
    /// Nothing comes in at an HDMI input.
    #[error("{device} has no signal; switch on what is plugged into its HDMI input, or look at the cable")]
    NoSignal {
        /// The device.
        device: String,
    },
    /// Something comes in at an HDMI input that can't be followed (yet).
    #[error(
        "{device} has a signal that is not stable; if that lasts, try another cable, or another resolution at the source"
    )]
    SignalNotStable {
        /// The device.
        device: String,
    },
    /// What comes in at an HDMI input is more than the device is made for.
    #[error(
        "{device} has a signal that is out of its range; set the source to less, as 1080p at 30 Hz or 720p at 60 Hz, or show it an \
         `edid` in [[camera]] that offers no more"
    )]
    SignalOutOfRange {
        /// The device.
        device: String,
    },
    /// The source at an HDMI input sends something else than before.
    #[error("{device} has another signal: {is} instead of {was}; opening it anew")]
    SignalChanged {
        /// The device.
        device: String,
        /// What it was set up for.
        was: String,
        /// What comes.
        is: String,
    },
    /// An EDID can't be set.
    #[error("{device} does not take the EDID of `edid` in [[camera]]: {reason}")]
    EdidRefused {
        /// The device.
        device: String,
        /// Why.
        reason: String,
    },
    /// It was there and has gone.
    #[error("{device} was unplugged")]
    Unplugged {
        /// The device.
        device: String,
    },
    /// It is there and delivers nothing any more.
    #[error("{device} has delivered nothing usable for {seconds:.1} s")]
    Stalled {
        /// The device.
        device: String,
        /// For how long.
        seconds: f64,
    },
    /// A command can't be started.
    #[error(
        "{command} can't be started ({source}); `device` in [[camera]] names it, with its path where it is not in PATH"
    )]
    CommandNotStarted {
        /// The command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// A command has ended.
    #[error("{command} has {how}; {said}")]
    CommandEnded {
        /// The command.
        command: String,
        /// How: "ended (exit status: 1)".
        how: String,
        /// Its last words: "it said last: no cameras available".
        said: String,
    },
    /// A command runs and delivers nothing.
    #[error("{command} has delivered no picture for {seconds} s; {said}")]
    CommandHangs {
        /// The command.
        command: String,
        /// For how long.
        seconds: u64,
        /// Its last words.
        said: String,
    },
    /// A command delivers something else than was promised.
    #[error(
        "{command} has written {bytes} bytes in which there is no picture in {pixel}; is its `format` another?"
    )]
    CommandGarbage {
        /// The command.
        command: String,
        /// How much it has written.
        bytes: usize,
        /// What was promised.
        pixel: PixelFormat,
    },
    /// Anything else that the driver reports.
    #[error("{device} failed to {action}")]
    Io {
        /// The device.
        device: String,
        /// What was tried.
        action: &'static str,
        /// The driver's answer.
        #[source]
        source: io::Error,
    },
}

impl CaptureError {
    /// Whether it may mend itself: by a cable, another program's end, or a driver's recovery. The others need a
    /// person to change the configuration or the system, so trying again is of no use.
    pub fn is_transient(&self) -> bool {
        match self {
            CaptureError::NotFound { .. }
            | CaptureError::Busy { .. }
            | CaptureError::Shared { .. }
            | CaptureError::NoProducer { .. }
            | CaptureError::NoSignal { .. }
            | CaptureError::SignalNotStable { .. }
            | CaptureError::SignalOutOfRange { .. }
            | CaptureError::SignalChanged { .. }
            | CaptureError::Unplugged { .. }
            | CaptureError::Stalled { .. }
            | CaptureError::CommandEnded { .. }
            | CaptureError::CommandHangs { .. }
            | CaptureError::Io { .. } => true,
            CaptureError::Permission { .. }
            | CaptureError::CommandNotStarted { .. }
            | CaptureError::CommandGarbage { .. }
            | CaptureError::NotACamera { .. }
            | CaptureError::NoSuchInput { .. }
            | CaptureError::EdidRefused { .. }
            | CaptureError::NoUsableFormat { .. }
            | CaptureError::NoSuchFormat { .. }
            | CaptureError::UnknownControl { .. }
            | CaptureError::ControlOutOfRange { .. }
            | CaptureError::ControlRefused { .. } => false,
        }
    }
}
