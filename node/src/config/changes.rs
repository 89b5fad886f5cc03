use super::{Camera, Config, Http, Signaling, Video, Webrtc};

/// What a new configuration changes, by what has to be done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The camera has to be opened anew: another device, size, rate, format or encoder.
    pub camera: bool,
    /// The camera's controls.
    pub controls: bool,
    /// The encoders' rate.
    pub bitrate: bool,
    /// The name, the server or its token: sign out and in.
    pub membership: bool,
    /// Who may watch, and how viewers are reached.
    pub viewers: bool,
    /// Where the status is served.
    pub status: bool,
    /// What hangs on the pins: those that are used are given up, and taken anew.
    pub gpio: bool,
    /// Who may do what, and the socket of the bridge.
    pub control: bool,
    /// Keys that are obeyed at the next start only.
    pub restart: Vec<&'static str>,
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
            camera:
                Camera {
                    device,
                    size,
                    fps,
                    format,
                    controls,
                },
            video: Video { bitrate, encoders },
            webrtc:
                Webrtc {
                    udp_port,
                    ice_servers,
                    max_viewers,
                },
            http: Http { listen },
            gpio,
            control,
        } = new;
        let mut restart = Vec::new();
        if *udp_port != old.webrtc.udp_port {
            // Every running session's candidates name the old port.
            restart.push("webrtc.udp_port");
        }
        Self {
            // Which encoders there are decides which of its formats is taken.
            camera: *device != old.camera.device
                || *size != old.camera.size
                || *fps != old.camera.fps
                || *format != old.camera.format
                || *encoders != old.video.encoders,
            controls: *controls != old.camera.controls,
            bitrate: *bitrate != old.video.bitrate,
            membership: *name != old.name || *server != old.signaling.server || *token != old.signaling.token,
            viewers: *ice_servers != old.webrtc.ice_servers || *max_viewers != old.webrtc.max_viewers,
            status: *listen != old.http.listen,
            gpio: *gpio != old.gpio,
            control: *control != old.control,
            restart,
        }
    }

    /// What changes, in words: "bitrate, controls"; empty where nothing does.
    pub fn words(&self) -> String {
        let named = [
            (self.camera, "camera"),
            (self.controls, "controls"),
            (self.bitrate, "bitrate"),
            (self.membership, "name, server or token"),
            (self.viewers, "viewers"),
            (self.status, "status page"),
            (self.gpio, "gpio"),
            (self.control, "control"),
        ];
        let words: Vec<_> = named
            .into_iter()
            .filter_map(|(changed, word)| changed.then_some(word))
            .collect();
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use pinhole_signaling::Token;

    use super::*;

    fn config(text: &str) -> Config {
        super::super::load::parse(text).expect(text)
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
            ("[[camera]]\ncontrols = { brightness = 1 }", "controls", &[]),
            ("[video]\nbitrate = \"1M\"", "bitrate", &[]),
            ("[webrtc]\nmax_viewers = 1", "viewers", &[]),
            ("[webrtc]\nice_servers = [\"stun:192.0.2.1\"]", "viewers", &[]),
            ("[http]\nlisten = \"off\"", "status page", &[]),
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
