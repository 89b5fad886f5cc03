//! What viewers, switches and programs do to the node's body: real pages and programs, on simulated pins.
//!
//! The pins are gpio-sim's, whose lines a test reads and pulls through files; and for a Raspberry Pi's registers a plain file,
//! which rppal takes for them: it holds what was written last.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pinhole_e2e::eventually::{eventually, eventually_every};
use pinhole_e2e::guest::Guest;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::{
    CAMERA_OPEN, SIGNED_IN, binary, node_config, repository, server_url, start_node, start_node_in,
    start_server,
};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::viewer::Viewer;
use rustix::process::Signal;
use serde_json::{Value, json};

/// What is held is let go so soon after its holder has died.
const DEAD_MAN: Duration = Duration::from_secs(1);
/// How often something is tried that a machine which stands still for a moment spoils.
const TRIES: usize = 3;

/// A chip of gpio-sim in the guest.
struct Chip<'a> {
    guest: &'a Guest,
    /// Where its lines are.
    path: String,
}

impl<'a> Chip<'a> {
    fn new(guest: &'a Guest, label: &str) -> Self {
        let path = guest.must(&format!(
            "set -e; cd /sys/kernel/config/gpio-sim && mkdir -p chip/bank0
             echo 54 >chip/bank0/num_lines; echo {label} >chip/bank0/label; echo 1 >chip/live
             echo /sys/devices/platform/$(cat chip/dev_name)/$(cat chip/bank0/chip_name)"
        ));
        Self {
            guest,
            path: path.trim().to_owned(),
        }
    }

    fn value(&self, line: u32) -> bool {
        self.guest
            .must(&format!("cat {}/sim_gpio{line}/value", self.path))
            .trim()
            == "1"
    }

    /// Waits for a line's level.
    fn becomes(&self, line: u32, high: bool, patience: Duration) {
        let seen = eventually(patience, || (self.value(line) == high).then_some(()));
        assert!(
            seen.is_some(),
            "line {line} does not become {high} within {patience:?}"
        );
    }

    /// Pulls a line from outside, and gives the guest's clock right after: ms of UNIX.
    fn pull(&self, line: u32, up: bool) -> f64 {
        let to = if up { "pull-up" } else { "pull-down" };
        let time = self.guest.must(&format!(
            "echo {to} >{}/sim_gpio{line}/pull && date +%s.%N",
            self.path
        ));
        time.trim().parse::<f64>().expect("a time") * 1000.0
    }
}

const BODY: &str = r#"
[gpio]
driver = "cdev"
chip = "sim"
status = { pin = 1 }
tally = { pin = 2 }
privacy = { pin = 3, active_low = false, pull = "none" }
output = [{ name = "light", pin = 4 }, { name = "horn", pin = 5, kind = "momentary" }]
input = [{ name = "door", pin = 6 }]
servo = [{ name = "pan", pin = 12 }]
"#;
const TALLY: u32 = 2;
const PRIVACY: u32 = 3;
const LIGHT: u32 = 4;
const HORN: u32 = 5;
const DOOR: u32 = 6;

fn body(device: &str) -> String {
    format!(
        "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = {device:?}\nsize = \"640x360\"\n{BODY}",
        server_url()
    )
}

/// A page that watches the node.
fn page(network: &Network, words: Value) -> Peer {
    let mut page = Peer::chromium(network);
    watch(&mut page, words);
    page
}

/// Has the page watch the node, whatever it did before.
fn watch(page: &mut Peer, mut words: Value) {
    words["url"] = json!(server_url());
    page.ask("open", words);
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
}

fn shows(page: &mut Peer, of: &str, text: &str) {
    let shown = eventually(SOON, || {
        let shown = page.ask("text", json!({"of": of}))["text"].clone();
        shown
            .as_str()
            .is_some_and(|shown| shown.contains(text))
            .then_some(())
    });
    assert!(shown.is_some(), "{of} does not say {text:?}");
}

/// Waits for a control message that this is true of.
fn heard(page: &mut Peer, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let found = eventually(SOON, || {
        let heard = page.ask("heard", json!({}));
        let messages = heard["messages"].as_array().expect("a list");
        messages.iter().rev().find(|message| is_it(message)).cloned()
    });
    found.unwrap_or_else(|| panic!("no {what}: {}", page.ask("heard", json!({}))))
}

fn say(page: &mut Peer, message: Value) {
    page.ask("say", json!({"texts": [message.to_string()]}));
}

/// How often the page was told that a heartbeat came too late.
fn late_heartbeats(page: &mut Peer) -> usize {
    let heard = page.ask("heard", json!({}));
    let messages = heard["messages"].as_array().expect("a list");
    messages
        .iter()
        .filter(|message| message["code"] == "heartbeat")
        .count()
}

/// The horn stays on while the page holds it, for longer than a heartbeat lasts. A page that was itself kept from beating is told
/// so, and holds it again.
fn holds_the_horn(page: &mut Peer, chip: &Chip<'_>) {
    for _ in 0..TRIES {
        let before = late_heartbeats(page);
        page.ask("hold", json!({"on": "[data-output=horn]"}));
        chip.becomes(HORN, true, SOON);
        page.ask("frames", json!({"seconds": 1.5}));
        if chip.value(HORN) {
            return;
        }
        let told = eventually(SOON, || (late_heartbeats(page) > before).then_some(()));
        assert!(told.is_some(), "it was let go while it was held");
        page.ask("let_go", json!({}));
    }
    panic!("no heartbeat came in time, {TRIES} times");
}

/// That the horn is let go in time once its holder has died, of which `die` sees to both. The way to the chip is in that time as well, and may
/// be long once.
fn is_let_go_in_time(chip: &Chip<'_>, mut die: impl FnMut()) {
    let mut took = Vec::new();
    for _ in 0..TRIES {
        die();
        let died = Instant::now();
        chip.becomes(HORN, false, SOON);
        took.push(died.elapsed());
        if took.last() <= Some(&DEAD_MAN) {
            return;
        }
    }
    panic!("held by the dead for {took:?}");
}

/// The servo's ends of movement that the page was told of.
fn stops(page: &mut Peer) -> Vec<Value> {
    let heard = page.ask("heard", json!({}));
    let mut messages = heard["messages"].as_array().expect("a list").clone();
    messages.retain(|said| said["what"] == "servo" && said["moving"] == false);
    messages
}

/// A page of the node's status, where it runs on the host's side.
fn get(network: &Network, path: &str) -> String {
    let text = network.inside(|| {
        let mut stream = TcpStream::connect("127.0.0.1:8889").expect("the status is served");
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("it takes a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        text
    });
    text.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

/// How many requests nobody looked at.
fn flooded(network: &Network) -> u64 {
    let status: Value = serde_json::from_str(&get(network, "/status.json")).expect("JSON");
    status["control"]["flooded"].as_u64().expect("a number")
}

mod everything {
    use super::*;

    #[test]
    fn the_page_s_buttons_move_lines_and_a_dead_page_holds_none() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let chip = Chip::new(&guest, "sim");
        let _server = start_server(&network);
        let node = start_node_in(
            &guest,
            &format!("{}\n[control]\ncamera = \"page\"\n", body("/dev/video0")),
        );
        assert!(!chip.value(TALLY) && !chip.value(LIGHT) && !chip.value(HORN));

        let mut viewer = page(&network, json!({}));
        chip.becomes(TALLY, true, SOON);
        viewer.ask("press", json!({"on": "[data-output=light]"}));
        chip.becomes(LIGHT, true, SOON);
        viewer.ask("press", json!({"on": "[data-output=light][data-on=true]"}));
        chip.becomes(LIGHT, false, SOON);
        viewer.ask("press", json!({"on": "[data-output=light][data-on=false]"}));
        chip.becomes(LIGHT, true, SOON);

        // Held for longer than a heartbeat lasts, and let go.
        holds_the_horn(&mut viewer, &chip);
        viewer.ask("let_go", json!({}));
        chip.becomes(HORN, false, SOON);

        // The pad turns a servo while a key is held.
        viewer.ask("press", json!({"on": "#pad"}));
        viewer.ask("key", json!({"key": "ArrowRight", "down": true}));
        heard(&mut viewer, "servo that turns", |said| {
            said["what"] == "servo" && said["moving"] == true
        });
        viewer.ask("key", json!({"key": "ArrowRight", "down": false}));
        let stood = heard(&mut viewer, "servo that stands", |said| {
            said["what"] == "servo" && said["moving"] == false
        });
        assert!(stood["position"].as_f64() > Some(0.0), "{stood}");

        // An input, pulled from outside.
        chip.pull(DOOR, true);
        shows(&mut viewer, "#inputs [data-input=door]", "on");
        chip.pull(DOOR, false);
        shows(&mut viewer, "#inputs [data-input=door]", "off");

        // A control of the camera that another one sets is there, can't be moved, and is refused; until that one is switched off.
        let gain = |said: &Value| {
            said["camera"]
                .as_array()?
                .iter()
                .find(|control| control["name"] == "gain")
                .cloned()
        };
        let is_automatic = |automatic: bool| {
            move |said: &Value| gain(said).is_some_and(|gain| gain["fault"].is_string() == automatic)
        };
        heard(&mut viewer, "gain that the camera sets", is_automatic(true));
        let set = |control: &str, value: i64| json!({"type": "camera", "control": control, "value": value, "id": control});
        say(&mut viewer, set("gain", 77));
        let refused = heard(&mut viewer, "answer", |said| said["id"] == "gain");
        assert_eq!(refused["code"], "fault", "{refused}");
        say(&mut viewer, set("gain_automatic", 0));
        heard(&mut viewer, "gain that is free", is_automatic(false));
        say(&mut viewer, set("gain", 77));
        let is_set = eventually(SOON, || {
            let value = guest.must("v4l2-ctl -d /dev/video0 -C gain");
            value.trim().ends_with(" 77").then_some(())
        });
        assert!(is_set.is_some(), "the gain is not set");

        // A picture as a file.
        viewer.ask("press", json!({"on": "#snapshot"}));
        let head = heard(&mut viewer, "picture", |said| said["type"] == "snapshot");
        assert_eq!(
            (&head["width"], &head["height"]),
            (&json!(640), &json!(360)),
            "{head}"
        );
        let last = head["parts"].as_u64().expect("a number") - 1;
        heard(&mut viewer, "last part", |said| {
            said["type"] == "part" && said["number"] == last
        });

        let mut viewer = Some(viewer);
        is_let_go_in_time(&chip, || {
            let mut viewer = viewer.take().unwrap_or_else(|| page(&network, json!({})));
            viewer.ask("hold", json!({"on": "[data-output=horn]"}));
            chip.becomes(HORN, true, SOON);
            viewer.kill();
        });
        assert!(chip.value(LIGHT), "what latches stays");
        chip.becomes(TALLY, false, SOON);
        node.stop();
        assert!(!chip.value(LIGHT), "safe at the end");
    }

    #[test]
    fn what_is_captured_after_the_privacy_switch_leaves_nobody() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let chip = Chip::new(&guest, "sim");
        let _server = start_server(&network);

        // The time is in the pattern's pictures.
        let node = start_node_in(&guest, &body("pattern"));
        let mut viewer = page(&network, json!({}));
        let read = eventually(SOON, || {
            viewer.ask("clock", json!({"seconds": 0.5}))["newest"].as_f64()
        });
        let read = read.expect("the clock is legible");
        // To the end of the pattern: a slate has no clock.
        let clock = viewer.begin("clock", json!({"unreadable": 8}));
        chip.becomes(TALLY, true, SOON);
        let switched = chip.pull(PRIVACY, true);
        chip.becomes(TALLY, false, SOON);
        shows(&mut viewer, "#events", "Privacy");
        let clock = viewer.finish(clock);
        // Where the page began late, none was left to read.
        let newest = clock["newest"].as_f64().unwrap_or(read);
        assert!(
            newest <= switched,
            "a picture of {newest} left after {switched}: {clock}"
        );
        // The call goes on, and the page says why there is no picture.
        viewer.ask("wait_state", json!({"state": "waiting", "trouble": "private"}));
        viewer.ask("leave", json!({}));
        node.stop();

        // Nor does what is heard.
        chip.pull(PRIVACY, false);
        let microphone = "[[microphone]]\ndevice = \"tone\"\n";
        let node = start_node_in(&guest, &format!("{}{microphone}", body("pattern")));
        watch(&mut viewer, json!({}));
        viewer.ask("press", json!({"on": "#sound"}));
        let loud =
            |viewer: &mut Peer| viewer.ask("listen", json!({"seconds": 0.5}))["level"].as_f64() > Some(0.01);
        eventually(SOON, || loud(&mut viewer).then_some(())).expect("the tone is heard");
        chip.pull(PRIVACY, true);
        node.wait_for_line("microphone closed: the privacy switch is on");
        // What the browser still has to play is a moment's.
        eventually(SOON, || (!loud(&mut viewer)).then_some(())).expect("it is silent");
        assert!(
            !loud(&mut viewer) && !loud(&mut viewer),
            "sound leaves while the switch is on"
        );
        chip.pull(PRIVACY, false);
        eventually(SOON, || loud(&mut viewer).then_some(())).expect("the tone is back");
        chip.pull(PRIVACY, true);
        viewer.ask("leave", json!({}));
        node.stop();

        // A device is closed, and opened when the switch is off.
        let mut node = start_node_in(&guest, &body("/dev/video0"));
        let viewer = Viewer::watch(&network, &server_url(), "porch", &[], SOON);
        assert_eq!(
            guest.holders("/dev/video0"),
            0,
            "the switch is on since before the start"
        );
        chip.pull(PRIVACY, false);
        node.wait_for_line(CAMERA_OPEN);
        let opened = eventually(SOON, || (guest.holders("/dev/video0") == 1).then_some(()));
        assert!(opened.is_some(), "the camera does not come back");
        chip.pull(PRIVACY, true);
        let closed = eventually(SOON, || (guest.holders("/dev/video0") == 0).then_some(()));
        assert!(closed.is_some(), "the camera stays open");
        node.wait_for_line("the privacy switch is on");
        // The slate is shown.
        viewer.brings(4);
        node.assert_running();
    }

    #[test]
    fn a_raspberry_pi_s_registers_tell_what_the_node_does_and_are_safe_after_a_kill() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _chip = Chip::new(&guest, "pinctrl-bcm2835");
        guest.must(
        "set -e; truncate -s 4096 /dev/gpiomem; printf 'Revision\\t: a02082\\n' >/run/cpuinfo; mount --bind /run/cpuinfo /proc/cpuinfo",
    );
        let _server = start_server(&network);
        let config = |parts: &str| {
            let plain = node_config("porch", "pattern");
            format!(
                "{plain}\n[control]\nsocket = \"/run/control.sock\"\n[gpio]\ndriver = \"rppal\"\n{parts}\n"
            )
        };

        // A light that flashes while nobody watches.
        let node = start_node_in(&guest, &config("status = { pin = 17 }"));
        register_becomes(&guest, GPFSEL1, 1 << 21);
        register_becomes(&guest, GPSET0, 1 << 17);
        register_becomes(&guest, GPCLR0, 1 << 17);
        node.stop();

        let parts = "tally = { pin = 27 }\noutput = [{ name = \"light\", pin = 23 }]\nservo = [{ name = \"pan\", pin = 45 }]";
        let node = start_node_in(&guest, &config(parts));
        // Pins 23 and 27, and 45, are outputs; the servo's pulses begin and end.
        register_becomes(&guest, GPFSEL2, (1 << 9) | (1 << 21));
        register_becomes(&guest, GPFSEL4, 1 << 15);
        register_becomes(&guest, GPSET1, 1 << 13);
        register_becomes(&guest, GPCLR1, 1 << 13);
        let mut viewer = page(&network, json!({}));
        register_becomes(&guest, GPSET0, 1 << 27);
        viewer.ask("press", json!({"on": "[data-output=light]"}));
        register_becomes(&guest, GPSET0, 1 << 23);
        viewer.ask("press", json!({"on": "[data-output=light][data-on=true]"}));
        register_becomes(&guest, GPCLR0, 1 << 23);
        viewer.ask("press", json!({"on": "[data-output=light][data-on=false]"}));
        heard(&mut viewer, "light", |said| {
            said["what"] == "output" && said["on"] == true
        });

        // Registers know nothing of processes: the light stays on until somebody makes it safe.
        forget_what_was_switched_off(&guest);
        node.kill();
        assert_eq!(register(&guest, GPCLR0), 0, "nobody was there to switch it off");
        let safe = format!("{} safe /run/node.toml", binary("pinhole-node").display());
        guest.must(&safe);
        register_becomes(&guest, GPCLR0, 1 << 23);
        assert_eq!(register(&guest, GPFSEL2), (1 << 9) | (1 << 21), "driven, and low");

        // A socket that was left is replaced, and outputs are low from the first moment.
        forget_what_was_switched_off(&guest);
        let mut node = start_node_in(&guest, &config("output = [{ name = \"light\", pin = 23 }]"));
        register_becomes(&guest, GPCLR0, 1 << 23);
        node.assert_running();
        node.stop();

        // The file has a mistake by now, which a reload would have refused; a service has on record what it had in use.
        let program = binary("pinhole-node");
        let service = format!("RUNTIME_DIRECTORY=/run exec {} ", program.display());
        let node = guest.start("pinhole-node", &format!("{service} --config /run/node.toml"));
        node.wait_for_line(SIGNED_IN);
        node.kill();
        guest.must("echo nonsense >>/run/node.toml");
        forget_what_was_switched_off(&guest);
        let safe = guest.run(&format!("{service} safe /run/node.toml"));
        register_becomes(&guest, GPCLR0, 1 << 23);
        assert!(
            safe.status != 0 && safe.text.contains("node.toml, line"),
            "{}",
            safe.text
        );
    }

    #[test]
    fn pins_that_can_not_be_had_are_named_and_the_camera_works_on() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let chip = Chip::new(&guest, "sim");
        guest.must(&format!(
        "mkdir /sys/kernel/config/gpio-sim/other && mkdir -p /sys/kernel/config/gpio-sim/other/bank0/line7/hog
         cd /sys/kernel/config/gpio-sim/other && echo 8 >bank0/num_lines && echo other >bank0/label
         echo lirc >bank0/line7/hog/name; echo input >bank0/line7/hog/direction; echo 1 >live; ls {}",
        chip.path
    ));
        let _server = start_server(&network);
        let config = format!(
            "{}\n[gpio]\ndriver = \"cdev\"\nchip = \"sim\"\noutput = [\n{{ name = \"good\", pin = 1 }},\n{{ name = \"high\", pin = 54 }},\n\
         {{ name = \"taken\", pin = \"other/7\" }},\n{{ name = \"nowhere\", pin = \"none/1\" }},\n]\n\
         servo = [{{ name = \"pan\", pin = 2, pwm = \"hardware\" }}]\n",
            node_config("porch", "pattern")
        );
        let mut node = start_node_in(&guest, &config);
        let said = node.log().tail(40).to_string();
        for part in [
            "output `high`: there is no pin 54: gpiochip",
            "output `taken`: pin other/7 is taken by `lirc`",
            "output `nowhere`: there is no GPIO chip `none`",
            "servo `pan`: pin 2 has no PWM of its own here",
        ] {
            assert!(said.contains(part), "{part} is not in\n{said}");
        }
        let mut viewer = page(&network, json!({}));
        viewer.ask("press", json!({"on": "[data-output=good]"}));
        chip.becomes(1, true, SOON);
        say(
            &mut viewer,
            json!({"type": "set", "output": "taken", "on": true, "id": 1}),
        );
        let error = heard(&mut viewer, "refusal", |said| said["id"] == 1);
        assert_eq!(error["code"], "fault", "{error}");

        // `check` says the same, and the forced driver of another board as well. It leaves the pins that a node has alone.
        let check = guest.run(&format!(
            "{} check /run/node.toml",
            binary("pinhole-node").display()
        ));
        for part in ["the pinhole-node that runs has pin", "is taken by `lirc`"] {
            assert!(check.text.contains(part), "{part} is not in\n{}", check.text);
        }
        assert!(chip.value(1), "it was not touched");
        node.assert_running();
        node.stop();
        let check = guest.run(&format!(
            "{} check /run/node.toml",
            binary("pinhole-node").display()
        ));
        assert!(
            check.status != 0 && check.text.contains("is taken by `lirc`"),
            "{}",
            check.text
        );
        let check = guest.run(&format!(
            "sed 's/cdev/rppal/' /run/node.toml >/run/pi.toml; {} check /run/pi.toml",
            binary("pinhole-node").display()
        ));
        assert!(
            check.status != 0 && check.text.contains("can't be driven as a Raspberry Pi"),
            "{}",
            check.text
        );
    }

    #[test]
    fn a_program_beside_the_node_drives_it_and_is_driven_by_viewers() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let chip = Chip::new(&guest, "sim");
        let _server = start_server(&network);
        let config = format!("{}\n[control]\nsocket = \"/run/control.sock\"\n", body("pattern"));
        let mut node = start_node_in(&guest, &config);
        node.wait_for_line("programs reach the node at /run/control.sock");
        let mode = guest.must("stat -c %a /run/control.sock");
        assert_eq!(mode.trim(), "660");
        let sample = repository().join("examples/bridge.py");
        let program = guest.start(
            "bridge",
            &format!("exec python3 {} /run/control.sock", sample.display()),
        );
        program.wait_for_line("\"type\": \"state\"");

        let mut viewer = page(&network, json!({}));
        let ask = |viewer: &mut Peer, text: &str, answer: &str| {
            say(viewer, json!({"type": "message", "text": text}));
            heard(viewer, answer, |said| {
                said["type"] == "message" && said["text"].as_str().is_some_and(|text| text.contains(answer))
            });
        };
        ask(&mut viewer, "lights on", "light: on");
        chip.becomes(LIGHT, true, SOON);
        ask(&mut viewer, "status", "on: light");
        // The program's heartbeats have the servo turn to its end, unless one of them is late.
        let mut stood = Value::Null;
        for _ in 0..TRIES {
            let before = stops(&mut viewer).len();
            ask(&mut viewer, "look left", "looking left");
            let stands = eventually(SOON, || stops(&mut viewer).get(before).cloned());
            stood = stands.expect("it comes to stand");
            if stood["position"] == -90.0 {
                break;
            }
        }
        assert_eq!(stood["position"], -90.0, "{stood}");
        // And it is told of what happens, and tells others.
        chip.pull(DOOR, true);
        shows(&mut viewer, "#events", "door is on");

        // Whoever holds something and dies lets go of it.
        is_let_go_in_time(&chip, || {
            let mut holder = guest.start("holder", HOLDER);
            chip.becomes(HORN, true, SOON);
            holder.signal(Signal::KILL);
        });
        node.assert_running();
        node.stop();
        let ended = program.log().wait_since(Default::default(), SOON, |line| {
            line.contains("the node has ended")
        });
        assert!(ended.is_some(), "{}", program.log().tail(5));
        assert!(
            guest.run("test -e /run/control.sock").status != 0,
            "the socket is gone with the node"
        );
    }
}

/// A word of the registers that rppal writes to (BCM2835 ARM Peripherals, section 6.1).
fn register(guest: &Guest, offset: u32) -> u32 {
    let text = guest.must(&format!("od -An -tx4 -j{offset} -N4 /dev/gpiomem"));
    u32::from_str_radix(text.trim(), 16).expect("a word")
}

fn register_becomes(guest: &Guest, offset: u32, value: u32) {
    let seen = eventually_every(Duration::from_millis(5), SOON, || {
        (register(guest, offset) == value).then_some(())
    });
    assert!(
        seen.is_some(),
        "{offset:#x} is {:#x} and does not become {value:#x}",
        register(guest, offset)
    );
}

/// Whatever is switched off from here on shows.
fn forget_what_was_switched_off(guest: &Guest) {
    guest.must(&format!(
        "printf '\\0\\0\\0\\0' | dd of=/dev/gpiomem bs=1 seek={GPCLR0} conv=notrunc 2>/dev/null"
    ));
}

const GPFSEL1: u32 = 0x04;
const GPFSEL2: u32 = 0x08;
const GPFSEL4: u32 = 0x10;
const GPSET0: u32 = 0x1c;
const GPSET1: u32 = 0x20;
const GPCLR0: u32 = 0x28;
const GPCLR1: u32 = 0x2c;

mod quick {
    use super::*;

    #[test]
    fn floods_nonsense_and_those_who_may_not_are_refused_with_a_reason() {
        if skipped(Need::Network) {
            return;
        }
        let network = Network::without_guest();
        let _server = start_server(&network);
        let config = format!(
            "{}\n[control]\nsnapshot = \"all\"\nevents = \"nobody\"\n",
            node_config("porch", "pattern")
        );
        let mut node = start_node(&network, &config);
        // A program that is no page, as it says itself.
        let mut program = page(&network, json!({"protocol": ""}));
        let hello = heard(&mut program, "hello", |said| said["type"] == "hello");
        assert_eq!(hello["may"], json!(["snapshot"]), "{hello}");
        let mut viewer = page(&network, json!({}));
        let hello = heard(&mut viewer, "hello", |said| said["type"] == "hello");
        assert_eq!(hello["may"], json!(["outputs", "servos", "snapshot"]), "{hello}");

        for (number, (who, text, code)) in [
            (
                0,
                json!({"type": "set", "output": "light", "on": true}),
                "permission",
            ),
            (
                0,
                json!({"type": "move", "servo": "pan", "velocity": 1}),
                "permission",
            ),
            (
                1,
                json!({"type": "camera", "control": "brightness", "value": 1}),
                "permission",
            ),
            (
                1,
                json!({"type": "set", "output": "light", "on": true}),
                "unknown",
            ),
            (1, json!({"type": "move", "servo": "pan", "velocity": 7}), "range"),
            (1, json!({"type": "explode"}), "malformed"),
            (1, json!({"type": "message", "text": "hello"}), "permission"),
        ]
        .into_iter()
        .enumerate()
        {
            let asked = if who == 0 { &mut program } else { &mut viewer };
            let mut text = text;
            text["id"] = json!(number);
            say(asked, text.clone());
            let error = heard(asked, "answer", |said| said["id"] == number);
            assert_eq!(error["code"], code, "{text}: {error}");
            assert!(
                error["reason"].as_str().is_some_and(|words| words.len() > 10),
                "{error}"
            );
        }
        let nonsense = [
            "",
            "{",
            "null",
            "[[[[",
            "\u{0}",
            "{\"type\":\"set\"}",
            &"x".repeat(15_000),
        ];
        viewer.ask("say", json!({"texts": nonsense, "times": 3}));
        heard(&mut viewer, "refusal", |said| {
            said["code"] == "malformed" && said.get("id").is_none()
        });

        let before = memory(&network);
        let flood = json!({"type": "state", "id": "x".repeat(60)}).to_string();
        program.ask("say", json!({"texts": [flood], "times": 20_000}));
        heard(&mut program, "word about the flood", |said| {
            said["code"] == "flood"
        });
        let counted = eventually(SOON, || (flooded(&network) > 10_000).then_some(()));
        assert!(counted.is_some(), "{} were not looked at", flooded(&network));
        let after = memory(&network);
        assert!(after < before + 16e6, "{after} bytes, {before} before");
        // Nobody else notices.
        say(&mut viewer, json!({"type": "state", "id": "after"}));
        heard(&mut viewer, "answer", |said| {
            said["type"] == "done" && said["id"] == "after"
        });
        viewer.ask("wait_live", json!({}));
        node.assert_running();
    }
}

/// Memory of the node on the host's side that is really there, in bytes.
fn memory(network: &Network) -> f64 {
    let text = get(network, "/metrics");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    line.expect("it is told").parse().expect("a number")
}

/// Holds the horn for as long as it lives.
const HOLDER: &str = "exec python3 -c 'import socket,time
s = socket.socket(socket.AF_UNIX); s.connect(\"/run/control.sock\")
s.sendall(b\"{\\\"type\\\":\\\"set\\\",\\\"output\\\":\\\"horn\\\",\\\"on\\\":true}\\n\")
while True: s.sendall(b\"{\\\"type\\\":\\\"beat\\\"}\\n\"); time.sleep(0.1)'";
