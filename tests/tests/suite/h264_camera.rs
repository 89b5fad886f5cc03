//! A camera that encodes, whose driver can be asked for keyframes and told how to encode: the rig's own (dev/rig/h264cam). Its stream
//! has one keyframe in two minutes, so a picture that comes any sooner comes because it was asked for, as the driver's counters show.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::loudly;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use pinhole_e2e::viewer::Viewer;
use rustix::process::Signal;
use serde_json::json;

/// The node says this when it passes on what the camera has encoded.
const PASSTHROUGH: &str = "passthrough started";
/// The node says this when it encodes.
const ENCODER: &str = "encoder started";
/// The node says this when a viewer has a path to it.
const CONNECTED: &str = "viewer connected";

const DEVICE: &str = "/dev/video20";
const RATE: i64 = 30;
/// The pictures of the stream, two minutes.
const PICTURES: i64 = 120 * RATE;

/// Encoded once, for all tests and runs; what it is like stands in its name.
fn stream() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(STREAM);
    if path.exists() {
        return path;
    }
    let unfinished = path.with_extension(std::process::id().to_string());
    let mut encode = Command::new("ffmpeg");
    encode.args(["-v", "error", "-f", "lavfi", "-i"]);
    encode.arg(format!("testsrc2=size=640x360:rate={RATE}"));
    encode.args(["-frames:v", &PICTURES.to_string(), "-pix_fmt", "yuv420p"]);
    encode.args([
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-profile:v",
        "baseline",
        "-b:v",
        "1M",
    ]);
    encode.args(["-g", &PICTURES.to_string(), "-sc_threshold", "0", "-f", "h264"]);
    encode.arg(&unfinished);
    let output = encode.output().expect("ffmpeg is installed (dev/install test)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Another test may have been as quick, with the same.
    fs::rename(&unfinished, &path).expect("both are in one directory");
    path
}

const STREAM: &str = "camera-640x360-30-3600.h264";

/// What the driver has counted.
#[derive(Clone, Copy, Debug)]
struct Counters {
    units: i64,
    keyframes: i64,
    requests: i64,
    forced: i64,
}

/// A guest with that camera, and a node.
struct Scene {
    node: Process,
    guest: Guest,
    network: Network,
    _server: Process,
}

impl Scene {
    /// `options` are more for the driver, `camera` more lines of the camera's part of the configuration.
    fn new(options: &str, camera: &str) -> Self {
        let network = Network::for_guest();
        let guest = Guest::boot_with(
            &network,
            &[&format!("h264cam=stream=/rig/{STREAM} fps={RATE} {options}")],
        );
        guest.give(&stream());
        let server = start_server(&network);
        let node = start_node_in(&guest, &config(camera));
        Self {
            node,
            guest,
            network,
            _server: server,
        }
    }

    /// Has the node obey another configuration.
    fn reload(&mut self, camera: &str) {
        let config = config(camera);
        self.guest
            .must(&format!("cat >/run/node.toml <<'END'\n{config}\nEND"));
        self.node.signal(Signal::HUP);
    }

    fn watch(&self, codec: &str) -> Viewer {
        Viewer::watch(&self.network, &server_url(), "porch", &["--codec", codec], SOON)
    }

    fn control(&self, name: &str) -> i64 {
        let line = self.guest.must(&format!("v4l2-ctl -d {DEVICE} -C {name}"));
        let value = line.rsplit(' ').next().and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("{name} is {line}"))
    }

    fn counters(&self) -> Counters {
        let names = "units keyframes requests forced";
        let lines = self
            .guest
            .must(&format!("cd /sys/kernel/debug/h264cam && cat {names}"));
        let numbers: Vec<i64> = lines.lines().filter_map(|line| line.parse().ok()).collect();
        let [units, keyframes, requests, forced] = numbers[..] else {
            panic!("{names}: {lines}");
        };
        Counters {
            units,
            keyframes,
            requests,
            forced,
        }
    }

    fn orders(&self) -> f64 {
        let name = "pinhole_keyframe_orders_total";
        let orders = Metrics::scrape_in(&self.guest).value(name, &["H.264"]);
        orders.expect("the node counts what it orders")
    }

    /// Has `act` done in the middle of a group of pictures, and shows that it made the camera give keyframes, and that there were
    /// no others. Gives how many.
    fn forces<T>(&self, act: impl FnOnce() -> T) -> (T, i64) {
        let (before, orders) = (self.counters(), self.orders());
        let result = act();
        let after = self.counters();
        let forced = after.forced - before.forced;
        assert!(forced >= 1, "{before:?} {after:?}");
        assert_eq!(after.keyframes - before.keyframes, forced, "{before:?} {after:?}");
        assert!(self.orders() > orders, "the node counts what it orders");
        (result, forced)
    }

    /// Waits for a keyframe that the camera gives by itself: the worst moment to come is behind it.
    fn passes_a_keyframe(&self) {
        let before = self.counters().keyframes;
        eventually(SOON, || (self.counters().keyframes > before).then_some(()))
            .expect("a keyframe by itself");
    }
}

fn config(camera: &str) -> String {
    format!(
        "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = {DEVICE:?}\nsize = \"640x360\"\nfps = {RATE}\n{camera}\n",
        server_url()
    )
}

/// Longer than the stream, so that no keyframe comes by itself.
fn never_by_itself() -> String {
    format!("controls = {{ h264_i_frame_period = {} }}", 10 * PICTURES)
}

/// The viewer's own figure.
fn first_picture(viewer: Viewer) -> u64 {
    let summary = viewer.stop();
    let time = summary["time_to_first_frame_ms"].as_f64();
    time.unwrap_or_else(|| panic!("{summary}")) as u64
}

mod everything {
    use super::*;

    #[test]
    fn the_encoder_of_a_camera_is_told_what_suits_viewers() {
        if skipped(Need::Guest) {
            return;
        }
        let mut scene = Scene::new("", "[video]\nbitrate = 1_500_000");
        let viewer = scene.watch("h264");
        scene.node.wait_for_line(PASSTHROUGH);
        // Keyframes seldom, because they can be asked for.
        assert_eq!(scene.control("h264_i_frame_period"), 10 * RATE);
        assert_eq!(scene.control("repeat_sequence_header"), 1);
        assert_eq!(scene.control("video_bitrate"), 1_500_000);

        let metrics = Metrics::scrape_in(&scene.guest);
        assert_eq!(metrics.value("pinhole_encoder_running", &["H.264"]), Some(0.0));
        assert!(metrics.value("pinhole_encoded_frames_total", &["H.264"]) >= Some(1.0));

        let mark = scene.node.mark();
        scene.reload("[video]\nbitrate = 800_000");
        scene
            .node
            .wait_for_line_since(mark, "the camera's encoder was told its bitrate", SOON);
        assert_eq!(scene.control("video_bitrate"), 800_000);

        // What the configuration names is its own, and ours again when it does not.
        let controls = "controls = { video_bitrate = 3_000_000, h264_i_frame_period = 90 }\n";
        for (controls, bitrate, period) in [(controls, 3_000_000, 90), ("", 700_000, 10 * RATE)] {
            scene.reload(&format!("{controls}[video]\nbitrate = 700_000"));
            let seen = || {
                [
                    scene.control("video_bitrate"),
                    scene.control("h264_i_frame_period"),
                ]
            };
            eventually(SOON, || (seen() == [bitrate, period]).then_some(()))
                .unwrap_or_else(|| panic!("{controls} {:?}\n{}", seen(), scene.node.log().tail(20)));
        }
        viewer.goes_on();
        viewer.stop();
        scene.node.assert_never_said(ENCODER);
    }

    #[test]
    fn a_late_viewer_has_its_picture_at_once_where_the_driver_takes_keyframe_requests() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("", &never_by_itself());
        let first = scene.watch("h264");
        assert_eq!(
            scene.control("h264_i_frame_period"),
            10 * PICTURES,
            "the configuration's own controls win"
        );
        first.goes_on();
        scene.forces(|| scene.watch("h264")).0.stop();
        scene.node.assert_never_said(ENCODER);

        // For one without H.264 the stream is decoded, which begins at a keyframe as well.
        first.goes_on();
        scene.forces(|| scene.watch("vp8")).0.stop();
        first.goes_on();
        let summary = first.stop();
        assert_eq!(summary["discarded"], 0, "{summary}");
    }

    #[test]
    fn a_late_viewer_of_a_camera_that_does_not_obey_waits_and_is_asked_for_again() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("", &never_by_itself());
        let first = scene.watch("h264");
        let obey = |whether| {
            scene
                .guest
                .must(&format!("echo {whether} >/sys/module/h264cam/parameters/obey"))
        };
        obey(0);
        let before = scene.counters();
        let mark = scene.node.mark();
        let late = Viewer::call(&scene.network, &server_url(), "porch", &["--codec", "h264"], SOON);
        scene.node.wait_for_line_since(mark, CONNECTED, SOON);
        // It is asked again, and in vain, while the other viewer's picture goes on.
        eventually(SOON, || {
            (scene.counters().requests >= before.requests + 5).then_some(())
        })
        .unwrap_or_else(|| panic!("{before:?} {:?}", scene.counters()));
        first.goes_on();
        let after = scene.counters();
        assert_eq!((after.forced, after.keyframes), (before.forced, before.keyframes));
        assert!(after.units > before.units, "{before:?} {after:?}");
        let status = scene.guest.must(
            "exec 3<>/dev/tcp/127.0.0.1/8889; printf 'GET /status.json HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
        );
        assert!(status.contains("\"awaiting_keyframe\""), "{status}");

        obey(1);
        late.shows(|figures| figures["codec"].is_string());
        let figures = late.figures();
        assert!(
            figures.iter().any(|figures| figures["codec"].is_null()),
            "it waited: {figures:?}"
        );
        first.goes_on();
        assert!(scene.counters().forced > after.forced);
        late.stop();
        first.stop();
    }

    #[test]
    fn a_late_viewer_waits_for_one_group_at_most_where_the_driver_takes_no_requests() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("button=0", "");
        let first = scene.watch("h264");
        let period = scene.control("h264_i_frame_period");
        assert_eq!(period, 2 * RATE, "they can't be asked for, so they come often");
        scene.passes_a_keyframe();
        scene.watch("h264").stop();
        let counters = scene.counters();
        assert_eq!((counters.requests, counters.forced), (0, 0));
        // The driver did as it was told.
        assert!(
            (counters.units / period..=counters.units / period + 1).contains(&counters.keyframes),
            "{counters:?}"
        );
        scene.node.assert_never_said(ENCODER);
        first.stop();
    }

    #[test]
    fn a_hole_in_the_stream_is_mended_by_a_keyframe_that_is_asked_for() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new("", &never_by_itself());
        let viewer = scene.watch("h264");
        // Between camera and node: nothing that comes after it can be decoded.
        scene.forces(|| {
            scene.guest.must("echo 3 >/sys/kernel/debug/h264cam/lose");
            viewer.goes_on();
        });
        // Between node and viewer, more than can be sent again.
        scene.forces(|| {
            let before = scene.counters().forced;
            scene.guest.must("tc qdisc add dev vec0 root netem loss 60%");
            eventually(SOON, || (scene.counters().forced > before).then_some(()))
                .expect("the viewer asks for a keyframe");
            scene.guest.must("tc qdisc del dev vec0 root");
            viewer.goes_on();
        });
        let metrics = Metrics::scrape_in(&scene.guest);
        assert!(metrics.value("pinhole_viewer_keyframe_requests_total", &[]) >= Some(1.0));
        let summary = viewer.stop();
        assert!(summary["keyframe_requests"].as_u64() >= Some(1), "{summary}");
    }
}

mod soak {
    use super::*;

    #[test]
    fn how_soon_late_viewers_have_their_picture() {
        if skipped(Need::Guest) {
            return;
        }
        const TIMES: usize = 3;
        let scene = Scene::new("", &never_by_itself());
        let first = scene.watch("h264");
        let mut told = Vec::new();
        for codec in ["h264", "vp8"] {
            for _ in 0..TIMES {
                first.goes_on();
                let (late, forced) = scene.forces(|| scene.watch(codec));
                told.push(format!("{codec} {} ms ({forced} keyframes)", first_picture(late)));
            }
        }
        let mut page = Peer::chromium(&scene.network);
        page.ask("open", json!({"url": server_url()}));
        let watch = json!({"camera": "porch", "within": 20});
        let (shown, forced) = scene.forces(|| page.ask("first_frame", watch));
        told.push(format!("Chromium {} ms ({forced} keyframes)", shown["ms"]));
        first.stop();
        drop(scene);

        let scene = Scene::new("button=0", "");
        let first = scene.watch("h264");
        for _ in 0..TIMES {
            scene.passes_a_keyframe();
            let late = first_picture(scene.watch("h264"));
            told.push(format!(
                "{late} ms without requests, behind a keyframe, one in 2 s"
            ));
        }
        first.stop();
        loudly(&format!(
            "first picture amid a group of pictures: {}",
            told.join(", ")
        ));
    }
}
