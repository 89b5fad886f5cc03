//! The stock programs of the protocol: its desktop client as a viewer, its server as the meeting point.

use std::net::SocketAddrV4;

use pinhole_e2e::network::{HOST, Network};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    NO_PICTURE, PORT, SIGNED_IN, node_config, server_address, start_node, start_server, wait_for_good_bye,
};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::stock_server::StockServer;
use rustix::process::Signal;
use serde_json::json;

/// A call from the first word to the last: changing pictures, and gone by a good-bye.
fn call(network: &Network, node: &Process, camera: bool) {
    let mut client = Peer::stock_client(network);
    client.ask(
        "sign_in",
        json!({"server": server_address().to_string(), "name": "John Smith@호스트"}),
    );
    let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
    client.ask("call", json!({"member": member, "camera": camera}));
    client.ask("frames", json!({"changing": 41}));
    node.assert_never_said(NO_PICTURE);
    let media = client.ask("media", json!({}));
    assert_eq!(media["video"]["codec"], "video/VP8", "{media}");

    let before = node.mark();
    client.ask("hang_up", json!({}));
    wait_for_good_bye(node, before);
    client.ask("sign_out", json!({}));
}

mod quick {
    use super::*;

    #[test]
    fn a_stock_client_with_a_camera_calls_and_hangs_up() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        call(&network, &node, true);
        node.stop();
        server.stop();
    }

    /// Its offer has no place for video: the node has to offer that itself.
    #[test]
    fn a_stock_client_without_a_camera_calls_and_hangs_up() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        call(&network, &node, false);
        node.stop();
        server.stop();
    }

    #[test]
    fn a_stock_client_that_leaves_the_server_is_gone_as_after_a_bye() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let mut client = Peer::stock_client(&network);
        client.ask(
            "sign_in",
            json!({"server": server_address().to_string(), "name": "viewer@pc"}),
        );
        let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
        client.ask("call", json!({"member": member, "camera": true}));
        client.ask("frames", json!({"changing": 1}));
        let before = node.mark();
        client.ask("sign_out", json!({}));
        wait_for_good_bye(&node, before);
    }

    #[test]
    fn the_node_lives_with_a_stock_server() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let server = StockServer::start(&network, SocketAddrV4::new(HOST, PORT));
        let mut node = start_node(&network, &node_config("porch", "pattern"));
        call(&network, &node, true);
        call(&network, &node, false);

        // Forgotten, as after 30 s of a broken network: it signs in again.
        let before = node.mark();
        server.forget("porch");
        node.wait_for_line_since(before, SIGNED_IN, SOON);
        assert!(server.await_sign_in("porch", 2, SOON));
        call(&network, &node, true);

        assert_eq!(server.dropped_requests(), Vec::<String>::new());
        node.signal(Signal::TERM);
        assert_eq!(node.wait(), 0);
        assert!(!server.is_signed_in("porch"), "the node did not sign out");
    }
}
