//! What a process uses, as the kernel counts it (proc(5)).

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A child of this process.
#[derive(Clone, Copy)]
pub struct Watched(u32);

/// What it used over a while.
pub struct Usage {
    /// How long that was, in s.
    pub wall: f64,
    /// CPU time, user and system, in ms per second of wall time.
    pub cpu: f64,
    /// What of it was that of the threads which help with a crowd.
    pub helpers: f64,
    /// The CPU time of all processes and the kernel, likewise.
    pub machine: f64,
    /// Resident memory at the end, in KiB.
    pub rss: u64,
    /// Its greatest value so far, in KiB.
    pub peak: u64,
}

/// The start of a while.
pub struct Started {
    watched: Watched,
    at: Instant,
    cpu: Duration,
    helpers: Duration,
    machine: Duration,
}

/// What the names of those threads begin with.
const HELPER: &str = "fan-out ";

impl Watched {
    /// The child that runs `program`.
    pub fn child(program: &Path) -> anyhow::Result<Self> {
        let own = std::process::id();
        let program = fs::canonicalize(program)?;
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // Others come and go meanwhile.
            let Ok(stat) = Stat::read(&format!("/proc/{id}/stat")) else {
                continue;
            };
            if stat.parent == own && fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program) {
                return Ok(Self(id));
            }
        }
        bail!("{} does not run", program.display())
    }

    /// Begins to count.
    pub fn start(self) -> anyhow::Result<Started> {
        Ok(Started {
            watched: self,
            at: Instant::now(),
            cpu: self.cpu()?,
            helpers: self.helpers()?,
            machine: machine()?,
        })
    }

    fn cpu(self) -> anyhow::Result<Duration> {
        Ok(Stat::read(&format!("/proc/{}/stat", self.0))?.cpu)
    }

    fn helpers(self) -> anyhow::Result<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0))?.flatten();
        // They come and go.
        let threads =
            threads.filter_map(|thread| Stat::read(&format!("{}/stat", thread.path().display())).ok());
        let helpers = threads.filter(|thread| thread.name.starts_with(HELPER));
        Ok(helpers.map(|helper| helper.cpu).sum())
    }
}

impl Started {
    /// What was used since the start.
    pub fn finish(&self) -> anyhow::Result<Usage> {
        let wall = self.at.elapsed().as_secs_f64();
        let per_second = |used: Duration| used.as_secs_f64() * 1000.0 / wall;
        let status = fs::read_to_string(format!("/proc/{}/status", self.watched.0))?;
        let kib = |key: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok())
                .with_context(|| format!("no {key} in its status"))
        };
        Ok(Usage {
            wall,
            cpu: per_second(self.watched.cpu()?.saturating_sub(self.cpu)),
            helpers: per_second(self.watched.helpers()?.saturating_sub(self.helpers)),
            machine: per_second(machine()?.saturating_sub(self.machine)),
            rss: kib("VmRSS:")?,
            peak: kib("VmHWM:")?,
        })
    }
}

struct Stat {
    name: String,
    parent: u32,
    cpu: Duration,
}

impl Stat {
    fn read(path: &str) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)?;
        // The second field is a name, in which anything may be.
        let (name, rest) = text.rsplit_once(") ").context("no name in it")?;
        let (_, name) = name.split_once('(').context("no name in it")?;
        let fields: Vec<_> = rest.split(' ').collect();
        let field = |number: usize| fields.get(number - 3).context("too few fields");
        let (user, system): (u64, u64) = (field(14)?.parse()?, field(15)?.parse()?);
        Ok(Self {
            name: name.to_owned(),
            parent: field(4)?.parse()?,
            cpu: ticks(user + system),
        })
    }
}

/// All CPU time that was not idle, of all processors since the machine started.
fn machine() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split(' ').filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is in user and nice already.
    let [user, nice, system, _, _, irq, softirq, steal, ..] = fields[..] else {
        bail!("/proc/stat has another shape: {line}");
    };
    Ok(ticks(user + nice + system + irq + softirq + steal))
}

fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / rustix::param::clock_ticks_per_second() as f64)
}
