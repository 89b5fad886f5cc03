//! What goes away and comes back: the server, the node, a viewer; and the rest when nobody watches.

use std::time::Duration;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::loudly;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::{
    CAMERA_CLOSED, SESSION_ENDED, SIGNED_IN, node_config, server_url, start_node, start_node_in,
    start_server, wait_for_good_bye,
};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use pinhole_e2e::viewer::Viewer;
use serde_json::{Value, json};

fn view(network: &Network) -> Viewer {
    Viewer::watch(network, &server_url(), "porch", &["--codec", "h264"], SOON)
}

fn watch(network: &Network) -> Peer {
    let mut page = Peer::chromium(network);
    page.ask("open", json!({"url": server_url()}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
    page
}

mod quick {
    use super::*;

    #[test]
    fn a_server_restart_costs_a_running_stream_no_frame() {
        if skipped(Need::Network) {
            return;
        }
        the_server_restarts(json!({"distinct": 60}));
    }

    #[test]
    fn the_page_shows_the_picture_again_after_the_node_was_stopped() {
        if skipped(Need::Network) {
            return;
        }
        the_picture_is_back_after(|node| node.stop());
    }

    #[test]
    fn the_page_shows_the_picture_again_after_the_node_was_killed() {
        if skipped(Need::Network) {
            return;
        }
        the_picture_is_back_after(|node| node.kill());
    }

    #[test]
    fn a_killed_viewer_costs_nothing_soon_and_leaves_no_session() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let viewer = view(&network);
        let before = node.mark();
        viewer.kill();
        // We promise 20 s, and for the session, to which the viewer could come back, 45.
        node.wait_for_line_since(before, CAMERA_CLOSED, Duration::from_secs(20));
        node.wait_for_line_since(before, SESSION_ENDED, Duration::from_secs(45));
    }

    #[test]
    fn nobody_watching_means_no_work() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let value = |name: &str, texts: &[&str]| Metrics::scrape(&network).value(name, texts);
        let frames = || value("pinhole_camera_frames_total", &[]);
        let viewer = view(&network);
        assert_eq!(value("pinhole_encoder_running", &["H.264"]), Some(1.0));
        let before = node.mark();
        viewer.stop();
        node.wait_for_line_since(before, CAMERA_CLOSED, SOON);
        let rests = eventually(SOON, || {
            let is_idle = value("pinhole_camera_state", &["\"idle\""]) == Some(1.0);
            (is_idle && value("pinhole_encoder_running", &["H.264"]) == Some(0.0)).then(frames)
        });
        let rests = rests.unwrap_or_else(|| panic!("it works on:\n{}", Metrics::scrape(&network).text()));
        // Another viewer's first picture is the next.
        assert!(rests > Some(0.0) && frames() == rests, "{rests:?}");
        view(&network);
        assert!(frames() > rests);
    }
}

mod soak {
    use super::*;

    #[test]
    fn a_server_restart_is_no_gap_in_a_running_stream() {
        if skipped(Need::Network) {
            return;
        }
        let frames = the_server_restarts(json!({"seconds": 12}));
        loudly(&format!("12 s in which the server was restarted: {frames}"));
        // They did not cease: thirty a second, or ten where the machine is too slow for more.
        assert!(frames["decoded"].as_u64() >= Some(12 * 8), "{frames}");
        assert!(frames["longestGap"].as_f64() < Some(2500.0), "{frames}");
    }

    // Outside of the guest: its kernel counts CPU time too coarsely.
    #[test]
    fn nobody_watching_means_next_to_no_cpu() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let viewer = view(&network);
        // Not waiting for anything: this stretch of time is what is measured.
        let ticks_in_5_s = || {
            let before = node.cpu_ticks();
            std::thread::sleep(Duration::from_secs(5));
            node.cpu_ticks() - before
        };
        let watched = ticks_in_5_s();
        let before = node.mark();
        viewer.stop();
        node.wait_for_line_since(before, CAMERA_CLOSED, SOON);
        let idle = ticks_in_5_s();
        let told = format!("{idle} ticks of CPU in 5 s with nobody watching, {watched} with a viewer");
        loudly(&told);
        assert!(idle * 20 <= watched, "{told}");
    }
}

/// The server is killed and started again while somebody watches; gives what the page saw meanwhile, of which `look` says how long.
fn the_server_restarts(look: Value) -> Value {
    let network = Network::without_guest();
    let server = start_server(&network);
    let mut node = start_node(&network, &node_config("porch", "pattern"));
    let mut page = watch(&network);

    let looking = page.begin("frames", look);
    let before = node.mark();
    server.kill();
    let _server = start_server(&network);
    node.wait_for_line_since(before, SIGNED_IN, SOON);
    let meanwhile = page.finish(looking);
    let after = page.ask("frames", json!({"distinct": 20}));
    for frames in [&meanwhile, &after] {
        assert_eq!(frames["calls"], 1, "the page called again: {frames}");
        assert_eq!(frames["lost"], 0, "{frames}");
    }
    node.assert_never_said(SESSION_ENDED);
    assert_eq!(page.ask("status", json!({}))["state"], "live");
    node.assert_running();

    // The viewer's good-bye comes from an id that the node has not seen in this call.
    page.ask("leave", json!({}));
    wait_for_good_bye(&node, before);
    meanwhile
}

fn the_picture_is_back_after(end: impl FnOnce(pinhole_e2e::process::Process)) {
    let network = Network::without_guest();
    let _server = start_server(&network);
    let config = node_config("porch", "pattern");
    let node = start_node(&network, &config);
    let mut page = watch(&network);
    end(node);
    let _node = start_node(&network, &config);
    let is_back = || {
        let media = page.ask("media", json!({}));
        (media["calls"].as_u64() > Some(1) && media["video"]["framesDecoded"].as_u64() > Some(0))
            .then_some(())
    };
    // We promise 5 s; what is over is patience with the machine.
    let back = eventually(Duration::from_secs(20), is_back);
    assert!(
        back.is_some(),
        "no picture after the node's return; the page says {}",
        page.ask("status", json!({}))
    );
    page.ask("wait_live", json!({"within": 40}));
}

mod everything {
    use super::*;

    #[test]
    fn nobody_watching_means_no_camera() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _server = start_server(&network);
        let node = start_node_in(&guest, &node_config("porch", "/dev/video0"));
        assert_eq!(
            guest.holders("/dev/video0"),
            0,
            "the camera is open before anybody watches"
        );

        let viewer = view(&network);
        assert_eq!(guest.holders("/dev/video0"), 1);
        let before = node.mark();
        viewer.stop();
        node.wait_for_line_since(before, CAMERA_CLOSED, SOON);
        assert_eq!(guest.holders("/dev/video0"), 0, "the camera is still open");
    }

    #[test]
    fn a_camera_that_is_unplugged_and_plugged_in_again_is_live_for_the_same_viewer() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _server = start_server(&network);
        let config = format!(
            "{}[camera.controls]\nbrightness = 99\n",
            node_config("porch", "/dev/video0")
        );
        let node = start_node_in(&guest, &config);
        let viewer = view(&network);
        assert!(
            guest.must("v4l2-ctl -d /dev/video0 -C brightness").contains("99"),
            "the control is not set"
        );

        let before = node.mark();
        guest.must("echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind");
        node.wait_for_line_since(before, "no picture", SOON);
        // Meanwhile a slate comes, a few times a second, with a mark that moves.
        viewer.sees(2..8);
        viewer.brings(4);
        guest.must("echo vivid.0 > /sys/bus/platform/drivers/vivid/bind");
        node.wait_for_line_since(before, "the picture is back", SOON);
        viewer.sees(7..);
        viewer.brings(11);
        node.assert_never_said(SESSION_ENDED);
        viewer.stop();
    }
}
