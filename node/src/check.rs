//! `pinhole-node check`: tries on this machine what a configuration asks for, as the running node would.

use std::{net::ToSocketAddrs, time::Duration};

use pinhole_service::check::{Finding, Verdict};

use crate::{
    app::camera,
    capture::{self, Camera, CaptureError, SoundError, Want},
    config::{self, Config, Listen},
    control::{
        self, Manner,
        gpio::{CONSUMER, GpioError},
    },
    encode::{
        Way,
        m2m::{self, CodedFormat},
    },
    peer, presence, voice,
};

/// How long a camera may take to its first picture. Some need a second or two to find their exposure.
const FIRST_PICTURE: Duration = Duration::from_secs(5);
/// How long a microphone may take to its first sound.
const FIRST_SOUND: Duration = Duration::from_secs(2);
/// How long the server may take for a sign-in.
const SIGN_IN: Duration = Duration::from_secs(5);

/// Tries everything. Takes the camera for a moment, and appears on the server for another.
pub async fn run(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let trials = config.clone();
    let blocking = tokio::task::spawn_blocking(move || {
        let cameras = trials.cameras.iter().flat_map(|one| camera(&trials, one));
        let mut findings: Vec<_> = cameras.collect();
        findings.extend(encoder(&trials));
        findings.extend(microphone(&trials));
        findings.push(viewers(&trials));
        findings.extend(status(&trials));
        findings.extend(stun(&trials));
        findings.extend(pins(&trials));
        findings.extend(socket(&trials));
        findings.extend(speaker(&trials));
        findings
    });
    match blocking.await {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::fails("check", format!("a trial ended early: {error}"))),
    }
    findings.push(server(config).await);
    findings
}

fn camera(config: &Config, wanted: &config::Camera) -> Vec<Finding> {
    let said = |text: String| match &wanted.name {
        Some(name) => format!("{name}: {text}"),
        None => text,
    };
    let camera = camera::device(config, wanted);
    let want = Want {
        // One after the other, below: to say which of them is wrong.
        controls: capture::Controls::new(),
        ..camera::want(config, wanted)
    };
    let failure = |error: &CaptureError| match error {
        // By the node that runs already, in most cases.
        CaptureError::Busy { .. } => Finding::new("camera", Verdict::Note, said(error.to_string())),
        // What is plugged in may be switched on later, and the node waits for it.
        CaptureError::NoSignal { .. }
        | CaptureError::SignalNotStable { .. }
        | CaptureError::SignalChanged { .. } => {
            Finding::new("camera", Verdict::Note, said(error.to_string()))
        }
        _ => Finding::fails("camera", said(with_cause(error))),
    };
    let mut findings: Vec<_> = camera
        .prepare()
        .err()
        .map(|error| Finding::fails("edid", said(with_cause(&error))))
        .into_iter()
        .collect();
    let mut source = match camera.open(&want) {
        Ok(source) => source,
        Err(error) => {
            findings.push(failure(&error));
            return findings;
        }
    };
    let mut described = format!("{}, {}", camera.describe(), source.format());
    if let Some(signal) = source.signal() {
        described = format!("{described}, of the signal {signal} at its input");
    }
    let is_test_picture = wanted.device == "auto".into() && camera.describe() == capture::Pattern.describe();
    findings.push(match source.next(FIRST_PICTURE) {
        Ok(Some(_)) if is_test_picture => Finding::new(
            "camera",
            Verdict::Note,
            said("there is no camera that opens: viewers would see the test picture".to_owned()),
        ),
        Ok(Some(_)) => Finding::works("camera", said(described)),
        Ok(None) => Finding::fails(
            "camera",
            said(format!("{described}: no picture within {FIRST_PICTURE:?}")),
        ),
        Err(error) => failure(&error),
    });
    for (control, value) in &wanted.controls {
        let one = capture::Controls::from([(control.clone(), *value)]);
        findings.push(match source.set_controls(&one) {
            Ok(()) => Finding::works("control", said(format!("{control} = {value}"))),
            Err(error) => Finding::fails("control", said(with_cause(&error))),
        });
    }
    findings
}

/// Whether hardware that may encode is there.
fn encoder(config: &Config) -> Option<Finding> {
    let ways = camera::ways(&config.video.encoders);
    let cameras = config.cameras.iter().filter(|camera| !camera.device.is_encoded());
    let largest = cameras
        .map(|camera| camera.size)
        .max_by_key(|size| size.width * size.height);
    let size = largest.filter(|_| ways.contains(&Way::Hardware))?;
    let found = m2m::discover(CodedFormat::H264);
    match found.iter().find(|found| found.takes_size(size)) {
        Some(found) => Some(Finding::works(
            "encoder",
            format!("{} encodes H.264 in hardware", found.path.display()),
        )),
        // The default names it, and most machines have none.
        None if ways.contains(&Way::Software) => None,
        None => Some(Finding::fails(
            "encoder",
            format!(
                "`encoders` in [video] names \"m2m\" and not \"software\", and there is no H.264 encoder in hardware for {size}, or this \
                 user may not open it (group `video`); add \"software\""
            ),
        )),
    }
}

fn microphone(config: &Config) -> Option<Finding> {
    let microphone = config.microphone.as_ref()?;
    let tried = capture::microphone(&microphone.device, microphone.channel)
        .open()
        .and_then(|mut source| {
            let sound = source.next(FIRST_SOUND)?.map(|sound| sound.samples.len());
            Ok((sound, source.shape().to_string()))
        });
    let device = &microphone.device;
    Some(match tried {
        Ok((Some(_), shape)) => Finding::works("microphone", format!("{device}, {shape}")),
        Ok((None, shape)) => Finding::fails(
            "microphone",
            format!("{device}, {shape}: no sound within {FIRST_SOUND:?}"),
        ),
        // By the node that runs already, in most cases.
        Err(error @ SoundError::Busy { .. }) => Finding::new("microphone", Verdict::Note, error.to_string()),
        Err(error) => Finding::fails("microphone", with_cause(&error)),
    })
}

fn viewers(config: &Config) -> Finding {
    match peer::Transport::bind(config.webrtc.udp_port) {
        Ok(_) if config.webrtc.udp_port == 0 => Finding::works("viewers", "any free UDP port"),
        Ok(_) => Finding::works("viewers", format!("UDP port {}", config.webrtc.udp_port)),
        Err(error) => match running_node() {
            Some(process) => Finding::new(
                "viewers",
                Verdict::Note,
                format!("{error}; perhaps the pinhole-node that runs has it (process {process})"),
            ),
            None => Finding::fails("viewers", error.to_string()),
        },
    }
}

/// Another process of this program, which may hold what seems to be taken.
fn running_node() -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_node = |process: &u32| {
        let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
        *process != std::process::id() && name.is_ok_and(|name| name.trim_end() == "pinhole-node")
    };
    numbers.into_iter().find(is_node)
}

fn status(config: &Config) -> Option<Finding> {
    let Listen::At(address) = config.http.listen else {
        return None;
    };
    Some(match crate::status::Server::bind(address) {
        Ok(_) => Finding::works("status", format!("http://{address}/")),
        // Most likely by the node that runs already; and the camera works without.
        Err(error) => Finding::new("status", Verdict::Note, error.to_string()),
    })
}

fn speaker(config: &Config) -> Option<Finding> {
    let speaker = config.speaker.as_ref()?;
    Some(match voice::try_device(&speaker.device) {
        Ok(device) => Finding::works("speaker", device),
        // By the node that runs already, while somebody talks.
        Err(error @ voice::OutputError::Busy { .. }) => {
            Finding::new("speaker", Verdict::Note, error.to_string())
        }
        Err(error) => Finding::fails("speaker", error.to_string()),
    })
}

fn stun(config: &Config) -> Vec<Finding> {
    let servers = config.webrtc.ice_servers.iter();
    let look_up = |server: &crate::config::StunServer| match (server.host(), server.port()).to_socket_addrs()
    {
        Ok(_) => Finding::works("stun", server.host().to_owned()),
        Err(error) => Finding::new(
            "stun",
            Verdict::Note,
            format!(
                "{} is not found: {error}; viewers outside of this network may not reach the camera",
                server.host()
            ),
        ),
    };
    servers.map(look_up).collect()
}

fn pins(config: &Config) -> Vec<Finding> {
    if config.gpio.is_empty() {
        return Vec::new();
    }
    let running = running_node();
    let manner = match running {
        Some(_) => Manner::Beside,
        None => Manner::Alone,
    };
    let (driver, pins) = control::try_pins(&config.gpio, manner);
    let finding = |(what, outcome)| pin(what, outcome, driver, running);
    pins.into_iter().map(finding).collect()
}

/// What became of one pin, where `running` is the process of a node that runs.
fn pin(
    what: String,
    outcome: Result<bool, GpioError>,
    driver: Option<&str>,
    running: Option<u32>,
) -> Finding {
    match (outcome, driver, running) {
        (Ok(false), _, Some(process)) => Finding::new(
            "gpio",
            Verdict::Note,
            format!(
                "{what}: the pin is there, and was not tried, as pinhole-node runs (process {process}) and may have it; its status \
                 tells how its pins are"
            ),
        ),
        (Ok(_), Some(driver), _) => Finding::works("gpio", format!("{what}, by {driver}")),
        (Ok(_), None, _) => Finding::works("gpio", what),
        (Err(GpioError::Taken { pin, holder }), _, Some(process)) if holder == CONSUMER => Finding::new(
            "gpio",
            Verdict::Note,
            format!("{what}: the pinhole-node that runs has pin {pin} (process {process})"),
        ),
        (Err(error), _, _) => Finding::fails("gpio", format!("{what}: {error}")),
    }
}

fn socket(config: &Config) -> Option<Finding> {
    let path = config.control.socket.as_deref()?;
    let directory = path.parent().filter(|directory| directory.is_dir());
    Some(match directory {
        Some(_) => Finding::works("socket", path.display().to_string()),
        // The service's own directory is there while it runs.
        None => Finding::new(
            "socket",
            Verdict::Note,
            format!(
                "the directory of {} is not there; the service makes /run/pinhole, and no other",
                path.display()
            ),
        ),
    })
}

async fn server(config: &Config) -> Finding {
    let settings = presence::Settings {
        server: config.signaling.server.clone(),
        token: config.signaling.token.clone(),
        // One for all: the server knows no more of the others.
        name: config
            .cameras
            .first()
            .cloned()
            .unwrap_or_default()
            .member(&config.display_name()),
    };
    match tokio::time::timeout(SIGN_IN, presence::try_out(&settings)).await {
        Ok(Ok(others)) => Finding::works(
            "server",
            format!(
                "{} took `{}`; {others} others are there",
                settings.server, settings.name
            ),
        ),
        Ok(Err(error @ presence::Trial::Refused(_))) => Finding::fails("server", with_cause(&error)),
        // It may be switched on later, and the node waits for it.
        Ok(Err(error)) => Finding::new("server", Verdict::Note, with_cause(&error)),
        Err(_) => Finding::new(
            "server",
            Verdict::Note,
            format!("{} did not answer within {SIGN_IN:?}", settings.server),
        ),
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn device(name: &str) -> config::Cameras {
        let camera = config::Camera {
            device: name.into(),
            ..config::Camera::default()
        };
        camera.into()
    }

    fn verdict(findings: &[Finding], subject: &str) -> Verdict {
        let found = findings.iter().find(|finding| finding.subject == subject);
        found.unwrap_or_else(|| panic!("{subject}: {findings:?}")).verdict
    }

    #[tokio::test]
    async fn what_would_fail_is_found() {
        let taken = UdpSocket::bind("[::]:0").expect("a free port");
        let mut config = Config::default();
        config.webrtc.udp_port = taken.local_addr().expect("bound").port();
        config.cameras = device("/dev/no-such-camera");
        config.microphone = Some(config::Microphone {
            device: "no-such-card".to_owned(),
            ..Default::default()
        });
        // A port on which nobody listens, as far as can be known.
        config.signaling.server = "http://127.0.0.1:1".parse().expect("an address");
        let findings = run(&config).await;
        assert_eq!(verdict(&findings, "camera"), Verdict::Fails, "{findings:?}");
        assert_eq!(verdict(&findings, "microphone"), Verdict::Fails, "{findings:?}");
        // A note only where a node runs on this machine.
        assert_ne!(verdict(&findings, "viewers"), Verdict::Works, "{findings:?}");
        assert_eq!(
            verdict(&findings, "server"),
            Verdict::Note,
            "it may come: {findings:?}"
        );
    }

    #[test]
    fn a_device_that_another_camera_has_is_told_with_that_cameras_name() {
        let text = "[[camera]]\nname = \"front\"\ndevice = \"/dev/null\"\n\
                    [[camera]]\nname = \"garden\"\ndevice = \"/dev/./null\"";
        let config: Config = toml::from_str(text).expect("valid");
        let told = |index: usize| camera(&config, &config.cameras[index]).remove(0);
        let (front, garden) = (told(0), told(1));
        assert!(front.text.contains("no V4L2 device"), "{front:?}");
        assert_eq!(garden.verdict, Verdict::Fails);
        assert!(
            garden.text.starts_with("garden: ") && garden.text.contains("is camera front's already"),
            "{garden:?}"
        );
    }

    #[test]
    fn a_pin_that_the_running_node_has_is_no_mistake_and_another_s_is() {
        let taken = |holder: &str| GpioError::Taken {
            pin: "23".to_owned(),
            holder: holder.to_owned(),
        };
        for (outcome, running, expected) in [
            (Ok(true), None, Verdict::Works),
            (Ok(true), Some(7), Verdict::Works),
            // Registers, which a trial would switch.
            (Ok(false), Some(7), Verdict::Note),
            (Err(taken("pinhole-node")), Some(7), Verdict::Note),
            (Err(taken("pinhole-node")), None, Verdict::Fails),
            (Err(taken("lirc")), Some(7), Verdict::Fails),
            (Err(GpioError::NoLine("x".to_owned())), Some(7), Verdict::Fails),
        ] {
            let finding = pin("output `light`".to_owned(), outcome, Some("cdev"), running);
            assert_eq!(finding.verdict, expected, "{finding}");
            assert!(finding.text.contains("output `light`"), "{finding}");
        }
    }

    #[tokio::test]
    async fn what_works_is_said_too() {
        let config = Config {
            cameras: device("pattern"),
            microphone: Some(config::Microphone {
                device: "tone".to_owned(),
                ..Default::default()
            }),
            ..Config::default()
        };
        let findings = run(&config).await;
        assert_eq!(verdict(&findings, "camera"), Verdict::Works, "{findings:?}");
        assert_eq!(verdict(&findings, "microphone"), Verdict::Works, "{findings:?}");
        assert_eq!(verdict(&findings, "viewers"), Verdict::Works, "{findings:?}");
    }
}
