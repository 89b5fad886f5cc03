//! Viewers whose path carries less than the camera gives: their picture keeps moving, and nobody else's is touched.

use std::time::Duration;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::network::Network;
use pinhole_e2e::path::{Conditions, Path};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{server_url, start_node, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use serde_json::{Value, json};

/// A megabit, and a queue of a fifth of a second before it.
const NARROW: Conditions = Conditions {
    rate: Some(1_000_000),
    queue: Duration::from_millis(200),
    delay: Duration::from_millis(20),
    ..Conditions::GOOD
};
/// Of the whole picture.
const SIZE: &str = "640x360";
/// From then on a viewer on such a path is sent what it carries.
const SETTLED: Duration = Duration::from_secs(5);

fn watch(page: &mut Peer) {
    page.ask("open", json!({"url": server_url()}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
}

/// A camera whose picture takes all of its 2.1 Mbit/s: the pattern has too little in it that moves.
fn node(network: &Network) -> Process {
    let picture = format!("testsrc2=size={SIZE}:rate=30,noise=alls=24:allf=t");
    let command =
        format!("exec ffmpeg -nostdin -v error -re -f lavfi -i {picture} -pix_fmt yuv420p -f rawvideo -");
    let config = format!(
        "name = \"porch\"\n\n[signaling]\nserver = \"{}\"\n\n[video]\nbitrate = \"2.1M\"\n\n[[camera]]\nsize = \"{SIZE}\"\nfps = 30\n\
         device = {{ command = [\"sh\", \"-c\", {command:?}], format = \"yuv420p\" }}\n",
        server_url()
    );
    start_node(network, &config)
}

/// How many viewers are sent less than there is.
fn thinned(network: &Network) -> usize {
    let metrics = Metrics::scrape(network);
    let lines = metrics.text().lines();
    lines
        .filter(|line| line.starts_with("pinhole_viewer_thinned{") && line.ends_with(" 1.0"))
        .count()
}

fn number(frames: &Value, key: &str) -> f64 {
    frames[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} of {frames}"))
}

mod quick {
    use super::*;

    #[test]
    fn a_picture_keeps_moving_on_a_path_that_carries_half_of_it_and_comes_back_whole() {
        if skipped(Need::Network) {
            return;
        }
        let (network, far) = (Network::without_guest(), Network::remote());
        let path = Path::between(&network, &far, NARROW);
        let _server = start_server(&network);
        let _node = node(&network);
        let mut near_page = Peer::chromium(&network);
        watch(&mut near_page);
        let mut far_page = Peer::chromium(&far);
        watch(&mut far_page);
        // Until it is known what the path carries.
        let is_thinned = eventually(SOON, || (thinned(&network) == 1).then_some(()));
        assert!(
            is_thinned.is_some(),
            "{:?} {}",
            path.counts(),
            Metrics::scrape(&network).text()
        );
        far_page.ask("frames", json!({"seconds": SETTLED.as_secs()}));
        let near = near_page.begin("frames", json!({"seconds": 10}));
        let far_frames = far_page.ask("frames", json!({"seconds": 10}));
        let near_frames = near_page.finish(near);
        assert!(
            number(&far_frames, "fps") >= 13.0 && number(&far_frames, "longestGap") < 600.0,
            "{far_frames}, {:?}",
            path.counts()
        );
        assert_eq!(thinned(&network), 1);
        assert_eq!(near_frames["width"], 640, "{near_frames}");
        assert!(number(&near_frames, "fps") > 0.8 * 30.0, "{near_frames}");
        path.change(|conditions| *conditions = Conditions::GOOD);
        let is_whole = eventually(Duration::from_secs(60), || (thinned(&network) == 0).then_some(()));
        assert!(is_whole.is_some(), "{}", Metrics::scrape(&network).text());
        let frames = far_page.ask("frames", json!({"distinct": 20, "within": 40}));
        assert_eq!(frames["width"], 640, "{frames}");
    }
}
