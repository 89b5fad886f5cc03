//! Many viewers in a process of their own, so that their work is not counted as the node's.
//!
//! The process takes commands as lines: `grow N` adds viewers up to N and answers when all of them are fed, `count` tells
//! what each of them got so far, `lose N` has each lose N of a million packets, and `latencies` tells how long pictures took to the last of them since it
//! was asked for that before. It ends when its standard input ends.

use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use pinhole_e2e::network::Network;
use pinhole_e2e::programs::server_url;
use pinhole_signaling::ServerUrl;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    child::{self, Child},
    fanout::sorted,
    latency::{self, Heard},
    talk::Recording,
    viewer::{self, Ciphers, Counts, Part},
};

/// All viewers are to be fed within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Viewers who call at once, and how long the next ones wait: a node takes in so many, and then 25 a second (`peer/engine`).
const GROUP: usize = 49;
const BETWEEN_GROUPS: Duration = Duration::from_secs(2);
/// By how much the node goes before them (nice(2)): real ones would not be on its machine.
const YIELDING: i32 = 10;

/// What one viewer got so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
    pub frames: u64,
    pub lost: u64,
    /// Packets of sound, which are not among the others.
    pub sound: u64,
    pub sound_bytes: u64,
    pub sound_lost: u64,
}

impl Count {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            frames: self.frames.saturating_sub(earlier.frames),
            lost: self.lost.saturating_sub(earlier.lost),
            sound: self.sound.saturating_sub(earlier.sound),
            sound_bytes: self.sound_bytes.saturating_sub(earlier.sound_bytes),
            sound_lost: self.sound_lost.saturating_sub(earlier.sound_lost),
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

/// What all viewers of a crowd do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// They watch, and their offers have no place for sound.
    Watching,
    /// They hear the microphone, too.
    Listening,
    /// They talk all the time, and hear nothing.
    Talking,
}

impl Manner {
    const ALL: [Self; 3] = [Self::Watching, Self::Listening, Self::Talking];

    fn word(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Listening => "listening",
            Self::Talking => "talking",
        }
    }
}

/// The viewers of one node.
pub struct Crowd {
    process: Child,
    viewers: usize,
}

impl Crowd {
    /// Starts the process; nobody watches yet.
    pub fn start(network: &Network, manner: Manner) -> anyhow::Result<Self> {
        Self::with(network, manner, Ciphers::Libwebrtc)
    }

    /// The same of viewers that can decrypt no more than this.
    pub fn with(network: &Network, manner: Manner, ciphers: Ciphers) -> anyhow::Result<Self> {
        let words = ["crowd", &server_url(), manner.word(), ciphers.word()];
        Ok(Self {
            process: Child::start(network, &words)?,
            viewers: 0,
        })
    }

    /// Adds viewers, all at the same time, until there are `count`; returns when all are fed.
    pub fn grow(&mut self, count: usize) -> anyhow::Result<Grown> {
        let grown: Grown = self.process.ask(&format!("grow {count}"))?;
        if grown.missing > 0 || !grown.ended.is_empty() {
            bail!(
                "of {count} viewers {} get nothing; ended: {:?}\n{}",
                grown.missing,
                grown.ended,
                self.process.process().log().tail(40)
            );
        }
        self.viewers = count;
        Ok(grown)
    }

    /// Adds viewers until there are `count`, in groups of as many as a node takes at once. Returns how long each of the first group waited, in ms,
    /// in order.
    pub fn grow_by_groups(&mut self, count: usize) -> anyhow::Result<Vec<f64>> {
        let mut waits = None;
        loop {
            let grown = self.grow(count.min(self.viewers + GROUP))?;
            waits.get_or_insert(sorted(grown.fed_after));
            if self.viewers >= count {
                return Ok(waits.unwrap_or_default());
            }
            thread::sleep(BETWEEN_GROUPS);
        }
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

    /// How long each picture took from its capture to the last viewer's last packet, in ms, of those since the last call. The first call
    /// begins.
    pub fn latencies(&mut self) -> anyhow::Result<Vec<f64>> {
        self.process.ask("latencies")
    }

    /// From now on each viewer loses so many of a million packets of media, by chance.
    pub fn lose(&mut self, of_a_million: u32) -> anyhow::Result<()> {
        self.process.ask(&format!("lose {of_a_million}"))
    }

    /// What each viewer got so far.
    fn count(&mut self) -> anyhow::Result<Vec<Count>> {
        self.process.ask("count")
    }
}

/// The process itself.
pub fn run(server: &str, manner: &str, ciphers: &str) -> anyhow::Result<()> {
    let server: ServerUrl = server.parse()?;
    let ciphers = Ciphers::named(ciphers)?;
    rustix::process::nice(YIELDING)?;
    let Some(manner) = Manner::ALL.into_iter().find(|known| known.word() == manner) else {
        bail!("nobody is {manner:?}");
    };
    let part = match manner {
        Manner::Watching => Part::Watches,
        Manner::Listening => Part::Listens,
        Manner::Talking => Part::Talks(Recording::make()?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut crowd = Inside {
        server,
        part,
        ciphers,
        viewers: Vec::new(),
        tasks: JoinSet::new(),
        ended: Arc::default(),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("grow", count)) => child::answer(&runtime.block_on(crowd.grow(count.parse()?)))?,
            Some(("lose", share)) => child::answer(&crowd.lose(share.parse()?))?,
            _ if line == "count" => child::answer(&crowd.counts())?,
            _ if line == "latencies" => child::answer(&crowd.latencies())?,
            _ => bail!("{line:?} is no command"),
        }
    }
    runtime.shutdown_background();
    Ok(())
}

struct Inside {
    server: ServerUrl,
    part: Part,
    ciphers: Ciphers,
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
            let (server, part, ended) = (self.server.clone(), self.part.clone(), self.ended.clone());
            let ciphers = self.ciphers;
            self.tasks.spawn(async move {
                if let Err(error) = viewer::watch(server, number, part, ciphers, &counts).await {
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

    fn lose(&self, of_a_million: u32) {
        for counts in &self.viewers {
            counts.loses.store(of_a_million, Ordering::Relaxed);
        }
    }

    fn latencies(&self) -> Vec<f64> {
        let heard = |counts: &Arc<Counts>| {
            let mut heard = counts.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.replace(Heard::default()).unwrap_or_default()
        };
        let heard: Vec<_> = self.viewers.iter().map(heard).collect();
        latency::to_last(&heard)
    }

    fn counts(&self) -> Vec<Count> {
        let count = |counts: &Arc<Counts>| Count {
            packets: counts.packets.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            frames: counts.frames.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
            sound: counts.sound.load(Ordering::Relaxed),
            sound_bytes: counts.sound_bytes.load(Ordering::Relaxed),
            sound_lost: counts.sound_lost.load(Ordering::Relaxed),
        };
        self.viewers.iter().map(count).collect()
    }
}
