//! Cameras behind the kernel's V4L2, single-planar, streaming from mapped buffers.
//!
//! No call here waits for a device: it is opened with `O_NONBLOCK`, and every wait is a `poll` with an end. The
//! kernel's few buffers are the only queue there is: a frame stays in its buffer until it is encoded, and what
//! comes meanwhile replaces what came before, unless the camera encodes by itself: then all of it is taken in order.
//!
//! Kernel documentation: `userspace-api/media/v4l`.

mod choice;
mod colour;
mod controls;
mod describe;
mod discover;
mod encoder;
mod flags;
mod ioctl;
mod mode;
mod open;
mod queue;
mod stream;

use std::{
    fmt, io,
    path::Path,
    sync::{Mutex, PoisonError},
};

use rustix::io::Errno;

pub use describe::{Control, Description, describe};
pub use discover::{Found, discover, resolve};
pub use mode::{Mode, modes, usable_formats};

use super::{Camera, CaptureError, VideoSource, Want};

/// A camera of the kernel, by the name that a configuration gives it.
pub struct V4l2Camera {
    name: String,
    /// What was said last of how it is set up.
    said: Mutex<Option<open::Report>>,
}

impl V4l2Camera {
    /// `name` is a path (`/dev/video0`, `/dev/v4l/by-id/…`), a number, or part of a card's name, in which upper and
    /// lower case are alike.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            said: Mutex::default(),
        }
    }

    /// Tells what was chosen, where that is something new.
    fn say(&self, report: open::Report) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_ref() != Some(&report) {
            report.log();
            *said = Some(report);
        }
    }
}

impl Camera for V4l2Camera {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        let path = discover::resolve(&self.name)?;
        let (source, report) = open::open(&path, want)?;
        self.say(report);
        Ok(Box::new(source))
    }

    fn describe(&self) -> String {
        match discover::resolve(&self.name) {
            Ok(path) => DeviceName::of(&path).to_string(),
            Err(_) => self.name.clone(),
        }
    }
}

/// A device as people know it, for errors and logs: its node and its card.
#[derive(Clone, Debug)]
struct DeviceName {
    path: String,
    card: Option<String>,
}

impl DeviceName {
    fn of(path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            card: discover::card(path),
        }
    }

    /// What an error of the driver means while trying to `action`.
    fn error(&self, action: &'static str, source: io::Error) -> CaptureError {
        let device = self.to_string();
        match Errno::from_io_error(&source) {
            Some(Errno::NODEV) => CaptureError::Unplugged { device },
            Some(Errno::BUSY) => CaptureError::Busy {
                device,
                path: self.path.clone(),
            },
            Some(Errno::ACCESS | Errno::PERM) => CaptureError::Permission { device },
            _ => CaptureError::Io {
                device,
                action,
                source,
            },
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.card {
            Some(card) => write!(f, "{} ({card})", self.path),
            None => f.write_str(&self.path),
        }
    }
}
