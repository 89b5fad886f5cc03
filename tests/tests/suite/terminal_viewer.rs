//! pinhole-view as a person uses it: list, watch, record, with the node and the server of the same build.

use std::path::Path;
use std::process::Command;

use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{binary, node_config, server_url, start_node, start_server};
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::Viewer;
use serde_json::Value;

/// Runs pinhole-view to its end; its exit status and what it printed.
fn view(network: &Network, words: &[&str]) -> (i32, Vec<String>) {
    let mut command = network.command(binary("pinhole-view"));
    command.args(["--server", &server_url()]).args(words);
    let (mut process, _) = Process::spawn("pinhole-view", command);
    let status = process.wait();
    process.log().wait_for_end();
    (status, process.log().since(Mark::default()))
}

/// The summary of a watch in JSON.
fn summary(lines: &[String]) -> Value {
    let last = lines.iter().rfind(|line| line.starts_with("{\"summary\""));
    let line = last.unwrap_or_else(|| panic!("no summary in\n{}", lines.join("\n")));
    serde_json::from_str::<Value>(line).expect("the summary is JSON")["summary"].take()
}

/// What ffprobe counts in the whole of a file, decoding it.
fn probe(file: &Path) -> Value {
    let mut command = Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=codec_name,width,height,nb_read_frames",
    ]);
    let output = command
        .args(["-of", "json"])
        .arg(file)
        .output()
        .expect("ffmpeg is installed (dev/install test)");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "ffprobe: {complaints}"
    );
    serde_json::from_slice::<Value>(&output.stdout).expect("ffprobe was asked for JSON")["streams"][0].take()
}

/// By itself, after so many `seconds`, or until it is told to stop.
fn watch_and_record(codec: &str, seconds: Option<&str>) {
    let network = Network::without_guest();
    let _server = start_server(&network);
    // Small, so that the machine keeps up.
    let config = node_config("porch", "pattern").replace("1280x720", "640x360");
    let _node = start_node(&network, &config);
    let scratch = Scratch::new("recording");
    let file = scratch.path().join(format!("{codec}.mkv"));
    let path = file.to_str().expect("the temporary directory has a plain name");
    let words = ["--codec", codec, "--record", path];
    let summary = match seconds {
        Some(seconds) => {
            let timed = ["watch", "porch", "--json", "--seconds", seconds];
            let (status, lines) = view(&network, &[&timed[..], &words].concat());
            assert_eq!(status, 0, "{}", lines.join("\n"));
            summary(&lines)
        }
        None => {
            let viewer = Viewer::watch(&network, &server_url(), "porch", &words, SOON);
            viewer.brings(20);
            viewer.stop()
        }
    };
    let (ended, pictures) = match seconds {
        Some(_) => ("time-up", 2),
        None => ("stopped", 20),
    };
    assert_eq!(
        (&summary["ended"], &summary["codec"]),
        (&ended.into(), &codec.into()),
        "{summary}"
    );
    assert!(summary["changed_frames"].as_u64() > Some(pictures), "{summary}");
    // The slate has no clock.
    assert!(
        summary["latency_ms"]["median"].is_number(),
        "the pattern's clock was not read: {summary}"
    );

    let video = probe(&file);
    assert_eq!(
        (&video["codec_name"], &video["width"]),
        (&Value::from(codec), &Value::from(640)),
        "{video}"
    );
    let frames = video["nb_read_frames"]
        .as_str()
        .and_then(|count| count.parse::<u64>().ok());
    assert_eq!(
        frames,
        summary["recorded"][0]["frames"].as_u64(),
        "{video} {summary}"
    );
}

mod quick {
    use super::*;

    #[test]
    fn h264_is_watched_and_recorded() {
        if skipped(Need::Network) {
            return;
        }
        watch_and_record("h264", None);
    }

    #[test]
    fn vp8_is_watched_and_recorded() {
        if skipped(Need::Network) {
            return;
        }
        watch_and_record("vp8", Some("1"));
    }

    #[test]
    fn nodes_are_listed_and_a_missing_one_is_named() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let _node = start_node(&network, &node_config("porch", "pattern"));
        let (status, lines) = view(&network, &["list"]);
        assert_eq!(status, 0);
        assert!(lines.iter().any(|line| line.contains("porch")), "{lines:?}");

        let (status, lines) = view(&network, &["watch", "garage", "--wait", "1"]);
        assert_eq!(status, 4);
        let complaint = lines.join("\n");
        assert!(
            complaint.contains("garage") && complaint.contains("porch"),
            "{complaint}"
        );
    }
}
