//! Somebody who means harm (`examples/attacker`), held to half a core: what is tested is how much a program lets somebody cost it, and
//! not the machine's scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::log::{Mark, loudly};
use crate::network::Network;
use crate::process::{Process, ticks};
use crate::programs::{example, server_address};

/// What it may have of one processor's time.
const SHARE: f64 = 0.5;

/// An attacker at work. It ends when this is dropped.
pub struct Attacker {
    process: Process,
    _leash: Leash,
}

/// What holds it.
enum Leash {
    /// The kernel.
    Group { _group: Cgroup },
    /// Where it can't: a thread that stops it and lets it go on.
    Thread(Arc<AtomicBool>, Option<JoinHandle<()>>),
}

impl Attacker {
    /// One that does all of these things to the test's server and to the node `porch` on it (the words are explained at the top of
    /// the program).
    pub fn start(network: &Network, words: &[&str]) -> Self {
        let mut command = network.command(example("attacker"));
        command.arg(server_address().to_string()).arg("porch").args(words);
        let group = Cgroup::of_time(SHARE);
        let held = group.as_ref().map(|group| group.hold(&command));
        let (process, _) = Process::spawn("attacker", held.unwrap_or(command));
        let leash = match group {
            Ok(group) => Leash::Group { _group: group },
            Err(reason) => {
                loudly(&format!("no control group ({reason}): held by a thread"));
                Leash::thread(&process)
            }
        };
        let attacker = Self {
            process,
            _leash: leash,
        };
        attacker.process.wait_for_line("{");
        attacker
    }

    /// What it says that it did so far.
    pub fn figures(&self) -> Value {
        let lines = self.process.log().since(Mark::default());
        let last = lines.iter().rfind(|line| line.starts_with('{'));
        last.and_then(|line| serde_json::from_str(line).ok())
            .unwrap_or_default()
    }

    /// Ends it, and gives what it did.
    pub fn stop(mut self) -> Value {
        let figures = self.figures();
        self.process.assert_running();
        figures
    }
}

impl Leash {
    fn thread(process: &Process) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (pid, until) = (process.pid(), is_over.clone());
        let hold = move || {
            let start = Instant::now();
            while !until.load(Relaxed) {
                let used = ticks(pid).unwrap_or_default() as f64 / 100.0;
                let signal = if used > start.elapsed().as_secs_f64() * SHARE {
                    Signal::STOP
                } else {
                    Signal::CONT
                };
                // It may have ended.
                let _ = kill_process(pid, signal);
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        Self::Thread(is_over, Some(std::thread::spawn(hold)))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Self::Thread(is_over, thread) = self {
            is_over.store(true, Relaxed);
            let _ = thread.take().map(JoinHandle::join);
        }
    }
}
