use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use v4l::{Device, frameinterval::FrameIntervalEnum, framesize::FrameSizeEnum, video::Capture};

use super::{
    DeviceName, controls,
    discover::Found,
    inlet,
    ioctl::{self, Dialect},
    mode, receiver,
    signal::Signal,
};
use crate::{
    capture::CaptureError,
    media::{FrameRate, PixelFormat},
};

/// Where udev keeps the names of cameras that stay the same whatever order they are plugged in.
const LASTING_NAMES: [&str; 2] = ["/dev/v4l/by-id", "/dev/v4l/by-path"];

/// What a camera offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Its names that last, of which any can be `device` in the configuration.
    pub names: Vec<PathBuf>,
    /// Its inputs, in the order of their numbers.
    pub inputs: Vec<Input>,
    /// Its formats.
    pub formats: Vec<Format>,
    /// Its controls.
    pub controls: Vec<Control>,
}

/// An input of a camera: what `input` in the configuration chooses among. Most have one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Its number.
    pub number: u32,
    /// What the driver calls it.
    pub name: String,
    /// Whether pictures come from it at present.
    pub selected: bool,
    /// Of an input for HDMI or the like, what comes in there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hdmi: Option<Hdmi>,
}

/// What comes in at an input for HDMI or the like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hdmi {
    /// How the signal is.
    #[serde(flatten)]
    pub state: State,
    /// How many blocks the EDID has that the source sees: without any it does not send. `None` where the driver does not tell.
    pub edid_blocks: Option<usize>,
}

/// How a signal is. Only that of the selected input is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// There is one.
    Signal {
        /// As `1920x1080 30 fps`.
        timings: String,
    },
    /// There is none.
    NoSignal,
    /// It is not stable.
    NotStable,
    /// It is more than the device is made for.
    OutOfRange,
    /// It can't be told.
    Unknown,
}

/// A format of a camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Format {
    /// The kernel's four-character code.
    pub fourcc: String,
    /// Whether it can be encoded here.
    pub usable: bool,
    /// Its sizes; empty where the driver lists none.
    pub sizes: Vec<Size>,
}

/// A size of a format, or a range of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Size {
    /// As `1280x720`, or as `16x16 to 1920x1080`.
    pub size: String,
    /// Frames a second, the fastest first; empty where the driver lists none. Of a range its fastest and its slowest.
    pub fps: Vec<f64>,
}

/// A control of a camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Control {
    /// Its name under `[camera.controls]`.
    pub name: String,
    /// The least value.
    pub minimum: i32,
    /// The greatest value.
    pub maximum: i32,
    /// From value to value.
    pub step: i32,
    /// What the driver starts with.
    pub default: i32,
    /// What it is set to; `None` where the driver does not tell.
    pub value: Option<i32>,
    /// Whether another one makes it pointless now: a focus while the camera focuses by itself (`V4L2_CTRL_FLAG_INACTIVE`).
    pub inactive: bool,
}

/// Asks a camera what it offers. It may be in use by another program.
///
/// # Errors
/// It can't be opened, or has gone.
pub fn describe(camera: &Found) -> Result<Description, CaptureError> {
    let name = DeviceName::of(&camera.path);
    let device = Device::with_path(&camera.path).map_err(|error| name.error("open", error))?;
    let formats = ioctl::capabilities(&device)
        .and_then(|capabilities| ioctl::formats(&device, Dialect::of(capabilities.flags)))
        .map_err(|error| name.error("list its formats", error))?;
    Ok(Description {
        names: lasting_names(&camera.path),
        inputs: inputs(&device, &name),
        formats: formats
            .iter()
            .map(|fourcc| offer(&device, v4l::FourCC::new(fourcc)))
            .collect(),
        controls: controls::describe(&device, &name)?,
    })
}

fn inputs(device: &Device, name: &DeviceName) -> Vec<Input> {
    let selected = receiver::selected(device).ok();
    let describe = |input: receiver::Input| {
        let is_selected = selected == Some(input.index);
        let hdmi = || Hdmi {
            state: if is_selected {
                state(device, name)
            } else {
                State::Unknown
            },
            edid_blocks: receiver::edid(device, input.index)
                .ok()
                .map(|bytes| bytes.len() / receiver::EDID_BLOCK),
        };
        Input {
            number: input.index,
            selected: is_selected,
            hdmi: input.has_timings.then(hdmi),
            name: input.name,
        }
    };
    receiver::inputs(device).into_iter().map(describe).collect()
}

/// How the signal of the selected input is.
fn state(device: &Device, name: &DeviceName) -> State {
    /// Shown where a signal does not tell its rate, which none does that there is.
    const UNTOLD: FrameRate = FrameRate::per_second(1);
    match receiver::query(device) {
        Ok(found) => found.timings().map_or(State::Unknown, |timings| State::Signal {
            timings: Signal::of(&timings, UNTOLD).to_string(),
        }),
        Err(error) => match inlet::no_signal(name, error) {
            CaptureError::NoSignal { .. } => State::NoSignal,
            CaptureError::SignalNotStable { .. } => State::NotStable,
            CaptureError::SignalOutOfRange { .. } => State::OutOfRange,
            _ => State::Unknown,
        },
    }
}

fn offer(device: &Device, fourcc: v4l::FourCC) -> Format {
    let sizes = device.enum_framesizes(fourcc).unwrap_or_default();
    let size = |offered: v4l::FrameSize| {
        let (shown, width, height) = match offered.size {
            FrameSizeEnum::Discrete(size) => {
                (format!("{}x{}", size.width, size.height), size.width, size.height)
            }
            FrameSizeEnum::Stepwise(range) => (
                format!(
                    "{}x{} to {}x{}",
                    range.min_width, range.min_height, range.max_width, range.max_height
                ),
                range.max_width,
                range.max_height,
            ),
        };
        Size {
            size: shown,
            fps: rates(device, fourcc, width, height),
        }
    };
    Format {
        fourcc: String::from_utf8_lossy(&fourcc.repr).trim_end().to_owned(),
        usable: PixelFormat::of_fourcc(fourcc.repr).is_some(),
        sizes: sizes.into_iter().map(size).collect(),
    }
}

fn rates(device: &Device, fourcc: v4l::FourCC, width: u32, height: u32) -> Vec<f64> {
    let intervals = device
        .enum_frameintervals(fourcc, width, height)
        .unwrap_or_default();
    let mut rates: Vec<f64> = intervals
        .into_iter()
        .flat_map(|interval| match interval.interval {
            FrameIntervalEnum::Discrete(interval) => vec![interval],
            FrameIntervalEnum::Stepwise(range) => vec![range.min, range.max],
        })
        .filter_map(mode::rate)
        .map(|rate| (rate.as_f64() * 100.0).round() / 100.0)
        .collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    rates.dedup();
    rates
}

/// The links of udev that lead to `path`.
fn lasting_names(path: &Path) -> Vec<PathBuf> {
    let links = LASTING_NAMES
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let leads_here = |link: &PathBuf| fs::canonicalize(link).is_ok_and(|target| target == path);
    let mut names: Vec<_> = links
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(leads_here)
        .collect();
    names.sort();
    names
}
