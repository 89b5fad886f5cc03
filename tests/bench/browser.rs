//! What a person waits for, in a real Chromium on the viewer page: from the pattern's clock to the screen, and from the click
//! to the first frame.

use std::fmt::Write;

use anyhow::Context;
use pinhole_e2e::network::Network;
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{CAMERA_CLOSED, node_config, server_url, start_node, start_server};
use serde_json::{Value, json};

use crate::{NODE, machine, print, progress};

/// As Chromium spells them.
const CODECS: [&str; 2] = ["H264", "VP8"];
const CLOCK_SECONDS: f64 = 12.0;
const CLICKS: usize = 10;

/// Both times for each codec.
pub fn measure(network: &Network) -> anyhow::Result<()> {
    let _server = start_server(network);
    let mut node = start_node(network, &node_config(NODE, "pattern"));
    let mut page = Peer::chromium(network);
    let mut text = String::from(
        "### In Chromium: pattern 1280x720 at 30 fps, ms\n\n\
         | codec | latency, median | as the page says | p95 | least | most | frames | click to first frame, median | p95 | least | most | clicks | \
         first click of all | load |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for codec in CODECS {
        progress(&format!("Chromium, {codec}: clicks"));
        // The first one pays for what Chromium does once.
        let first = click(&mut page, &node, codec)?;
        let mut clicks = Vec::new();
        for _ in 0..CLICKS {
            clicks.push(click(&mut page, &node, codec)?);
        }
        clicks.sort_by(f64::total_cmp);
        progress(&format!("Chromium, {codec}: clock"));
        let clock = clock(&mut page, codec);
        let of_clock = |key: &str| {
            clock[key]
                .as_f64()
                .with_context(|| format!("no {key} in {clock}"))
        };
        let _ = writeln!(
            text,
            "| {codec} | {:.0} | {} | {:.0} | {:.0} | {:.0} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {first:.0} | {} |",
            of_clock("median")?,
            clock["said"].as_str().context("the page says no latency")?,
            of_clock("p95")?,
            of_clock("least")?,
            of_clock("most")?,
            clock["samples"],
            share(&clicks, 0.5),
            share(&clicks, 0.95),
            share(&clicks, 0.0),
            share(&clicks, 1.0),
            clicks.len(),
            machine::load()?
        );
    }
    node.assert_running();
    print(&text)
}

/// Opens the page anew, clicks, leaves, and waits until the camera is closed: each click finds it so.
fn click(page: &mut Peer, node: &Process, codec: &str) -> anyhow::Result<f64> {
    page.ask("open", json!({"url": server_url(), "codecs": [codec]}));
    page.ask("cameras", json!({"camera": NODE}));
    let waited = page.ask("first_frame", json!({"camera": NODE}));
    let mark = node.mark();
    page.ask("leave", json!({}));
    node.wait_for_line_since(mark, CAMERA_CLOSED, SOON);
    waited["ms"].as_f64().context("no time in the answer")
}

/// The latency of each frame for a while, once the picture runs.
fn clock(page: &mut Peer, codec: &str) -> Value {
    page.ask("open", json!({"url": server_url(), "codecs": [codec]}));
    page.ask("watch", json!({"camera": NODE}));
    page.ask("wait_live", json!({}));
    page.ask("frames", json!({"seconds": 2}));
    let mut clock = page.ask("clock", json!({"seconds": CLOCK_SECONDS}));
    clock["said"] = page.ask("text", json!({"of": "[data-stat=latency]"}))["text"].take();
    clock
}

/// The value below which `share` of the sorted values lie.
fn share(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
