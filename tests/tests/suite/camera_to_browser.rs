//! A camera live in a real browser: a kernel driver at one end, Chromium on the viewer page at the other.

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::loudly;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::programs::{node_config, server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped};
use serde_json::{Value, json};

const SECONDS: u64 = 20;
/// How many stretches are looked at for one in which the machine, which paints every picture as well, was left to work.
const TRIES: usize = 3;

fn is_full_rate(frames: &Value) -> bool {
    frames["decoded"].as_u64() >= Some(25 * SECONDS)
}

/// The page decodes at least 25 fps of moving 720p for 20 s.
fn assert_live(frames: &Value, codec: &str) {
    assert_eq!(frames["codec"], codec, "{frames}");
    assert_eq!(
        (&frames["width"], &frames["height"]),
        (&json!(1280), &json!(720)),
        "{frames}"
    );
    assert!(is_full_rate(frames), "{frames}");
    assert!(
        frames["distinct"].as_u64() >= Some(5 * SECONDS),
        "the picture stands still: {frames}"
    );
    assert_eq!(frames["calls"], 1, "the page had to call again: {frames}");
}

/// A node in the guest on `device`, watched by the page with the codecs it is allowed.
fn watch(
    device: &str,
    prepare: impl FnOnce(&Guest) -> Option<pinhole_e2e::process::Process>,
    codecs: Value,
) -> Value {
    let network = Network::for_guest();
    let guest = Guest::boot(&network);
    let feeder = prepare(&guest);
    let mut server = start_server(&network);
    let mut node = start_node_in(&guest, &node_config("porch", device));
    let mut page = Peer::chromium(&network);
    page.ask("open", json!({"url": server_url(), "codecs": codecs}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
    let holders = 1 + usize::from(feeder.is_some());
    assert_eq!(guest.holders(device), holders, "the picture is not from {device}");
    let mut frames = Value::Null;
    for _ in 0..TRIES {
        frames = page.ask("frames", json!({"seconds": SECONDS}));
        loudly(&format!("{device}: {frames}"));
        if is_full_rate(&frames) {
            break;
        }
    }
    server.assert_running();
    node.assert_running();
    frames
}

mod everything {
    use super::*;

    #[test]
    fn vivid_is_live_as_h264() {
        if skipped("vivid_is_live_as_h264", Need::Guest) {
            return;
        }
        assert_live(&watch("/dev/video0", |_| None, Value::Null), "H264");
    }

    #[test]
    fn vivid_is_live_as_vp8_where_the_offer_has_no_h264() {
        if skipped("vivid_is_live_as_vp8_where_the_offer_has_no_h264", Need::Guest) {
            return;
        }
        assert_live(&watch("/dev/video0", |_| None, json!(["VP8"])), "VP8");
    }

    #[test]
    fn an_mjpeg_camera_is_live() {
        if skipped("an_mjpeg_camera_is_live", Need::Guest) {
            return;
        }
        let feed = |guest: &Guest| {
            guest.must(
            "ffmpeg -v error -f lavfi -i testsrc2=size=1280x720:rate=30 -t 5 -c:v mjpeg -q:v 6 -pix_fmt yuvj422p /run/test.mjpeg",
        );
            let loopback = "ffmpeg -nostdin -re -stream_loop -1 -framerate 30 -f mjpeg -i /run/test.mjpeg -c copy -f v4l2 /dev/video11";
            let feeder = guest.start("feeder", loopback);
            feeder.wait_for_line("Output #0");
            Some(feeder)
        };
        assert_live(&watch("/dev/video11", feed, Value::Null), "H264");
    }
}
