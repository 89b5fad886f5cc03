//! Picture and sound stay together: flashes and tones that are fed into a camera and a sound card at one moment are seen and heard
//! at one moment, after a minute and for as long as it runs.
//!
//! Two variables make an experiment of the test: `PINHOLE_LIP_SYNC_MINUTES=10` measures after ten minutes as well, and
//! `PINHOLE_LIP_SYNC_LATE=150` feeds the picture 150 ms late, upon which the test has to fail with tones that are early by as much.

use std::time::Duration;

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::{Mark, loudly};
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{server_address, server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped};
use serde_json::{Value, json};

/// By how much a tone may be heard before or after its flash is seen, in ms. People begin to notice at about as much (ITU-R BT.1359).
const TOGETHER: f64 = 45.0;
/// Pairs of a flash and a tone in a minute.
const A_MINUTE: u64 = 30;
/// How long is measured, in seconds: that of about eleven pairs.
const MEASURED: u32 = 23;

/// What feeds the camera and the sound card.
struct Feeder(Process);

impl Feeder {
    fn start(guest: &Guest, late: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_flash-and-beep");
        let text = format!("exec {program} /dev/video10 hw:Loopback,1,0 {late}");
        let feeder = Self(guest.start("feeder", &text));
        feeder.waits_for(1);
        feeder
    }

    /// Each pair that was fed so far, and by how many ms its tone was after its flash.
    fn fed(&self, since: Mark) -> Vec<(u64, f64)> {
        let line = |line: &String| {
            let pair: Value = serde_json::from_str(line).ok()?;
            Some((pair["pair"].as_u64()?, pair["off"].as_f64()?))
        };
        self.0.log().since(since).iter().filter_map(line).collect()
    }

    /// Waits until this pair has been fed.
    fn waits_for(&self, pair: u64) {
        let done = self.fed(Mark::default()).len() as u64;
        let patience = SOON
            + Duration::from_secs(60) * u32::try_from(pair.saturating_sub(done) / A_MINUTE + 1).unwrap_or(1);
        self.0
            .wait_for_line_since(Mark::default(), &format!("\"pair\":{pair}}}"), patience);
    }
}

/// The page, with a live picture and its sound on.
fn page(network: &Network) -> Peer {
    let mut page = Peer::chromium(network);
    page.ask("open", json!({"url": server_url()}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 20}));
    page.ask("press", json!({"on": "#sound"}));
    page
}

/// A stock client in a call.
fn desktop(network: &Network) -> Peer {
    let mut client = Peer::stock_client(network);
    let name = json!({"server": server_address().to_string(), "name": "desk@hall"});
    client.ask("sign_in", name);
    let member = client.ask("await_member", json!({"name": "porch"}))["member"].clone();
    client.ask("call", json!({"member": member, "camera": true}));
    client.ask("frames", json!({"seconds": 0.1}));
    client
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[test]
fn a_flash_and_its_tone_are_together_after_a_minute() {
    if skipped("a_flash_and_its_tone_are_together_after_a_minute", Need::Guest) {
        return;
    }
    let minutes = std::env::var("PINHOLE_LIP_SYNC_MINUTES")
        .map_or(1, |minutes| minutes.parse().expect("a number of minutes"));
    let late = std::env::var("PINHOLE_LIP_SYNC_LATE").unwrap_or_default();

    let network = Network::for_guest();
    let guest = Guest::boot(&network);
    let feeder = Feeder::start(&guest, &late);
    let _server = start_server(&network);
    let config = format!(
        "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = \"/dev/video10\"\nsize = \"320x180\"\nfps = 30\n\
         [[microphone]]\ndevice = \"hw:Loopback,0,0\"\n",
        server_url()
    );
    let mut node = start_node_in(&guest, &config);
    let mut page = page(&network);
    let mut desktop = desktop(&network);
    node.wait_for_line("microphone open");
    let start = feeder.fed(Mark::default()).len() as u64;

    let mut wrong = Vec::new();
    for minute in [1, minutes].into_iter().take(if minutes > 1 { 2 } else { 1 }) {
        feeder.waits_for(start + minute * A_MINUTE);
        let mark = feeder.0.mark();
        let seconds = json!({"seconds": MEASURED});
        let asked = (
            page.begin("lip_sync", seconds.clone()),
            desktop.begin("lip_sync", seconds),
        );
        let seen = [
            ("Chromium", page.finish(asked.0)),
            ("libwebrtc", desktop.finish(asked.1)),
        ];
        let fed = median(feeder.fed(mark).into_iter().map(|(_, off)| off).collect());
        for (who, offsets) in seen {
            let line = format!(
                "{who}, minute {minute}: ms from the flash to its tone: {offsets}; as they were fed: {fed:.1}"
            );
            loudly(&line);
            let pairs = offsets["offsets"].as_array().map_or(0, Vec::len);
            let is_together = offsets["median"]
                .as_f64()
                .is_some_and(|median| median.abs() <= TOGETHER);
            if pairs < 8 || !is_together {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    node.assert_running();
}
