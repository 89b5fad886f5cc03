//! One node with several cameras: each is a member of its own, and what happens to one is no other one's business.

use std::fs;
use std::net::SocketAddrV4;
use std::time::Duration;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::{HOST, Network};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    CAMERA_CLOSED, CAMERA_OPEN, LESS, MORE, PORT, SESSION_ENDED, SIGNED_IN, binary, server_address,
    server_url, start_node, start_node_in, start_server,
};
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::{Metrics, get};
use pinhole_e2e::stock_server::StockServer;
use pinhole_e2e::viewer::{Viewer, view};
use rustix::process::Signal;
use serde_json::{Value, json};

const FRONT: &str = "[[camera]]\nname = \"front\"\ndevice = \"pattern\"\nsize = \"640x360\"\nfps = 30\n";

/// Another picture, by this shell script.
fn garden(script: &str, size: &str) -> String {
    let device = json!(["sh", "-c", script]);
    format!(
        "[[camera]]\nname = \"garden\"\ndevice = {{ command = {device}, format = \"yuv420p\" }}\nsize = \"{size}\"\nfps = 30\n"
    )
}

/// ffmpeg's test picture of this size.
fn picture(size: &str, options: &str) -> String {
    format!(
        "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size={size}:rate=30 {options} -pix_fmt yuv420p -f rawvideo -"
    )
}

fn config(cameras: &[&str]) -> String {
    format!(
        "name = \"porch\"\n[signaling]\nserver = \"{}\"\n{}",
        server_url(),
        cameras.concat()
    )
}

fn watch(network: &Network, camera: &str) -> Viewer {
    Viewer::watch(network, &server_url(), camera, &["--codec", "h264"], SOON)
}

/// What the log says of this camera since then. How much of the picture the machine has time for is none of the other camera's doing,
/// nor is an encoder of another size that comes of it.
fn said(node: &Process, camera: &str, since: Mark) -> Vec<String> {
    let has_less = node
        .log()
        .since(Mark::default())
        .iter()
        .any(|line| line.contains(LESS));
    let is_of_machine = |line: &str| {
        line.contains(LESS) || line.contains(MORE) || (has_less && line.contains("encoder started"))
    };
    let mut lines = node.log().since(since);
    let place = format!("camera{{name={camera}}}");
    lines.retain(|line| line.contains(&place) && !is_of_machine(line));
    lines
}

fn wait_for(node: &Process, camera: &str, since: Mark, what: &str) -> String {
    let place = format!("camera{{name={camera}}}");
    let line = node
        .log()
        .wait_since(since, SOON, |line| line.contains(&place) && line.contains(what));
    line.unwrap_or_else(|| panic!("{camera}: no {what:?} in\n{}", node.log().tail(60)))
}

fn is_of_size(second: &Value, width: u64, height: u64) -> bool {
    (second["width"].as_u64(), second["height"].as_u64()) == (Some(width), Some(height))
}

mod quick {
    use super::*;

    #[test]
    fn a_camera_that_fails_takes_nothing_from_the_others() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let scratch = Scratch::new("cameras");
        // Once there is this file the picture ends, and does not come again.
        let broken = scratch.path().join("broken");
        let script = format!(
            "test -e {0} && exit 7; ({1}) & while ! test -e {0}; do sleep 0.1; done; kill $!; exit 7",
            broken.display(),
            picture("320x240", "")
        );
        let mut node = start_node(&network, &config(&[FRONT, &garden(&script, "320x240")]));
        for camera in ["front", "garden"] {
            wait_for(&node, camera, Mark::default(), SIGNED_IN);
        }
        let (front, other) = (watch(&network, "porch front"), watch(&network, "porch garden"));
        front.shows(|second| is_of_size(second, 640, 360));
        other.shows(|second| is_of_size(second, 320, 240));
        assert_eq!(get(&network, "/health?strict").0, 200);

        let mark = node.mark();
        fs::write(&broken, "").expect("the directory is ours");
        wait_for(&node, "garden", mark, "no picture: ");
        front.goes_on();
        // Its viewer sees the slate, four times a second.
        other.sees(2..8);
        // The other one thirty times, or ten where the machine is too slow for more.
        front.sees(9..);
        assert_eq!(said(&node, "front", mark), Vec::<String>::new());

        let (code, health) = get(&network, "/health?strict");
        assert!(
            code == 503 && health.contains("no picture of camera garden"),
            "{code} {health}"
        );
        let metrics = Metrics::scrape(&network);
        let state = |camera: &str, state: &str| {
            let texts = [&format!("camera=\"{camera}\""), &format!("state=\"{state}\"")];
            metrics.value("pinhole_camera_state", &texts.map(String::as_str))
        };
        assert_eq!(
            (state("garden", "faulted"), state("front", "live")),
            (Some(1.0), Some(1.0))
        );
        let frames = metrics.value("pinhole_camera_frames_total", &["camera=\"front\""]);
        assert!(frames > Some(0.0), "{frames:?}");
        let (_, status) = get(&network, "/status.json");
        let status: Value = serde_json::from_str(&status).expect("JSON");
        let mut watched: Vec<_> = (0..2)
            .map(|viewer| status["viewers"][viewer]["camera"].clone())
            .collect();
        watched.sort_by_key(Value::to_string);
        assert_eq!(watched, ["front", "garden"], "{status}");

        let mark = node.mark();
        fs::remove_file(&broken).expect("it is there");
        wait_for(&node, "garden", mark, "the picture is back");
        other.goes_on();
        let summary = other.stop();
        assert!(is_of_size(&summary, 320, 240), "{summary}");
        front.stop();
        node.assert_running();
        node.stop();
    }

    #[test]
    fn a_stock_client_picks_either_and_a_new_server_gets_both() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = StockServer::start(&network, SocketAddrV4::new(HOST, PORT));
        let node = start_node(
            &network,
            &config(&[FRONT, &garden(&picture("320x240", ""), "320x240")]),
        );
        let mut client = Peer::stock_client(&network);
        client.ask(
            "sign_in",
            json!({"server": server_address().to_string(), "name": "viewer@pc"}),
        );
        for (camera, width) in [("porch front", 640), ("porch garden", 320), ("porch front", 640)] {
            let member = client.ask("await_member", json!({"name": camera}))["member"].clone();
            client.ask("call", json!({"member": member, "camera": true}));
            let frames = client.ask("frames", json!({"changing": 11}));
            assert_eq!(frames["width"], width, "{camera}: {frames}");
            let mark = node.mark();
            client.ask("hang_up", json!({}));
            node.wait_for_line_since(mark, SESSION_ENDED, SOON);
        }

        // A member that the server has lost comes back, whatever the other does.
        let mark = node.mark();
        server.forget("porch garden");
        wait_for(&node, "garden", mark, SIGNED_IN);
        assert!(server.is_signed_in("porch front"));
        assert_eq!(said(&node, "front", mark), Vec::<String>::new());
        drop(server);
        for camera in ["front", "garden"] {
            wait_for(&node, camera, mark, "not signed in");
        }
        let mark = node.mark();
        let server = start_server(&network);
        for camera in ["front", "garden"] {
            wait_for(&node, camera, mark, SIGNED_IN);
        }
        node.stop();
        let (_, members) = view(&network, &server_url(), &["list"], SOON);
        assert!(!members.contains("porch"), "they did not sign out: {members}");
        server.stop();
    }

    #[test]
    fn a_camera_comes_changes_and_goes_while_another_is_watched() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let scratch = Scratch::new("cameras");
        let file = scratch.path().join("node.toml");
        let write = |cameras: &[&str]| fs::write(&file, config(cameras)).expect("the directory is ours");
        write(&[FRONT]);
        let mut command = network.command(binary("pinhole-node"));
        command.arg("--config").arg(&file);
        let (mut node, _) = Process::spawn("pinhole-node", command);
        node.wait_for_line(SIGNED_IN);
        let front = watch(&network, "porch front");
        wait_for(&node, "front", Mark::default(), "first frame sent");
        let start = node.mark();

        let reload = |node: &mut Process, cameras: &[&str], words: &str| {
            let mark = node.mark();
            write(cameras);
            node.signal(Signal::HUP);
            let line = node.wait_for_line_since(mark, words, SOON);
            (mark, line)
        };
        let small = garden(&picture("320x240", ""), "320x240");
        let (mark, _) = reload(&mut node, &[FRONT, &small], "camera garden added");
        wait_for(&node, "garden", mark, SIGNED_IN);
        let other = watch(&network, "porch garden");
        other.shows(|second| is_of_size(second, 320, 240));
        front.goes_on();

        // A mistake changes nothing.
        let twice = small.replace("garden", "front");
        let (_, line) = reload(&mut node, &[FRONT, &twice], "the old configuration stays");
        assert!(
            line.contains("line 10") && line.contains("`name` \"front\""),
            "{line}"
        );
        other.goes_on();

        let wide = garden(&picture("480x270", ""), "480x270");
        reload(&mut node, &[FRONT, &wide], "changed=\"camera garden\"");
        other.shows(|second| is_of_size(second, 480, 270));

        // Seconds later it could be noticed by the media alone; it is told.
        let (mark, _) = reload(&mut node, &[FRONT], "camera garden removed");
        let ended = wait_for(&node, "garden", mark, SESSION_ENDED);
        assert!(ended.contains("removed from the configuration"), "{ended}");
        let summary = other.end();
        assert_eq!(summary["ended"], "hung-up", "{summary}");
        wait_for(&node, "garden", mark, "signed out");
        wait_for(&node, "garden", mark, "encoder stopped");
        let listed = eventually(SOON, || {
            let (_, members) = view(&network, &server_url(), &["list"], SOON);
            (members.contains("porch front") && !members.contains("garden")).then_some(())
        });
        assert!(listed.is_some());
        let forgotten = eventually(SOON, || {
            let metrics = Metrics::scrape(&network);
            (!metrics.text().contains("garden")).then_some(())
        });
        assert!(forgotten.is_some(), "{}", Metrics::scrape(&network).text());

        // Nothing of it was the other one's business.
        front.goes_on();
        assert_eq!(said(&node, "front", start), Vec::<String>::new());
        // The same name again is a new camera.
        let (mark, _) = reload(&mut node, &[FRONT, &small], "camera garden added");
        wait_for(&node, "garden", mark, SIGNED_IN);
        watch(&network, "porch garden").stop();
        front.stop();
        wait_for(&node, "front", start, CAMERA_CLOSED);
        node.stop();
    }
}

mod everything {
    use super::*;

    #[test]
    fn a_device_that_two_cameras_name_is_the_first_ones() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot_with(&network, &["vivid=n_devs=1 node_types=0x1"]);
        let _server = start_server(&network);
        let camera = |name: &str, device: &str| {
            format!("[[camera]]\nname = \"{name}\"\ndevice = \"{device}\"\nsize = \"320x180\"\nfps = 12.5\n")
        };
        let cameras = [camera("front", "/dev/video0"), camera("garden", "vivid")];
        let node = start_node_in(&guest, &config(&[&cameras[0], &cameras[1]]));
        let patience = Duration::from_secs(60);
        // It is watched first, and the first one's device is free by then.
        let garden = Viewer::watch(&network, &server_url(), "porch garden", &[], patience);
        let line = wait_for(&node, "garden", Mark::default(), "no picture: ");
        assert!(
            line.contains("which `vivid` means, is camera front's already"),
            "{line}"
        );
        let front = Viewer::watch(&network, &server_url(), "porch front", &[], patience);
        let line = wait_for(&node, "front", Mark::default(), CAMERA_OPEN);
        assert!(line.contains("/dev/video0"), "{line}");
        // The driver has this rate.
        assert!(line.contains("12.5 fps"), "{line}");
        front.goes_on();
        // The slate.
        garden.goes_on();
        front.stop();
        garden.stop();
        node.stop();
    }

    #[test]
    fn auto_takes_the_camera_that_nobody_else_names() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot_with(&network, &["vivid=n_devs=2 node_types=0x1,0x1"]);
        let _server = start_server(&network);
        let camera = |name: &str, device: &str| {
            format!("[[camera]]\nname = \"{name}\"\ndevice = \"{device}\"\nsize = \"320x180\"\nfps = 15\n")
        };
        let cameras = [camera("attic", "auto"), camera("front", "/dev/video0")];
        let mut node = start_node_in(&guest, &config(&[&cameras[0], &cameras[1]]));
        // The one that is named is closed, and left alone all the same.
        let patience = Duration::from_secs(60);
        let attic = Viewer::watch(&network, &server_url(), "porch attic", &[], patience);
        let line = wait_for(&node, "attic", Mark::default(), CAMERA_OPEN);
        assert!(
            line.contains("/dev/video") && !line.contains("/dev/video0"),
            "{line}"
        );
        let front = Viewer::watch(&network, &server_url(), "porch front", &[], patience);
        let line = wait_for(&node, "front", Mark::default(), CAMERA_OPEN);
        assert!(line.contains("/dev/video0"), "{line}");
        attic.goes_on();

        // One loses its device.
        let mark = node.mark();
        guest.must("v4l2-ctl -d /dev/video0 -c inject_fatal_streaming_error=1");
        wait_for(&node, "front", mark, "no picture: ");
        attic.goes_on();
        wait_for(&node, "front", mark, "the picture is back");
        front.goes_on();
        assert_eq!(said(&node, "attic", mark), Vec::<String>::new());
        front.stop();
        attic.stop();
        node.assert_running();
    }
}
