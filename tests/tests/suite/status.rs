//! What the node tells of itself on `[http] listen`, and that it is true.

use std::net::TcpStream;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    CAMERA_CLOSED, SESSION_ENDED, SIGNED_IN, binary, node_config, server_address, server_url, start_node,
    start_node_in, start_server,
};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::{Metrics, STATUS, get};
use pinhole_e2e::viewer::Viewer;
use serde_json::{Value, json};

mod quick {
    use super::*;

    #[test]
    fn a_viewer_is_in_the_figures_while_it_watches_and_no_longer() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let before = Metrics::scrape(&network);
        assert_eq!(before.value("pinhole_viewers", &[]), Some(0.0));
        assert_eq!(before.value("pinhole_camera_state", &["\"idle\""]), Some(1.0));
        assert_eq!(before.value("pinhole_camera_frames_total", &[]), Some(0.0));
        assert!(!before.text().contains("session="), "{}", before.text());

        let viewer = Viewer::watch(&network, &server_url(), "porch", &["--codec", "h264"], SOON);
        // Until it has reported and been measured: about a second.
        let told = eventually(SOON, || {
            let metrics = Metrics::scrape(&network);
            let loss = metrics.value("pinhole_viewer_loss_ratio", &[]);
            let bitrate = metrics.value("pinhole_viewer_bitrate_bytes_per_second", &[]);
            // On one machine: there and back takes no longer than a busy machine makes it.
            let round_trip = metrics.value("pinhole_viewer_round_trip_seconds", &[])?;
            let is_measured = loss.is_some() && round_trip > 0.0 && round_trip < 2.0;
            (is_measured && bitrate > Some(0.0)).then_some(metrics)
        });
        let first = told.expect("the viewer reports, and is sent something");
        let value = |name: &str, texts: &[&str]| {
            let value = first.value(name, texts);
            value.unwrap_or_else(|| panic!("no {name} {texts:?} in\n{}", first.text()))
        };
        assert_eq!(value("pinhole_viewers", &[]), 1.0);
        assert_eq!(value("pinhole_camera_state", &["\"live\""]), 1.0);
        assert_eq!(value("pinhole_health", &["\"ok\""]), 1.0);
        assert_eq!(value("pinhole_signed_in", &[]), 1.0);
        assert_eq!(value("pinhole_encoder_running", &["H.264"]), 1.0);
        assert_eq!(value("pinhole_encoder_running", &["VP8"]), 0.0);
        assert!(value("pinhole_viewer_keyframe_requests_total", &[]) >= 0.0);
        assert!(value("process_resident_memory_bytes", &[]) > 1e6);
        for stage in ["capture", "convert", "encode", "queue", "send"] {
            let count = value("pinhole_stage_duration_seconds_count", &[&format!("\"{stage}\"")]);
            assert!(count > 0.0, "{stage}");
        }
        let seconds = value("pinhole_capture_to_sent_seconds_sum", &[]);
        assert!(seconds > 0.0, "{seconds}");

        // What is counted goes on.
        let grows = |name: &str| {
            let grown = eventually(SOON, || {
                let now = Metrics::scrape(&network).value(name, &[]);
                (now > Some(value(name, &[]))).then_some(())
            });
            assert!(grown.is_some(), "{name} stands still");
        };
        grows("pinhole_camera_frames_total");
        grows("pinhole_viewer_sent_bytes_total");
        grows("pinhole_viewer_sent_frames_total");

        let (_, json) = get(&network, "/status.json");
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["viewers"][0]["stage"], "watching", "{json}");
        assert_eq!(json["cameras"][0]["format"], "1280x720 YU12 30 fps", "{json}");

        let mark = node.mark();
        viewer.stop();
        node.wait_for_line_since(mark, SESSION_ENDED, SOON);
        let after = Metrics::scrape(&network);
        assert!(
            !after.text().contains("session="),
            "a series is left:\n{}",
            after.text()
        );
        assert_eq!(after.value("pinhole_viewers", &[]), Some(0.0));
        let ended = after
            .text()
            .lines()
            .filter(|line| line.starts_with("pinhole_sessions_ended_total{"));
        assert_eq!(
            ended.filter(|line| line.ends_with(" 1.0")).count(),
            1,
            "{}",
            after.text()
        );
        node.wait_for_line_since(mark, CAMERA_CLOSED, SOON);
        let closed = eventually(SOON, || {
            let metrics = Metrics::scrape(&network);
            let running = metrics.value("pinhole_encoder_running", &["H.264"]);
            (metrics.value("pinhole_camera_state", &["\"idle\""]) == Some(1.0) && running == Some(0.0))
                .then_some(())
        });
        assert!(closed.is_some(), "the camera is not said to be closed");
    }

    #[test]
    fn a_lost_server_degrades_the_health_and_a_monitor_may_ask_strictly() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = start_server(&network);
        let mut node = start_node(&network, &node_config("porch", "pattern"));
        assert_eq!(get(&network, "/health").0, 200);
        assert_eq!(get(&network, "/health?strict").0, 200);

        let mark = node.mark();
        server.kill();
        node.wait_for_line_since(mark, "not signed in", SOON);
        let (code, body) = get(&network, "/health");
        assert!(
            code == 200 && body.contains("\"degraded\"") && body.contains(&server_url()),
            "{code} {body}"
        );
        assert_eq!(get(&network, "/health?strict").0, 503);

        let mark = node.mark();
        let _server = start_server(&network);
        node.wait_for_line_since(mark, SIGNED_IN, SOON);
        let back = eventually(SOON, || (get(&network, "/health?strict").0 == 200).then_some(()));
        assert!(back.is_some(), "the health does not come back");
        let sign_ins = Metrics::scrape(&network).value("pinhole_sign_ins_total", &[]);
        assert_eq!(sign_ins, Some(2.0));
        node.assert_running();
    }

    #[test]
    fn a_missing_camera_is_told_while_somebody_wants_it() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let mut node = start_node(&network, &node_config("porch", "no-such-camera"));
        assert_eq!(
            get(&network, "/health?strict").0,
            200,
            "nobody has asked for a picture yet"
        );

        let mut watch = network.command(binary("pinhole-view"));
        watch.args(["--server", &server_url(), "watch", "porch"]);
        let (viewer, _) = Process::spawn("pinhole-view", watch);
        node.wait_for_line("no picture");
        let (code, body) = get(&network, "/health");
        assert!(
            code == 200 && body.contains("degraded") && body.contains("no-such-camera"),
            "{code} {body}"
        );
        assert_eq!(get(&network, "/health?strict").0, 503);
        let metrics = Metrics::scrape(&network);
        assert_eq!(metrics.value("pinhole_camera_state", &["\"faulted\""]), Some(1.0));
        assert_eq!(metrics.value("pinhole_camera_faults_total", &[]), Some(1.0));
        viewer.kill();
        node.assert_running();
    }

    #[test]
    fn a_person_reads_on_the_page_who_watches_and_that_the_node_has_gone() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let mut page = Peer::chromium(&network);
        page.ask("open", json!({"url": format!("http://{STATUS}/")}));
        let reads = |page: &mut Peer, of: &str, text: &str| {
            let read = eventually(SOON, || {
                let shown = page.ask("text", json!({"of": of}))["text"].clone();
                shown
                    .as_str()
                    .is_some_and(|shown| shown.contains(text))
                    .then_some(())
            });
            assert!(read.is_some(), "{of} does not become {text:?}");
        };
        reads(&mut page, "#name", "porch");
        reads(&mut page, "#verdict", "all is well");
        reads(&mut page, "#viewers-title", "Nobody watches");

        // A name that would be an element if it were taken for HTML.
        let name = "<b>\"John\"</b>&amp;";
        let mut client = Peer::stock_client(&network);
        client.ask(
            "sign_in",
            json!({"server": server_address().to_string(), "name": name}),
        );
        let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
        client.ask("call", json!({"member": member, "camera": true}));
        client.ask("frames", json!({"changing": 1}));
        reads(&mut page, "#viewers-title", "1 viewer");
        reads(&mut page, "#viewers tbody td", name);
        reads(&mut page, ".camera .picture", "1280x720");

        node.kill();
        reads(&mut page, "#verdict", "does not answer");
        reads(&mut page, "#viewers tbody td", name);
    }

    #[test]
    fn a_second_node_streams_without_a_status_page_and_says_why() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let off = format!("{}\n[http]\nlisten = \"off\"\n", node_config("cellar", "pattern"));
        let _off = start_node(&network, &off);
        assert!(
            network.inside(|| TcpStream::connect(STATUS)).is_err(),
            "it is served although it is off"
        );
        let _first = start_node(&network, &node_config("porch", "pattern"));
        let mut second = start_node(&network, &node_config("garage", "pattern"));
        let line = second.wait_for_line("no status page");
        assert!(
            line.contains("`listen` under [http]") && line.contains("another node"),
            "{line}"
        );
        let (_, json) = get(&network, "/status.json");
        assert!(json.contains("\"name\":\"porch\""), "{json}");
        second.assert_running();
    }
}

mod everything {
    use super::*;

    #[test]
    fn a_network_that_loses_and_delays_is_in_the_figures() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _server = start_server(&network);
        // Small, for a guest with one processor.
        let config = node_config("porch", "pattern").replace("1280x720", "320x180");
        let _node = start_node_in(&guest, &config);
        let _viewer = Viewer::watch(&network, &server_url(), "porch", &[], SOON);

        let before = Metrics::scrape_in(&guest);
        let quick = before.value("pinhole_viewer_round_trip_seconds", &[]);
        guest.must("tc qdisc add dev vec0 root netem delay 300ms loss 20%");
        let told = eventually(SOON, || {
            let metrics = Metrics::scrape_in(&guest);
            let loss = metrics.value("pinhole_viewer_loss_ratio", &[]);
            let nacked = metrics.value("pinhole_viewer_nacked_packets_total", &[]);
            let round_trip = metrics.value("pinhole_viewer_round_trip_seconds", &[]);
            (loss > Some(0.0) && nacked > Some(0.0) && round_trip >= Some(0.3)).then_some(())
        });
        assert!(
            told.is_some(),
            "the figures do not show it, {quick:?} s there and back before:\n{}",
            Metrics::scrape_in(&guest).text()
        );
    }
}
