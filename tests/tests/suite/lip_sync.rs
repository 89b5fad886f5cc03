//! Picture and sound stay together: flashes and tones that are fed into a camera and a sound card at one moment are seen and heard
//! at one moment, after a minute and for as long as it runs.
//!
//! Players hold back picture and sound by what the network, and the machine, did lately. On one that stands still again and again they
//! are no measure; the feeder, which is late then itself, and a witness ([`pinhole_e2e::calm`]) tell, and the test says that it was skipped.
//!
//! Two variables make an experiment of the test: `PINHOLE_LIP_SYNC_MINUTES=10` measures after ten minutes as well, and
//! `PINHOLE_LIP_SYNC_LATE=150` feeds the picture 150 ms late, upon which the test has to fail with tones that are early by as much.

use std::collections::BTreeSet;
use std::time::Duration;

use pinhole_e2e::calm::{CALM, Witness};
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::{Mark, loudly};
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{server_address, server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped, skipped_because, this_test};
use serde_json::{Value, json};

/// By how much a tone may be heard before or after its flash is seen, in ms. Sound that is early is noticed from about there on
/// (ITU-R BT.1359-1).
const TOGETHER: f64 = 45.0;
/// Pairs of a flash and a tone in a minute.
const A_MINUTE: u64 = 30;
/// How often it is measured at most. A player that a busy machine has kept waiting takes its time to bring both together again; on a
/// machine that stands still again and again, it does not come to that for a while.
const TRIES: u32 = 8;
/// So many tries on a calm machine have to fail until it is the node's fault.
const CALM_TRIES: u32 = 2;
/// How long is measured, in seconds: that of about eleven pairs.
const MEASURED: u32 = 23;

/// So long players take to forget a moment in which the machine stood still, in pairs.
const RECOVERY: usize = 40;
/// The feeder's own error in such a moment, in ms; usually it is a few.
const STOOD_STILL: f64 = 15.0;

/// What feeds the camera and the sound card.
struct Feeder(Process);

impl Feeder {
    fn start(guest: &Guest, late: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_flash-and-beep");
        // It stands for hardware, which does not wait for the programs of its machine.
        let text = format!("exec nice -n -10 {program} /dev/video10 hw:Loopback,1,0 {late}");
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

    /// Whether it was kept from working at no time that players still remember. It has a high priority in its guest: where it is, the
    /// machine under the guest has stood still.
    fn was_calm(&self) -> bool {
        let fed = self.fed(Mark::default());
        let recent: Vec<f64> = fed.iter().rev().take(RECOVERY).map(|(_, off)| *off).collect();
        let usual = median(recent.clone());
        recent.iter().all(|off| (off - usual).abs() < STOOD_STILL)
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
    // Small, as a browser without a graphics card paints on the processor that everything else here needs, too.
    page.ask("open", json!({"url": server_url(), "width": 480, "height": 400}));
    page.ask("watch", json!({"camera": "porch"}));
    page.ask("wait_live", json!({"within": 40}));
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

/// Not a number where there are none.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Whether a viewer's tones were within the bound of their flashes, by the median.
fn is_together(offsets: &Value) -> bool {
    let each = offsets["offsets"].as_array().into_iter().flatten();
    let apart: Vec<f64> = each.filter_map(|offset| Some(offset.as_f64()?.abs())).collect();
    apart.len() >= 8 && median(apart) <= TOGETHER
}

mod soak {
    use super::*;

    #[test]
    fn a_flash_and_its_tone_are_together_after_a_minute() {
        if skipped(Need::Guest) {
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

        for minute in BTreeSet::from([1, minutes]) {
            feeder.waits_for(start + minute * A_MINUTE);
            let mut told = Vec::new();
            let mut together = [false; 2];
            let mut calm = 0;
            let witness = Witness::start();
            for _ in 0..TRIES {
                let mark = feeder.0.mark();
                witness.stood_still();
                let seconds = json!({"seconds": MEASURED});
                let in_page = page.begin("lip_sync", seconds.clone());
                let in_desktop = desktop.begin("lip_sync", seconds);
                let seen = [page.finish(in_page), desktop.finish(in_desktop)];
                let stood_still = witness.stood_still();
                let fed: Vec<f64> = feeder.fed(mark).into_iter().map(|(_, off)| off).collect();
                let [by_page, by_desktop] = &seen;
                told.push(format!(
                "ms from a flash to its tone after {minute} min, fed with {fed:?}: Chromium {by_page}, libwebrtc {by_desktop}"
            ));
                loudly(told.last().expect("just pushed"));
                for (together, seen) in together.iter_mut().zip(&seen) {
                    *together |= is_together(seen);
                }
                if together == [true; 2] {
                    break;
                }
                calm += u32::from(feeder.was_calm() && stood_still <= CALM);
            }
            if together != [true; 2] && calm < CALM_TRIES {
                skipped_because(
                    &this_test(),
                    "the machine stood still again and again, and its players had no time to recover",
                );
                return;
            }
            assert_eq!(together, [true; 2], "{}", told.join("\n"));
        }
        node.assert_running();
    }
}
