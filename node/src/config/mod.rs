//! The configuration: the shape of `node.toml`, valid by construction.
//!
//! Every key is optional. An unknown key is an error, with its line: an option that is silently ignored is
//! worse than none.

mod cameras;
mod changes;
mod control;
mod device;
mod encoders;
pub mod gpio;
mod inlet;
mod listen;
mod load;
mod microphone;
mod small;
mod speaker;
mod stun;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use pinhole_http::{AllowedOrigin, HostName};
use pinhole_signaling::{ServerUrl, Token};
use serde::{Deserialize, Deserializer, de};

use crate::media::{Bitrate, FrameRate, FrameRateError, PixelFormat};

pub use cameras::{Camera, Cameras};
pub use changes::{CameraChanged, Changes};
pub use control::{Allow, Control};
pub use device::{Command, Device, Written};
pub use encoders::{Encoder, Encoders};
pub use gpio::Gpio;
pub use inlet::Edid;
pub use listen::{Listen, ListenError};
pub use load::{load, load_or_default, parse};
pub use microphone::Microphone;
pub use pinhole_service::config::ConfigError;
use pinhole_service::config::Objection;
pub use small::SmallBitrate;
pub use speaker::Speaker;
pub use stun::{StunServer, StunServerError};

/// Everything that `node.toml` says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What viewers see in their list; the host name where it is not given.
    #[serde(deserialize_with = "name")]
    pub name: Option<String>,
    /// The server to sign in to.
    pub signaling: Signaling,
    /// The cameras.
    #[serde(rename = "camera")]
    pub cameras: Cameras,
    /// How the picture is encoded.
    pub video: Video,
    /// The microphone; none where the section is missing.
    #[serde(deserialize_with = "microphone::one")]
    pub microphone: Option<Microphone>,
    /// Where viewers are heard. None: nowhere.
    pub speaker: Option<Speaker>,
    /// How viewers are reached.
    pub webrtc: Webrtc,
    /// Where the status is told.
    pub http: Http,
    /// What hangs on the board's pins.
    pub gpio: Gpio,
    /// What viewers may do besides watching.
    pub control: Control,
}

/// `[signaling]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signaling {
    /// The server's address, `http://HOST:PORT`.
    #[serde(deserialize_with = "parsed")]
    pub server: ServerUrl,
    /// The file with the server's access token; absolute.
    #[serde(deserialize_with = "pinhole_service::config::absolute")]
    pub token_file: Option<PathBuf>,
    /// What the file held when the configuration was loaded: another token makes another configuration.
    #[serde(skip)]
    pub token: Option<Token>,
}

/// `[video]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Video {
    /// The encoders' rate.
    #[serde(deserialize_with = "bitrate")]
    pub bitrate: Bitrate,
    /// That of the small picture.
    pub small_bitrate: SmallBitrate,
    /// What may encode.
    pub encoders: Encoders,
}

/// `[webrtc]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webrtc {
    /// The UDP port of all viewers; 0 takes a free one.
    pub udp_port: u16,
    /// STUN servers, for viewers outside of this network.
    pub ice_servers: Vec<StunServer>,
    /// Viewers at the same time.
    #[serde(deserialize_with = "viewers")]
    pub max_viewers: usize,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where the status page, `/health` and `/metrics` are served.
    pub listen: Listen,
    /// The file with the token that everybody has to show who asks; absolute.
    #[serde(deserialize_with = "pinhole_service::config::absolute")]
    pub token_file: Option<PathBuf>,
    /// What the file held when the configuration was loaded.
    #[serde(skip)]
    pub token: Option<Token>,
    /// Names of this machine besides those that can be nobody else's.
    pub hosts: Vec<HostName>,
    /// Pages from elsewhere that may read the status.
    pub allow_origins: Vec<AllowedOrigin>,
}

impl Default for Video {
    fn default() -> Self {
        Self {
            bitrate: Bitrate::from_bps(2_000_000),
            small_bitrate: SmallBitrate::default(),
            encoders: Encoders::default(),
        }
    }
}

impl Default for Webrtc {
    fn default() -> Self {
        Self {
            udp_port: 0,
            ice_servers: Vec::new(),
            max_viewers: 20,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Listen::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 8889))),
            token_file: None,
            token: None,
            hosts: Vec::new(),
            allow_origins: Vec::new(),
        }
    }
}

impl Video {
    fn objection(&self) -> Option<Objection> {
        let SmallBitrate::At(small) = self.small_bitrate else {
            return None;
        };
        let words = format!(
            "`small_bitrate` is {small}, which is not less than the `bitrate` of the whole picture, {}; it is for those whose network \
             carries less",
            self.bitrate
        );
        (small >= self.bitrate).then(|| Objection::new("video.small_bitrate", words).with("video.bitrate"))
    }
}

impl Http {
    /// Who may ask for the status.
    pub fn access(&self) -> pinhole_http::Access {
        pinhole_http::Access {
            token: self.token.clone(),
            hosts: self.hosts.clone(),
            allow_origins: self.allow_origins.clone(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Config {
    /// The node's name, with which each camera's member on the server begins.
    pub fn display_name(&self) -> String {
        self.name.clone().unwrap_or_else(host_name)
    }

    /// What keys say together that can't be.
    fn objections(&self) -> Vec<Objection> {
        let several = self.cameras.len() > 1;
        let with_encoders = self.cameras.iter().enumerate().filter_map(|(index, camera)| {
            let (key, mistake) = self.contradiction_of(camera)?;
            let words = if several {
                format!("{}: {mistake}", self.cameras.title(camera))
            } else {
                mistake.to_owned()
            };
            let at = |key| format!("camera.{index}.{key}");
            let objection = Objection::new(at(key), words).with("video.encoders");
            Some(objection.with(at("device")))
        });
        let mut objections: Vec<_> = with_encoders.collect();
        objections.extend(self.cameras.objections());
        objections.extend(self.video.objection());
        objections.extend(self.gpio.objections());
        objections
    }

    fn contradiction_of(&self, camera: &Camera) -> Option<(&'static str, &'static str)> {
        let passes = self.video.encoders.place(Encoder::Passthrough).is_some();
        let is_h264 = camera.format == Some(PixelFormat::H264);
        match &camera.device {
            Device::Command(_) if camera.format.is_some() => Some((
                "format",
                "`format` in [[camera]] chooses among a camera's formats, and a command has one only; remove it: what the command \
                 writes is the `format` within `device`",
            )),
            device if device.is_encoded() && !passes => Some((
                "device",
                "the camera's `device` writes H.264, which is only ever passed on, and `encoders` in [video] has no \
                 \"passthrough\"; add it there, or have the command write \"mjpeg\" or \"yuv420p\"",
            )),
            Device::Name(_) if is_h264 && !passes => Some((
                "format",
                "`format` in [[camera]] is H.264, which is only ever passed on, and `encoders` in [video] has no \
                 \"passthrough\"; add it there, or name another format",
            )),
            _ => None,
        }
    }
}

fn host_name() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    if name.is_empty() {
        "pinhole".to_owned()
    } else {
        name.into_owned()
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(de::Error::custom)
}

/// Less than this is no picture any more, and more than a network carries for several viewers is a slip of the unit.
const BITRATES: std::ops::RangeInclusive<u64> = 10_000..=100_000_000;

fn bitrate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bitrate, D::Error> {
    let bitrate = Bitrate::deserialize(deserializer)?;
    if BITRATES.contains(&bitrate.bps()) {
        return Ok(bitrate);
    }
    Err(de::Error::custom(format!(
        "`bitrate` of the picture is {bitrate}; it must be 10k to 100M"
    )))
}

/// More than this no machine encrypts for.
const MOST_VIEWERS: usize = 1000;

fn viewers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let viewers = usize::try_from(number).ok();
    viewers
        .filter(|viewers| (1..=MOST_VIEWERS).contains(viewers))
        .ok_or_else(|| {
            let none = if number == 0 {
                ", with which nobody could watch"
            } else {
                ""
            };
            de::Error::custom(format!(
                "`max_viewers` is {number}{none}; it must be 1 to {MOST_VIEWERS}"
            ))
        })
}

/// What people read in a list, and write to say which node they mean.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if !name.is_empty() && name.trim() == name && !name.contains(char::is_control) {
        return Ok(Some(name));
    }
    Err(de::Error::custom(format!(
        "{name:?} can't be the node's `name`: it has a letter at least, and no control characters and no space at its ends; \
         without it the host name is taken"
    )))
}

/// A number, with a point or without, or a fraction in quotes.
fn frame_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FrameRate, D::Error> {
    struct Rate;

    impl de::Visitor<'_> for Rate {
        type Value = FrameRate;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("frames per second, 1 to 240, as 30, 7.5 or \"30000/1001\"")
        }

        #[allow(clippy::cast_precision_loss, reason = "only small ones are rates")]
        fn visit_i64<E: de::Error>(self, fps: i64) -> Result<FrameRate, E> {
            self.visit_f64(fps as f64)
        }

        #[allow(clippy::cast_precision_loss, reason = "only small ones are rates")]
        fn visit_u64<E: de::Error>(self, fps: u64) -> Result<FrameRate, E> {
            self.visit_f64(fps as f64)
        }

        fn visit_f64<E: de::Error>(self, fps: f64) -> Result<FrameRate, E> {
            FrameRate::from_decimal(fps).map_err(|error| E::custom(format!("`fps`: {error}")))
        }

        fn visit_str<E: de::Error>(self, fps: &str) -> Result<FrameRate, E> {
            fps.parse()
                .map_err(|error: FrameRateError| E::custom(format!("`fps`: {error}")))
        }
    }

    deserializer.deserialize_any(Rate)
}

fn pixel_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PixelFormat>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "auto" => Ok(None),
        written => written.parse().map(Some).map_err(de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::VideoInput;

    fn read(text: &str) -> Result<Config, String> {
        parse(text, "node.toml".as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_says_what_the_defaults_are() {
        let sample = include_str!("../../../config/node.toml");
        assert_eq!(read(sample), Ok(Config::default()), "as it is");
        // Every key is in the sample, commented out: with the marks removed it must still be the default.
        let keys: String = sample
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let mut expected = Config {
            name: Some("porch".into()),
            ..Config::default()
        };
        expected.signaling.token_file = Some("/run/credentials/pinhole-node.service/pinhole.token".into());
        expected.http.token_file = expected.signaling.token_file.clone();
        expected.cameras = Camera {
            name: Some("front".to_owned()),
            input: Some(VideoInput::Number(0)),
            controls: [("brightness".to_owned(), 128)].into(),
            ..Camera::default()
        }
        .into();
        expected.microphone = Some(Microphone::default());
        // Every key of `[gpio]` is an example; what it means is tested in its own place.
        let examples = keys
            .split("\n[gpio]\n")
            .nth(1)
            .and_then(|rest| rest.split("\n[control]\n").next());
        let examples = format!("[gpio]\n{}", examples.expect("the section is there"));
        expected.gpio = read(&examples).expect("valid").gpio;
        let parts = expected.gpio.pins();
        assert_eq!(parts.len(), 6, "{parts:?}");
        let least = "[[gpio.output]]\nname = \"light\"\npin = 23\n[[gpio.input]]\nname = \"door\"\npin = 24\n\
                     [[gpio.servo]]\nname = \"pan\"\npin = 12\n[gpio.status]\npin = 17\n[gpio.tally]\npin = 27\n\
                     [gpio.privacy]\npin = 22";
        assert_eq!(
            read(least).map(|config| config.gpio),
            Ok(expected.gpio.clone()),
            "the rest are the defaults"
        );
        expected.control.socket = Some("/run/pinhole/control.sock".into());
        expected.webrtc.ice_servers = vec!["stun:stun.example.org:3478".parse().expect("a server")];
        expected.speaker = Some(Speaker::default());
        assert_eq!(read(&keys), Ok(expected), "with every key");
    }

    #[test]
    fn samples_of_cameras_are_valid() {
        let in_file = include_str!("../../../config/node.toml").lines();
        let in_file = in_file.filter_map(|line| {
            line.strip_prefix("# ")
                .filter(|line| line.starts_with("device = "))
        });
        let in_file: Vec<_> = in_file.map(|line| format!("[[camera]]\n{line}")).collect();
        let page = include_str!("../../../docs/cameras.md");
        let in_page = page.split("```").filter_map(|part| part.strip_prefix("toml\n"));
        let in_page: Vec<_> = in_page
            .filter(|part| part.starts_with("[[camera]]"))
            .map(str::to_owned)
            .collect();
        assert_eq!((in_file.len(), in_page.len()), (5, 7));
        for sample in in_file.into_iter().chain(in_page) {
            for camera in read(&sample).expect(&sample).cameras.iter() {
                let is_real = match &camera.device {
                    Device::Command(_) => true,
                    Device::Name(name) => name.starts_with("/dev/v4l/by-id/") || name == "unicam",
                };
                assert!(is_real, "{sample}");
            }
        }
    }

    #[test]
    fn the_small_picture_has_a_quarter_of_the_bits_unless_told_otherwise() {
        let small = |text: &str| {
            let video = read(text).expect(text).video;
            video.small_bitrate.beside(video.bitrate).map(Bitrate::bps)
        };
        for (text, expected) in [
            ("", Some(500_000)),
            ("[video]\nbitrate = \"1M\"", Some(250_000)),
            ("[video]\nbitrate = \"20k\"", Some(10_000)),
            ("[video]\nsmall_bitrate = \"auto\"", Some(500_000)),
            ("[video]\nsmall_bitrate = \"off\"", None),
            ("[video]\nsmall_bitrate = \"300k\"", Some(300_000)),
            ("[video]\nsmall_bitrate = 300000", Some(300_000)),
        ] {
            assert_eq!(small(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, expected) in [
            ("[video]\nbitrat = \"2M\"", "line 2"),
            ("[video]\nbitrat = \"2M\"", "did you mean `bitrate`?"),
            ("[video]\nbitrate = \"2 elephants\"", "2 elephants"),
            ("[signaling]\nserver = \"ftp://x\"", "line 2"),
            ("[signaling]\ntoken_file = \"token\"", "line 2"),
            ("[signaling]\ntoken_file = \"token\"", "not an absolute path"),
            ("[[camera]]\nfps = 0", "1 to 240"),
            ("[[camera]]\nfps = 0.5", "0.5 is no rate"),
            ("[[camera]]\nfps = -30", "-30 is no rate"),
            ("[[camera]]\nfps = 240.1", "line 2"),
            ("[[camera]]\nfps = nan", "as 30, 7.5 or 59.94"),
            ("[[camera]]\nfps = \"30/0\"", "`30/0` is no rate"),
            ("[[camera]]\nfps = \"fast\"", "\"30000/1001\""),
            ("[[camera]]\nfps = true", "frames per second"),
            ("[[camera]]\nfps = [30]", "frames per second"),
            ("[[camera]]\nsize = \"big\"", "1280x720"),
            ("[[camera]]\nformat = \"YUV2\"", "`YUV2` is no format"),
            ("[[camera]]\nformat = \"YUV2\"", "NV12, NV21"),
            ("[[camera]]\nformat = \"YUV2\"", "MJPEG, H.264"),
            (
                "[[camera]]\ndevice = \"pattern\"\nformat = \"nv12\"",
                "no choice of formats",
            ),
            ("[camera]", "two brackets"),
            (
                "[[camera]]\nname = \"a\"\n[[camera]]\nname = \"b\"\nformat = \"h264\"\ndevice = \"0\"\n[video]\nencoders = [\"software\"]",
                "camera b: `format` in [[camera]] is H.264",
            ),
            ("[webrtc]\nudp_port = 70000", "line 2"),
            (
                "[webrtc]\nmax_viewers = 0",
                "line 2: `max_viewers` is 0, with which nobody could watch; it must be 1 to 1000",
            ),
            (
                "[webrtc]\nmax_viewers = 1001",
                "`max_viewers` is 1001; it must be 1 to 1000",
            ),
            (
                "[webrtc]\nmax_viewers = -1",
                "`max_viewers` is -1; it must be 1 to 1000",
            ),
            (
                "[video]\nbitrate = 10_000_000_000",
                "line 2: `bitrate` of the picture is 10000.0 Mbit/s; it must be 10k to 100M",
            ),
            (
                "[video]\nsmall_bitrate = \"tiny\"",
                "line 2: `tiny` is no `small_bitrate`",
            ),
            ("[video]\nsmall_bitrate = 0.5", "`small_bitrate` is"),
            (
                "[video]\nsmall_bitrate = \"9k\"",
                "line 2: `small_bitrate` is 9 kbit/s; it must be 10k to 100M, \"auto\" or \"off\"",
            ),
            (
                "[video]\nsmall_bitrate = \"2M\"",
                "line 2: `small_bitrate` is 2.0 Mbit/s, which is not less than the `bitrate`",
            ),
            (
                "[video]\nbitrate = 2",
                "`bitrate` of the picture is 2 bit/s; it must be 10k to 100M",
            ),
            (
                "[[camera]]\ndevice = \"\"",
                "line 2: `device` is empty; write a camera as \"/dev/video0\"",
            ),
            ("[[camera]]\ndevice = \" \"", "`device` is empty"),
            (
                "[[camera]]\ndevice = { command = \"ffmpeg -i x\", format = \"h264\" }",
                "line 2: `command` is the text \"ffmpeg -i x\"; it has to be a list: write [\"ffmpeg\", \"-i\", \"x\"]",
            ),
            (
                "[[camera]]\nfps = 7,5",
                "line 2: `7,5` has a comma; a number has a point: 7.5",
            ),
            (
                "[speaker]\nduck = True",
                "line 2: `True` is written in small letters: true",
            ),
            (
                "[camera.controls]\nbrightness = 5",
                "node.toml, line 1: [camera.controls] belongs to the [[camera]] above it, and there is none; write [[camera]] in front",
            ),
            (
                "[webrtc]\nice_servers = [\"turn:relay.example.org\"]",
                "TURN relays are not supported",
            ),
            ("[[camera]]\ndevice = { command = [\"x\"] }", "format"),
            ("[[camera]]\ndevice = { format = \"h264\" }", "command"),
            (
                "[[camera]]\ndevice = { command = [], format = \"h264\" }",
                "rpicam-vid",
            ),
            (
                "[[camera]]\ndevice = { command = [\"x\"], format = \"mpeg\" }",
                "\"h264\", \"mjpeg\", \"yuv420p\" and \"yuvj420p\"",
            ),
            (
                "[[camera]]\ndevice = { command = [\"x\"], formt = \"h264\" }",
                "did you mean `format`?",
            ),
            (
                "[[camera]]\ndevice = { command = [\"x\"], format = \"mpeg\" }",
                "line 2",
            ),
            ("[[camera]]\ndevice = 0", "\"/dev/video0\""),
            (
                "[video]\nencoders = [\"hardware\"]",
                "\"passthrough\", \"m2m\" and \"software\"",
            ),
            ("[video]\nencoders = []", "empty"),
            ("[video]\nencoders = [\"software\", \"software\"]", "twice"),
            (
                "[[camera]]\ndevice = { command = [\"x\"], format = \"h264\" }\n[video]\nencoders = [\"software\"]",
                "device` writes H.264, which is only ever passed on",
            ),
            (
                "[[camera]]\nformat = \"h264\"\n[video]\nencoders = [\"software\"]",
                "format` in [[camera]] is H.264",
            ),
            (
                "[[camera]]\nformat = \"nv12\"\ndevice = { command = [\"x\"], format = \"mjpeg\" }",
                "within `device`",
            ),
            ("[http]\nlisten = \"8889\"", "ADDRESS:PORT"),
            ("[http]\nlisten = \"8889\"", "line 2"),
            (
                "[http]\n\nhosts = [\"porch.example:8889\"]",
                "line 3: `porch.example:8889` is no host name; write it without scheme and port",
            ),
            (
                "[http]\nallow_origins = [\"porch.example\"]",
                "line 2: `porch.example` is no origin; write scheme, host",
            ),
            ("[http]\nhost = [\"porch\"]", "did you mean `hosts`?"),
            ("[http]\ntoken_file = \"token\"", "not an absolute path"),
            ("[microphone]", "microphone"),
            (
                "[speaker]\nallow = \"some\"",
                "`allow` is the text \"some\"; it has to be \"nobody\", \"page\" or \"all\"",
            ),
            ("[speaker]\nvolume = 101", "0 to 100 percent"),
            ("[speaker]\nduck = -30", "line 2"),
            ("[speaker]\ndevice = \"\"", "a card's name"),
            ("[speaker]\ndevice = \"a\\u0000\"", "line 2"),
            ("[speaker]\nvolum = 1", "did you mean `volume`?"),
            ("[[microphone]]\n[[microphone]]", "one"),
            ("[[microphone]]\nbitrate = \"1k\"", "6k to 256k"),
            ("[[microphone]]\ngain = 100", "-60 to 40 decibels"),
            ("[[microphone]]\ndevice = \"\"", "no sound device"),
            ("[[microphone]]\nchannel = 64", "0 to 63; ALSA counts them from 0"),
            ("[[microphone]]\nchannel = -1", "line 2"),
            ("[[microphone]]\nchannel = \"left\"", "\"all\""),
            ("[[microphone]]\nchannel = 1.5", "0 to 63"),
            ("[[microphone]]\ndevce = \"tone\"", "did you mean `device`?"),
            ("name = ", "line 1"),
        ] {
            let error = read(text).expect_err(text);
            assert!(
                error.contains(expected),
                "{text:?} gives {error:?}, which lacks {expected:?}"
            );
            assert!(error.contains("node.toml"), "{error}");
        }
    }

    #[test]
    fn a_name_is_one_that_people_can_see_and_write() {
        let read = |name: &str| load::parse(&format!("name = {name}"), "node.toml".as_ref());
        assert_eq!(
            read("'the porch, left'").expect("fine").display_name(),
            "the porch, left"
        );
        for name in ["''", "' '", "'porch '", "\"por\\u001bch\"", "\"a\\nb\""] {
            let error = read(name).expect_err(name).to_string();
            assert!(
                error.contains("line 1: ") && error.contains("can't be the node's `name`"),
                "{error}"
            );
        }
    }

    #[test]
    fn every_mistake_is_told_in_the_order_of_the_file_and_in_plain_words() {
        let text = "nam = \"porch\"\n\
                    [signaling]\nserver = 8888\n\
                    [[camera]]\ndevice = \"C920\"\nsize = 720\nfps = \"many\"\ncontrols = [1]\n\
                    [[camera]]\nname = \"b\"\ndevice = \"C920\"\nformat = \"h264\"\n\
                    [[camera]]\nname = \"b\"\ndevice = { comand = [\"x\"], format = 7 }\n\
                    [video]\nbitrate = true\nencoders = [\"m2m\", \"soft\"]\n\
                    [speaker]\nvolume = -1\nallow = true\n\
                    [[microphone]]\ngain = \"loud\"\n\
                    [webrtc]\nice_servers = [\"turn:a\", \"stun:b\", 5]\nudp_port = 65536\n\
                    [http]\nlisten = 8889\nhosts = \"porch.example\"\n\
                    [gpio.tally]\npin = 17\n\
                    [[gpio.output]]\nname = \"light\"\npin = 17\nsafe = true\n\
                    [[gpio.servo]]\nname = \"light\"\nmin = \"left\"\n\
                    [control]\nsocket = 5\noutputs = \"some\"\n";
        let path = std::path::Path::new("node.toml");
        let lines = parse(text, path).expect_err(text).lines();
        let told: Vec<_> = lines
            .iter()
            .map(|line| line.trim_start_matches("node.toml, line "))
            .map(|line| line.split_once(": ").expect("a line and words"))
            .collect();
        let expected = [
            ("1", "there is no key `nam` here; did you mean `name`?"),
            ("3", "`server` is the number 8888; it has to be text"),
            ("6", "`size` is the number 720"),
            ("7", "`fps`: `many` is no rate"),
            (
                "8",
                "`controls` is a list; it has to be a section, [camera.controls]",
            ),
            (
                "11",
                "the `device` of the camera without a name and of camera b is C920",
            ),
            ("14", "two [[camera]] sections have the `name` \"b\""),
            ("15", "`device` has no `command`, and needs one"),
            ("15", "there is no key `comand` here; did you mean `command`?"),
            ("15", "`format` is the number 7; it has to be text"),
            ("17", "a bitrate is written as"),
            ("18", "`soft` is no encoder"),
            ("20", "`volume` is -1; it must be 0 to 100 percent"),
            (
                "21",
                "`allow` is true; it has to be \"nobody\", \"page\" or \"all\"",
            ),
            ("23", "`gain` is the text \"loud\"; it has to be a number"),
            ("25", "`turn:a`: TURN relays are not supported"),
            ("25", "the number 5 stands in the list `ice_servers`"),
            (
                "26",
                "`udp_port` is the number 65536; it has to be a whole number from 0 to 65535",
            ),
            ("28", "`8889` is no address to listen on"),
            (
                "29",
                "`hosts` is the text \"porch.example\"; it has to be a list: write [\"porch.example\"]",
            ),
            ("34", "pin 17 is used twice in [gpio]"),
            ("35", "`safe` is true; it has to be \"on\" or \"off\""),
            ("36", "this [[gpio.servo]] has no `pin`, and needs one"),
            (
                "37",
                "the name `light` stands twice in [gpio]: for an output and for a servo",
            ),
            ("38", "`min` is the text \"left\"; it has to be a number"),
            ("40", "`socket` is the number 5; it has to be text in quotes"),
            (
                "41",
                "`outputs` is the text \"some\"; it has to be \"nobody\", \"page\" or \"all\"",
            ),
        ];
        for (told, expected) in told.iter().zip(&expected) {
            assert!(
                told.0 == expected.0 && told.1.starts_with(expected.1),
                "{told:?} is not {expected:?}:\n{lines:#?}"
            );
        }
        assert_eq!(told.len(), expected.len(), "{lines:#?}");
        let all = lines.concat();
        for word in [
            "invalid",
            "expected",
            "u16",
            "u32",
            "f64",
            "map",
            "sequence",
            "missing field",
        ] {
            assert!(!all.contains(word), "{word} is in {lines:#?}");
        }
    }

    #[test]
    fn an_address_as_a_device_is_told_the_command_that_reads_it() {
        for (address, part) in [
            ("rtsp://me:secret@192.0.2.9/1", "\"-i\", \"rtsp://...\""),
            (
                "RTSPS://192.0.2.9/1",
                "\"-c:v\", \"copy\", \"-f\", \"h264\", \"-\"], format = \"h264\" }",
            ),
            (
                "http://192.0.2.9/mjpeg",
                "\"-i\", \"http://...\", \"-an\", \"-c:v\", \"mjpeg\"",
            ),
            (
                "HTTPS://192.0.2.9/mjpeg",
                "\"-i\", \"https://...\", \"-an\", \"-c:v\", \"mjpeg\"",
            ),
            (
                "rtmp://192.0.2.9/secret",
                "\"-i\", \"rtmp://...\", \"-an\", \"-c:v\", \"copy\"",
            ),
            ("udp://192.0.2.9:5000", "\"-i\", \"udp://...\""),
            ("file:///secret.mp4", "\"-stream_loop\", \"-1\", \"-i\", \"/...\""),
        ] {
            let error = read(&format!("[[camera]]\ndevice = \"{address}\"")).expect_err(address);
            assert!(error.contains(part) && error.contains("line 2"), "{error}");
            assert!(!error.contains("secret"), "{error}");
            // What it says is valid.
            let how = error.split_once("ffmpeg installed: ").expect("the command").1;
            let how = how.split_once(" (\"A camera").expect("the page").0;
            read(&format!("[[camera]]\n{how}")).expect(how);
        }
    }

    #[test]
    fn an_address_that_no_program_is_known_for_is_named_as_well() {
        for (address, expected) in [
            (
                "onvif://secret@192.0.2.9",
                "an address, onvif://, and what it leads to has to be read by a command; where a program",
            ),
            (
                "v4l2:///dev/video0",
                "an address, v4l2://, and a camera of this machine is named by its path alone",
            ),
            ("\\u001b[2J://x", "an address, \\u{1b}[2j://"),
        ] {
            let error = read(&format!("[[camera]]\ndevice = \"{address}\"")).expect_err(address);
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
            assert!(!error.contains("http") && !error.contains("ffmpeg"), "{error}");
        }
    }

    #[test]
    fn a_microphone_is_all_channels_or_one_of_them() {
        use crate::media::Channels;

        for (text, expected) in [
            ("", Channels::All),
            ("channel = \"all\"", Channels::All),
            ("channel = 0", Channels::Only(0)),
            ("channel = 63", Channels::Only(63)),
        ] {
            let microphone = read(&format!("[[microphone]]\n{text}")).expect(text).microphone;
            assert_eq!(microphone.expect("it is there").channel, expected, "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_number_or_a_fraction() {
        for (text, frames, seconds) in [
            ("30", 30, 1),
            ("30.0", 30, 1),
            ("7.5", 15, 2),
            ("59.94", 60_000, 1001),
            ("\"30000/1001\"", 30_000, 1001),
            ("\"25\"", 25, 1),
        ] {
            let config = read(&format!("[[camera]]\nfps = {text}")).expect(text);
            assert_eq!(config.cameras[0].fps, FrameRate { frames, seconds }, "{text}");
        }
    }

    #[test]
    fn a_device_is_a_name_or_a_command() {
        let device = |text: &str| read(text).expect(text).cameras[0].device.clone();
        assert_eq!(device("[[camera]]\ndevice = \"C920\""), "C920".into());
        let command =
            "[[camera]]\n[camera.device]\ncommand = [\"rpicam-vid\", \"-o\", \"-\"]\nformat = \"yuvj420p\"";
        let expected = Command {
            words: vec!["rpicam-vid".to_owned(), "-o".to_owned(), "-".to_owned()],
            format: Written {
                pixel: PixelFormat::Yu12,
                colour: crate::media::Colour::JPEG,
            },
        };
        assert_eq!(device(command), Device::Command(expected));
        assert_eq!(device(command).to_string(), "rpicam-vid");
    }

    #[test]
    fn the_token_is_read_with_the_file_that_names_it() {
        use std::os::unix::fs::PermissionsExt;

        let directory = std::env::temp_dir().join(format!("pinhole-config-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let (config, token) = (directory.join("node.toml"), directory.join("token"));
        let text = format!("[signaling]\n\ntoken_file = \"{}\"\n", token.display());
        std::fs::write(&config, text).expect("written");

        let error = load(&config).expect_err("there is no token yet").to_string();
        for part in [
            config.display().to_string(),
            token.display().to_string(),
            "signaling.token_file".to_owned(),
        ] {
            assert!(error.contains(&part), "{part} is not in {error}");
        }

        let loaded = |secret: &str| {
            std::fs::write(&token, secret).expect("written");
            std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
            load(&config).expect("valid")
        };
        let (first, second) = (loaded("12345678\n"), loaded("abcdefgh\n"));
        assert_ne!(first, second, "another token is another configuration");
        assert_eq!(second, loaded(" abcdefgh"));
        assert!(!format!("{second:?}").contains("abcdefgh"));
        std::fs::remove_dir_all(&directory).expect("it is there");
    }
}
