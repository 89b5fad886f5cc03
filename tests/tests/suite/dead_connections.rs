//! Connections to the server that have died without a word, programs that were killed, and what the page says meanwhile.

use std::time::Duration;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{SIGNED_IN, node_config, server_url, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::Viewer;
use serde_json::{Value, json};

/// Less than the half minute after which a server gives up a member that it has not heard of.
const AT_ONCE: Duration = Duration::from_secs(15);

fn open(page: &mut Peer) {
    page.ask("open", json!({"url": server_url()}));
}

fn watch(page: &mut Peer, camera: &str) {
    page.ask("watch", json!({"camera": camera}));
    page.ask("wait_live", json!({"within": 40}));
}

/// How many cameras of this name the page lists.
fn listed(page: &mut Peer, camera: &str) -> usize {
    let answer = page.ask("cameras", json!({"camera": camera, "within": 40}));
    let cameras = answer["cameras"].as_array().expect("a list");
    cameras.iter().filter(|one| one["name"] == camera).count()
}

fn sign_ins(node: &Process) -> usize {
    let lines = node.log().since(Mark::default());
    lines.iter().filter(|line| line.contains(SIGNED_IN)).count()
}

/// The connection on which the page waits for events is dead when somebody clicks.
fn a_dead_wait_costs_no_more_than_a_call(page: fn(&Network) -> Peer) {
    let network = Network::without_guest();
    let _server = start_server(&network);
    let _node = start_node(&network, &node_config("porch", "pattern"));
    network.lend_address();
    let mut page = page(&network);
    open(&mut page);
    assert_eq!(listed(&mut page, "porch"), 1);
    network.take_address_back();
    watch(&mut page, "porch");
    let media: Value = page.ask("media", json!({}));
    assert!(media["calls"].as_u64() <= Some(2), "calls in vain: {media}");
}

/// The node ends in good order or is killed, and comes back; a camera is not there.
fn the_page_lists_each_camera_once_and_says_what_is(page: fn(&Network) -> Peer) {
    let network = Network::without_guest();
    let _server = start_server(&network);
    let config = node_config("porch", "pattern");
    let node = start_node(&network, &config);
    let mut page = page(&network);
    open(&mut page);
    watch(&mut page, "porch");
    node.kill();
    let node = start_node(&network, &config);
    let once = eventually(AT_ONCE, || (listed(&mut page, "porch") == 1).then_some(()));
    assert!(
        once.is_some(),
        "a camera whose node was killed stands there twice"
    );
    page.ask("wait_live", json!({"within": 40}));
    node.stop();
    let gone = page.ask("wait_state", json!({"state": "waiting", "within": 40}));
    assert!(
        !gone["text"].as_str().expect("words").contains("ended the call"),
        "{gone}"
    );

    let _node = start_node(&network, &node_config("hall", "/dev/video77"));
    page.ask("watch", json!({"camera": "hall"}));
    let words = page.ask(
        "wait_state",
        json!({"state": "waiting", "trouble": "no-signal", "within": 40}),
    );
    assert_eq!(words["text"], "No signal");
    assert!(
        words["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("/dev/video77")),
        "{words}"
    );
}

mod quick {
    use super::*;

    #[test]
    fn a_page_whose_wait_has_died_is_live_with_its_first_or_second_call() {
        if skipped(Need::Network) {
            return;
        }
        a_dead_wait_costs_no_more_than_a_call(Peer::chromium);
    }

    #[test]
    fn the_page_lists_a_killed_node_once_and_says_that_there_is_no_signal() {
        if skipped(Need::Network) {
            return;
        }
        the_page_lists_each_camera_once_and_says_what_is(Peer::chromium);
    }

    #[test]
    fn a_node_with_another_address_stays_the_same_member_and_answers() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        network.lend_address();
        let node = start_node(&network, &node_config("porch", "pattern"));
        network.take_address_back();
        let viewer = Viewer::watch(&network, &server_url(), "porch", &[], SOON);
        viewer.brings(10);
        viewer.stop();
        assert_eq!(sign_ins(&node), 1, "{}", node.log().tail(40));
    }

    #[test]
    fn a_viewer_with_another_address_hears_of_a_node_that_comes() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = start_server(&network);
        network.lend_address();
        let viewer = Viewer::call(&network, &server_url(), "porch", &[], SOON);
        server.wait_for_line("@terminal");
        network.take_address_back();
        let _node = start_node(&network, &node_config("porch", "pattern"));
        viewer.brings(10);
        viewer.stop();
    }
}

mod everything {
    use super::*;

    #[test]
    fn a_page_in_firefox_whose_wait_has_died_is_live_with_its_first_or_second_call() {
        if skipped(Need::Network) {
            return;
        }
        a_dead_wait_costs_no_more_than_a_call(Peer::firefox);
    }

    #[test]
    fn the_page_in_firefox_lists_a_killed_node_once_and_says_that_there_is_no_signal() {
        if skipped(Need::Network) {
            return;
        }
        the_page_lists_each_camera_once_and_says_what_is(Peer::firefox);
    }
}
