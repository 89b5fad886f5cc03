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
mod inlet;
mod ioctl;
mod mode;
mod open;
mod queue;
mod receiver;
mod signal;
mod stream;

use std::{
    fmt, io,
    path::Path,
    sync::{Mutex, PoisonError},
};

use rustix::io::Errno;

pub use describe::{Control, Description, Hdmi, Input, State, describe};
pub use discover::{Found, discover, node_of, resolve};
pub use mode::{Mode, modes, usable_formats};

use super::{Camera, CaptureError, VideoSource, Want};
use crate::media::Inlet;

/// A camera of the kernel, by the name that a configuration gives it.
pub struct V4l2Camera {
    name: String,
    /// Other cameras that keep their devices, each as what messages call it, and its device as above.
    before: Vec<(String, String)>,
    /// Its input, and what the source there is told.
    inlet: Inlet,
    /// What was said last of how it is set up.
    said: Mutex<Option<open::Report>>,
}

impl V4l2Camera {
    /// `name` is a path (`/dev/video0`, `/dev/v4l/by-id/…`), a number, or part of a card's name, in which upper and
    /// lower case are alike.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            before: Vec::new(),
            inlet: Inlet::default(),
            said: Mutex::default(),
        }
    }

    /// The same where these cameras keep theirs: what messages call each, and its device by a name as above.
    pub fn behind(self, before: Vec<(String, String)>) -> Self {
        Self { before, ..self }
    }

    /// The same at this input.
    pub fn at(self, inlet: Inlet) -> Self {
        Self { inlet, ..self }
    }

    /// That nobody in front of it has the device at `path` under another name. Opened one after the other, each would find it free.
    fn check_free(&self, path: &Path) -> Result<(), CaptureError> {
        let node = discover::node_of(path);
        let has_it = |(_, device): &&(String, String)| {
            discover::resolve(device).is_ok_and(|other| discover::node_of(&other) == node)
        };
        match self.before.iter().find(has_it) {
            None => Ok(()),
            Some((camera, _)) => Err(CaptureError::Shared {
                device: DeviceName::of(path).to_string(),
                name: self.name.clone(),
                camera: camera.clone(),
            }),
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
        self.check_free(&path)?;
        let (source, report) = open::open(&path, want, &self.inlet)?;
        self.say(report);
        Ok(Box::new(source))
    }

    /// An HDMI source sends to nobody who shows it no EDID, and needs seconds to begin. So it is shown one here, and not only when
    /// somebody watches.
    fn prepare(&self) -> Result<(), CaptureError> {
        let Ok(path) = discover::resolve(&self.name) else {
            return Ok(());
        };
        match self.check_free(&path) {
            Ok(()) => open::prepare(&path, &self.inlet),
            Err(_) => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::{
        capture::{Controls, OwnEncoding},
        media::FrameRate,
    };

    #[test]
    fn a_device_is_the_first_ones_by_whatever_name() {
        let want = Want {
            size: "640x480".parse().expect("a size"),
            rate: FrameRate::per_second(30),
            format: None,
            own_encoding: OwnEncoding::Preferred,
            encoder_formats: Vec::new(),
            controls: Controls::new(),
        };
        let directory = std::env::temp_dir().join(format!("pinhole-links-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let link = directory.join("by-id");
        symlink("/dev/null", &link).expect("it is ours");
        let before = |device: &str| vec![("camera front".to_owned(), device.to_owned())];
        let opened = |before| {
            let camera = V4l2Camera::new(link.to_string_lossy()).behind(before);
            camera.open(&want).err().expect("it is no camera")
        };
        let shared = opened(before("/dev/null"));
        assert!(
            shared.to_string().contains("is camera front's already") && shared.is_transient(),
            "{shared}"
        );
        for free in [
            before("/dev/zero"),
            before("/dev/no-such"),
            before("no such card, surely"),
            vec![],
        ] {
            let error = opened(free);
            assert!(matches!(error, CaptureError::NotACamera { .. }), "{error}");
        }
        fs::remove_dir_all(&directory).expect("it is there");
    }
}
