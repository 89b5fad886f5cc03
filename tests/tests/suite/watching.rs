//! What a viewer wants to see, and how late it sees it: the viewer page in a real Chromium, and a node with the pattern.

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{CAMERA_CLOSED, node_config, server_url, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use serde_json::json;

/// Pictures that are enough to be sure that a call goes on.
const SOME: u32 = 10;

struct Place {
    network: Network,
    node: Process,
    page: Peer,
    _server: Process,
}

impl Place {
    /// A page that shows a camera of 1280x720.
    fn new() -> Self {
        let network = Network::without_guest();
        let server = start_server(&network);
        let node = start_node(&network, &node_config("porch", "pattern"));
        let mut page = Peer::chromium(&network);
        page.ask(
            "open",
            json!({"url": server_url(), "width": 1600, "height": 1000}),
        );
        page.ask("watch", json!({"camera": "porch"}));
        page.ask("wait_live", json!({}));
        Self {
            network,
            node,
            page,
            _server: server,
        }
    }

    fn width(&mut self) -> u64 {
        let media = self.page.ask("media", json!({}));
        media["video"]["frameWidth"].as_u64().unwrap_or(0)
    }

    fn becomes(&mut self, width: u64) {
        let is_so = eventually(SOON, || (self.width() == width).then_some(()));
        assert!(is_so.is_some(), "its width is {}", self.width());
    }

    /// It was the same call all the time.
    fn was_one_call(mut self) {
        let media = self.page.ask("media", json!({}));
        assert_eq!(media["calls"], json!(1));
        self.node.assert_never_said("session ended");
    }
}

mod quick {
    use super::*;

    #[test]
    fn a_picture_that_is_shown_small_is_sent_small() {
        if skipped(Need::Network) {
            return;
        }
        let mut place = Place::new();
        place.becomes(1280);
        place.page.ask("resize", json!({"width": 520, "height": 800}));
        place.becomes(640);
        place.page.ask("resize", json!({"width": 1600, "height": 1000}));
        place.becomes(1280);
        place.page.ask("frames", json!({"distinct": SOME}));
        place.was_one_call();
    }

    #[test]
    fn nobody_films_for_a_page_that_nobody_looks_at() {
        if skipped(Need::Network) {
            return;
        }
        let mut place = Place::new();
        let mark = place.node.mark();
        place.page.ask("look_away", json!({"away": true}));
        place.node.wait_for_line_since(mark, CAMERA_CLOSED, SOON);
        let chip = place.page.ask("text", json!({"of": "#status"}));
        assert_eq!(chip["text"], json!("Live"));
        place.page.ask("look_away", json!({"away": false}));
        place.page.ask("frames", json!({"distinct": SOME}));
        place.was_one_call();
    }

    #[test]
    fn the_latency_is_told_on_the_page_and_in_the_metrics() {
        if skipped(Need::Network) {
            return;
        }
        let mut place = Place::new();
        let told = eventually(SOON, || {
            let latency = Metrics::scrape(&place.network).value("pinhole_viewer_latency_seconds", &[])?;
            (latency > 0.0).then_some(latency)
        });
        // As long as a picture takes at most on a machine that is busy: whether it is right is for `dev/bench browser`.
        assert!(told.is_some_and(|latency| latency < 5.0), "{told:?}");
        let said = eventually(SOON, || {
            let said = place.page.ask("text", json!({"of": "[data-stat=latency]"}));
            said["text"].as_str()?.ends_with("ms").then_some(())
        });
        assert!(said.is_some(), "the page does not tell it");
        place.was_one_call();
    }
}
