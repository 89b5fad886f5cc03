//! `input` and `edid` of a `[[camera]]`: which connector of a capture device, and what the source at it is told.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use pinhole_service::config::Objection;
use serde::{Deserialize, Deserializer, de};

use super::Camera;
use crate::media::{self, EdidError, EdidPolicy, Inlet, VideoInput};

/// The most bytes that are read of a file: 256 blocks of 128 bytes, with as much around each hexadecimal digit as somebody may write.
const MOST_OF_FILE: u64 = 256 * 128 * 8;

/// `edid` of a `[[camera]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edid {
    /// The built-in one, where the device has none.
    #[default]
    Auto,
    /// The built-in one, whatever the device has.
    BuiltIn,
    /// What the device has, or what somebody else gives it.
    Keep,
    /// That of a file.
    File {
        /// The file; absolute.
        path: PathBuf,
        /// What the file held when the configuration was loaded: another content makes another configuration.
        content: Option<media::Edid>,
    },
}

impl Camera {
    /// How its device is to be set before it can have a picture.
    pub fn inlet(&self) -> Inlet {
        let edid = match &self.edid {
            Edid::Auto => EdidPolicy::WhereMissing,
            Edid::BuiltIn => EdidPolicy::Always(media::Edid::built_in()),
            Edid::File {
                content: Some(content),
                ..
            } => EdidPolicy::Always(content.clone()),
            // It has not been read, so what it says is not known.
            Edid::Keep | Edid::File { content: None, .. } => EdidPolicy::Never,
        };
        Inlet {
            input: self.input.clone(),
            edid,
        }
    }

    /// Reads the file that `edid` names, of the camera that stands in this place.
    pub(super) fn read_edid(&mut self, index: usize) -> Option<Objection> {
        let Edid::File { path, content } = &mut self.edid else {
            return None;
        };
        match read(path) {
            Ok(read) => {
                *content = Some(read);
                None
            }
            Err(why) => Some(Objection::new(
                format!("camera.{index}.edid"),
                format!("`edid` in [[camera]]: {why}"),
            )),
        }
    }
}

/// Why a file gives no EDID.
#[derive(Debug, thiserror::Error)]
enum EdidFileError {
    #[error("{} can't be read: {cause}", .path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{} holds no EDID: {cause}", .path.display())]
    Wrong { path: PathBuf, cause: EdidError },
}

fn read(path: &Path) -> Result<media::Edid, EdidFileError> {
    let unreadable = |cause| EdidFileError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    // A pipe would keep us waiting for whoever writes into it.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is no file")));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut content = Vec::new();
    file.take(MOST_OF_FILE)
        .read_to_end(&mut content)
        .map_err(unreadable)?;
    media::Edid::read(&content).map_err(|cause| EdidFileError::Wrong {
        path: path.to_owned(),
        cause,
    })
}

impl<'de> Deserialize<'de> for Edid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        match written.as_str() {
            "auto" => Ok(Self::Auto),
            "built-in" => Ok(Self::BuiltIn),
            "keep" => Ok(Self::Keep),
            path if path.starts_with('/') => Ok(Self::File {
                path: path.into(),
                content: None,
            }),
            other => Err(de::Error::custom(format!(
                "{other:?} is no `edid`; there are \"auto\", \"built-in\" and \"keep\", or the absolute path of a file, as \
                 \"/etc/pinhole/edid.bin\""
            ))),
        }
    }
}

/// A number or a name.
pub(super) fn input<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VideoInput>, D::Error> {
    struct NumberOrName;

    impl de::Visitor<'_> for NumberOrName {
        type Value = VideoInput;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an input's number, counted from 0, or its name, as \"HDMI 0\"")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<VideoInput, E> {
            let input = u32::try_from(number).map(VideoInput::Number);
            input.map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<VideoInput, E> {
            let input = u32::try_from(number).map(VideoInput::Number);
            input.map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<VideoInput, E> {
            // As `device` takes it.
            if let Ok(number) = name.parse() {
                return Ok(VideoInput::Number(number));
            }
            if name.trim().is_empty() || name.contains(char::is_control) {
                return Err(E::invalid_value(de::Unexpected::Str(name), &self));
            }
            Ok(VideoInput::Name(name.to_owned()))
        }
    }

    deserializer.deserialize_any(NumberOrName).map(Some)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{Changes, Config, load},
        *,
    };

    fn parse(text: &str) -> Result<Config, String> {
        load::parse(text, "node.toml".as_ref()).map_err(|error| error.to_string())
    }

    fn inlet(keys: &str) -> Inlet {
        let config = parse(&format!("[[camera]]\ndevice = \"0\"\n{keys}")).expect(keys);
        config.cameras[0].inlet()
    }

    #[test]
    fn an_input_is_a_number_or_a_name() {
        let name = |name: &str| Some(VideoInput::Name(name.to_owned()));
        for (keys, expected) in [
            ("", None),
            ("input = 1", Some(VideoInput::Number(1))),
            ("input = \"1\"", Some(VideoInput::Number(1))),
            ("input = \"HDMI 0\"", name("HDMI 0")),
            ("input = \"hdmi\"", name("hdmi")),
        ] {
            assert_eq!(inlet(keys).input, expected, "{keys}");
        }
    }

    #[test]
    fn an_edid_is_ours_where_there_is_none_unless_another_is_named() {
        let ours = EdidPolicy::Always(media::Edid::built_in());
        for (keys, expected) in [
            ("", EdidPolicy::WhereMissing),
            ("edid = \"auto\"", EdidPolicy::WhereMissing),
            ("edid = \"built-in\"", ours),
            ("edid = \"keep\"", EdidPolicy::Never),
        ] {
            assert_eq!(inlet(keys).edid, expected, "{keys}");
        }
    }

    #[test]
    fn mistakes_say_what_there_is() {
        for (text, expected) in [
            ("edid = \"1080p30\"", "\"auto\", \"built-in\" and \"keep\""),
            ("edid = \"edid.bin\"", "the absolute path of a file"),
            ("input = -1", "an input's number, counted from 0"),
            ("input = 5000000000", "an input's number"),
            ("input = \"\"", "or its name, as \"HDMI 0\""),
            ("input = true", "line 2"),
            ("inptu = 1", "did you mean `input`?"),
            (
                "device = \"pattern\"\ninput = 1",
                "`input` is for devices of the kernel",
            ),
            (
                "device = { command = [\"x\"], format = \"mjpeg\" }\nedid = \"keep\"",
                "`edid` is for devices of the kernel",
            ),
        ] {
            let text = format!("[[camera]]\n{text}");
            let error = parse(&text).expect_err(&text);
            assert!(error.contains(expected), "{text:?} gives {error:?}");
        }
    }

    #[test]
    fn the_file_is_read_and_checked_with_the_configuration() {
        let directory = std::env::temp_dir().join(format!("pinhole-edid-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let (file, toml) = (directory.join("edid.bin"), directory.join("node.toml"));
        let keys = format!("[[camera]]\ndevice = \"0\"\n\nedid = {file:?}\n");
        fs::write(&toml, keys).expect("it is ours");
        let load = || load::load(&toml);

        let missing = load().expect_err("there is no file").to_string();
        assert!(
            missing.contains("line 4") && missing.contains("edid.bin can't be read: No such file"),
            "{missing}"
        );
        let mut bytes = media::Edid::built_in().bytes().to_vec();
        fs::write(&file, &bytes[..100]).expect("it is ours");
        let short = load().expect_err("cut short").to_string();
        assert!(
            short.contains("`edid`") && short.contains("edid.bin holds no EDID: it has 100 bytes"),
            "{short}"
        );
        fs::write(&file, &bytes).expect("it is ours");
        let old = load().expect("a valid file");
        let read = EdidPolicy::Always(media::Edid::built_in());
        assert_eq!(old.cameras[0].inlet().edid, read);
        // Another year of manufacture; the file's content is what counts.
        (bytes[17], bytes[127]) = (bytes[17] - 1, bytes[127].wrapping_add(1));
        fs::write(&file, &bytes).expect("it is ours");
        let new = load().expect("a valid file");
        assert_eq!(Changes::between(&old, &new).words(), "camera");
        fs::remove_file(&file).expect("it is ours");
        fs::create_dir(&file).expect("it is ours");
        let directory_error = load().expect_err("a directory").to_string();
        assert!(directory_error.contains("it is no file"), "{directory_error}");
        fs::remove_dir_all(&directory).expect("it is there");
    }
}
