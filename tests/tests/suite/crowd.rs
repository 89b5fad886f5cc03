//! More than one viewer at a camera.

use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::programs::{node_config, server_url, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use serde_json::json;

fn caller(network: &Network) -> Peer {
    let mut page = Peer::chromium(network);
    page.ask("open", json!({"url": server_url()}));
    page.ask("watch", json!({"camera": "porch"}));
    page
}

mod quick {
    use super::*;

    #[test]
    fn one_encoder_feeds_all_and_one_viewer_too_many_is_told_so() {
        if skipped(
            "one_encoder_feeds_all_and_one_viewer_too_many_is_told_so",
            Need::Network,
        ) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let config = format!("{}\n[webrtc]\nmax_viewers = 2\n", node_config("porch", "pattern"));
        let node = start_node(&network, &config);
        let beginning = node.mark();
        let mut first = caller(&network);
        let mut second = caller(&network);
        for page in [&mut first, &mut second] {
            page.ask("wait_live", json!({"within": 40}));
        }
        let mut third = caller(&network);
        third.ask(
            "wait_state",
            json!({"state": "error", "trouble": "busy", "within": 40}),
        );
        for page in [&mut first, &mut second] {
            let frames = page.ask("frames", json!({"seconds": 3}));
            // More than the slate's 12.
            assert!(frames["decoded"].as_u64() > Some(18), "{frames}");
        }
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
        first.ask("leave", json!({}));
        third.ask("wait_live", json!({"within": 40}));
    }
}
