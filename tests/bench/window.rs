//! The node without its encoder inside another program, callgrind or an emulator, and what it sends meanwhile. `dev/profile` and
//! `dev/instructions` run this.

use std::ffi::OsStr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::start_server;

use crate::crowd::{Crowd, Manner};
use crate::fanout::{SETTLE, assert_fed, start_feed, sum};
use crate::viewer::Ciphers;
use crate::{print_line, progress};

/// The node encodes ten seconds of pictures before it signs in, and is slow here.
const PATIENCE: Duration = Duration::from_secs(600);

/// Has so many viewers watch the program for so many seconds, and prints how many packets and pictures left it. `hook` is run at the beginning and
/// at the end of them, with `begin` or `end` and the id of the process.
pub fn run(viewers: &str, seconds: &str, ciphers: &str, hook: &str, node: &[&str]) -> anyhow::Result<()> {
    let viewers: usize = viewers.parse().context("the number of viewers")?;
    let window = Duration::from_secs(seconds.parse().context("the number of seconds")?);
    let ciphers = Ciphers::named(ciphers)?;
    let network = Network::without_guest();
    let _server = start_server(&network);
    progress("the node records its pictures");
    let words: Vec<_> = node.iter().map(OsStr::new).collect();
    let node = start_feed(&network, &words, PATIENCE)?;
    let mut crowd = Crowd::with(&network, Manner::Watching, ciphers)?;
    crowd.grow(viewers)?;
    thread::sleep(SETTLE);
    progress(&format!("{viewers} viewers watch for {} s", window.as_secs()));
    tell(hook, "begin", &node)?;
    let (gained, seconds) = crowd.gain(|| {
        let started = Instant::now();
        thread::sleep(window);
        Ok(started.elapsed().as_secs_f64())
    })?;
    tell(hook, "end", &node)?;
    assert_fed(&gained, viewers, seconds, &node)?;
    let lost = sum(&gained, |count| count.lost);
    if lost > 0 {
        bail!("{lost} packets were lost, so that some were sent again");
    }
    let pictures = gained.iter().map(|count| count.frames).max().unwrap_or(0);
    print_line(&format!("{} {pictures}", sum(&gained, |count| count.packets)))
}

fn tell(hook: &str, what: &str, node: &Process) -> anyhow::Result<()> {
    let id = node.pid().as_raw_nonzero().to_string();
    let status = Command::new(hook)
        .args([what, &id])
        .status()
        .context("the hook")?;
    if status.success() {
        Ok(())
    } else {
        bail!("{hook} {what}: {status}")
    }
}
