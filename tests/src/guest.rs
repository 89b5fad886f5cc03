//! A virtual machine with cameras, run by dev/rig/run, obeying a test while it lives.
//!
//! Its root is the host's own, read-only under an overlay: every program here is there as well, under the same path. (Or it
//! is a Debian root of its own, with systemd: [`crate::machine`].)
//! A command in it is a file in a directory that both see, and so is its output; dev/rig/run documents the control line.

mod control;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use self::control::Control;
pub(crate) use self::control::Job;
use crate::log::{Log, Mark};
use crate::network::{GUEST, Network, TAP};
use crate::process::{Process, SOON};
use crate::programs::repository;
use crate::scratch::Scratch;

/// How long a guest may take to boot; 1 to 3 s on an idle machine.
const BOOT: Duration = Duration::from_secs(120);

/// A running guest. It ends when this is dropped, and everything in it.
pub struct Guest {
    control: Arc<Control>,
    process: Process,
    patience: Duration,
    // After the process, which may still write into it.
    directory: Scratch,
}

/// What a finished command left.
pub struct Output {
    /// Its exit status; 128 and more for a signal, as in a shell.
    pub status: i32,
    /// What it printed, on either stream.
    pub text: String,
}

impl Guest {
    /// Boots a guest into `network` with one vivid camera (/dev/video0) and two loopback ones (/dev/video10, 11).
    pub fn boot(network: &Network) -> Self {
        Self::boot_with(network, &[])
    }

    /// The same with options for drivers, such as `vivid=n_devs=2`.
    pub fn boot_with(network: &Network, modules: &[&str]) -> Self {
        let options: Vec<&str> = modules.iter().flat_map(|options| ["-p", *options]).collect();
        Self::boot_as(network, &options, BOOT, SOON)
    }

    /// The same with options of dev/rig/run. `boot` is how long it may take until it obeys, `patience` how long
    /// a command may take to start, and, with [`Guest::run`] and [`Guest::must`], to end.
    pub(crate) fn boot_as(network: &Network, options: &[&str], boot: Duration, patience: Duration) -> Self {
        let directory = Scratch::new("guest");
        let mut command = network.command(repository().join("dev/rig/run"));
        command.args(["-n", &format!("{TAP}:{GUEST}/24")]).args(options);
        command.arg("--live").arg(directory.path());
        let (process, line) = Process::spawn("guest", command);
        let guest = Self {
            control: Control::new(line, patience),
            process,
            patience,
            directory,
        };
        let ready = guest
            .process
            .log()
            .wait_since(Mark::default(), boot, |line| line == "ready");
        assert!(
            ready.is_some(),
            "the guest did not boot:\n{}\n{}",
            guest.process.log().tail(10),
            guest.console()
        );
        guest.control.follow(guest.process.log().clone());
        guest
    }

    /// Starts a command, shell text, in the guest.
    pub fn start(&self, name: &str, text: &str) -> Process {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!(
            "{}-{}",
            name.replace(' ', "-"),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        fs::write(self.directory.path().join(format!("{id}.cmd")), text)
            .expect("the guest's directory can be written");
        let output = self.directory.path().join(format!("{id}.log"));
        File::create_new(&output).expect("the guest's directory can be written");
        let job = self.control.start(id);
        let log = Log::default();
        log.read(job.output(File::open(&output).expect("it was just made")));
        Process::in_guest(name, log, job)
    }

    /// Runs a command to its end.
    pub fn run(&self, text: &str) -> Output {
        let mut process = self.start("command", text);
        let status = process.wait_within(self.patience);
        process.log().wait_for_end();
        Output {
            status,
            text: process.log().since(Mark::default()).join("\n"),
        }
    }

    /// Runs a command that has to succeed, and gives what it printed.
    pub fn must(&self, text: &str) -> String {
        let output = self.run(text);
        assert_eq!(output.status, 0, "in the guest: {text}\n{}", output.text);
        output.text
    }

    /// Puts a file of the host into the directory that both see, and gives its path in the guest.
    pub fn give(&self, file: &Path) -> String {
        let name = file
            .file_name()
            .and_then(OsStr::to_str)
            .expect("the file has a plain name");
        fs::copy(file, self.directory.path().join(name))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        format!("/rig/{name}")
    }

    /// Takes a file out of that directory, which a command has put there as `/rig/NAME`.
    pub fn take(&self, name: &str) -> Vec<u8> {
        let path = self.directory.path().join(name);
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fs::remove_file(&path).expect("it was just read");
        content
    }

    /// A number that this guest has not given before, for names of files.
    pub(crate) fn count(&self) -> u32 {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        COUNT.fetch_add(1, Ordering::Relaxed)
    }

    /// How many times `device` is open in the guest.
    pub fn holders(&self, device: &str) -> usize {
        let open = self.must("ls -l /proc/[0-9]*/fd 2>/dev/null; true");
        open.lines()
            .filter(|line| line.ends_with(&format!(" -> {device}")))
            .count()
    }

    /// The kernel's last messages.
    pub fn console(&self) -> String {
        let text = fs::read(self.directory.path().join("console")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(io::stderr(), "── the guest's console:\n{}\n──", self.console());
        }
        self.process.signal(Signal::KILL);
    }
}
