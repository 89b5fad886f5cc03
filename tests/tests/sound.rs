//! Sound: from a sound card of the kernel's (snd-aloop) to real viewers, through everything that goes wrong on the way.

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    SESSION_ENDED, server_address, server_url, start_node, start_node_in, start_server,
};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use serde_json::{Value, json};

/// What is played here is captured at device 0 of the same card, which the node takes for its microphone.
const SPEAKER: &str = "hw:Loopback,1,0";
const OPEN: &str = "microphone open";
const CLOSED: &str = "microphone closed";
const FAULT: &str = "no sound: ";
const BACK: &str = "the sound is back";

/// A node with a small picture and this microphone.
fn config(microphone: &str) -> String {
    format!(
        "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = \"pattern\"\nsize = \"320x180\"\nfps = 15\n{microphone}",
        server_url()
    )
}

/// The page, with a live picture.
fn page(network: &Network) -> Peer {
    let mut page = Peer::chromium(network);
    page.ask("open", json!({"url": server_url()}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 20}));
    page
}

/// A stock client in a call; its offers name these codecs for sound, or all.
fn desktop(network: &Network, sound: Option<&str>) -> Peer {
    let mut client = Peer::stock_client(network);
    let name = json!({"server": server_address().to_string(), "name": "desk@hall"});
    client.ask("sign_in", name);
    if let Some(codec) = sound {
        client.ask("codecs", json!({"audio": [codec]}));
    }
    let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
    client.ask("call", json!({"member": member, "camera": true}));
    client.ask("frames", json!({"seconds": 0.1}));
    client
}

fn number(heard: &Value, key: &str) -> f64 {
    heard[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {heard}"))
}

/// The tone that was played, and nothing besides it.
fn assert_tone(heard: &Value, hertz: f64) {
    assert!((number(heard, "hertz") - hertz).abs() < 2.0, "{heard}");
    assert!(number(heard, "purity") > 0.9, "{heard}");
}

fn assert_without_gaps(heard: &Value) {
    assert!(number(heard, "longestGap") < 10.0, "{heard}");
    assert!(number(heard, "concealed") < 0.02, "{heard}");
}

#[test]
fn every_viewer_hears_the_tone_in_the_codec_that_it_has() {
    if skipped(
        "every_viewer_hears_the_tone_in_the_codec_that_it_has",
        Need::Network,
    ) {
        return;
    }
    let network = Network::without_guest();
    let _server = start_server(&network);
    let mut node = start_node(&network, &config("[[microphone]]\ndevice = \"tone\"\n"));
    let mut page = page(&network);
    // Whoever does not listen has no microphone opened.
    assert!(!said(&node, OPEN), "{}", node.log().tail(20));
    page.ask("press", json!({"on": "#sound"}));
    node.wait_for_line(OPEN);
    let heard = page.ask("listen", json!({"seconds": 3}));
    assert_tone(&heard, 1000.0);
    assert_eq!(heard["codec"], "opus", "{heard}");
    for codec in ["opus", "PCMU", "PCMA"] {
        let mut client = desktop(&network, Some(codec));
        let heard = client.ask("listen", json!({"seconds": 2}));
        assert_tone(&heard, 1000.0);
        assert_eq!(heard["codec"], codec, "{heard}");
        client.ask("hang_up", json!({}));
    }
    let before = node.mark();
    page.ask("press", json!({"on": "#sound"}));
    node.wait_for_line_since(before, CLOSED, SOON);
    node.assert_running();
}

#[test]
fn a_node_without_a_microphone_shows_no_sound() {
    if skipped("a_node_without_a_microphone_shows_no_sound", Need::Network) {
        return;
    }
    let network = Network::without_guest();
    let _server = start_server(&network);
    let _node = start_node(&network, &config(""));
    let mut page = page(&network);
    let hidden = page.ask("hidden", json!({"what": "#sound-group"}));
    assert_eq!(hidden["hidden"], true, "{hidden}");
}

/// A guest in which a node takes the loopback card for its microphone.
struct Scene {
    node: Process,
    guest: Guest,
    network: Network,
    _server: Process,
}

impl Scene {
    fn new(before: impl FnOnce(&Guest)) -> Self {
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        before(&guest);
        let server = start_server(&network);
        let node = start_node_in(&guest, &config("[[microphone]]\ndevice = \"Loopback\"\n"));
        Self {
            node,
            guest,
            network,
            _server: server,
        }
    }

    fn metric(&self, name: &str, texts: &[&str]) -> f64 {
        let metrics = Metrics::scrape_in(&self.guest);
        metrics
            .value(name, texts)
            .unwrap_or_else(|| panic!("{name} {texts:?} is not in\n{}", metrics.text()))
    }
}

/// A tone of 1 kHz, played into the card in this format.
fn play(guest: &Guest, rate: u32, channels: u32, format: &str) -> Process {
    let file = format!("/run/tone-{rate}-{channels}-{format}.wav");
    let source = format!("sine=frequency=1000:sample_rate={rate}:duration=240");
    guest.must(&format!(
        "[ -e {file} ] || ffmpeg -v error -f lavfi -i {source} -af volume=4 -ac {channels} -c:a pcm_{format} {file}"
    ));
    let player = guest.start("player", &format!("aplay -v -D {SPEAKER} {file}"));
    player.wait_for_line("Its setup is");
    player
}

fn said(node: &Process, what: &str) -> bool {
    node.log()
        .since(Mark::default())
        .iter()
        .any(|line| line.contains(what))
}

#[test]
fn a_tone_in_a_sound_card_is_heard_by_a_browser_and_a_desktop_without_gaps() {
    if skipped(
        "a_tone_in_a_sound_card_is_heard_by_a_browser_and_a_desktop_without_gaps",
        Need::Guest,
    ) {
        return;
    }
    let scene = Scene::new(|guest| drop(guest.must("true")));
    let _player = play(&scene.guest, 48_000, 2, "s16le");
    let mut page = page(&scene.network);
    let mut desktop = desktop(&scene.network, None);
    page.ask("press", json!({"on": "#sound"}));
    scene.node.wait_for_line("48000 Hz S16_LE, stereo");
    // Until both have found their delay.
    page.ask("listen", json!({"seconds": 2}));
    let in_page = page.begin("listen", json!({"seconds": 20}));
    let in_desktop = desktop.begin("listen", json!({"seconds": 20}));
    for heard in [page.finish(in_page), desktop.finish(in_desktop)] {
        println!("48000 Hz S16_LE, stereo: {heard}");
        assert_tone(&heard, 1000.0);
        assert_without_gaps(&heard);
    }
}
