use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::media::{Colour, PixelFormat};

/// `device` of a `[[camera]]`: where its pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// `auto`, `pattern`, a device path, a number, or a part of the card's name.
    Name(String),
    /// A command that writes pictures to its standard output.
    Command(Command),
}

/// `device = { command = […], format = "…" }`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program, and its arguments one by one: there is no shell.
    #[serde(rename = "command", deserialize_with = "words")]
    pub words: Vec<String>,
    /// What it writes.
    #[serde(deserialize_with = "format")]
    pub format: Written,
}

/// The `format` of a command, by ffmpeg's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// How its pictures lie in the stream.
    pub pixel: PixelFormat,
    /// What raw samples mean.
    pub colour: Colour,
}

impl Device {
    /// Whether it encodes by itself, so that its pictures are passed on or not shown at all.
    pub fn is_encoded(&self) -> bool {
        matches!(self, Device::Command(command) if command.format.pixel == PixelFormat::H264)
    }

    /// Whether the first camera is taken, whichever that is.
    pub(super) fn is_auto(&self) -> bool {
        *self == "auto".into()
    }

    /// Whether both may turn out to be the same device, by what they are called: a lasting name and a part of the card's lead to a node
    /// whose number nobody knows beforehand.
    pub(super) fn may_be_same(&self, other: &Device) -> bool {
        let (Device::Name(one), Device::Name(two)) = (self, other) else {
            return false;
        };
        let is_camera = |name: &str| !matches!(name, "auto" | "pattern");
        let is_node = |name: &str| name.parse::<u32>().is_ok() || name.starts_with("/dev/video");
        is_camera(one) && is_camera(two) && !(is_node(one) && is_node(two))
    }

    /// Whether both name the same device. Of a test picture and of a command there can be several.
    pub(super) fn is_same(&self, other: &Device) -> bool {
        let (Device::Name(one), Device::Name(two)) = (self, other) else {
            return false;
        };
        // A number is short for a path, and in a part of a name upper and lower case are alike.
        let path = |name: &str| match name.parse::<u32>() {
            Ok(number) => format!("/dev/video{number}"),
            Err(_) if name.starts_with('/') => name.to_owned(),
            Err(_) => name.to_lowercase(),
        };
        one != "pattern" && path(one) == path(two)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Name(name) => f.write_str(name),
            // Not its arguments: they are long, and may hold a password.
            Device::Command(command) => f.write_str(command.words.first().map_or("", String::as_str)),
        }
    }
}

impl From<&str> for Device {
    fn from(name: &str) -> Self {
        Device::Name(name.to_owned())
    }
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrCommand;

        impl<'de> Visitor<'de> for NameOrCommand {
            type Value = Device;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    r#"a camera as "/dev/video0", or { command = ["PROGRAM", "ARGUMENT"], format = "h264" }"#,
                )
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Device, E> {
                match name.split_once("://") {
                    Some((scheme, _)) => Err(E::custom(needs_a_command(scheme))),
                    None if name.trim().is_empty() || name.contains('\0') => Err(E::custom(
                        "`device` is empty; write a camera as \"/dev/video0\" (`pinhole-node devices` lists them), or \"auto\" for the first \
                         one that opens",
                    )),
                    None => Ok(name.into()),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Device, A::Error> {
                Command::deserialize(MapAccessDeserializer::new(map)).map(Device::Command)
            }
        }

        deserializer.deserialize_any(NameOrCommand)
    }
}

/// What it takes to show what an address leads to, which is not read here. It may hold a password, and is not repeated.
fn needs_a_command(scheme: &str) -> String {
    let ffmpeg = |before: &str, address: &str, after: &str, format: &str| {
        format!(
            r#"with ffmpeg installed: device = {{ command = ["ffmpeg", "-v", "error", {before}"-i", "{address}", "-an", {after}, "-f", "{format}", "-"], format = "{format}" }}"#
        )
    };
    let small = scheme.to_ascii_lowercase();
    let address = format!("{small}://...");
    let (copied, encoded) = (r#""-c:v", "copy""#, r#""-c:v", "mjpeg""#);
    let how = match small.as_str() {
        "rtsp" | "rtsps" => ffmpeg(r#""-rtsp_transport", "tcp", "#, &address, copied, "h264"),
        // Of cameras these are MJPEG in most cases.
        "http" | "https" => ffmpeg("", &address, encoded, "mjpeg"),
        "rtmp" | "rtmps" | "srt" | "tcp" | "udp" => ffmpeg("", &address, copied, "h264"),
        "file" => ffmpeg(r#""-re", "-stream_loop", "-1", "#, "/...", encoded, "mjpeg"),
        "v4l" | "v4l2" => {
            return format!(
                "`device` is an address, {small}://, and a camera of this machine is named by its path alone, as \"/dev/video0\" \
                 (`pinhole-node devices` lists them)"
            );
        }
        _ => r#"where a program can read that: device = { command = ["PROGRAM", "ARGUMENT"], format = "h264" }, or another format that it writes"#
            .to_owned(),
    };
    let scheme = clipped(&small);
    format!(
        "`device` is an address, {scheme}://, and what it leads to has to be read by a command; {how} (\"A camera of the network\" in \
         docs/cameras.md)"
    )
}

/// Enough of it to be known again.
fn clipped(scheme: &str) -> String {
    scheme.chars().take(20).flat_map(char::escape_debug).collect()
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    if words.first().is_none_or(String::is_empty) {
        return Err(de::Error::custom(
            "`command` is empty; write the program and its arguments, as [\"rpicam-vid\", \"--timeout\", \"0\"]",
        ));
    }
    match words.iter().find(|word| word.contains('\0')) {
        Some(word) => Err(de::Error::custom(format!(
            "`command` has a zero byte in {word:?}"
        ))),
        None => Ok(words),
    }
}

fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Written, D::Error> {
    let (pixel, colour) = match String::deserialize(deserializer)?.as_str() {
        "h264" => (PixelFormat::H264, Colour::VIDEO),
        "mjpeg" => (PixelFormat::Mjpeg, Colour::JPEG),
        "yuv420p" => (PixelFormat::Yu12, Colour::VIDEO),
        "yuvj420p" => (PixelFormat::Yu12, Colour::JPEG),
        other => {
            return Err(de::Error::custom(format!(
                "`{other}` is no format that a command can write; there are \"h264\", \"mjpeg\", \"yuv420p\" and \"yuvj420p\""
            )));
        }
    };
    Ok(Written { pixel, colour })
}
