//! Viewers' voices at a loudspeaker: a tone that each kind of viewer says, at the far end of a loopback card.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use pinhole_e2e::ear::{Card, Recording, Sound};
use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::loudly;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    PORT, SESSION_ENDED, node_config, server_address, start_node, start_node_in, start_server,
};
use pinhole_e2e::skip::{Need, skipped};
use serde_json::{Value, json};

/// Where the status is served by default.
const STATUS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8889);
const OPEN: &str = "speaker open";
const CLOSED: &str = "speaker closed";

/// A node with a small picture, for a guest with one processor, and a loudspeaker.
fn config(speaker: &str) -> String {
    let config = node_config("porch", "pattern")
        .replace("1280x720", "320x180")
        .replace("fps = 30", "fps = 5");
    format!("{config}\n[speaker]\n{speaker}\n")
}

const LOOPBACK: &str = "device = \"Loopback\"";

/// What the loudspeaker of the node in the guest tells of itself.
fn speaker(guest: &Guest) -> Value {
    let ask = format!(
        "exec 3<>/dev/tcp/{}/{}; printf 'GET /status.json HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
        STATUS.ip(),
        STATUS.port()
    );
    let answer = guest.must(&ask);
    let body = answer.find('{').expect("a body");
    let status: Value = serde_json::from_str(&answer[body..]).expect("JSON");
    status["speaker"].clone()
}

/// The same of a node on the host.
fn speaker_on(network: &Network) -> Value {
    let mut stream = network
        .inside(|| TcpStream::connect(STATUS))
        .expect("the status is served");
    stream
        .write_all(b"GET /status.json HTTP/1.0\r\n\r\n")
        .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.find('{').expect("a body");
    let status: Value = serde_json::from_str(&answer[body..]).expect("JSON");
    status["speaker"].clone()
}

/// A page that watches, with a microphone that hears a tone. It is at an address that a browser trusts with one.
fn page(network: &Network, hertz: u32) -> Peer {
    let mut page = Peer::chromium_with_voice(network, hertz);
    page.ask("open", json!({"url": format!("http://localhost:{PORT}")}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
    page
}

/// A desktop client that watches and says a tone all the time.
fn desktop(network: &Network, hertz: u32) -> Peer {
    let mut client = Peer::stock_client(network);
    client.ask(
        "sign_in",
        json!({"server": server_address().to_string(), "name": "viewer@pc"}),
    );
    let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
    client.ask("call", json!({"member": member, "camera": false, "tone": hertz}));
    client.ask("frames", json!({"changing": 1}));
    client
}

/// Waits until what the loudspeaker plays is as wanted, a second at a time; `tell` puts a second into words.
fn hears(guest: &Guest, wanted: impl Fn(&Sound) -> bool, tell: impl Fn(&Sound) -> String) {
    let mut told = Vec::new();
    let heard = eventually(SOON, || {
        let sound = Recording::start(guest, Card::USUAL, 1).finish();
        told.push(tell(&sound));
        wanted(&sound).then_some(())
    });
    assert!(heard.is_some(), "{told:?}: {}", speaker(guest));
}

/// Waits until it plays this tone, and hardly anything else.
fn hears_tone(guest: &Guest, hertz: f64) {
    hears(
        guest,
        |sound| (sound.dominant(300, 800) - hertz).abs() < 2.0 && sound.usually(hertz) > 0.5,
        |sound| {
            format!(
                "{} Hz, {} of {hertz} Hz",
                sound.dominant(300, 800),
                sound.usually(hertz)
            )
        },
    );
}

mod everything {
    use super::*;

    #[test]
    fn a_browser_and_a_desktop_are_heard_together() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _server = start_server(&network);
        let mut node = start_node_in(&guest, &config(&format!("{LOOPBACK}\nallow = \"all\"")));
        let mut page = page(&network, 440);
        assert_eq!(speaker(&guest)["state"], "idle", "nobody has pressed the button");

        // The browser alone.
        page.ask("hold", json!({"on": "#talk"}));
        node.wait_for_line(OPEN);
        hears_tone(&guest, 440.0);
        let told = eventually(SOON, || {
            let speaker = speaker(&guest);
            let talker = &speaker["talkers"][0];
            let is_heard = talker["audible"] == true && talker["level_dbfs"].as_f64() > Some(-30.0);
            let median = speaker["mouth_to_ear_seconds"].as_f64()?;
            (is_heard && median < 0.25).then_some(median)
        });
        let median = told.unwrap_or_else(|| panic!("{}", speaker(&guest)));
        loudly(&format!(
            "mouth to ear inside the node, median: {:.0} ms",
            median * 1000.0
        ));

        // The desktop with it.
        let mut desktop = desktop(&network, 600);
        let shares = |sound: &Sound| [440.0, 600.0].map(|tone| sound.usually(tone));
        hears(
            &guest,
            |sound| shares(sound).into_iter().all(|share| share > 0.15),
            |sound| format!("440 and 600 Hz: {:?}", shares(sound)),
        );

        // The desktop alone, and nobody.
        page.ask("let_go", json!({}));
        hears_tone(&guest, 600.0);
        hears(
            &guest,
            |sound| sound.usually(440.0) < 0.05,
            |sound| format!("440 Hz: {}", sound.usually(440.0)),
        );
        let mark = node.mark();
        desktop.ask("hang_up", json!({}));
        node.wait_for_line_since(mark, CLOSED, SOON);
        let holders = || guest.holders("/dev/snd/pcmC0D0p") + guest.holders("/dev/snd/pcmC1D0p");
        let freed = eventually(SOON, || (holders() == 0).then_some(()));
        assert!(freed.is_some(), "{} hold the card", holders());
        node.assert_running();
    }

    #[test]
    fn a_loudspeaker_that_is_absent_busy_or_unplugged_comes_back() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _server = start_server(&network);
        let driver = "/sys/bus/platform/drivers/snd_aloop";
        guest.must(&format!("echo snd_aloop.0 >{driver}/unbind"));
        let mut node = start_node_in(&guest, &config("device = \"hw:Loopback,0,0\"\nallow = \"all\""));

        // Absent at the start, and plugged in while somebody talks.
        let mut client = desktop(&network, 440);
        node.wait_for_line("there is no sound device `hw:Loopback,0,0`");
        guest.must(&format!("echo snd_aloop.0 >{driver}/bind"));
        node.wait_for_line("the speaker is back");
        hears_tone(&guest, 440.0);

        // Unplugged, and plugged in again.
        let mark = node.mark();
        guest.must(&format!("echo snd_aloop.0 >{driver}/unbind"));
        node.wait_for_line_since(mark, "was it unplugged?", SOON);
        guest.must(&format!("echo snd_aloop.0 >{driver}/bind"));
        node.wait_for_line_since(mark, "the speaker is back", SOON);
        hears_tone(&guest, 440.0);

        // Taken by another program while it was closed.
        let mark = node.mark();
        client.ask("hang_up", json!({}));
        node.wait_for_line_since(mark, CLOSED, SOON);
        let mut other = guest.start(
            "another player",
            "exec aplay -v -D hw:Loopback,0,0 -f S16_LE -r 48000 -c 2 /dev/zero",
        );
        other.wait_for_line("period_size");
        let mark = node.mark();
        let mut client = desktop(&network, 440);
        node.wait_for_line_since(mark, "in use by another program", SOON);
        other.signal(rustix::process::Signal::TERM);
        other.wait();
        node.wait_for_line_since(mark, "the speaker is back", SOON);
        hears_tone(&guest, 440.0);

        assert_eq!(
            said(&node, "there is no sound device"),
            1,
            "once, however often it was tried"
        );
        assert_eq!(said(&node, "was it unplugged?"), 1);
        assert_eq!(said(&node, "in use by another program"), 1);
        assert_eq!(said(&node, "the speaker is back"), 3);
        // The picture was never lost, nor the call.
        client.ask("frames", json!({"changing": 6}));
        assert_eq!(said(&node, SESSION_ENDED), 1, "the one that hung up");
        node.assert_running();
    }

    #[test]
    fn a_bad_network_is_concealed_and_the_tone_stays() {
        if skipped(Need::Guest) {
            return;
        }
        on_a_bad_network(|guest, more| {
            let is_measured = || more("concealed") > 5 && more("packets") > 200;
            let measured = eventually(SOON, || is_measured().then_some(()));
            assert!(measured.is_some(), "{}", speaker(guest));
            assert!(more("concealed") < more("packets") / 4, "{}", speaker(guest));
            hears_tone(guest, 440.0);
        });
    }
}

/// A desktop's voice on its way to a loudspeaker, with 5 % loss and 30 ms of jitter, while `look` looks; it is given how much more of something
/// the loudspeaker has counted on the way.
fn on_a_bad_network(look: impl FnOnce(&Guest, &dyn Fn(&str) -> u64)) {
    let network = Network::for_guest();
    let guest = Guest::boot(&network);
    let _server = start_server(&network);
    let node = start_node_in(&guest, &config(&format!("{LOOPBACK}\nallow = \"all\"")));
    let _client = desktop(&network, 440);
    node.wait_for_line(OPEN);
    hears_tone(&guest, 440.0);
    let before = speaker(&guest);

    // Voices come in: what the guest receives goes through another device, which loses and delays.
    guest.must(
        "modprobe -q ifb numifbs=1; ip link add ifb0 type ifb 2>/dev/null; ip link set ifb0 up && \
         tc qdisc add dev ifb0 root netem delay 40ms 30ms loss 5% && tc qdisc add dev vec0 ingress && \
         tc filter add dev vec0 parent ffff: protocol ip u32 match u32 0 0 action mirred egress redirect dev ifb0",
    );
    let count = |of: &Value, key: &str| of[key].as_u64().expect("a number");
    look(&guest, &|key| count(&speaker(&guest), key) - count(&before, key));
}

mod soak {
    use super::*;

    #[test]
    fn how_a_voice_sounds_on_a_bad_network() {
        if skipped(Need::Guest) {
            return;
        }
        on_a_bad_network(|guest, more| {
            let sound = Recording::start(guest, Card::USUAL, 12).finish().last(8.0);
            let (packets, concealed) = (more("packets"), more("concealed"));
            loudly(&format!(
                "5 % loss, 30 ms jitter: {concealed} of {packets} packets concealed, {} late, {} skipped, {} of 440 Hz, {} s wait",
                more("late"),
                more("skipped"),
                sound.usually(440.0),
                speaker(guest)["talkers"][0]["jitter_buffer_target_seconds"]
            ));
            assert!(concealed > 5 && concealed < packets / 4);
            let frequency = sound.last(2.0).dominant(300, 800);
            assert!((frequency - 440.0).abs() < 2.0, "{frequency} Hz");
            assert!(sound.usually(440.0) > 0.5, "{}", sound.usually(440.0));
        });
    }

    #[test]
    fn every_card_gets_what_it_can_play() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _server = start_server(&network);
        let node = start_node_in(&guest, &config(&format!("{LOOPBACK}\nallow = \"all\"")));
        for (rate, channels, format) in [
            (8_000, 1, "S16_LE"),
            (16_000, 2, "S32_LE"),
            (44_100, 2, "S16_LE"),
            (48_000, 1, "S32_LE"),
            (48_000, 2, "S16_BE"),
        ] {
            // Who opens a loopback card first says what the other one gets.
            let card = Card {
                rate,
                channels,
                format,
            };
            let recording = Recording::start(&guest, card, 14);
            let mark = node.mark();
            let mut client = desktop(&network, 440);
            let line = node.wait_for_line_since(mark, OPEN, SOON);
            for part in [format!("{rate} Hz"), format.to_owned()] {
                assert!(line.contains(&part), "{part} is not in {line}");
            }
            let sound = recording.finish().last(2.0);
            let frequency = sound.dominant(300, 800);
            assert!((frequency - 440.0).abs() < 2.0, "{card:?}: {frequency} Hz");
            // A machine that is busy with other tests loses a tenth of a second here and there.
            assert!(sound.usually(440.0) > 0.25, "{card:?}: {}", sound.usually(440.0));
            let mark = node.mark();
            client.ask("hang_up", json!({}));
            node.wait_for_line_since(mark, CLOSED, SOON);
        }
    }
}

/// How many lines the node has said with this in it.
fn said(node: &Process, text: &str) -> usize {
    let lines = node.log().since(pinhole_e2e::log::Mark::default());
    lines.iter().filter(|line| line.contains(text)).count()
}

mod quick {
    use super::*;

    #[test]
    fn only_who_may_be_heard_is_asked_for_the_microphone() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        // No sound card is needed to hear what comes.
        for (allow, is_heard) in [("nobody", false), ("page", false), ("all", true)] {
            let node = start_node(
                &network,
                &config(&format!("device = \"nowhere\"\nallow = \"{allow}\"")),
            );
            let mut client = desktop(&network, 440);
            let asked = client.ask("talk", json!({}))["direction"].clone();
            let direction = if is_heard { "sendonly" } else { "inactive" };
            assert_eq!(asked, direction, "{allow}");
            if is_heard {
                node.wait_for_line("there is no sound device `nowhere`");
                let sent = eventually(SOON, || {
                    speaker_on(&network)["packets"]
                        .as_u64()
                        .filter(|count| *count > 20)
                });
                assert!(sent.is_some(), "{}", speaker_on(&network));
            } else {
                assert_eq!(speaker_on(&network)["packets"], 0, "{allow}");
            }
            client.ask("hang_up", json!({}));
            node.stop();
        }
        let node = start_node(&network, &node_config("porch", "pattern"));
        let mut client = desktop(&network, 440);
        assert_eq!(
            client.ask("talk", json!({}))["direction"],
            "inactive",
            "without [speaker]"
        );
        assert_eq!(speaker_on(&network), Value::Null);
        client.ask("hang_up", json!({}));
        node.stop();
    }

    #[test]
    fn the_page_has_a_button_where_there_is_a_loudspeaker_and_says_why_it_does_not_work() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let node = start_node(&network, &config("device = \"nowhere\""));
        let mut page = page(&network, 440);
        assert_eq!(
            speaker_on(&network)["packets"],
            0,
            "nothing is sent before the button is pressed"
        );
        page.ask("hold", json!({"on": "#talk"}));
        page.ask("wait_for", json!({"selector": "#talk[data-state=talking]"}));
        let heard = eventually(SOON, || {
            let count = speaker_on(&network)["packets"].as_u64();
            count.filter(|count| *count > 20)
        });
        assert!(heard.is_some(), "{}", speaker_on(&network));
        page.ask("let_go", json!({}));
        page.ask("wait_for", json!({"selector": "#talk[data-state=ready]"}));

        // A tap keeps it on until the next.
        page.ask("press", json!({"on": "#talk"}));
        page.ask("wait_for", json!({"selector": "#talk[data-state=talking]"}));
        page.ask("press", json!({"on": "#talk"}));
        page.ask("wait_for", json!({"selector": "#talk[data-state=ready]"}));
        drop(page);

        // By plain HTTP from another machine no browser gives a microphone.
        let mut far = Peer::chromium_with_voice(&network, 440);
        far.ask("open", json!({"url": pinhole_e2e::programs::server_url()}));
        far.ask("watch", json!({"camera": "porch"}));
        far.ask("wait_live", json!({"within": 40}));
        far.ask("press", json!({"on": "#talk"}));
        far.ask("wait_for", json!({"selector": "#talk[data-state=refused]"}));
        let note = far.ask("text", json!({"of": "#talk-note"}))["text"].to_string();
        assert!(note.contains("HTTPS"), "{note}");
        drop(far);
        node.stop();

        let _node = start_node(&network, &node_config("porch", "pattern"));
        let mut page = Peer::chromium(&network);
        page.ask("open", json!({"url": format!("http://localhost:{PORT}")}));
        page.ask("watch", json!({"camera": "porch"}));
        page.ask("wait_live", json!({"within": 40}));
        page.ask("wait_for", json!({"selector": "#talk", "hidden": true}));
    }
}
