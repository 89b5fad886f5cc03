use super::{Camera, Config, Http, Microphone, Signaling, Speaker, Video, Webrtc, cameras::title};
use crate::media::TalkBack;

/// What a new configuration changes, by what has to be done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Cameras that have gone, have come or are others now.
    pub cameras: Vec<CameraChange>,
    /// The encoders' rates.
    pub bitrate: bool,
    /// There is another microphone or another channel of it, one more or one fewer.
    pub microphone: bool,
    /// How its sound is sent.
    pub sound: bool,
    /// The name, the server or its token: sign out and in.
    pub membership: bool,
    /// The loudspeaker: another one, another volume, or whether it lowers the microphone.
    pub speaker: bool,
    /// Who may watch or talk, and how viewers are reached.
    pub viewers: bool,
    /// Where the status is served, and to whom.
    pub status: bool,
    /// What hangs on the pins: those that are used are given up, and taken anew.
    pub gpio: bool,
    /// Who may do what, and the socket of the bridge.
    pub control: bool,
    /// Keys that are obeyed at the next start only.
    pub restart: Vec<&'static str>,
}

/// What becomes of one camera. It is known by its name: under another name it is another camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraChange {
    /// Its name.
    pub name: Option<String>,
    /// What has changed.
    pub what: CameraChanged,
    /// How it is called.
    title: String,
}

/// What has changed of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraChanged {
    /// It is not there any more.
    Removed,
    /// It is new.
    Added,
    /// It has to be opened anew: another device, input, EDID, size, rate, format or encoder.
    Device,
    /// Its controls, and nothing that is more work.
    Controls,
}

impl Changes {
    /// What leads from `old` to `new`.
    pub fn between(old: &Config, new: &Config) -> Self {
        // In full, so that a new key can't be forgotten here.
        let Config {
            name,
            signaling:
                Signaling {
                    server,
                    token_file: _, // what it held is what counts
                    token,
                },
            cameras: _, // below
            video:
                Video {
                    bitrate,
                    small_bitrate,
                    encoders: _, // with the cameras
                },
            speaker,
            webrtc:
                Webrtc {
                    udp_port,
                    ice_servers,
                    max_viewers,
                },
            microphone,
            http:
                Http {
                    listen,
                    token_file: _, // what it held is what counts
                    token: status_token,
                    hosts,
                    allow_origins,
                },
            gpio,
            control,
        } = new;
        let device_and_sound = |microphone: &Option<Microphone>| {
            microphone.clone().map(|microphone| {
                let Microphone {
                    device,
                    channel,
                    bitrate,
                    dtx,
                    gain,
                } = microphone;
                ((device, channel), (bitrate, dtx, gain))
            })
        };
        let (old_device, old_sound) = device_and_sound(&old.microphone).unzip();
        let (device_of_sound, sound) = device_and_sound(microphone).unzip();
        let mut restart = Vec::new();
        if *udp_port != old.webrtc.udp_port {
            // Every running session's candidates name the old port.
            restart.push("webrtc.udp_port");
        }
        Self {
            cameras: cameras(old, new),
            bitrate: *bitrate != old.video.bitrate || *small_bitrate != old.video.small_bitrate,
            microphone: device_of_sound != old_device,
            sound: sound != old_sound,
            membership: *name != old.name || *server != old.signaling.server || *token != old.signaling.token,
            speaker: voice(speaker) != voice(&old.speaker),
            viewers: talk_back(speaker) != talk_back(&old.speaker)
                || *ice_servers != old.webrtc.ice_servers
                || *max_viewers != old.webrtc.max_viewers
                || microphone.is_some() != old.microphone.is_some(),
            status: *listen != old.http.listen
                || *status_token != old.http.token
                || *hosts != old.http.hosts
                || *allow_origins != old.http.allow_origins,
            gpio: *gpio != old.gpio,
            control: *control != old.control,
            restart,
        }
    }

    /// What changes, in words: "bitrate, controls"; empty where nothing does.
    pub fn words(&self) -> String {
        let named = [
            (self.bitrate, "bitrate"),
            (self.microphone, "microphone"),
            (self.sound, "sound"),
            (self.membership, "name, server or token"),
            (self.speaker, "speaker"),
            (self.viewers, "viewers"),
            (self.status, "status page"),
            (self.gpio, "gpio"),
            (self.control, "control"),
        ];
        let named = named.into_iter().filter(|(changed, _)| *changed);
        let named = named.map(|(_, word)| word.to_owned());
        let cameras = self.cameras.iter().map(CameraChange::words);
        cameras.chain(named).collect::<Vec<_>>().join(", ")
    }
}

/// What the loudspeaker itself is told.
fn voice(speaker: &Option<Speaker>) -> Option<(&str, u8, bool)> {
    let Speaker {
        device,
        allow: _, // what decides who is heard, below
        volume,
        duck,
    } = speaker.as_ref()?;
    Some((device, *volume, *duck))
}

/// Who may talk.
fn talk_back(speaker: &Option<Speaker>) -> TalkBack {
    speaker.as_ref().map_or(TalkBack::Nobody, |speaker| speaker.allow)
}

impl CameraChange {
    fn words(&self) -> String {
        let camera = self.title.clone();
        match self.what {
            CameraChanged::Removed => format!("{camera} removed"),
            CameraChanged::Added => format!("{camera} added"),
            CameraChanged::Device => camera,
            CameraChanged::Controls => format!("controls of {camera}"),
        }
    }
}

/// The cameras that are others now; those that have gone first, so that their devices are free for those that come.
fn cameras(old: &Config, new: &Config) -> Vec<CameraChange> {
    let several = old.cameras.len().max(new.cameras.len()) > 1;
    let change = |camera: &Camera, what| CameraChange {
        name: camera.name.clone(),
        what,
        title: title(camera.name.as_deref(), several),
    };
    let is_gone = |before: &&Camera| new.cameras.called(before.name.as_deref()).is_none();
    let removed = old.cameras.iter().filter(is_gone);
    let removed = removed.map(|camera| change(camera, CameraChanged::Removed));
    let others = new.cameras.iter().filter_map(|camera| {
        let what = match old.cameras.called(camera.name.as_deref()) {
            None => CameraChanged::Added,
            Some(before) if is_opened_anew(before, old, camera, new) => CameraChanged::Device,
            Some(before) if before.controls != camera.controls => CameraChanged::Controls,
            Some(_) => return None,
        };
        Some(change(camera, what))
    });
    removed.chain(others).collect()
}

fn is_opened_anew(before: &Camera, old: &Config, camera: &Camera, new: &Config) -> bool {
    // In full, as above.
    let Camera {
        name: _, // the same
        device,
        input,
        edid, // with what its file held
        size,
        fps,
        format,
        controls: _, // obeyed while it is open
    } = camera;
    *device != before.device
        || *input != before.input
        || *edid != before.edid
        || *size != before.size
        || *fps != before.fps
        || *format != before.format
        // Which encoders there are decides which of its formats is taken.
        || new.video.encoders != old.video.encoders
        // A camera that was taken because nobody named it may be somebody's now.
        || new.cameras.named_besides(camera) != old.cameras.named_besides(before)
        // One that another had under another name may be free.
        || new.cameras.before(camera) != old.cameras.before(before)
}

#[cfg(test)]
mod tests {
    use pinhole_signaling::Token;

    use super::*;

    fn config(text: &str) -> Config {
        super::super::load::parse(text, "node.toml".as_ref()).expect(text)
    }

    #[test]
    fn each_key_costs_no_more_than_it_must() {
        for (text, words, restart) in [
            ("", "", &[][..]),
            ("name = \"veranda\"", "name, server or token", &[]),
            (
                "[signaling]\nserver = \"http://192.0.2.1\"",
                "name, server or token",
                &[],
            ),
            ("[[camera]]\ndevice = \"pattern\"", "camera", &[]),
            ("[[camera]]\ninput = 1", "camera", &[]),
            ("[[camera]]\nedid = \"keep\"", "camera", &[]),
            ("[[camera]]\nsize = \"640x480\"", "camera", &[]),
            ("[[camera]]\nfps = 15", "camera", &[]),
            ("[[camera]]\nformat = \"MJPEG\"", "camera", &[]),
            (
                "[[camera]]\ndevice = { command = [\"x\"], format = \"mjpeg\" }",
                "camera",
                &[],
            ),
            (
                "[video]\nencoders = [\"software\", \"passthrough\"]",
                "camera",
                &[],
            ),
            (
                "[[camera]]\ncontrols = { brightness = 1 }",
                "controls of camera",
                &[],
            ),
            ("[video]\nbitrate = \"1M\"", "bitrate", &[]),
            ("[video]\nsmall_bitrate = \"300k\"", "bitrate", &[]),
            ("[video]\nsmall_bitrate = \"off\"", "bitrate", &[]),
            ("[video]\nsmall_bitrate = \"auto\"", "", &[]),
            ("[webrtc]\nmax_viewers = 1", "viewers", &[]),
            ("[webrtc]\nice_servers = [\"stun:192.0.2.1\"]", "viewers", &[]),
            ("[speaker]", "speaker, viewers", &[]),
            ("[speaker]\nallow = \"nobody\"", "speaker", &[]),
            ("[http]\nlisten = \"off\"", "status page", &[]),
            ("[http]\nhosts = [\"porch.example\"]", "status page", &[]),
            ("[http]\nallow_origins = [\"*\"]", "status page", &[]),
            ("[gpio.tally]\npin = 4", "gpio", &[]),
            ("[control]\noutputs = \"all\"", "control", &[]),
            ("[webrtc]\nudp_port = 5000", "", &["webrtc.udp_port"]),
        ] {
            let changes = Changes::between(&Config::default(), &config(text));
            assert_eq!(changes.words(), words, "{text}");
            assert_eq!(changes.restart, restart, "{text}");
        }
    }

    #[test]
    fn another_loudspeaker_concerns_nobody_else() {
        let old = config("[speaker]");
        for (text, words) in [
            ("[speaker]\nallow = \"page\"", ""),
            ("[speaker]\nallow = \"all\"", "viewers"),
            ("[speaker]\nvolume = 50", "speaker"),
            ("[speaker]\nduck = false", "speaker"),
            ("[speaker]\nduck = true", ""),
            ("[speaker]\ndevice = \"Jabra\"", "speaker"),
            ("", "speaker, viewers"),
        ] {
            assert_eq!(Changes::between(&old, &config(text)).words(), words, "{text}");
        }
    }

    #[test]
    fn only_another_microphone_or_channel_opens_a_card_anew() {
        let old = config("[[microphone]]");
        for (text, words) in [
            ("[[microphone]]\nchannel = \"all\"", ""),
            ("[[microphone]]\nchannel = 0", "microphone"),
            ("[[microphone]]\ndevice = \"tone\"", "microphone"),
            ("[[microphone]]\ngain = 6.0", "sound"),
        ] {
            assert_eq!(Changes::between(&old, &config(text)).words(), words, "{text}");
        }
    }

    #[test]
    fn a_camera_that_comes_goes_or_changes_is_no_other_ones_business() {
        let (front, garden) = (
            "[[camera]]\nname = \"front\"\ndevice = \"0\"\n",
            "[[camera]]\nname = \"garden\"\ndevice = \"1\"\n",
        );
        let attic = "[[camera]]\nname = \"attic\"\n";
        for (old, new, words) in [
            (vec![front], vec![front, garden], "camera garden added"),
            (vec![front, garden], vec![garden], "camera front removed"),
            (vec![front, garden], vec![garden, front], ""),
            (
                vec![front],
                vec![garden],
                "camera front removed, camera garden added",
            ),
            (
                vec![""],
                vec!["[[camera]]\n", front],
                "the camera without a name, camera front added",
            ),
            (
                vec![""],
                vec!["[[camera]]\ndevice = \"pattern\"\n", front],
                "the camera without a name, camera front added",
            ),
            // It takes the first that nobody names.
            (
                vec![attic, front],
                vec![attic, front, garden],
                "camera attic, camera garden added",
            ),
            (
                vec![attic, front],
                vec![
                    attic,
                    front,
                    "[[camera]]\nname = \"test\"\ndevice = \"pattern\"\n",
                ],
                "camera test added",
            ),
            // The second goes by a name that may be the first one's.
            (
                vec![front, "[[camera]]\nname = \"c\"\ndevice = \"C920\"\n"],
                vec!["[[camera]]\nname = \"c\"\ndevice = \"C920\"\n"],
                "camera front removed, camera c",
            ),
            (
                vec![front, garden],
                vec![front, garden, "fps = 10\ncontrols = { brightness = 1 }"],
                "camera garden",
            ),
            (
                vec![front, garden],
                vec![front, garden, "controls = { brightness = 1 }"],
                "controls of camera garden",
            ),
            (
                vec![front, garden],
                vec![front, garden, "[video]\nencoders = [\"software\"]"],
                "camera front, camera garden",
            ),
        ] {
            let changes = Changes::between(&config(&old.concat()), &config(&new.concat()));
            assert_eq!(changes.words(), words, "{old:?} -> {new:?}");
        }
    }

    #[test]
    fn another_token_signs_in_anew_and_another_file_with_the_same_one_does_not() {
        let with = |token: &str, file: &str| {
            let mut config = Config::default();
            config.signaling.token = Some(Token::new(token).expect(token));
            config.signaling.token_file = Some(file.into());
            config
        };
        let old = with("open-sesame", "/one");
        for (new, membership) in [
            (with("open-barley", "/one"), true),
            (with("open-sesame", "/two"), false),
            (Config::default(), true),
        ] {
            assert_eq!(Changes::between(&old, &new).membership, membership, "{new:?}");
        }
    }
}
