//! What a stream costs with ever more viewers.

use std::fmt::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::{SIGNED_IN, binary, node_config, server_url, start_node, start_server};

use crate::crowd::{Count, Crowd};
use crate::usage::{Usage, Watched};
use crate::{CROWDS, NODE, machine, print, progress};

/// How long each crowd is measured, and how long it may settle before.
const WINDOW: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(2);
/// Of 30; a viewer that gets less is not fed.
const LEAST_FPS: f64 = 28.0;

/// pinhole-node with its pattern, encoded in software.
pub fn software(network: &Network) -> anyhow::Result<()> {
    let _server = start_server(network);
    let config = format!(
        "{}\n[webrtc]\nmax_viewers = {}\n",
        node_config(NODE, "pattern"),
        CROWDS.into_iter().max().unwrap_or(1)
    );
    let node = start_node(network, &config);
    let rows = crowds(network, "software encode", &node, &binary("pinhole-node"))?;
    let (viewer, encoder) = split(&rows);
    print(&format!(
        "### One software encode: pinhole-node, pattern 1280x720 at 30 fps, H.264\n\n{}\n\
         A viewer more costs {viewer:.2} ms of CPU a second; the picture itself (pattern, encoder), once for all, {encoder:.0} ms: \
         as much as {:.0} viewers.",
        table(&rows),
        encoder / viewer
    ))
}

/// The same fan-out, fed with pictures that were encoded beforehand.
pub fn passthrough(network: &Network) -> anyhow::Result<()> {
    let _server = start_server(network);
    let program = std::env::current_exe()?;
    let mut command = network.command(&program);
    command.args(["feed", &server_url()]);
    let (node, _) = Process::spawn("feed", command);
    node.wait_for_line(SIGNED_IN);
    let rows = crowds(network, "passthrough", &node, &program)?;
    let (viewer, rest) = split(&rows);
    print(&format!(
        "### Encoded beforehand: the same fan-out without an encoder\n\n{}\n\
         A viewer more costs {viewer:.2} ms of CPU a second; what does not depend on their number, {rest:.1} ms.",
        table(&rows)
    ))
}

struct Row {
    viewers: usize,
    usage: Usage,
    /// The slowest of those that came for this row, from offer to first packet, in ms.
    slowest: f64,
    median: f64,
    /// RTP payload that one viewer gets.
    kbps: f64,
    /// What the worst-off viewer gets.
    least_fps: f64,
    lost: u64,
    packets: u64,
    load: String,
}

fn crowds(network: &Network, what: &str, node: &Process, program: &Path) -> anyhow::Result<Vec<Row>> {
    // The crowd may run the same program, but does not yet.
    let watched = Watched::child(program)?;
    let mut crowd = Crowd::start(network)?;
    let mut rows = Vec::new();
    for viewers in CROWDS {
        progress(&format!("{what}, {viewers} viewers"));
        let mut fed_after = crowd.grow(viewers)?.fed_after;
        fed_after.sort_by(f64::total_cmp);
        thread::sleep(SETTLE);
        let before = crowd.count()?;
        let started = watched.start()?;
        thread::sleep(WINDOW);
        let usage = started.finish()?;
        let after = crowd.count()?;
        let got = |key: fn(&Count) -> u64| {
            let pairs = after.iter().zip(&before);
            pairs.map(move |(after, before)| key(after).saturating_sub(key(before)))
        };
        let seconds = usage.wall;
        let row = Row {
            viewers,
            slowest: fed_after.last().copied().unwrap_or_default(),
            median: fed_after.get(fed_after.len() / 2).copied().unwrap_or_default(),
            kbps: got(|count| count.bytes).sum::<u64>() as f64 * 8.0 / 1000.0 / seconds / viewers as f64,
            least_fps: got(|count| count.frames).min().unwrap_or_default() as f64 / seconds,
            lost: after.iter().map(|count| count.lost).sum(),
            packets: got(|count| count.packets).sum(),
            usage,
            load: machine::load()?,
        };
        if after.len() != viewers || row.least_fps < LEAST_FPS {
            bail!(
                "{what}: of {viewers} viewers the worst-off got {:.1} fps; the node's last lines:\n{}",
                row.least_fps,
                node.log().tail(20)
            );
        }
        rows.push(row);
    }
    Ok(rows)
}

/// What one viewer more costs, and what does not depend on viewers, in ms of CPU a second: between the first crowd and
/// that of 50.
fn split(rows: &[Row]) -> (f64, f64) {
    let (Some(one), Some(many)) = (rows.first(), rows.iter().find(|row| row.viewers == 50)) else {
        return (f64::NAN, f64::NAN);
    };
    let viewer = (many.usage.cpu - one.usage.cpu) / (many.viewers - one.viewers) as f64;
    (viewer, one.usage.cpu - viewer)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| viewers | CPU, ms a second | of it a viewer | RSS (peak), MiB | kbit/s a viewer | packets a second | least fps | lost packets | \
         offer to first packet, median (slowest), ms | whole machine, ms a second | load |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        let mib = |kib: u64| kib as f64 / 1024.0;
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.1} ({:.1}) | {:.0} | {:.0} | {:.1} | {} | {:.0} ({:.0}) | {:.0} | {} |",
            row.viewers,
            row.usage.cpu,
            row.usage.cpu / row.viewers as f64,
            mib(row.usage.rss),
            mib(row.usage.peak),
            row.kbps,
            row.packets as f64 / row.usage.wall,
            row.least_fps,
            row.lost,
            row.median,
            row.slowest,
            row.usage.machine,
            row.load
        );
    }
    text
}
