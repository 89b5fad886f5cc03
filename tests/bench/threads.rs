//! How many more viewers two threads serve than one.

use std::fmt::Write;
use std::thread;

use pinhole_e2e::network::Network;
use pinhole_e2e::process::SOON;
use pinhole_e2e::programs::start_server;

use crate::crowd::{Crowd, Manner};
use crate::fanout::{SETTLE, WINDOW, assert_fed, start_feed};
use crate::feed::THREADS;
use crate::usage::{Usage, Watched};
use crate::{machine, print, progress};

const VIEWERS: [usize; 3] = [50, 100, 200];

/// Encoded beforehand, as in [`crate::fanout::passthrough`].
pub fn measure(network: &Network) -> anyhow::Result<()> {
    let one = run(network, 1)?;
    let two = run(network, 2)?;
    let mut text = String::from(
        "### One thread that sends, and two: encoded beforehand\n\n\
         | viewers | one thread: CPU, ms a second | two threads: CPU | of it the helper's | viewers at the same load of each core, times | load |\n\
         |--:|--:|--:|--:|--:|--:|\n",
    );
    for (viewers, (one, two)) in VIEWERS.into_iter().zip(one.iter().zip(&two)) {
        let busiest = two.0.helpers.max(two.0.cpu - two.0.helpers);
        let _ = writeln!(
            text,
            "| {viewers} | {:.0} | {:.0} | {:.0} | {:.2} | {}, {} |",
            one.0.cpu,
            two.0.cpu,
            two.0.helpers,
            one.0.cpu / busiest,
            one.1,
            two.1
        );
    }
    print(&text)
}

/// What each crowd uses, and the machine's load.
fn run(network: &Network, threads: usize) -> anyhow::Result<Vec<(Usage, String)>> {
    let _server = start_server(network);
    let program = std::env::current_exe()?;
    let threads_are = format!("{THREADS}={threads}");
    let words = ["env".as_ref(), threads_are.as_ref(), program.as_os_str()];
    let node = start_feed(network, &words, SOON)?;
    let watched = Watched::child(&program)?;
    let mut crowd = Crowd::start(network, Manner::Watching)?;
    let mut rows = Vec::new();
    for viewers in VIEWERS {
        progress(&format!("{threads} threads, {viewers} viewers"));
        crowd.grow_by_groups(viewers)?;
        thread::sleep(SETTLE);
        let (gained, usage) = crowd.gain(|| {
            let started = watched.start()?;
            thread::sleep(WINDOW);
            started.finish()
        })?;
        assert_fed(&gained, viewers, usage.wall, &node)?;
        rows.push((usage, machine::load()?));
    }
    Ok(rows)
}
