//! Many viewers in a process of their own, so that their work is not counted as the node's.
//!
//! The process takes commands as lines: `grow N` adds viewers up to N and answers when all of them are fed, `count` tells
//! what each of them got so far. It ends when its standard input ends.

use std::io::{BufRead, Write};
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use pinhole_e2e::programs::server_url;
use pinhole_signaling::ServerUrl;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::task::JoinSet;

use crate::viewer::{self, Counts};

/// All viewers are to be fed within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one viewer got so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
    pub frames: u64,
    pub lost: u64,
}

impl Count {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            frames: self.frames.saturating_sub(earlier.frames),
            lost: self.lost.saturating_sub(earlier.lost),
        }
    }
}

/// The answer to `grow`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Grown {
    /// From its offer to its first packet, in ms, for each of the new viewers that have one.
    pub fed_after: Vec<f64>,
    /// How many wait in vain.
    pub missing: usize,
    /// Why viewers ended.
    pub ended: Vec<String>,
}

/// The viewers of one node.
pub struct Crowd {
    process: Process,
    stdin: ChildStdin,
}

impl Crowd {
    /// Starts the process; nobody watches yet.
    pub fn start(network: &Network) -> anyhow::Result<Self> {
        let mut command = network.command(std::env::current_exe()?);
        command.args(["crowd", &server_url()]);
        let (process, stdin) = Process::spawn("crowd", command);
        Ok(Self { process, stdin })
    }

    /// Adds viewers, all at the same time, until there are `count`; returns when all are fed.
    pub fn grow(&mut self, count: usize) -> anyhow::Result<Grown> {
        let grown: Grown = self.ask(&format!("grow {count}"))?;
        if grown.missing > 0 || !grown.ended.is_empty() {
            bail!(
                "of {count} viewers {} get nothing; ended: {:?}\n{}",
                grown.missing,
                grown.ended,
                self.process.log().tail(40)
            );
        }
        Ok(grown)
    }

    /// What each viewer gets while `work` is done.
    pub fn gain<T>(&mut self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Vec<Count>, T)> {
        let before = self.count()?;
        let done = work()?;
        let after = self.count()?;
        let gained = after
            .iter()
            .zip(&before)
            .map(|(after, before)| after.since(before));
        Ok((gained.collect(), done))
    }

    /// What each viewer got so far.
    fn count(&mut self) -> anyhow::Result<Vec<Count>> {
        self.ask("count")
    }

    fn ask<T: DeserializeOwned>(&mut self, command: &str) -> anyhow::Result<T> {
        let mark = self.process.mark();
        writeln!(self.stdin, "{command}")?;
        let is_answer = |line: &str| line.starts_with(ANSWER);
        let line = self.process.log().wait_since(mark, PATIENCE * 2, is_answer);
        let line = line.with_context(|| format!("{command}: no answer:\n{}", self.process.log().tail(40)))?;
        Ok(serde_json::from_str(line.trim_start_matches(ANSWER))?)
    }
}

/// What its answers start with; all else that it says is for people.
const ANSWER: &str = "answer: ";

/// The process itself.
pub fn run(server: &str) -> anyhow::Result<()> {
    let server: ServerUrl = server.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut crowd = Inside {
        server,
        viewers: Vec::new(),
        tasks: JoinSet::new(),
        ended: Arc::default(),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_once(' ') {
            Some(("grow", count)) => serde_json::to_string(&runtime.block_on(crowd.grow(count.parse()?)))?,
            _ if line == "count" => serde_json::to_string(&crowd.counts())?,
            _ => bail!("{line:?} is no command"),
        };
        writeln!(std::io::stdout(), "{ANSWER}{answer}")?;
    }
    runtime.shutdown_background();
    Ok(())
}

struct Inside {
    server: ServerUrl,
    viewers: Vec<Arc<Counts>>,
    tasks: JoinSet<()>,
    ended: Arc<Mutex<Vec<String>>>,
}

impl Inside {
    async fn grow(&mut self, count: usize) -> Grown {
        let before = self.viewers.len();
        for number in before..count {
            let counts = Arc::new(Counts::default());
            self.viewers.push(counts.clone());
            let (server, ended) = (self.server.clone(), self.ended.clone());
            self.tasks.spawn(async move {
                if let Err(error) = viewer::watch(server, number, &counts).await {
                    let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
                    ended.push(format!("viewer {number}: {error:#}"));
                }
            });
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let fed_after: Vec<_> = self.viewers[before.min(count)..]
                .iter()
                .map(|counts| counts.fed_after.load(Ordering::Relaxed))
                .filter(|micros| *micros > 0)
                .map(|micros| micros as f64 / 1000.0)
                .collect();
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let missing = count.saturating_sub(before) - fed_after.len();
            if missing == 0 || !ended.is_empty() || Instant::now() > deadline {
                return Grown {
                    fed_after,
                    missing,
                    ended,
                };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn counts(&self) -> Vec<Count> {
        let count = |counts: &Arc<Counts>| Count {
            packets: counts.packets.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            frames: counts.frames.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
        };
        self.viewers.iter().map(count).collect()
    }
}
