use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use v4l::Device;

use super::{
    flags::{
        CAP_IO_MC, CAP_STREAMING, CAP_VIDEO_CAPTURE, CAP_VIDEO_CAPTURE_MPLANE, CAP_VIDEO_M2M,
        CAP_VIDEO_M2M_MPLANE,
    },
    ioctl,
};
use crate::capture::CaptureError;

/// A device that can be opened as a camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its node.
    pub path: PathBuf,
    /// What it calls itself.
    pub card: String,
    /// The kernel driver.
    pub driver: String,
    /// Where it is attached.
    pub bus: String,
}

/// All cameras, in the order of their numbers. Devices that this user may not open are left out.
pub fn discover() -> Vec<Found> {
    let mut numbers: Vec<u32> = fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .to_str()?
                .strip_prefix("video")?
                .parse()
                .ok()
        })
        .collect();
    numbers.sort_unstable();
    let look = |number| {
        let path = node(number);
        let device = Device::with_path(&path).ok()?;
        let capabilities = ioctl::capabilities(&device).ok()?;
        (is_camera(capabilities.flags) && delivers_alone(capabilities.flags, &device)).then_some(Found {
            path,
            card: capabilities.card,
            driver: capabilities.driver,
            bus: capabilities.bus,
        })
    };
    numbers.into_iter().filter_map(look).collect()
}

/// Whether a node with these capabilities captures pictures, and nothing else.
pub fn is_camera(flags: u32) -> bool {
    let has = |any: u32| flags & any != 0;
    has(CAP_VIDEO_CAPTURE | CAP_VIDEO_CAPTURE_MPLANE)
        && has(CAP_STREAMING)
        && !has(CAP_VIDEO_M2M | CAP_VIDEO_M2M_MPLANE)
}

/// Whether pictures come by themselves. Those of a converter come from a program, so it has no input; and the parts of
/// a camera for which the media controller's links have to be made first (`V4L2_CAP_IO_MC`) are libcamera's business.
fn delivers_alone(flags: u32, device: &Device) -> bool {
    flags & CAP_IO_MC == 0 && ioctl::has_input(device)
}

/// The node that a configuration's `device` names: a path, a number, or part of a card's name.
///
/// # Errors
/// No camera has this name.
pub fn resolve(name: &str) -> Result<PathBuf, CaptureError> {
    let missing = || CaptureError::NotFound {
        device: name.to_owned(),
    };
    if name.is_empty() || name.contains('\0') {
        return Err(missing());
    }
    if name.starts_with('/') {
        return Ok(PathBuf::from(name));
    }
    if let Ok(number) = name.parse() {
        return Ok(node(number));
    }
    let wanted = name.to_lowercase();
    let matches = |found: &Found| found.card.to_lowercase().contains(&wanted);
    discover()
        .into_iter()
        .find(matches)
        .map(|found| found.path)
        .ok_or_else(missing)
}

/// What the device calls itself, by the kernel's list: it need not be opened for that.
pub fn card(path: &Path) -> Option<String> {
    let node = fs::canonicalize(path).ok()?;
    let file = Path::new("/sys/class/video4linux")
        .join(node.file_name()?)
        .join("name");
    let name = fs::read(file).ok()?;
    Some(String::from_utf8_lossy(&name).trim().to_owned())
}

/// A device node as the kernel calls it, behind all links.
pub fn node_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn node(number: u32) -> PathBuf {
    PathBuf::from(format!("/dev/video{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::v4l2::flags::{CAP_META_CAPTURE, CAP_VIDEO_CAPTURE_MPLANE, CAP_VIDEO_OUTPUT};

    #[test]
    fn devices_are_known_by_path_and_number() {
        assert_eq!(
            resolve("/dev/v4l/by-id/x").unwrap(),
            Path::new("/dev/v4l/by-id/x")
        );
        assert_eq!(resolve("7").unwrap(), Path::new("/dev/video7"));
    }

    #[test]
    fn a_name_that_nothing_has_is_not_found() {
        for name in ["", "no such camera, surely", "a\0b", "/dev/\0"] {
            let error = resolve(name).expect_err(name);
            assert!(matches!(error, CaptureError::NotFound { .. }) && error.is_transient());
        }
    }

    #[test]
    fn only_nodes_that_capture_pictures_are_cameras() {
        assert!(is_camera(CAP_VIDEO_CAPTURE | CAP_STREAMING));
        assert!(!is_camera(CAP_VIDEO_CAPTURE));
        assert!(!is_camera(CAP_META_CAPTURE | CAP_STREAMING));
        assert!(is_camera(CAP_VIDEO_CAPTURE_MPLANE | CAP_STREAMING));
        assert!(!is_camera(CAP_VIDEO_OUTPUT | CAP_STREAMING));
        assert!(!is_camera(CAP_VIDEO_CAPTURE | CAP_VIDEO_M2M | CAP_STREAMING));
    }
}
