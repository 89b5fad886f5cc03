//! A process that does not outlive us.
#![allow(
    unsafe_code,
    reason = "what a child does between fork and exec has to be promised to be safe there"
)]

use std::{
    io::{self, PipeReader},
    os::unix::process::CommandExt,
    process::{self, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use pinhole_service::quiet::Quiet;
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
    pipe::fcntl_setpipe_size,
    process::{Pid, Signal, WaitId, WaitIdOptions},
};

/// What a pipe may hold at most without privileges (`/proc/sys/fs/pipe-max-size`). The usual 64 kB are less than a keyframe, and
/// then the program would wait for us in the middle of it.
const PIPE: usize = 1024 * 1024;

/// What the process may take to end by itself when it is told to.
const GRACE: Duration = Duration::from_secs(1);
/// What the kernel may take to end it. A process that waits for a broken device can't be ended at all.
const KILL: Duration = Duration::from_secs(1);
/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What is ours alone: the service manager's channel to us, which the command could speak on, and where our secrets lie.
const OURS: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "CREDENTIALS_DIRECTORY",
    "PINHOLE_LOG",
];

/// From linux/close_range.h: what is in the range is closed by the exec that follows.
const CLOSE_RANGE_CLOEXEC: libc::c_uint = 1 << 2;

/// A running command. Dropping it ends it, and all that it has started.
pub(super) struct Child {
    process: process::Child,
    group: Pid,
    reaped: bool,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

impl Child {
    /// Starts the program `words[0]` with the other words as its arguments, without a shell.
    pub(super) fn start(words: &[String]) -> io::Result<Self> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let (stdout, its_stdout) = io::pipe()?;
        let (stderr, its_stderr) = io::pipe()?;
        let mut command = process::Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(its_stdout)
            .stderr(its_stderr)
            .process_group(0);
        for name in OURS {
            command.env_remove(name);
        }
        let parent = rustix::process::getpid();
        // SAFETY: between fork and exec of a process with threads only async-signal-safe functions may be called. These are
        // plain system calls, and errors are values: nothing allocates or locks.
        unsafe {
            command.pre_exec(move || {
                // Not every library closes what it opens in programs that we start; a camera that the command held open could not be
                // plugged in again under its name. Kernels before 5.11 don't know this call.
                libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC);
                // The command itself only; what it has started meets a closed pipe.
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                // We may have died before that.
                if rustix::process::getppid() == Some(parent) {
                    Ok(())
                } else {
                    Err(Errno::SRCH.into())
                }
            });
        }
        let process = command.spawn()?;
        // It holds the pipes' other ends, and they end only when nobody does.
        drop(command);
        let group = Pid::from_child(&process);
        let child = Self {
            process,
            group,
            reaped: false,
            stdout,
            stderr,
        };
        for end in [
            rustix::fd::AsFd::as_fd(&child.stdout),
            rustix::fd::AsFd::as_fd(&child.stderr),
        ] {
            fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
        }
        // A smaller pipe works as well.
        let _ = fcntl_setpipe_size(&child.stdout, PIPE);
        Ok(child)
    }

    /// How it has ended, waiting at most `patience` for that.
    pub(super) fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.reaped || !self.has_ended_within(patience) {
            return None;
        }
        self.reap()
    }

    /// Takes the status of the command, which has ended, and ends those of its group who are still there: after that the group's
    /// number may become another's.
    fn reap(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::KILL);
        self.reaped = true;
        self.process.wait().ok()
    }

    /// Whether it ends in time.
    fn has_ended_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        loop {
            match rustix::process::waitid(WaitId::Pid(self.group), options) {
                Ok(None) | Err(Errno::INTR) => {}
                Ok(Some(_)) | Err(_) => return true,
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK);
        }
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone already is what this is for.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.signal(Signal::TERM);
        self.has_ended_within(GRACE);
        self.signal(Signal::KILL);
        if self.has_ended_within(KILL) {
            self.reap();
        } else {
            static STUCK: Quiet = Quiet::new(5);
            if let Some(others) = STUCK.may_say() {
                tracing::warn!(
                    pid = self.process.id(),
                    others,
                    "a command can't be ended; it waits for a device"
                );
            }
        }
    }
}
