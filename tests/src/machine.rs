//! A machine as a user has it: a minimal Debian with systemd (dev/rig/root), on which packages are installed.
//!
//! amd64 runs in User-Mode Linux, at nearly native speed; arm64 is a whole emulated board with Debian's own kernel, and
//! takes about ten times as long for everything. Both have one vivid camera, /dev/video0.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::eventually::eventually_every;
use crate::guest::{Guest, Output};
use crate::log::loudly;
use crate::network::Network;
use crate::packages::Packages;
use crate::process::Process;
use crate::programs::repository;
use crate::skip::{Need, reason, skipped_because};

/// Which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Debian 12, amd64.
    Bookworm,
    /// Debian 13, amd64.
    Trixie,
    /// Debian 12, arm64.
    BookwormArm64,
}

/// A running machine, systemd up. It ends when this is dropped.
pub struct Machine {
    guest: Guest,
    system: System,
}

impl System {
    /// Debian's name of its architecture.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Bookworm | Self::Trixie => "amd64",
            Self::BookwormArm64 => "arm64",
        }
    }

    fn suite(self) -> &'static str {
        match self {
            Self::Bookworm | Self::BookwormArm64 => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// How long a test waits for what should come at once; the host may be busy with other work.
    pub fn patience(self) -> Duration {
        match self {
            Self::Bookworm | Self::Trixie => Duration::from_secs(300),
            Self::BookwormArm64 => Duration::from_secs(600),
        }
    }

    /// The packages to install, where this host can boot the system; otherwise says that `test` is skipped, and why.
    /// Makes the system's root if it is not there yet.
    pub fn packages_or_skip(self, test: &str) -> Option<Packages> {
        let need = if self.architecture() == "amd64" {
            Need::Guest
        } else {
            Need::Network
        };
        if let Some(reason) = reason(need) {
            skipped_because(test, reason);
            return None;
        }
        let packages = Packages::find(self.architecture())
            .map_err(|error| skipped_because(test, &error))
            .ok()?;
        let root = Command::new(repository().join("dev/rig/root"))
            .args([self.architecture(), self.suite()])
            .output()
            .expect("dev/rig/root can be run");
        let words = String::from_utf8_lossy(&root.stderr);
        match root.status.code() {
            Some(0) => Some(packages),
            Some(CANNOT) => {
                skipped_because(test, words.lines().last().unwrap_or_default());
                None
            }
            _ => panic!("dev/rig/root failed:\n{words}"),
        }
    }
}

/// How often a machine is asked; a question costs an emulated processor half a second.
const PACE: Duration = Duration::from_millis(500);
/// What dev/rig/root ends with where a host can't make a root, whatever it tries.
const CANNOT: i32 = 77;

impl Machine {
    /// Boots a machine into `network`; systemd has started everything when this returns.
    pub fn boot(network: &Network, system: System) -> Self {
        let root = format!("{}:{}", system.architecture(), system.suite());
        let patience = system.patience();
        let guest = Guest::boot_as(network, &["-r", &root], patience, patience);
        let machine = Self { guest, system };
        let state = machine.run("systemctl is-system-running --wait").text;
        assert_eq!(state, "running", "{}", machine.run("systemctl --failed").text);
        machine
    }

    /// Which machine this is.
    pub fn system(&self) -> System {
        self.system
    }

    /// Starts a command, shell text, as root.
    pub fn start(&self, name: &str, text: &str) -> Process {
        self.guest.start(name, text)
    }

    /// Runs a command to its end.
    pub fn run(&self, text: &str) -> Output {
        self.guest.run(text)
    }

    /// Runs a command that has to succeed, and gives what it printed.
    pub fn must(&self, text: &str) -> String {
        self.guest.must(text)
    }

    /// Runs a command that has to fail, and gives what it printed.
    pub fn must_fail(&self, text: &str) -> String {
        let output = self.run(text);
        assert_ne!(output.status, 0, "in the guest: {text}\n{}", output.text);
        output.text
    }

    /// Writes a text file.
    pub fn write(&self, path: &str, text: &str) {
        self.must(&format!("cat >{path} <<'END'\n{text}\nEND"));
    }

    /// Copies a file of the host into the machine, and gives its path there.
    pub fn give(&self, file: &Path) -> String {
        self.guest.give(file)
    }

    /// Installs package files as a person does.
    pub fn install(&self, files: &[&Path]) -> String {
        let paths: Vec<String> = files.iter().map(|file| self.give(file)).collect();
        self.must(&format!(
            "DEBIAN_FRONTEND=noninteractive apt-get install -y {}",
            paths.join(" ")
        ))
    }

    /// A property of a unit, as `systemctl show` gives it.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.must(&format!("systemctl show --property={name} --value {unit}"))
    }

    /// Waits until a property of a unit is as wanted, and gives it.
    pub fn wait_for(&self, unit: &str, name: &str, wanted: impl Fn(&str) -> bool) -> String {
        let seen = eventually_every(PACE, self.system.patience(), || {
            let value = self.property(unit, name);
            wanted(&value).then_some(value)
        });
        seen.unwrap_or_else(|| panic!("{name} of {unit} did not come:\n{}", self.account(unit)))
    }

    /// Waits until a unit is active: for a service that reports it, until it is ready.
    pub fn wait_until_active(&self, unit: &str) {
        self.wait_for(unit, "ActiveState", |state| state == "active");
    }

    /// All that the journal has from a unit, with its fields.
    pub fn journal(&self, unit: &str) -> Vec<Value> {
        let text = self.must(&format!("journalctl --unit={unit} --output=json --no-pager"));
        text.lines()
            .map(|line| serde_json::from_str(line).expect("journalctl was asked for JSON"))
            .collect()
    }

    /// What the journal gets from now on from a unit, and from systemd about it.
    pub fn follow(&self, unit: &str) -> Process {
        let cursor =
            self.must("journalctl --lines=1 --output=cat --show-cursor | sed -n 's/^-- cursor: //p'");
        self.start(
            &format!("journal of {unit}"),
            &format!(
                "exec journalctl --unit={unit} --output=cat --no-pager --follow --after-cursor='{cursor}'"
            ),
        )
    }

    /// What systemd and the journal say about a unit, for the message of a failed test.
    pub fn account(&self, unit: &str) -> String {
        self.run(&format!("systemctl status --no-pager --full --lines=40 {unit}"))
            .text
    }

    /// Prints figures past the test harness: what was measured is wanted of tests that pass, too.
    pub fn report(&self, text: &str) {
        loudly(&format!("{:?}: {text}", self.system));
    }
}
