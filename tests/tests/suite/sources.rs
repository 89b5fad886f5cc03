//! Where pictures come from besides plain cameras: commands that write them, and cameras that encode by themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    CAMERA_CLOSED, NO_PICTURE, binary, server_url, start_node, start_node_in, start_server,
};
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::Viewer;
use serde_json::{Value, json};

/// The node says this when it passes on what the camera has encoded.
const PASSTHROUGH: &str = "passthrough started";
/// The node says this when it encodes.
const ENCODER: &str = "encoder started";

/// A node whose camera is `device`, as it stands in the file.
fn config(device: &str) -> String {
    format!(
        "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = {device}\nsize = \"640x360\"\nfps = 30\n",
        server_url()
    )
}

/// The same with a command.
fn command(words: &[&str], format: &str) -> String {
    config(&format!("{{ command = {}, format = {format:?} }}", json!(words)))
}

/// A live test picture that ffmpeg writes with these options.
fn ffmpeg(options: &str, format: &str) -> String {
    let input = "ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=640x360:rate=30 -pix_fmt yuv420p";
    let line = format!("{input} {options} -");
    let words: Vec<&str> = line.split_whitespace().collect();
    command(&words, format)
}

/// As a camera's encoder does it: no picture waits for another, a keyframe every second.
const X264: &str = "-c:v libx264 -preset ultrafast -profile:v baseline -tune zerolatency -g 30";

fn h264() -> String {
    ffmpeg(&format!("{X264} -f h264"), "h264")
}

fn watch(network: &Network, codec: &str) -> Viewer {
    Viewer::watch(network, &server_url(), "porch", &["--codec", codec], SOON)
}

/// That it saw a good part of a moving picture of that size.
fn assert_seen(viewer: Viewer, codec: &str) -> Value {
    let summary = viewer.stop();
    assert_eq!(
        (&summary["codec"], &summary["width"], &summary["height"]),
        (&json!(codec), &json!(640), &json!(360)),
        "{summary}"
    );
    assert!(summary["changed_frames"].as_u64() >= Some(10), "{summary}");
    summary
}

/// Runs ffmpeg on this machine, and gives what it writes; it has to have nothing to complain of.
fn run_ffmpeg(options: &str) -> String {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error"])
        .args(options.split_whitespace());
    let output = ffmpeg.output().expect("ffmpeg is installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{options}: {complaints}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A hash of each decoded picture of a file.
fn pictures(file: &Path) -> Vec<String> {
    let frames = run_ffmpeg(&format!(
        "-i {} -map 0:v -pix_fmt yuv420p -f framemd5 -",
        file.display()
    ));
    let lines = frames.lines().filter(|line| !line.starts_with('#'));
    let hash = |line: &str| line.rsplit(',').next().map(|hash| hash.trim().to_owned());
    lines.filter_map(hash).collect()
}

/// An H.264 stream with a second picture parameter set behind each one, which no slice uses: the same but for its number, which is 1
/// in place of 0.
fn with_second_sets(stream: &[u8]) -> Vec<u8> {
    const START: [u8; 3] = [0, 0, 1];
    const PICTURE_PARAMETERS: u8 = 8;
    let starts: Vec<_> = (0..stream.len())
        .filter(|&at| stream[at..].starts_with(&START))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let mut written = Vec::new();
    for (&start, end) in starts.iter().zip(ends) {
        let unit = &stream[start..end];
        written.extend_from_slice(unit);
        if unit[3] & 0x1f != PICTURE_PARAMETERS {
            continue;
        }
        let end = unit.iter().rposition(|byte| *byte != 0).expect("it has a header");
        // The code of 0 is `1`, that of 1 is `010` (section 9.1 of the standard).
        let bits = unit[4..=end]
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1));
        let mut bits: Vec<u8> = [0, 1, 0].into_iter().chain(bits.skip(1)).collect();
        bits.resize(bits.len().next_multiple_of(8), 0);
        written.extend_from_slice(&unit[..4]);
        written.extend(
            bits.chunks(8)
                .map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)),
        );
    }
    written
}

fn has_said(node: &Process, what: &str) -> bool {
    let lines = node.log().since(Mark::default());
    lines.iter().any(|line| line.contains(what))
}

mod quick {
    use super::*;

    /// As some webcams write them: without an end, filled up with zeros, and now and then one that is cut short.
    #[test]
    fn jpegs_without_an_end_are_pictures_and_half_ones_end_nothing() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let scratch = Scratch::new("jpegs");
        let place = scratch.path().display();
        // Each loses its end, and every third the half of it.
        let script = format!(
            "cd {place} && ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=640x360:rate=30 -frames:v 60 -pix_fmt yuvj420p \
             -q:v 5 whole%d.jpg && n=0; for file in whole*.jpg; do n=$((n + 1)); head -c -2 $file >$n.jpg; \
             if [ $((n % 3)) = 0 ]; then head -c 9000 $file >$n.jpg; elif [ $((n % 3)) = 1 ]; then \
             head -c 5000 /dev/zero >>$n.jpg; fi; done; while :; do for file in [0-9]*.jpg; do cat $file; sleep 0.03; done; done"
        );
        let mut node = start_node(&network, &command(&["sh", "-c", &script], "mjpeg"));
        let viewer = watch(&network, "h264");
        viewer.sees(5..);
        assert_seen(viewer, "h264");
        node.assert_never_said(NO_PICTURE);
        node.assert_running();
        node.stop();
    }

    #[test]
    fn a_command_that_encodes_is_passed_on_to_everybody() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let mut node = start_node(&network, &h264());
        let terminal = watch(&network, "h264");
        let mut page = Peer::chromium(&network);
        page.ask("open", json!({"url": server_url()}));
        page.ask("watch", json!({"camera": "porch"}));
        // In the middle of a second, so of a group of pictures.
        page.ask("wait_live", json!({"within": 40}));
        let frames = page.ask("frames", json!({"distinct": 20}));
        assert_eq!(frames["codec"], "H264", "{frames}");
        page.ask("leave", json!({}));
        assert_seen(terminal, "h264");
        assert!(has_said(&node, PASSTHROUGH));
        assert!(!has_said(&node, ENCODER), "{}", node.log().tail(40));

        // Who has no H.264 gets the same picture, encoded anew.
        assert_seen(watch(&network, "vp8"), "vp8");
        assert!(has_said(&node, ENCODER));
        node.wait_for_line(CAMERA_CLOSED);
        node.assert_running();
        node.stop();
    }

    #[test]
    fn a_stream_of_several_parameter_sets_is_decoded_as_it_was_made() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let scratch = Scratch::new("sets");
        let (file, seen) = (scratch.path().join("sets.h264"), scratch.path().join("seen.mkv"));
        run_ffmpeg(&format!(
            "-f lavfi -i testsrc2=size=640x360:rate=30 -t 30 -pix_fmt yuv420p {X264} -f h264 {}",
            file.display()
        ));
        let stream = with_second_sets(&fs::read(&file).expect("ffmpeg wrote it"));
        fs::write(&file, stream).expect("the directory is ours");
        let name = file.to_str().expect("a plain name");
        let play = [
            "ffmpeg",
            "-nostdin",
            "-v",
            "error",
            "-re",
            "-framerate",
            "30",
            "-i",
            name,
        ];
        let words = [&play[..], &["-c", "copy", "-f", "h264", "-"]].concat();
        let node = start_node(&network, &command(&words, "h264"));
        let record = [
            "--codec",
            "h264",
            "--record",
            seen.to_str().expect("a plain name"),
        ];
        let viewer = Viewer::watch(&network, &server_url(), "porch", &record, SOON);
        // What is shown last may not be in the file.
        viewer.goes_on();
        assert_seen(viewer, "h264");
        // ffmpeg decodes the recording without a complaint, to the pictures that the file has, in their order.
        let made = pictures(&file);
        let seen = pictures(&seen);
        assert!(seen.len() >= 10, "{} pictures", seen.len());
        let mut rest = made.iter();
        for (number, picture) in seen.iter().enumerate() {
            let found = rest.any(|made| made == picture);
            assert!(found, "picture {number} of {} is none of the file's", seen.len());
        }
        // libwebrtc wants to know of each set, too.
        let mut page = Peer::chromium(&network);
        page.ask("open", json!({"url": server_url()}));
        page.ask("watch", json!({"camera": "porch"}));
        page.ask("wait_live", json!({"within": 40}));
        let frames = page.ask("frames", json!({"distinct": 20}));
        assert_eq!(frames["codec"], "H264", "{frames}");
        page.ask("leave", json!({}));
        node.stop();
    }

    #[test]
    fn a_command_that_does_not_encode_is_encoded_here() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        for config in [
            ffmpeg("-f rawvideo", "yuv420p"),
            ffmpeg("-c:v mjpeg -q:v 5 -f mjpeg", "mjpeg"),
        ] {
            let node = start_node(&network, &config);
            assert_seen(watch(&network, "h264"), "h264");
            assert!(has_said(&node, ENCODER) && !has_said(&node, PASSTHROUGH));
            node.stop();
        }
    }

    #[test]
    fn a_command_that_gives_no_picture_is_a_fault_in_words() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        // Each a camera of its own, as one of them takes its time.
        let cases = [
            (
                "ends",
                &["sh", "-c", "echo '[1:2.3] [99] no sensor' >&2; exit 7"][..],
                "no picture: the command sh has ended (exit status: 7); it said last: no sensor",
            ),
            (
                "hangs",
                &["sh", "-c", "echo hm >&2; exec sleep 100"],
                "no picture: the command sh has delivered no picture for 5 s; it said last: hm",
            ),
            (
                "babbles",
                &["sh", "-c", "exec yes"],
                "bytes in which there is no picture in H.264; is its `format` another?",
            ),
            (
                "lacks",
                &["no-such-program"],
                "no picture: the command no-such-program can't be started (No such file or directory",
            ),
        ];
        let cameras = cases.map(|(name, words, _)| {
            let device = format!("{{ command = {}, format = \"h264\" }}", json!(words));
            format!("[[camera]]\nname = {name:?}\ndevice = {device}\nsize = \"640x360\"\nfps = 30\n")
        });
        let signaling = format!("name = \"porch\"\n[signaling]\nserver = \"{}\"\n", server_url());
        let node = start_node(&network, &format!("{signaling}{}", cameras.concat()));
        let viewers = cases.map(|(name, ..)| {
            let camera = format!("porch {name}");
            Viewer::call(&network, &server_url(), &camera, &["--codec", "h264"], SOON)
        });
        for ((name, _, words), viewer) in cases.iter().zip(viewers) {
            let place = format!("camera{{name={name}}}");
            let is_told = |line: &str| line.contains(&place) && line.contains(words);
            let told = node.log().wait_since(Mark::default(), SOON, is_told);
            assert!(told.is_some(), "{name}: no {words:?} in\n{}", node.log().tail(60));
            // The viewer sees the slate meanwhile.
            viewer.brings(4);
            viewer.stop();
        }
        node.stop();
    }

    #[test]
    fn a_command_that_ends_is_started_again() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let scratch = Scratch::new("command");
        let end = scratch.path().join("end");
        let script = format!(
            "ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=640x360:rate=30 -pix_fmt yuv420p {X264} -f h264 - & \
             while ! test -e {0}; do sleep 0.1; done; rm {0}; kill $!; wait; exit 0",
            end.display()
        );
        let node = start_node(&network, &command(&["sh", "-c", &script], "h264"));
        let viewer = watch(&network, "h264");
        for _ in 0..2 {
            let mark = node.mark();
            fs::write(&end, "").expect("the directory is ours");
            node.wait_for_line_since(mark, "has ended (exit status: 0)", SOON);
            node.wait_for_line_since(mark, "the picture is back", SOON);
            viewer.goes_on();
        }
        assert_seen(viewer, "h264");
        node.stop();
    }

    #[test]
    fn a_command_that_ends_again_and_again_is_complained_of_once() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let script = format!(
            "echo 'here I am' >&2; exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=640x360:rate=30 \
         -frames:v 5 -pix_fmt yuv420p {X264} -f h264 -"
        );
        let node = start_node(&network, &command(&["sh", "-c", &script], "h264"));
        let viewer = watch(&network, "h264");
        let mut mark = Mark::default();
        for _ in 0..4 {
            node.wait_for_line_since(mark, "says: here I am", SOON);
            mark = node.mark();
        }
        let said = node.log().since(Mark::default());
        let count = |what: &str| said.iter().filter(|line| line.contains(what)).count();
        assert_eq!(
            (count("no picture"), count("the picture is back")),
            (1, 0),
            "{}",
            node.log().tail(40)
        );
        viewer.stop();
        node.stop();
    }

    #[test]
    fn a_flood_of_complaints_drowns_neither_the_log_nor_the_picture() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let script = "yes 'the lens is dirty' >&2 & exec ffmpeg -nostdin -v error -re -f lavfi \
                  -i testsrc2=size=640x360:rate=30 -pix_fmt yuv420p -f rawvideo -";
        let node = start_node(&network, &command(&["sh", "-c", script], "yuv420p"));
        let viewer = watch(&network, "h264");
        // One line in ten seconds, after the first twenty.
        node.wait_for_line("lines more, which are left out here");
        assert_seen(viewer, "h264");
        let said = node.log().since(Mark::default());
        let complaints = said
            .iter()
            .filter(|line| line.contains("the lens is dirty"))
            .count();
        assert!((20..30).contains(&complaints), "{complaints}");
        node.stop();
    }

    #[test]
    fn a_command_runs_while_somebody_watches_and_never_longer_than_the_node() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        // It says who it is, and what it knows of the node's secrets.
        let script = "echo \"pid=$$ secrets=<$CREDENTIALS_DIRECTORY>\" >&2; exec ffmpeg -nostdin -v error -re -f lavfi \
                  -i testsrc2=size=640x360:rate=30 -pix_fmt yuv420p -f rawvideo -";
        let config = command(&["sh", "-c", script], "yuv420p");
        let node = start_node(&network, &config);
        assert!(!has_said(&node, "pid="), "it runs although nobody watches");

        let mark = node.mark();
        let viewer = watch(&network, "h264");
        let first = process(&node, mark);
        assert!(runs(first));
        viewer.stop();
        node.wait_for_line(CAMERA_CLOSED);
        assert!(!runs(first), "it runs although nobody watches any more");

        let mark = node.mark();
        let viewer = watch(&network, "h264");
        let second = process(&node, mark);
        assert!(second != first && runs(second));
        node.kill();
        eventually(SOON, || (!runs(second)).then_some(())).expect("the command ends with the node");
        viewer.stop();

        let files = Scratch::new("node");
        let file = files.path().join("node.toml");
        // The server still has the one that was killed.
        fs::write(&file, config.replace("porch", "garden")).expect("the directory can be written");
        let mut start = network.command("env");
        start
            .arg("CREDENTIALS_DIRECTORY=/secret")
            .arg(binary("pinhole-node"));
        start.arg("--config").arg(&file);
        let (node, _) = Process::spawn("pinhole-node", start);
        node.wait_for_line("signed in");
        let mark = node.mark();
        let viewer = Viewer::watch(&network, &server_url(), "garden", &["--codec", "h264"], SOON);
        let third = process(&node, mark);
        assert!(has_said(&node, "secrets=<>"), "{}", node.log().tail(20));
        node.stop();
        assert!(!runs(third), "it outlived the node");
        viewer.stop();
    }
}

/// The process whose number the node's log has in a line with `pid=`.
fn process(node: &Process, mark: Mark) -> u32 {
    let line = node.wait_for_line_since(mark, "pid=", SOON);
    let (_, number) = line.rsplit_once("pid=").expect("it was waited for");
    let digits = number.split(|character: char| !character.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).expect("a number")
}

/// Whether it runs; one that nobody has buried yet does not.
fn runs(process: u32) -> bool {
    let stat =
        fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

mod everything {
    use super::*;

    #[test]
    fn a_camera_that_encodes_is_passed_on_and_a_late_viewer_starts_at_a_keyframe() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        guest.must(&format!(
        "ffmpeg -v error -f lavfi -i testsrc2=size=640x360:rate=30 -t 5 -pix_fmt yuv420p {X264} -f mpegts /run/camera.ts"
    ));
        let feeder = guest.start(
            "feeder",
            "ffmpeg -nostdin -re -stream_loop -1 -i /run/camera.ts -c copy -f v4l2 /dev/video10",
        );
        feeder.wait_for_line("Output #0");
        let _server = start_server(&network);
        let mut node = start_node_in(&guest, &config("\"/dev/video10\""));
        let first = watch(&network, "h264");
        node.wait_for_line(PASSTHROUGH);
        let late = watch(&network, "h264");
        late.brings(30);
        assert_seen(late, "h264");
        first.goes_on();
        assert_seen(first, "h264");
        assert!(!has_said(&node, ENCODER), "{}", node.log().tail(40));
        node.assert_running();
    }
}

mod soak {
    use super::*;

    #[test]
    fn a_stream_whose_only_keyframe_has_passed_is_seen_from_there_on() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        // It can't be asked for another one, and its own is ten minutes away. Who is slow to connect comes too late for it.
        let long = X264.replace("-g 30", "-g 18000 -sc_threshold 0");
        let _node = start_node(&network, &ffmpeg(&format!("{long} -f h264"), "h264"));
        let first = watch(&network, "h264");
        let second = watch(&network, "h264");
        for viewer in [first, second] {
            viewer.brings(60);
            assert_seen(viewer, "h264");
        }
    }
}
