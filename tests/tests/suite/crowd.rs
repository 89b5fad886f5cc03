//! More than one viewer at a camera.

use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::{NO_PICTURE, node_config, server_url, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::Viewer;
use serde_json::json;

mod quick {
    use super::*;

    #[test]
    fn one_encoder_feeds_all_and_one_viewer_too_many_is_told_so() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let config = format!("{}\n[webrtc]\nmax_viewers = 2\n", node_config("porch", "pattern"));
        let node = start_node(&network, &config);
        let beginning = node.mark();
        let watch = || Viewer::watch(&network, &server_url(), "porch", &["--codec", "h264"], SOON);
        let (first, second) = (watch(), watch());
        let mut third = Peer::chromium(&network);
        third.ask("open", json!({"url": server_url()}));
        third.ask("watch", json!({"camera": "porch"}));
        third.ask(
            "wait_state",
            json!({"state": "error", "trouble": "busy", "within": 40}),
        );
        for viewer in [&first, &second] {
            viewer.goes_on();
        }
        node.assert_never_said(NO_PICTURE);
        // A machine that is too slow for the size gets another encoder, for another size.
        let lines = node.log().since(beginning);
        let started = lines.iter().filter(|line| line.contains("encoder started"));
        let sizes: Vec<_> = started
            .map(|line| line.split(' ').find(|word| word.starts_with("size=")))
            .collect();
        let is_one_each = sizes.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(
            !sizes.is_empty() && is_one_each,
            "one encoder for both: {sizes:?}"
        );

        // A place that comes free is taken without anybody's doing.
        first.stop();
        third.ask("wait_live", json!({"within": 40}));
        second.goes_on();
    }
}
