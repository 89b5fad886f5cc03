//! A machine that has too little time for encoding: the picture becomes less in steps, and more again, and never late.

use std::fmt::Write;
use std::time::{Duration, Instant};

use pinhole_e2e::calm::Witness;
use pinhole_e2e::eventually::eventually;
use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{LESS, MORE, server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use pinhole_e2e::viewer::Viewer;
use serde_json::Value;

/// A second in which the machine under the guest stood still for longer tells nothing of the node's latency.
const STOOD_STILL: Duration = Duration::from_millis(300);
/// How often it is measured at most whether all is as before.
const TRIES: usize = 3;
/// How long the machine is busy.
const BUSY: Duration = Duration::from_secs(60);
/// Until everything must be back: a step takes 6 s where all is easy, but after tries that failed the first may take two minutes,
/// and each of the others half a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// Leaves others 10 ms of each 100.
const HOG: &str = "
import time
while True:
    end = time.monotonic() + 0.09
    while time.monotonic() < end: pass
    time.sleep(0.01)
";

/// One second as the viewer sees it.
#[derive(Clone, Copy, Debug)]
struct Second {
    fps: f64,
    width: u64,
    latency: f64,
    is_calm: bool,
}

/// The viewer's seconds while the closure says to go on.
fn seconds(viewer: &Viewer, witness: &Witness, mut goes_on: impl FnMut() -> bool) -> Vec<Second> {
    let mut seen = Vec::new();
    witness.stood_still();
    while goes_on() {
        let second = viewer.shows(|second| second["latency_ms"]["median"].is_number());
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        seen.push(Second {
            fps: number(&second["fps"]),
            width: second["width"].as_u64().unwrap_or_default(),
            latency: number(&second["latency_ms"]["median"]),
            is_calm: witness.stood_still() <= STOOD_STILL,
        });
    }
    seen
}

/// What the picture's clock says, in milliseconds, in the seconds in which the machine was left to work, from the least to the most.
fn latencies(seconds: &[Second]) -> Vec<f64> {
    let calm = seconds.iter().filter(|second| second.is_calm);
    let mut latencies: Vec<_> = calm.map(|second| second.latency).collect();
    latencies.sort_by(f64::total_cmp);
    latencies
}

/// Their median; nothing where there was no such second.
fn latency(seconds: &[Second]) -> Option<f64> {
    let all = latencies(seconds);
    all.get(all.len() / 2).copied()
}

fn count(node: &Process, since: Mark, what: &str) -> usize {
    let lines = node.log().since(since);
    lines.iter().filter(|line| line.contains(what)).count()
}

mod soak {
    use super::*;

    #[test]
    fn a_busy_machine_gives_up_steps_and_takes_them_back_and_no_picture_is_late() {
        if skipped(Need::Guest) {
            return;
        }
        let network = Network::for_guest();
        let guest = Guest::boot(&network);
        let _server = start_server(&network);
        // Of a size in which the pattern's clock is legible at two thirds and at half of it as well.
        let config = format!(
            "name = \"porch\"\n[signaling]\nserver = \"{}\"\n[[camera]]\ndevice = \"pattern\"\nsize = \"1152x648\"\nfps = 30\n",
            server_url()
        );
        let mut node = start_node_in(&guest, &config);
        let viewer = Viewer::watch(
            &network,
            &server_url(),
            "porch",
            &["--codec", "h264", "--interval", "1"],
            SOON,
        );
        // Both encoders run, so that a quick machine has something to do as well.
        let other = Viewer::watch(&network, &server_url(), "porch", &["--codec", "vp8"], SOON);
        let level = || Metrics::scrape_in(&guest).value("pinhole_overload_level", &[]);

        // As long as the machine has nothing else to do, all of it comes. (It may have to settle: its encoder starts, too.)
        let settled = Instant::now() + PATIENCE;
        while level() != Some(0.0) || viewer.goes_on()["fps"].as_f64() < Some(25.0) {
            assert!(Instant::now() < settled, "{}", node.log().tail(20));
        }
        let witness = Witness::start();
        let ten_seconds = || {
            let start = Instant::now();
            seconds(&viewer, &witness, || start.elapsed() < Duration::from_secs(10))
        };
        let before = ten_seconds();

        // Another program takes the processor for itself most of the time: what is left is that of a slow machine.
        let mark = node.mark();
        let mut load = guest.start("load", &format!("exec chrt --fifo 50 python3 -c '{HOG}'"));
        node.wait_for_line_since(mark, LESS, SOON);
        let busy = Instant::now();
        let during = seconds(&viewer, &witness, || busy.elapsed() < BUSY);
        let lowest = level();
        assert!(lowest >= Some(1.0), "{lowest:?}");
        load.signal(rustix::process::Signal::KILL);
        guest.must("pkill -KILL chrt; pkill -KILL python3; true");

        let mark_after = node.mark();
        let after = Instant::now();
        let mut back = Vec::new();
        while level() != Some(0.0) {
            assert!(
                after.elapsed() < PATIENCE,
                "it stays at level {:?}\n{}",
                level(),
                node.log().tail(40)
            );
            back.extend(seconds(&viewer, &witness, {
                let mut once = true;
                move || std::mem::take(&mut once)
            }));
        }
        node.wait_for_line_since(mark_after, MORE, SOON);
        let is_as_before = |again: &[Second]| match (latency(&before), latency(again)) {
            (Some(before), Some(again)) => again < before + 100.0,
            _ => false,
        };
        let mut again = ten_seconds();
        for _ in 1..TRIES {
            if is_as_before(&again) {
                break;
            }
            again = ten_seconds();
        }

        let mut report = String::new();
        for line in node.log().since(mark) {
            if [LESS, MORE].iter().any(|words| line.contains(words)) {
                let _ = writeln!(report, "{line}");
            }
        }
        for (name, seconds) in [
            ("before", &before),
            ("busy", &during),
            ("back", &back),
            ("after", &again),
        ] {
            for second in seconds {
                let Second {
                    fps,
                    width,
                    latency,
                    is_calm,
                } = second;
                let stall = if *is_calm { "" } else { ", the machine stood still" };
                let _ = writeln!(
                    report,
                    "{name:7} {fps:5.1} fps {width:5} wide {latency:7.1} ms{stall}"
                );
            }
        }
        pinhole_e2e::log::loudly(&report);

        // Each step is said once, and counted.
        for (words, direction) in [(LESS, "\"down\""), (MORE, "\"up\"")] {
            let said = || count(&node, Mark::default(), words);
            // A step may be between the look at the one and at the other.
            let same = eventually(SOON, || {
                let counted = Metrics::scrape_in(&guest).value("pinhole_overload_steps_total", &[direction]);
                (counted == Some(said() as f64)).then_some(())
            });
            assert!(same.is_some(), "{} {direction} were said\n{report}", said());
            assert!((1..=12).contains(&said()), "{report}");
        }

        // Latency has its price on a slow machine, and does not grow. A step of the size, with new encoders, may cost a second.
        let (first, last) = during.split_at(during.len() / 2);
        let [usual, early, late] = [&before[..], first, last].map(|seconds| {
            latency(seconds).unwrap_or_else(|| panic!("the machine stood still all the time\n{report}"))
        });
        assert!(
            late < early + 150.0,
            "it grows: {usual} before, {early} then {late} ms\n{report}"
        );
        assert!(late < usual + 300.0, "{usual} before, {late} ms\n{report}");
        let all = latencies(&during);
        let old = all.iter().filter(|latency| **latency > 1000.0).count();
        assert!(old * 10 <= all.len(), "{old} seconds of old pictures\n{report}");
        assert!(
            is_as_before(&again),
            "{usual} before, {:?} ms after\n{report}",
            latency(&again)
        );
        let rate =
            |seconds: &[Second]| seconds.iter().map(|second| second.fps).sum::<f64>() / seconds.len() as f64;
        assert!(rate(last) < rate(&before) * 0.8, "{report}");
        assert!(rate(&again) > rate(last) * 1.3, "{report}");
        viewer.stop();
        other.stop();
        node.assert_running();
    }
}
