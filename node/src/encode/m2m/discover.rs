use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    CodedFormat,
    ioctl::{Device, Side, Sizes},
    place::NATIVE,
};
use crate::media::{FrameSize, PixelFormat, VideoFormat};

/// Where a driver lists no sizes.
const ANY_SIZE: Sizes = Sizes {
    least: FrameSize {
        width: 16,
        height: 16,
    },
    most: FrameSize {
        width: 8192,
        height: 8192,
    },
};

/// An encoder of this machine, known by what it can do and by nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its node.
    pub path: PathBuf,
    /// What it calls itself.
    pub card: String,
    /// The kernel driver.
    pub driver: String,
    /// Where it is.
    pub bus: String,
    /// What it encodes without a conversion.
    pub inputs: Vec<PixelFormat>,
    /// The smallest picture that it takes.
    pub least: FrameSize,
    /// The largest.
    pub most: FrameSize,
}

/// The same for people and programs that look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Its node.
    pub path: PathBuf,
    /// The kernel driver.
    pub driver: String,
    /// Where it is.
    pub bus: String,
    /// What it encodes without a conversion.
    pub inputs: Vec<String>,
    /// As `32x32`.
    pub smallest: String,
    /// As `1920x1920`.
    pub largest: String,
}

impl Found {
    /// Whether it can encode pictures of that size, converted or not.
    pub fn takes_size(&self, size: FrameSize) -> bool {
        let visible = visible(size);
        (self.least.width..=self.most.width).contains(&visible.width)
            && (self.least.height..=self.most.height).contains(&visible.height)
    }

    /// Whether it takes frames as they are, but for where their lines lie.
    pub fn takes(&self, format: &VideoFormat) -> bool {
        self.takes_size(format.size) && self.inputs.contains(&format.pixel)
    }

    /// For [`crate::devices`].
    pub fn describe(&self) -> Description {
        Description {
            path: self.path.clone(),
            driver: self.driver.clone(),
            bus: self.bus.clone(),
            inputs: self.inputs.iter().map(PixelFormat::to_string).collect(),
            smallest: self.least.to_string(),
            largest: self.most.to_string(),
        }
    }
}

/// All encoders of `coded`, in the order of their nodes' numbers. Those that this user may not open are left out.
pub fn discover(coded: CodedFormat) -> Vec<Found> {
    let entries = fs::read_dir("/dev").into_iter().flatten();
    let number = |name: &str| name.strip_prefix("video")?.parse::<u32>().ok();
    let mut numbers: Vec<u32> = entries
        .filter_map(|entry| number(entry.ok()?.file_name().to_str()?))
        .collect();
    numbers.sort_unstable();
    let path = |number| PathBuf::from(format!("/dev/video{number}"));
    numbers
        .into_iter()
        .filter_map(|number| look(&path(number), coded))
        .collect()
}

/// A node that takes raw pictures on the one side and gives `coded` on the other.
fn look(path: &Path, coded: CodedFormat) -> Option<Found> {
    let device = Device::open(path).ok()??;
    if !device.formats(Side::Coded).contains(coded.fourcc()) {
        return None;
    }
    let raw = device.formats(Side::Raw);
    let takes = |pixel: &PixelFormat| raw.contains(pixel.fourcc());
    let inputs: Vec<_> = NATIVE.into_iter().filter(takes).collect();
    // What cameras give otherwise is converted to the one, and woven into the other.
    let convertible = [PixelFormat::Yu12, PixelFormat::Nv12];
    if !convertible.iter().any(|pixel| inputs.contains(pixel)) {
        return None;
    }
    let sizes = device.sizes(*coded.fourcc()).unwrap_or(ANY_SIZE);
    let capabilities = device.capabilities();
    Some(Found {
        path: path.to_owned(),
        card: capabilities.card.clone(),
        driver: capabilities.driver.clone(),
        bus: capabilities.bus.clone(),
        inputs,
        least: sizes.least,
        most: sizes.most,
    })
}

/// The picture that is encoded: 4:2:0 has no odd last column or line.
pub fn visible(size: FrameSize) -> FrameSize {
    FrameSize {
        width: size.width & !1,
        height: size.height & !1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, FrameRate};

    #[test]
    fn an_encoder_takes_what_it_lists() {
        let found = Found {
            path: "/dev/video11".into(),
            card: "an encoder".to_owned(),
            driver: "driver".to_owned(),
            bus: "platform".to_owned(),
            inputs: vec![PixelFormat::Nv12],
            least: "32x32".parse().unwrap(),
            most: "1920x1920".parse().unwrap(),
        };
        let format = |pixel, size: &str| VideoFormat {
            pixel,
            size: size.parse().unwrap(),
            stride: 0,
            colour: Colour::VIDEO,
            rate: FrameRate::per_second(30),
        };
        assert!(found.takes(&format(PixelFormat::Nv12, "1920x1080")));
        assert!(
            found.takes(&format(PixelFormat::Nv12, "1921x1080")),
            "it loses its last column"
        );
        assert!(!found.takes(&format(PixelFormat::Nv12, "2048x1080")));
        assert!(!found.takes(&format(PixelFormat::Nv12, "16x64")));
        assert!(!found.takes(&format(PixelFormat::Yuyv, "640x480")));
    }

    #[test]
    fn what_is_no_codec_is_no_encoder() {
        assert_eq!(look(Path::new("/dev/null"), CodedFormat::H264), None);
        assert_eq!(look(Path::new("/dev/no-such-video"), CodedFormat::H264), None);
    }
}
