use std::{collections::BTreeMap, ops::Deref};

use pinhole_service::config::Objection;
use pinhole_signaling::Name;
use serde::{Deserialize, Deserializer, de};

use super::{Device, Edid, frame_rate, inlet, pixel_format};
use crate::media::{FrameRate, FrameSize, PixelFormat, VideoInput};

/// `[[camera]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Camera {
    /// What viewers see behind the node's name; one camera may be without.
    #[serde(deserialize_with = "name")]
    pub name: Option<String>,
    /// Where its pictures come from.
    pub device: Device,
    /// Which of the device's connectors; `None` leaves the one that is selected.
    #[serde(deserialize_with = "inlet::input")]
    pub input: Option<VideoInput>,
    /// What the source at an HDMI input is told.
    pub edid: Edid,
    /// The picture to ask for; the camera's nearest is taken, of an HDMI input what its source sends. What a command writes raw is of this
    /// size.
    pub size: FrameSize,
    /// Frames per second to ask for.
    #[serde(deserialize_with = "frame_rate")]
    pub fps: FrameRate,
    /// The only format to take; `auto` takes the best.
    #[serde(deserialize_with = "pixel_format")]
    pub format: Option<PixelFormat>,
    /// Controls to set when the camera is opened, by their V4L2 names.
    pub controls: BTreeMap<String, i64>,
}

/// All `[[camera]]` sections, in their order; one with the defaults where there is none. No two have the same name or device.
#[derive(Clone, Debug, PartialEq)]
pub struct Cameras(Vec<Camera>);

impl Default for Camera {
    fn default() -> Self {
        Self {
            name: None,
            device: "auto".into(),
            input: None,
            edid: Edid::default(),
            size: FrameSize {
                width: 1280,
                height: 720,
            },
            fps: FrameRate::per_second(30),
            format: None,
            controls: BTreeMap::new(),
        }
    }
}

impl Default for Cameras {
    fn default() -> Self {
        Self(vec![Camera::default()])
    }
}

impl From<Camera> for Cameras {
    fn from(only: Camera) -> Self {
        Self(vec![only])
    }
}

impl Deref for Cameras {
    type Target = [Camera];

    fn deref(&self) -> &[Camera] {
        &self.0
    }
}

impl Cameras {
    /// The devices that `camera` must not take where it is to take the first one that it finds: those that others name.
    pub fn named_besides(&self, camera: &Camera) -> Vec<String> {
        let others = self.0.iter().filter(|other| other.name != camera.name);
        let named = others.filter_map(|other| match &other.device {
            Device::Name(name) if camera.device.is_auto() && *name != "pattern" => Some(name.clone()),
            _ => None,
        });
        named.collect()
    }

    /// The cameras in front of this one whose device may be the same under another name: title and device of each. They keep it.
    pub fn before(&self, camera: &Camera) -> Vec<(String, String)> {
        let before = self.0.iter().take_while(|other| other.name != camera.name);
        let same = before.filter(|other| other.device.may_be_same(&camera.device));
        same.map(|other| (self.title(other), other.device.to_string()))
            .collect()
    }

    /// How messages call one of them, of which one at most has no name of its own.
    pub fn title(&self, camera: &Camera) -> String {
        title(camera.name.as_deref(), self.0.len() > 1)
    }

    /// Reads the files that they name.
    pub(super) fn read_files(&mut self) -> Vec<Objection> {
        let cameras = self.0.iter_mut().enumerate();
        cameras
            .filter_map(|(index, camera)| camera.read_edid(index))
            .collect()
    }

    /// What two sections can't have in common.
    pub(super) fn objections(&self) -> Vec<Objection> {
        let mut objections = Vec::new();
        for (index, camera) in self.0.iter().enumerate() {
            for (key, words, other) in self.mistakes(camera, &self.0[..index]) {
                let objection = Objection::new(format!("camera.{index}.{key}"), words);
                objections.push(match other {
                    Some(other) => objection.with(format!("camera.{other}.{key}")),
                    None => objection,
                });
            }
        }
        objections
    }

    /// What is wrong with one behind those in front of it: which of its keys, and in words.
    fn mistakes(&self, camera: &Camera, before: &[Camera]) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if camera.device == "pattern".into() && camera.format.is_some() {
            let words = "`format` is for cameras; the pattern has no choice of formats";
            mistakes.push(("format", words.to_owned(), None));
        }
        mistakes.extend(camera.pointless());
        let same_name = before.iter().position(|other| other.name == camera.name);
        if let Some(other) = same_name {
            let words = match &camera.name {
                None => "two [[camera]] sections have no `name`, and viewers could not tell them apart; give each one, as name = \
                         \"garden\""
                    .to_owned(),
                Some(name) => format!(
                    "two [[camera]] sections have the `name` \"{name}\"; viewers could not tell them apart, so give each its own"
                ),
            };
            mistakes.push(("name", words, Some(other)));
        }
        let same_device = before
            .iter()
            .position(|other| camera.device.is_same(&other.device));
        if let Some(other) = same_device {
            let (one, two) = (self.title(&before[other]), self.title(camera));
            let words = match &camera.device {
                device if device.is_auto() => format!(
                    "the `device` of {one} and of {two} is \"auto\", which takes the first camera that nobody else names; name the device \
                     of one of them (`pinhole-node devices` lists them)"
                ),
                device => format!(
                    "the `device` of {one} and of {two} is {device}; a device has one picture, so give each its own, or leave one \
                     section out: any number of viewers can watch the same"
                ),
            };
            mistakes.push(("device", words, Some(other)));
        }
        mistakes
    }

    /// The camera of this name.
    pub fn called(&self, name: Option<&str>) -> Option<&Camera> {
        self.0.iter().find(|camera| camera.name.as_deref() == name)
    }
}

/// How messages call the camera of this name, `camera front`; one without is plainly `camera` unless there are `several`.
pub(super) fn title(name: Option<&str>, several: bool) -> String {
    match name {
        Some(name) => format!("camera {name}"),
        None if several => "the camera without a name".to_owned(),
        None => "camera".to_owned(),
    }
}

impl Camera {
    /// The name of its member on the server, of a node of this name.
    pub fn member(&self, node: &str) -> Name {
        match &self.name {
            Some(name) => Name::from(format!("{node} {name}")),
            None => Name::from(node),
        }
    }

    /// Keys of the kernel's devices, where there is none.
    fn pointless(&self) -> Vec<Mistake> {
        let is_device = matches!(&self.device, Device::Name(name) if name != "pattern");
        let given = [
            ("input", self.input.is_some()),
            ("edid", self.edid != Edid::default()),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given && !is_device);
        let words = |key| {
            format!(
                "`{key}` is for devices of the kernel that have inputs, and `device` is {}; remove it",
                self.device
            )
        };
        given.map(|(key, _)| (key, words(key), None)).collect()
    }
}

/// A key, what is wrong with it, and the number of the section that has to do with it.
type Mistake = (&'static str, String, Option<usize>);

impl<'de> Deserialize<'de> for Cameras {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let cameras = Vec::<Camera>::deserialize(deserializer)?;
        Ok(if cameras.is_empty() {
            Cameras::default()
        } else {
            Cameras(cameras)
        })
    }
}

/// What stands in a list of names that people read and programs split.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    const MOST: usize = 64;
    let name = String::deserialize(deserializer)?;
    let is_fine = |c: char| !c.is_control() && c != ',';
    if name.trim() == name && (1..=MOST).contains(&name.len()) && name.chars().all(is_fine) {
        return Ok(Some(name));
    }
    Err(de::Error::custom(format!(
        "{name:?} can't be a camera's `name`: it has 1 to {MOST} bytes, no comma and no space at its ends"
    )))
}

#[cfg(test)]
mod tests {
    use pinhole_service::config::ConfigError;

    use super::super::{Config, load};

    fn parse(text: &str) -> Result<Config, ConfigError> {
        load::parse(text, "node.toml".as_ref())
    }

    fn members(text: &str) -> Vec<String> {
        let config = parse(text).expect(text);
        let cameras = config.cameras.iter();
        cameras.map(|camera| camera.member("porch").to_string()).collect()
    }

    #[test]
    fn each_camera_is_a_member_behind_the_name_of_the_node() {
        for (text, expected) in [
            ("", &["porch"][..]),
            ("[[camera]]\ndevice = \"0\"", &["porch"]),
            ("[[camera]]\nname = \"front\"", &["porch front"]),
            (
                "[[camera]]\nname = \"front\"\n[[camera]]\nname = \"garden\"\ndevice = \"pattern\"",
                &["porch front", "porch garden"],
            ),
            // One that was alone need not be renamed when another comes.
            (
                "[[camera]]\n[[camera]]\nname = \"garden\"\ndevice = \"pattern\"",
                &["porch", "porch garden"],
            ),
            // A test picture is no device that somebody could have taken.
            (
                "[[camera]]\nname = \"a\"\ndevice = \"pattern\"\n[[camera]]\nname = \"b\"\ndevice = \"pattern\"",
                &["porch a", "porch b"],
            ),
        ] {
            assert_eq!(members(text), expected, "{text}");
        }
    }

    #[test]
    fn a_camera_without_a_name_is_told_from_others() {
        let titles = |text: &str| {
            let config = parse(text).expect(text);
            let cameras = config.cameras.iter();
            cameras
                .map(|camera| config.cameras.title(camera))
                .collect::<Vec<_>>()
        };
        assert_eq!(titles(""), ["camera"]);
        assert_eq!(titles("[[camera]]\nname = \"front\""), ["camera front"]);
        assert_eq!(
            titles("[[camera]]\n[[camera]]\nname = \"front\"\ndevice = \"pattern\""),
            ["the camera without a name", "camera front"]
        );
    }

    #[test]
    fn a_camera_knows_those_in_front_of_it_that_may_be_the_same() {
        let camera =
            |name: &str, device: &str| format!("[[camera]]\nname = \"{name}\"\ndevice = \"{device}\"\n");
        let text = [
            camera("a", "/dev/video0"),
            camera("b", "1"),
            camera("c", "pattern"),
            camera("d", "auto"),
            camera("e", "C920"),
            camera("f", "/dev/v4l/by-id/x"),
        ]
        .concat();
        let config = parse(&text).expect("valid");
        let before: Vec<String> = config
            .cameras
            .iter()
            .map(|camera| {
                let before = config.cameras.before(camera);
                let titles: Vec<_> = before.into_iter().map(|(title, _)| title).collect();
                titles.join(", ")
            })
            .collect();
        let expected = [
            "",
            "",
            "",
            "",
            "camera a, camera b",
            "camera a, camera b, camera e",
        ];
        assert_eq!(before, expected);
    }

    #[test]
    fn what_two_cameras_can_t_share_is_named_with_the_line_of_the_second() {
        for (text, expected) in [
            ("[[camera]]\n[[camera]]\ndevice = \"pattern\"", "have no `name`"),
            ("[[camera]]\n[[camera]]\ndevice = \"pattern\"", "line 2"),
            (
                "[[camera]]\nname = \"a\"\n[[camera]]\nname = \"a\"\ndevice = \"1\"",
                "the `name` \"a\"",
            ),
            (
                "[[camera]]\nname = \"a\"\n[[camera]]\nname = \"a\"\ndevice = \"1\"",
                "line 4",
            ),
            (
                "[[camera]]\n[[camera]]\nname = \"b\"",
                "of the camera without a name and of camera b is \"auto\"",
            ),
            (
                "[[camera]]\nname = \"a\"\ndevice = \"0\"\n[[camera]]\nname = \"b\"\ndevice = \"/dev/video0\"",
                "of camera a and of camera b is /dev/video0",
            ),
            ("[[camera]]\nname = \"\"", "1 to 64 bytes"),
            ("[[camera]]\nname = \"a,b\"", "no comma"),
            ("[[camera]]\nname = \"a,b\"", "line 2"),
            ("[[camera]]\n\n[[camera]]\nfps = 0", "line 4"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(
                error.contains(expected),
                "{text:?} gives {error:?}, which lacks {expected:?}"
            );
        }
    }
}
