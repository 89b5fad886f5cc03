//! A running program: its log, its end. It is killed, with all it started, when it is dropped.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

use crate::guest::Job;
use crate::log::{Log, Mark};

/// How long a test waits for what should come at once. Generous: the machine may be busy with other work.
pub const SOON: Duration = Duration::from_secs(30);

/// A program that runs on the host or in a guest.
pub struct Process {
    name: String,
    log: Log,
    body: Body,
}

enum Body {
    Host(HostProcess),
    Guest(Job),
}

struct HostProcess {
    child: Child,
    group: Pid,
    ended: Option<ExitStatus>,
}

/// A command for [`Process::spawn`] that dies with the test, even when the test is killed.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl Process {
    /// Starts `command` in a process group of its own, with a pipe to its stdin. Its output becomes the log.
    pub fn spawn(name: &str, mut command: Command) -> (Self, ChildStdin) {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let log = Log::default();
        log.read(child.stdout.take().expect("stdout is a pipe"));
        log.read(child.stderr.take().expect("stderr is a pipe"));
        let stdin = child.stdin.take().expect("stdin is a pipe");
        let group = Pid::from_child(&child);
        let body = Body::Host(HostProcess {
            child,
            group,
            ended: None,
        });
        (
            Self {
                name: name.to_owned(),
                log,
                body,
            },
            stdin,
        )
    }

    pub(crate) fn in_guest(name: &str, log: Log, job: Job) -> Self {
        Self {
            name: name.to_owned(),
            log,
            body: Body::Guest(job),
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its output so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Where its log ends now, for [`Process::wait_for_line_since`].
    pub fn mark(&self) -> Mark {
        self.log.mark()
    }

    /// Waits for a line that contains `pattern`, since the start; fails the test when the program ends or time runs out.
    pub fn wait_for_line(&self, pattern: &str) -> String {
        self.wait_for_line_since(Mark::default(), pattern, SOON)
    }

    /// The same for what comes after `mark`, within `patience`.
    pub fn wait_for_line_since(&self, mark: Mark, pattern: &str, patience: Duration) -> String {
        self.log
            .wait_since(mark, patience, |line| line.contains(pattern))
            .unwrap_or_else(|| {
                panic!(
                    "{} did not say {pattern:?} (patience {patience:?}); its last lines:\n{}",
                    self.name,
                    self.log.tail(40)
                )
            })
    }

    /// The CPU time that a program on the host has taken so far, of the system and its own, in clock ticks.
    pub fn cpu_ticks(&self) -> u64 {
        let Body::Host(host) = &self.body else {
            panic!("{}: CPU time is counted on the host only", self.name);
        };
        let path = format!("/proc/{}/stat", host.child.id());
        let stat = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        // proc_pid_stat(5): the name in brackets may hold anything; utime and stime are the 12th and 13th after it.
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        fields[11..13]
            .iter()
            .map(|ticks| ticks.parse::<u64>().expect("a number of ticks"))
            .sum()
    }

    /// Sets how many files a program on the host may have open, and returns how many it might before. What is open stays so.
    pub fn limit_files(&self, limit: Rlimit) -> Rlimit {
        let Body::Host(host) = &self.body else {
            panic!("{}: files are limited on the host only", self.name);
        };
        prlimit(Some(host.group), Resource::Nofile, limit).expect("root may change it")
    }

    /// Whether it has said something that contains `pattern`.
    pub fn has_said(&self, pattern: &str) -> bool {
        let lines = self.log.since(Mark::default());
        lines.iter().any(|line| line.contains(pattern))
    }

    /// Fails the test when it has said something that contains `pattern`.
    pub fn assert_never_said(&self, pattern: &str) {
        assert!(
            !self.has_said(pattern),
            "{} said {pattern:?}; its last lines:\n{}",
            self.name,
            self.log.tail(60)
        );
    }

    /// Sends a signal to the program and to all it started.
    pub fn signal(&mut self, signal: Signal) {
        match &mut self.body {
            // A group that is already gone has nothing left to tell.
            Body::Host(host) if host.ended.is_none() => drop(kill_process_group(host.group, signal)),
            Body::Host(_) => {}
            Body::Guest(job) => job.signal(signal),
        }
    }

    /// Waits for its end and gives its exit status, 128 and more for a signal. Fails the test when it does not end.
    pub fn wait(&mut self) -> i32 {
        self.wait_within(SOON)
    }

    /// The same, within `patience`.
    pub fn wait_within(&mut self, patience: Duration) -> i32 {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not end; its last lines:\n{}",
                self.name,
                self.log.tail(40)
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        match &mut self.body {
            Body::Host(host) => {
                if host.ended.is_none() {
                    host.ended = host.child.try_wait().expect("a child can be waited for");
                }
                host.ended.map(|status| {
                    status
                        .code()
                        .or(status.signal().map(|signal| 128 + signal))
                        .unwrap_or(-1)
                })
            }
            Body::Guest(job) => job.status(),
        }
    }

    /// Fails the test when the program has ended or panicked.
    pub fn assert_running(&mut self) {
        assert!(
            self.ended().is_none(),
            "{} has ended; its last lines:\n{}",
            self.name,
            self.log.tail(40)
        );
        let panic = self
            .log
            .since(Mark::default())
            .into_iter()
            .find(|line| line.contains("panicked at"));
        assert!(
            panic.is_none(),
            "{} panicked: {}\n{}",
            self.name,
            panic.unwrap_or_default(),
            self.log.tail(40)
        );
    }

    /// SIGTERM, and its end: it has to be clean.
    pub fn stop(mut self) {
        self.assert_running();
        self.signal(Signal::TERM);
        assert_eq!(
            self.wait(),
            0,
            "{} did not end cleanly; its last lines:\n{}",
            self.name,
            self.log.tail(40)
        );
    }

    /// SIGKILL, like a power cut.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // libtest shows this with the failure.
            let _ = writeln!(
                std::io::stderr(),
                "── {}, its last lines:\n{}\n──",
                self.name,
                self.log.tail(60)
            );
        }
        self.signal(Signal::KILL);
        if let Body::Host(host) = &mut self.body {
            // Reaps it; killed as it is, it cannot refuse.
            let _ = host.child.wait();
        }
    }
}
