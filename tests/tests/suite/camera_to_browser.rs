//! A camera live in a real browser: a kernel driver at one end, Chromium on the viewer page at the other.

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::loudly;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::{NO_PICTURE, node_config, server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped};
use serde_json::{Value, json};

/// A camera, and how a page watches it.
struct Way {
    device: &'static str,
    /// Feeds the camera where it has no picture of its own.
    feed: fn(&Guest) -> Option<Process>,
    /// What the page is allowed; null: all.
    codecs: &'static [&'static str],
    /// What it gets.
    codec: &'static str,
}

const VIVID: Way = Way {
    device: "/dev/video0",
    feed: |_| None,
    codecs: &[],
    codec: "H264",
};
const VIVID_AS_VP8: Way = Way {
    codecs: &["VP8"],
    codec: "VP8",
    ..VIVID
};
const MJPEG: Way = Way {
    device: "/dev/video11",
    feed: feed_mjpeg,
    ..VIVID
};

fn feed_mjpeg(guest: &Guest) -> Option<Process> {
    guest.must(
        "ffmpeg -v error -f lavfi -i testsrc2=size=1280x720:rate=30 -t 5 -c:v mjpeg -q:v 6 -pix_fmt yuvj422p /run/test.mjpeg",
    );
    let loopback = "ffmpeg -nostdin -re -stream_loop -1 -framerate 30 -f mjpeg -i /run/test.mjpeg -c copy -f v4l2 /dev/video11";
    let feeder = guest.start("feeder", loopback);
    feeder.wait_for_line("Output #0");
    Some(feeder)
}

/// Has a page watch a node in the guest, and gives what `look` sees on it: moving 720p, of which nothing was lost.
fn watch(way: &Way, look: impl FnOnce(&mut Peer) -> Value) -> Value {
    let Way {
        device,
        feed,
        codecs,
        codec,
    } = *way;
    let network = Network::for_guest();
    let guest = Guest::boot(&network);
    let feeder = feed(&guest);
    let mut server = start_server(&network);
    let mut node = start_node_in(&guest, &node_config("porch", device));
    let mut page = Peer::chromium(&network);
    let codecs = if codecs.is_empty() {
        Value::Null
    } else {
        json!(codecs)
    };
    page.ask("open", json!({"url": server_url(), "codecs": codecs}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
    let holders = 1 + usize::from(feeder.is_some());
    assert_eq!(guest.holders(device), holders, "the picture is not from {device}");
    let frames = look(&mut page);
    assert_eq!(frames["codec"], codec, "{frames}");
    assert_eq!(
        (&frames["width"], &frames["height"]),
        (&json!(1280), &json!(720)),
        "{frames}"
    );
    assert_eq!(frames["calls"], 1, "the page had to call again: {frames}");
    node.assert_never_said(NO_PICTURE);
    server.assert_running();
    node.assert_running();
    frames
}

/// Pictures come, and each is another.
fn assert_live(way: &Way) {
    let frames = watch(way, |page| {
        page.ask("frames", json!({"distinct": 60, "within": 60}))
    });
    assert_eq!(frames["lost"], 0, "{frames}");
}

/// At least 25 a second, for 20 s.
fn assert_full_rate(way: &Way) {
    const SECONDS: u64 = 20;
    /// How many stretches are looked at for one in which the machine, which paints every picture as well, was left to work.
    const TRIES: usize = 3;
    let is_full_rate = |frames: &Value| frames["decoded"].as_u64() >= Some(25 * SECONDS);
    let frames = watch(way, |page| {
        let mut frames = Value::Null;
        for _ in 0..TRIES {
            frames = page.ask("frames", json!({"seconds": SECONDS}));
            loudly(&format!("{}, {}: {frames}", way.device, way.codec));
            if is_full_rate(&frames) {
                break;
            }
        }
        frames
    });
    assert!(is_full_rate(&frames), "{frames}");
    assert!(
        frames["distinct"].as_u64() >= Some(5 * SECONDS),
        "the picture stands still: {frames}"
    );
}

mod everything {
    use super::*;

    #[test]
    fn vivid_is_live_as_h264() {
        if skipped(Need::Guest) {
            return;
        }
        assert_live(&VIVID);
    }

    #[test]
    fn vivid_is_live_as_vp8_where_the_offer_has_no_h264() {
        if skipped(Need::Guest) {
            return;
        }
        assert_live(&VIVID_AS_VP8);
    }

    #[test]
    fn an_mjpeg_camera_is_live() {
        if skipped(Need::Guest) {
            return;
        }
        assert_live(&MJPEG);
    }
}

mod soak {
    use super::*;

    #[test]
    fn the_page_has_25_pictures_a_second_for_20_s() {
        if skipped(Need::Guest) {
            return;
        }
        for way in [VIVID, VIVID_AS_VP8, MJPEG] {
            assert_full_rate(&way);
        }
    }
}
