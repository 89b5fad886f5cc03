//! What goes away and comes back: the server, the node, a viewer; and the rest when nobody watches.

use std::time::Duration;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::{
    CAMERA_CLOSED, SESSION_ENDED, SIGNED_IN, node_config, server_url, start_node, start_node_in,
    start_server, wait_for_good_bye,
};
use pinhole_e2e::skip::{Need, skipped};
use serde_json::json;

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
        if skipped("a_server_restart_costs_a_running_stream_no_frame", Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = start_server(&network);
        let mut node = start_node(&network, &node_config("porch", "pattern"));
        let mut page = watch(&network);

        let looking = page.begin("frames", json!({"seconds": 12}));
        let before = node.mark();
        server.kill();
        let _server = start_server(&network);
        node.wait_for_line_since(before, SIGNED_IN, SOON);
        let frames = page.finish(looking);
        assert_eq!(frames["calls"], 1, "the page called again: {frames}");
        assert_eq!(frames["lost"], 0, "{frames}");
        // None was lost, and they did not cease: thirty a second, or ten where the machine is too slow for more.
        assert!(frames["decoded"].as_u64() >= Some(12 * 8), "{frames}");
        assert!(frames["longestGap"].as_f64() < Some(2500.0), "{frames}");
        let none = |line: &str| line.contains(SESSION_ENDED);
        assert!(
            !node.log().since(before).iter().any(|line| none(line)),
            "the session did not outlive the server"
        );
        assert_eq!(page.ask("status", json!({}))["state"], "live");
        node.assert_running();

        // The viewer's good-bye comes from an id that the node has not seen in this call.
        page.ask("leave", json!({}));
        wait_for_good_bye(&node, before);
    }

    #[test]
    fn the_page_shows_the_picture_again_after_the_node_was_stopped() {
        if skipped(
            "the_page_shows_the_picture_again_after_the_node_was_stopped",
            Need::Network,
        ) {
            return;
        }
        the_picture_is_back_after(|node| node.stop());
    }

    #[test]
    fn the_page_shows_the_picture_again_after_the_node_was_killed() {
        if skipped(
            "the_page_shows_the_picture_again_after_the_node_was_killed",
            Need::Network,
        ) {
            return;
        }
        the_picture_is_back_after(|node| node.kill());
    }

    #[test]
    fn a_killed_viewer_leaves_no_session() {
        if skipped("a_killed_viewer_leaves_no_session", Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let page = watch(&network);
        let before = node.mark();
        page.kill();
        node.wait_for_line_since(before, SESSION_ENDED, Duration::from_secs(20));
    }

    #[test]
    fn nobody_watching_means_next_to_no_cpu() {
        if skipped("nobody_watching_means_next_to_no_cpu", Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let mut page = watch(&network);
        // Not waiting for anything: this stretch of time is what is measured.
        let ticks_in_5_s = || {
            let before = node.cpu_ticks();
            std::thread::sleep(Duration::from_secs(5));
            node.cpu_ticks() - before
        };
        let watched = ticks_in_5_s();
        let before = node.mark();
        page.ask("leave", json!({}));
        node.wait_for_line_since(before, CAMERA_CLOSED, SOON);
        let idle = ticks_in_5_s();
        assert!(
            idle * 20 <= watched,
            "{idle} ticks of CPU in 5 s with nobody watching, {watched} with a viewer"
        );
    }
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
        if skipped("nobody_watching_means_no_camera", Need::Guest) {
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

        let mut page = watch(&network);
        assert_eq!(guest.holders("/dev/video0"), 1);
        let before = node.mark();
        page.ask("leave", json!({}));
        node.wait_for_line_since(before, CAMERA_CLOSED, SOON);
        assert_eq!(guest.holders("/dev/video0"), 0, "the camera is still open");
    }

    #[test]
    fn a_camera_that_is_unplugged_and_plugged_in_again_is_live_for_the_same_viewer() {
        if skipped(
            "a_camera_that_is_unplugged_and_plugged_in_again_is_live_for_the_same_viewer",
            Need::Guest,
        ) {
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
        let mut page = watch(&network);
        assert!(
            guest.must("v4l2-ctl -d /dev/video0 -C brightness").contains("99"),
            "the control is not set"
        );

        let before = node.mark();
        guest.must("echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind");
        node.wait_for_line_since(before, "no picture", SOON);
        // Meanwhile a slate comes, a few times a second, with a mark that moves.
        let slate = page.ask("frames", json!({"seconds": 3}));
        assert!(slate["decoded"].as_u64() > Some(5), "{slate}");
        assert!(slate["distinct"].as_u64() > Some(3), "{slate}");
        guest.must("echo vivid.0 > /sys/bus/platform/drivers/vivid/bind");
        node.wait_for_line_since(before, "the picture is back", SOON);
        let frames = page.ask("frames", json!({"seconds": 3}));
        // More than the slate's 12.
        assert!(frames["decoded"].as_u64() > Some(18), "{frames}");
        assert!(frames["distinct"].as_u64() > Some(10), "{frames}");
    }
}

// Outside of the guest: its kernel counts CPU time too coarsely.
