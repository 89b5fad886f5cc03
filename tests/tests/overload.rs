//! A machine that has too little time for encoding: the picture becomes less in steps, and more again, and never late.

use std::fmt::Write;
use std::time::{Duration, Instant};

use pinhole_e2e::guest::Guest;
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{server_url, start_node_in, start_server};
use pinhole_e2e::skip::{Need, skipped};
use pinhole_e2e::status::Metrics;
use pinhole_e2e::viewer::Viewer;
use serde_json::Value;

/// The node says this when it gives up something.
const LESS: &str = "viewers get less of the picture";
/// The node says this when it takes something back.
const MORE: &str = "viewers get more of the picture again";
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
}

/// The viewer's seconds while the closure says to go on.
fn seconds(viewer: &Viewer, mut goes_on: impl FnMut() -> bool) -> Vec<Second> {
    let mut seen = Vec::new();
    while goes_on() {
        let second = viewer.shows(|second| second["latency_ms"]["median"].is_number());
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        seen.push(Second {
            fps: number(&second["fps"]),
            width: second["width"].as_u64().unwrap_or_default(),
            latency: number(&second["latency_ms"]["median"]),
        });
    }
    seen
}

/// The median of what the picture's clock says, in milliseconds.
fn latency(seconds: &[Second]) -> f64 {
    let mut all: Vec<_> = seconds.iter().map(|second| second.latency).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn count(node: &Process, since: Mark, what: &str) -> usize {
    let lines = node.log().since(since);
    lines.iter().filter(|line| line.contains(what)).count()
}

#[test]
fn a_busy_machine_gives_up_steps_and_takes_them_back_and_no_picture_is_late() {
    if skipped(
        "a_busy_machine_gives_up_steps_and_takes_them_back_and_no_picture_is_late",
        Need::Guest,
    ) {
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
    let viewer = Viewer::watch(&network, &server_url(), "porch", &["--codec", "h264"], SOON);
    // Both encoders run, so that a quick machine has something to do as well.
    let other = Viewer::watch(&network, &server_url(), "porch", &["--codec", "vp8"], SOON);
    let level = || Metrics::scrape_in(&guest).value("pinhole_overload_level", &[]);

    // As long as the machine has nothing else to do, all of it comes. (It may have to settle: its encoder starts, too.)
    let settled = Instant::now() + PATIENCE;
    while level() != Some(0.0) || viewer.goes_on()["fps"].as_f64() < Some(25.0) {
        assert!(Instant::now() < settled, "{}", node.log().tail(20));
    }
    let start = Instant::now();
    let before = seconds(&viewer, || start.elapsed() < Duration::from_secs(10));

    // Another program takes the processor for itself most of the time: what is left is that of a slow machine.
    let mark = node.mark();
    let mut load = guest.start("load", &format!("exec chrt --fifo 50 python3 -c '{HOG}'"));
    node.wait_for_line_since(mark, LESS, SOON);
    let busy = Instant::now();
    let during = seconds(&viewer, || busy.elapsed() < BUSY);
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
        back.extend(seconds(&viewer, {
            let mut once = true;
            move || std::mem::take(&mut once)
        }));
    }
    node.wait_for_line_since(mark_after, MORE, SOON);
    let end = Instant::now();
    let again = seconds(&viewer, || end.elapsed() < Duration::from_secs(10));

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
            let Second { fps, width, latency } = second;
            let _ = writeln!(report, "{name:7} {fps:5.1} fps {width:5} wide {latency:7.1} ms");
        }
    }
    pinhole_e2e::log::loudly(&report);

    // Each step is said once, and counted.
    let metrics = Metrics::scrape_in(&guest);
    for (words, direction) in [(LESS, "\"down\""), (MORE, "\"up\"")] {
        let said = count(&node, Mark::default(), words);
        let counted = metrics.value("pinhole_overload_steps_total", &[direction]);
        assert_eq!(Some(said as f64), counted, "{report}");
        assert!((1..=12).contains(&said), "{report}");
    }

    // Latency has its price on a slow machine, and does not grow. A step of the size, with new encoders, may cost a second.
    let (first, last) = during.split_at(during.len() / 2);
    let (usual, early, late) = (latency(&before), latency(first), latency(last));
    assert!(
        late < early + 150.0,
        "it grows: {usual} before, {early} then {late} ms\n{report}"
    );
    assert!(late < usual + 300.0, "{usual} before, {late} ms\n{report}");
    let old = during.iter().filter(|second| second.latency > 1000.0).count();
    assert!(
        old * 10 <= during.len(),
        "{old} seconds of old pictures\n{report}"
    );
    assert!(
        latency(&again) < usual + 100.0,
        "{usual} before, {} ms after\n{report}",
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
