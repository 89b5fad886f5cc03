//! Sound: from a sound card of the kernel's (snd-aloop) to real viewers, through everything that goes wrong on the way.

use std::time::{Duration, Instant};

use pinhole_e2e::calm::{CALM, Witness};
use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::{Mark, loudly};
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    SESSION_ENDED, server_address, server_url, start_node, start_node_in, start_server,
};
use pinhole_e2e::skip::{Need, skipped, skipped_because, this_test};
use pinhole_e2e::status::Metrics;
use pinhole_e2e::viewer::Viewer;
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
    page.ask("wait_live", json!({"within": 40}));
    page
}

/// A stock client in a call; its offers name these codecs for sound, or all.
fn desktop(network: &Network, sound: Option<&str>) -> Peer {
    let mut client = Peer::stock_client(network);
    let name = json!({"server": server_address().to_string(), "name": "desk@hall"});
    client.ask("sign_in", name);
    call(&mut client, sound);
    client
}

fn call(client: &mut Peer, sound: Option<&str>) {
    if let Some(codec) = sound {
        client.ask("codecs", json!({"audio": [codec]}));
    }
    let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
    client.ask("call", json!({"member": member, "camera": true}));
    client.ask("frames", json!({"changing": 1}));
}

/// Waits until a viewer hears the tone, and gives what it heard: after a fault, or on a busy machine, it takes the player a moment.
fn hears_tone(viewer: &mut Peer) -> Value {
    let mut last = Value::Null;
    let heard = eventually(SOON, || {
        last = viewer.ask("listen", json!({"seconds": 0.8}));
        // At first there may be too little of it to tell.
        (last["hertz"].is_number() && is_tone(&last) && number(&last, "level") > 0.01).then(|| last.clone())
    });
    heard.unwrap_or_else(|| panic!("the tone is not heard: {last}"))
}

fn number(heard: &Value, key: &str) -> f64 {
    heard[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {heard}"))
}

/// The tone that was played, and nothing besides it.
fn is_tone(heard: &Value) -> bool {
    (number(heard, "hertz") - 1000.0).abs() < 2.0 && number(heard, "purity") > 0.9
}

/// Nothing was made up by the viewer, and nothing was missing but what a busy browser's recorder loses of itself.
fn is_without_gaps(heard: &Value) -> bool {
    number(heard, "concealed") < 0.02 && number(heard, "longestGap") < 25.0
}

/// That both listeners hear 20 s of the tone. Where the machine stands still meanwhile, there is a gap in what is played or in what is
/// heard, and the stretch tells nothing of the node: it is heard again, and where that happens each time, the test is skipped.
fn assert_heard_without_gaps(scene: &Scene, player: &Process, listeners: [&mut Peer; 2], card: &str) {
    const TRIES: usize = 4;
    let silence = || scene.metric("pinhole_sound_frames_total", &["silence"]);
    let [page, desktop] = listeners;
    let witness = Witness::start();
    for _ in 0..TRIES {
        let (played, before) = (player.mark(), silence());
        witness.stood_still();
        let in_page = page.begin("listen", json!({"seconds": 20}));
        let in_desktop = desktop.begin("listen", json!({"seconds": 20}));
        let both = [page.finish(in_page), desktop.finish(in_desktop)];
        for heard in &both {
            loudly(&format!("{card}, 20 s: {heard}"));
        }
        let filled = silence() - before;
        let stood_still = witness.stood_still();
        if filled == 0.0 && both.iter().all(|heard| is_tone(heard) && is_without_gaps(heard)) {
            return;
        }
        let lines = player.log().since(played);
        let ran_dry = lines.iter().any(|line| line.contains("underrun"));
        let [by_page, by_desktop] = &both;
        assert!(
            ran_dry || stood_still > CALM,
            "{card}: the node had to fill {filled} gaps on a calm machine; heard by the page: {by_page}, by the desktop: {by_desktop}"
        );
        loudly(&format!(
            "the machine stood still for {stood_still:?}, an underrun of the player: {ran_dry}; once more"
        ));
    }
    skipped_because(
        &this_test(),
        &format!("{card}: the machine stood still in each of {TRIES} stretches of 20 s"),
    );
}

mod quick {
    use super::*;

    #[test]
    fn every_viewer_hears_the_tone_in_the_codec_that_it_has() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let mut node = start_node(&network, &config("[[microphone]]\ndevice = \"tone\"\n"));
        let mut page = page(&network);
        // Whoever does not listen has no microphone opened.
        node.assert_never_said(OPEN);
        page.ask("press", json!({"on": "#sound"}));
        node.wait_for_line(OPEN);
        let heard = hears_tone(&mut page);
        assert_eq!(heard["codec"], "opus", "{heard}");
        // The terminal viewer counts it.
        let viewer = Viewer::call(&network, &server_url(), "porch", &[], SOON);
        let mut client = desktop(&network, Some("opus"));
        for codec in ["opus", "PCMU", "PCMA"] {
            if codec != "opus" {
                call(&mut client, Some(codec));
            }
            let heard = hears_tone(&mut client);
            assert_eq!(heard["codec"], codec, "{heard}");
            client.ask("hang_up", json!({}));
        }
        viewer.hears(45);
        viewer.stop();
        let before = node.mark();
        page.ask("press", json!({"on": "#sound"}));
        node.wait_for_line_since(before, CLOSED, SOON);
        node.assert_running();
    }

    #[test]
    fn a_node_without_a_microphone_shows_no_sound() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let _node = start_node(&network, &config(""));
        let mut page = page(&network);
        let hidden = page.ask("hidden", json!({"what": "#sound-group"}));
        assert_eq!(hidden["hidden"], true, "{hidden}");
    }
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
        let node = start_node_in(&guest, &config("[[microphone]]\ndevice = \"hw:Loopback,0,0\"\n"));
        Self {
            node,
            guest,
            network,
            _server: server,
        }
    }

    /// Waits for the fault, which is said once, and gives its words.
    fn waits_for_fault(&self, since: Mark, words: &str) {
        let line = self.node.wait_for_line_since(since, FAULT, SOON);
        assert!(line.contains(words), "{line:?} lacks {words:?}");
    }

    /// That the sound is back, and how often the node spoke of a fault meanwhile: once for each that it noticed, and whether it
    /// looks for a card while that is gone is a matter of moments.
    fn is_back(&self, since: Mark, faults: std::ops::RangeInclusive<usize>) {
        self.node.wait_for_line_since(since, BACK, SOON);
        let lines = self.node.log().since(since);
        let told = lines.iter().filter(|line| line.contains(FAULT)).count();
        assert!(
            faults.contains(&told),
            "{told} of {faults:?}:\n{}",
            lines.join("\n")
        );
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
    // Which kind of file knows which order of bytes.
    let kind = if format.ends_with("be") { "au" } else { "wav" };
    let file = format!("/run/tone-{rate}-{channels}-{format}.{kind}");
    let source = format!("sine=frequency=1000:sample_rate={rate}:duration=240");
    guest.must(&format!(
        "[ -e {file} ] || ffmpeg -v error -f lavfi -i {source} -af volume=4 -ac {channels} -c:a pcm_{format} {file}"
    ));
    let player = guest.start("player", &format!("aplay -v -D {SPEAKER} {file}"));
    player.wait_for_line("Its setup is");
    player
}

mod soak {
    use super::*;

    #[test]
    fn a_tone_in_a_sound_card_is_heard_by_a_browser_and_a_desktop_without_gaps() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new(|_| {});
        let player = play(&scene.guest, 48_000, 2, "s16le");
        let mut page = page(&scene.network);
        let mut desktop = desktop(&scene.network, None);
        page.ask("press", json!({"on": "#sound"}));
        scene.node.wait_for_line("48000 Hz S16_LE, stereo");
        // Until both have found their delay.
        page.ask("listen", json!({"seconds": 2}));
        assert_heard_without_gaps(
            &scene,
            &player,
            [&mut page, &mut desktop],
            "48000 Hz S16_LE, stereo",
        );
    }

    /// The card delivers what was played into it, and the node takes it as it is.
    #[test]
    fn every_kind_of_card_is_heard() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new(|_| {});
        let mut page = page(&scene.network);
        for (rate, channels, format, taken) in [
            (8_000, 1, "s16le", "8000 Hz S16_LE, mono"),
            (16_000, 2, "s32le", "16000 Hz S32_LE, stereo"),
            (44_100, 2, "s16le", "44100 Hz S16_LE, stereo"),
            (44_100, 1, "s32le", "44100 Hz S32_LE, mono"),
            (48_000, 1, "s32le", "48000 Hz S32_LE, mono"),
            (48_000, 2, "s16be", "48000 Hz S16_BE, stereo"),
            (48_000, 1, "s32be", "48000 Hz S32_BE, mono"),
        ] {
            let player = play(&scene.guest, rate, channels, format);
            let before = scene.node.mark();
            page.ask("press", json!({"on": "#sound"}));
            scene.node.wait_for_line_since(before, taken, SOON);
            let mut desktop = desktop(&scene.network, None);
            hears_tone(&mut page);
            assert_heard_without_gaps(&scene, &player, [&mut page, &mut desktop], taken);
            desktop.ask("hang_up", json!({}));
            page.ask("press", json!({"on": "#sound"}));
            scene.node.wait_for_line_since(before, CLOSED, SOON);
            player.kill();
        }
    }

    #[test]
    fn the_picture_has_no_gap_while_a_card_goes_and_comes_back() {
        if skipped(Need::Guest) {
            return;
        }
        let mut looking = None;
        let begin = |page: &mut Peer| looking = Some(page.begin("frames", json!({"seconds": 45})));
        let (mut page, stopped) = a_card_goes_and_comes_back(begin);
        let watched = page.finish(looking.expect("it was begun"));
        let told = format!("the node was stopped for {stopped:?}: {watched}");
        loudly(&told);
        // But where the node itself was stopped.
        let gap = stopped + Duration::from_millis(2500);
        assert!(
            number(&watched, "longestGap") < gap.as_secs_f64() * 1000.0,
            "{told}"
        );
    }
}

/// All that goes wrong with a card, and comes right again, while a page listens and its picture goes on; `begin` is told when it begins. Gives the page,
/// and for how long the node was stopped.
fn a_card_goes_and_comes_back(begin: impl FnOnce(&mut Peer)) -> (Peer, Duration) {
    const DRIVER: &str = "/sys/bus/platform/drivers/snd_aloop";
    // It is absent at the start.
    let mut scene = Scene::new(|guest| drop(guest.must(&format!("echo snd_aloop.0 >{DRIVER}/unbind"))));
    let mut page = page(&scene.network);
    begin(&mut page);
    let goes_on = |page: &mut Peer| page.ask("frames", json!({"distinct": 8}));
    page.ask("press", json!({"on": "#sound"}));
    scene.waits_for_fault(Mark::default(), "there is no sound device");
    let heard = |page: &mut Peer| page.ask("listen", json!({"seconds": 1.5}));
    assert!(number(&heard(&mut page), "level") < 0.001, "silence meanwhile");
    goes_on(&mut page);

    // It is plugged in. The node may be there first, so the player takes what the node takes: mono.
    let before = scene.node.mark();
    scene.guest.must(&format!("echo snd_aloop.0 >{DRIVER}/bind"));
    let player = play(&scene.guest, 48_000, 1, "s16le");
    scene.is_back(before, 0..=0);
    hears_tone(&mut page);
    player.kill();

    // It is unplugged while it is heard, and plugged in again.
    let before = scene.node.mark();
    scene.guest.must(&format!("echo snd_aloop.0 >{DRIVER}/unbind"));
    scene.waits_for_fault(before, "");
    goes_on(&mut page);
    scene.guest.must(&format!("echo snd_aloop.0 >{DRIVER}/bind"));
    let player = play(&scene.guest, 48_000, 1, "s16le");
    // It was unplugged, and then it was not there.
    scene.is_back(before, 1..=2);
    hears_tone(&mut page);

    // The node is stopped for longer than the card holds: an overrun.
    let before = scene.metric("pinhole_microphone_overruns_total", &[]);
    let stopped = Instant::now();
    scene.node.signal(rustix::process::Signal::STOP);
    heard(&mut page);
    scene.node.signal(rustix::process::Signal::CONT);
    let stopped = stopped.elapsed();
    hears_tone(&mut page);
    assert!(scene.metric("pinhole_microphone_overruns_total", &[]) > before);

    // Somebody else takes it while nobody listens.
    let before = scene.node.mark();
    page.ask("press", json!({"on": "#sound"}));
    scene.node.wait_for_line_since(before, CLOSED, SOON);
    let thief = scene.guest.start(
        "thief",
        "arecord -v -D hw:Loopback,0,0 -f S16_LE -r 48000 -c 1 /dev/null",
    );
    thief.wait_for_line("Its setup is");
    page.ask("press", json!({"on": "#sound"}));
    scene.waits_for_fault(before, "in use by another program");
    goes_on(&mut page);
    thief.kill();
    scene.is_back(before, 1..=1);
    hears_tone(&mut page);
    player.kill();

    goes_on(&mut page);
    let media = page.ask("media", json!({}));
    assert_eq!(media["calls"], 1, "{media}");
    scene.node.assert_never_said(SESSION_ENDED);
    scene.node.assert_running();
    (page, stopped)
}

mod everything {
    use super::*;

    /// What goes wrong with a card costs its sound and nothing else, and is said once.
    #[test]
    fn a_card_that_goes_comes_back_and_the_picture_goes_on() {
        if skipped(Need::Guest) {
            return;
        }
        a_card_goes_and_comes_back(|_| {});
    }

    /// 5 % loss and 30 ms of jitter: what is lost is made up, and the tone stays what is heard.
    #[test]
    fn on_a_bad_network_the_tone_is_still_heard() {
        if skipped(Need::Guest) {
            return;
        }
        let scene = Scene::new(|_| {});
        let _player = play(&scene.guest, 48_000, 2, "s16le");
        let mut page = page(&scene.network);
        let mut desktop = desktop(&scene.network, None);
        page.ask("press", json!({"on": "#sound"}));
        scene.node.wait_for_line(OPEN);
        hears_tone(&mut page);
        scene
            .guest
            .must("tc qdisc add dev vec0 root netem delay 40ms 30ms loss 5%");
        let is_heard = |heard: &Value| {
            let is_tone = (number(heard, "hertz") - 1000.0).abs() < 5.0 && number(heard, "purity") > 0.5;
            // What a packet after the lost one tells of it (in-band FEC) need not be made up: at best nothing has to. That none was lost
            // would mean that the network is too good.
            is_tone && number(heard, "lost") > 0.0 && number(heard, "concealed") < 0.3
        };
        // Players need a moment to get used to it, and a machine that stands still makes it worse than the network does.
        let mut both = Vec::new();
        let are_heard = eventually(SOON, || {
            let in_page = page.begin("listen", json!({"seconds": 2}));
            let in_desktop = desktop.begin("listen", json!({"seconds": 2}));
            both = vec![page.finish(in_page), desktop.finish(in_desktop)];
            for heard in &both {
                loudly(&format!("5 % loss and 30 ms of jitter: {heard}"));
            }
            both.iter().all(is_heard).then_some(())
        });
        assert!(are_heard.is_some(), "{both:?}");
    }
}
