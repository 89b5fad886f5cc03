//! A path that is cut for a while is no end: the camera waits for its viewer, does without it meanwhile, and goes on in the same call.

use std::time::{Duration, Instant};

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::network::Network;
use pinhole_e2e::path::{Conditions, Cut, Path};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    browser_offer, node_config, server_address, server_url, start_node, start_server,
};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use pinhole_e2e::wire::Member;
use rustix::process::Signal;
use serde_json::{Value, json};

/// Pictures that are enough to be sure that a call goes on.
const SOME: u32 = 20;
/// A path that is cut for so long is none that a call ends for.
const CUT: Duration = Duration::from_secs(10);

/// A camera, and a path to it.
struct Place {
    path: Path,
    near: Network,
    far: Network,
    node: Process,
    _server: Process,
}

impl Place {
    fn new(config: &str) -> Self {
        let (near, far) = (Network::without_guest(), Network::remote());
        let path = Path::between(&near, &far, Conditions::GOOD);
        let server = start_server(&near);
        let node = start_node(&near, config);
        Self {
            path,
            near,
            far,
            node,
            _server: server,
        }
    }

    /// Waits until so many viewers have a place.
    fn has_viewers(&self, count: f64) {
        let has = || (Metrics::scrape(&self.near).value("pinhole_viewers", &[]) == Some(count)).then_some(());
        assert!(
            eventually(SOON, has).is_some(),
            "{}",
            Metrics::scrape(&self.near).text()
        );
    }

    /// Cuts the path for ten seconds, and waits until the node has noticed.
    fn is_cut(&self) {
        let start = Instant::now();
        self.path.cut(Cut::Media);
        self.node.wait_for_line("viewer fell silent");
        self.has_viewers(0.0);
        std::thread::sleep((start + CUT).saturating_duration_since(Instant::now()));
        self.path.cut(Cut::Nothing);
    }
}

fn watch(page: &mut Peer) {
    page.ask("open", json!({"url": server_url()}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
}

/// A camera that encodes by itself, with a keyframe every two seconds, which can't be asked for any.
fn passthrough() -> String {
    let command = "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=640x360:rate=30 -c:v libx264 -preset ultrafast \
                   -tune zerolatency -g 60 -pix_fmt yuv420p -f h264 -";
    format!(
        "name = \"porch\"\n\n[signaling]\nserver = \"{}\"\n\n[[camera]]\ndevice = {{ command = [\"sh\", \"-c\", {command:?}], format = \"h264\" }}\n",
        server_url()
    )
}

/// The same call goes on, with pictures that nothing ends.
fn goes_on_in_chromium(config: &str) {
    let place = Place::new(config);
    let mut page = Peer::chromium(&place.far);
    watch(&mut page);
    place.has_viewers(1.0);
    place.is_cut();
    page.ask("frames", json!({"distinct": SOME, "within": 40}));
    page.ask("wait_live", json!({}));
    let media = page.ask("media", json!({}));
    assert_eq!(
        (&media["calls"], &media["connection"]),
        (&json!(1), &json!("connected"))
    );
    place.has_viewers(1.0);
    place.node.assert_never_said("session ended");
}

/// The node's next answer to this call: its fingerprint, by which two sessions differ. Nothing may end the call before.
fn answered(viewer: &Member<'_>, call: &str) -> String {
    loop {
        let (_, body) = viewer.wait(SOON).expect("the node answers");
        // What comes first may be news of who is there, or of another call.
        let message: Value = serde_json::from_str(&body).unwrap_or_default();
        assert!(body != "BYE", "the node knows the call by its name");
        if message["call"] != call {
            continue;
        }
        assert!(message["type"] != "bye" && message["type"] != "error", "{body}");
        if message["type"] == "answer" {
            let sdp = message["sdp"].as_str().expect("it has a description");
            let fingerprint = sdp.lines().find(|line| line.starts_with("a=fingerprint"));
            return fingerprint.expect("it has a certificate").to_owned();
        }
    }
}

mod quick {
    use super::*;

    #[test]
    fn a_goodbye_that_waited_at_the_server_while_the_node_was_away_does_not_end_the_next_call() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let mut node = start_node(&network, &node_config("porch", "pattern"));
        let viewer = Member::sign_in(&network, server_address(), "viewer");
        let porch = viewer.find("porch");
        let says = |message: Value| assert_eq!(viewer.send(porch, message.to_string().as_bytes()), 200);
        let calls = ["1".repeat(32), "2".repeat(32)];
        let offer = |number: u8| {
            let call = &calls[usize::from(number) - 1];
            json!({"type": "offer", "call": call, "sdp": browser_offer(number)})
        };
        says(offer(1));
        let first = answered(&viewer, &calls[0]);
        node.signal(Signal::STOP);
        // The first of these may be with the node's machine; the others wait at the server until it asks for them.
        says(offer(2));
        says(json!({"type": "bye", "call": calls[0]}));
        says(offer(2));
        node.signal(Signal::CONT);
        let second = answered(&viewer, &calls[1]);
        assert_ne!(first, second, "it is another call");
        // The same session answers once more, so the goodbye between the two has not ended it.
        assert_eq!(answered(&viewer, &calls[1]), second);
    }

    #[test]
    fn a_call_goes_on_after_ten_seconds_without_a_path() {
        if skipped(Need::Network) {
            return;
        }
        goes_on_in_chromium(&node_config("porch", "pattern"));
    }

    #[test]
    fn so_does_that_to_a_camera_that_encodes_by_itself() {
        if skipped(Need::Network) {
            return;
        }
        goes_on_in_chromium(&passthrough());
    }
}

mod everything {
    use super::*;

    #[test]
    fn a_call_goes_on_in_firefox() {
        if skipped(Need::Network) {
            return;
        }
        let place = Place::new(&node_config("porch", "pattern"));
        let mut page = Peer::firefox(&place.far);
        watch(&mut page);
        place.is_cut();
        let decoded = |media: &Value| media["video"]["framesDecoded"].as_u64().unwrap_or(0);
        let before = decoded(&page.ask("media", json!({})));
        // Firefox shows pictures for some seconds before it calls the path whole again.
        let goes_on = eventually(SOON, || {
            let media = page.ask("media", json!({}));
            assert_eq!(media["calls"], 1, "{media}");
            let is_whole = media["connection"] == "connected" && decoded(&media) > before + u64::from(SOME);
            is_whole.then_some(())
        });
        assert!(goes_on.is_some(), "{}", page.ask("media", json!({})));
        page.ask("wait_live", json!({}));
        place.has_viewers(1.0);
        place.node.assert_never_said("session ended");
    }

    #[test]
    fn after_a_long_cut_of_everything_there_is_one_new_call_and_the_old_ones_goodbye_means_nothing_to_it() {
        if skipped(Need::Network) {
            return;
        }
        let place = Place::new(&node_config("porch", "pattern"));
        let mut page = Peer::chromium(&place.far);
        watch(&mut page);
        let before = place.node.mark();
        place.path.cut(Cut::Everything);
        place.node.wait_for_line_since(before, "session ended", 2 * SOON);
        std::thread::sleep(CUT);
        place.path.cut(Cut::Nothing);
        page.ask("wait_live", json!({"within": 40}));
        page.ask("frames", json!({"distinct": SOME, "within": 40}));
        page.ask("frames", json!({"seconds": 5}));
        page.ask("frames", json!({"distinct": SOME, "within": 40}));
        let media = page.ask("media", json!({}));
        assert_eq!(
            (&media["calls"], &media["connection"]),
            (&json!(2), &json!("connected"))
        );
        place.has_viewers(1.0);
    }
}
