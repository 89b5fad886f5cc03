//! What a stream costs with ever more viewers.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{SIGNED_IN, binary, node_config, server_url, start_node, start_server};

use crate::crowd::{Count, Crowd, Manner};
use crate::usage::{Usage, Watched};
use crate::viewer::Ciphers;
use crate::{CROWDS, NODE, machine, print, progress};

/// How long each crowd is measured, and how long it may settle before.
pub const WINDOW: Duration = Duration::from_secs(10);
pub const SETTLE: Duration = Duration::from_secs(2);
const RUSHES: usize = 3;
const RUSH_WINDOW: Duration = Duration::from_secs(5);
/// Of 30; a viewer that gets less is not fed. It is not more, because the machine may have other work.
const LEAST_FPS: f64 = 25.0;

/// pinhole-node with its pattern, encoded in software.
pub fn software(network: &Network) -> anyhow::Result<()> {
    let _server = start_server(network);
    let most = CROWDS.into_iter().max().unwrap_or(1);
    let config = format!(
        "{}\n[webrtc]\nmax_viewers = {most}\n",
        node_config(NODE, "pattern")
    );
    let node = start_node(network, &config);
    let rows = crowds(
        network,
        "software encode",
        &node,
        &binary("pinhole-node"),
        Ciphers::Libwebrtc,
        &CROWDS,
    )?;
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
    let node = start_feed(network, &[program.as_os_str()], SOON)?;
    let rows = crowds(
        network,
        "passthrough",
        &node,
        &program,
        Ciphers::Libwebrtc,
        &CROWDS,
    )?;
    let (viewer, rest) = split(&rows);
    print(&format!(
        "### Encoded beforehand: the same fan-out without an encoder\n\n{}\n\
         A viewer more costs {viewer:.2} ms of CPU a second; what does not depend on their number, {rest:.1} ms.",
        table(&rows)
    ))
}

/// The greatest crowd, all at the same moment, several times, each with a fresh server and node.
pub fn rush(network: &Network) -> anyhow::Result<()> {
    let viewers = CROWDS.into_iter().max().unwrap_or(1);
    let mut text = format!(
        "### {viewers} viewers who call at the same moment, encoded beforehand, server and node fresh each time\n\n\
         | viewers fed | offer to first packet, median, ms | slowest | least fps | lost packets | load |\n\
         |--:|--:|--:|--:|--:|--:|\n"
    );
    for round in 1..=RUSHES {
        progress(&format!("{viewers} viewers at once, {round} of {RUSHES}"));
        let _server = start_server(network);
        let program = std::env::current_exe()?;
        let node = start_feed(network, &[program.as_os_str()], SOON)?;
        let mut crowd = Crowd::start(network, Manner::Watching)?;
        let waits = crowd.grow_by_groups(viewers)?;
        thread::sleep(SETTLE);
        let (gained, seconds) = crowd.gain(|| {
            let started = Instant::now();
            thread::sleep(RUSH_WINDOW);
            Ok(started.elapsed().as_secs_f64())
        })?;
        let least_fps = assert_fed(&gained, viewers, seconds, &node)?;
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.0} | {least_fps:.1} | {} | {} |",
            gained.len(),
            middle(&waits),
            last(&waits),
            sum(&gained, |count| count.lost),
            machine::load()?
        );
    }
    print(&text)
}

/// Starts the node without its encoder: this program or that of another revision, where another one is to run it, after the words for that one.
pub fn start_feed(network: &Network, words: &[&OsStr], patience: Duration) -> anyhow::Result<Process> {
    let (program, words) = words.split_first().context("no program")?;
    let mut command = network.command(program);
    command.args(words).args(["feed", &server_url()]);
    let (node, _) = Process::spawn("feed", command);
    node.wait_for_line_since(Mark::default(), SIGNED_IN, patience);
    Ok(node)
}

/// A crowd, and what it cost and got.
pub struct Row {
    pub viewers: usize,
    pub usage: Usage,
    /// Of those that came for this row: from offer to first packet, in ms, sorted.
    pub waits: Vec<f64>,
    /// Of each picture, from its capture to the last viewer's last packet, in ms, sorted.
    pub latencies: Vec<f64>,
    /// RTP payload that one viewer gets.
    kbps: f64,
    pub packets_per_second: f64,
    least_fps: f64,
    lost: u64,
    load: String,
}

/// One crowd after the other, each with those before.
pub fn crowds(
    network: &Network,
    what: &str,
    node: &Process,
    program: &Path,
    ciphers: Ciphers,
    sizes: &[usize],
) -> anyhow::Result<Vec<Row>> {
    // The crowd may run the same program, but does not yet.
    let watched = Watched::child(program)?;
    let mut crowd = Crowd::with(network, Manner::Watching, ciphers)?;
    let mut rows = Vec::new();
    for &viewers in sizes {
        progress(&format!("{what}, {viewers} viewers"));
        let waits = crowd.grow_by_groups(viewers)?;
        thread::sleep(SETTLE);
        crowd.latencies()?;
        let (gained, usage) = crowd.gain(|| {
            let started = watched.start()?;
            thread::sleep(WINDOW);
            started.finish()
        })?;
        let least_fps = assert_fed(&gained, viewers, usage.wall, node)?;
        rows.push(Row {
            viewers,
            waits,
            latencies: sorted(crowd.latencies()?),
            kbps: sum(&gained, |count| count.bytes) as f64 * 8.0 / 1000.0 / usage.wall / viewers as f64,
            packets_per_second: sum(&gained, |count| count.packets) as f64 / usage.wall,
            least_fps,
            lost: sum(&gained, |count| count.lost),
            usage,
            load: machine::load()?,
        });
    }
    Ok(rows)
}

/// Everybody got the picture; gives the fps of who got the fewest.
pub fn assert_fed(gained: &[Count], viewers: usize, seconds: f64, node: &Process) -> anyhow::Result<f64> {
    let fewest = gained.iter().map(|count| count.frames).min().unwrap_or_default();
    let least_fps = fewest as f64 / seconds;
    if gained.len() != viewers || least_fps < LEAST_FPS {
        bail!(
            "of {viewers} viewers {} were there, and the worst-off got {least_fps:.1} fps; the node's last lines:\n{}",
            gained.len(),
            node.log().tail(20)
        );
    }
    Ok(least_fps)
}

pub fn sum(counts: &[Count], of: impl Fn(&Count) -> u64) -> u64 {
    counts.iter().map(of).sum()
}

pub fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

pub fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn last(sorted: &[f64]) -> f64 {
    sorted.last().copied().unwrap_or(f64::NAN)
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
            row.packets_per_second,
            row.least_fps,
            row.lost,
            middle(&row.waits),
            last(&row.waits),
            row.usage.machine,
            row.load
        );
    }
    text
}
