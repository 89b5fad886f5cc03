//! Pinhole as a user has it: the packages installed on a [`Machine`], configured by editing the file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::eventually::eventually;
use crate::machine::{Machine, System};
use crate::network::{GUEST, Network};
use crate::packages::{NAMES, Packages};
use crate::process::Process;
use crate::programs::PORT;
use crate::viewer::Viewer;
use crate::wire::exchange;

/// The unit of the node.
pub const NODE: &str = "pinhole-node.service";
/// The unit of the server.
pub const SERVER: &str = "pinhole-server.service";
/// The node's configuration.
pub const NODE_TOML: &str = "/etc/pinhole/node.toml";

/// A machine, the packages for it, and what there was before they were installed.
pub struct Board {
    /// The machine.
    pub machine: Machine,
    /// The network that it is in, with the viewers.
    pub network: Network,
    /// The packages.
    pub packages: Packages,
    before: Traces,
}

/// What a package could leave behind.
struct Traces {
    files: BTreeSet<String>,
    accounts: BTreeSet<String>,
}

impl Board {
    /// A machine as it was delivered.
    pub fn boot(system: System, packages: Packages) -> Self {
        let network = Network::for_guest();
        let machine = Machine::boot(&network, system);
        Self {
            before: Traces::of(&machine),
            machine,
            network,
            packages,
        }
    }

    /// Installs all packages. The server runs by that alone, and the node once `config`, with the name porch and this
    /// machine's server, is in its file, without a further command.
    pub fn install(&self, config: &str) {
        let Self {
            machine, packages, ..
        } = self;
        machine.install(&[packages.file("pinhole-node"), packages.file("pinhole-view")]);
        assert_eq!(
            machine.property(NODE, "ActiveState"),
            "inactive",
            "nobody has told the node where to sign in:\n{}",
            machine.account(NODE)
        );
        machine.write(NODE_TOML, config);
        machine.wait_until_active(NODE);

        machine.install(&[packages.file("pinhole-server")]);
        machine.wait_until_active(SERVER);
        assert!(self.server_answers(), "{}", machine.account(SERVER));
        self.wait_until_signed_in();
        for unit in [NODE, SERVER] {
            machine.report(&format!("{unit}: {}", machine.property(unit, "StatusText")));
            for (name, value) in [
                ("UnitFileState", "enabled"),
                ("User", "pinhole"),
                ("NRestarts", "0"),
            ] {
                assert_eq!(machine.property(unit, name), value, "{}", machine.account(unit));
            }
        }
        machine.must("pinhole-view --server http://127.0.0.1:8888 list | grep porch");
        // The root has no documentation; what dpkg knows of the packages is enough.
        let pages = machine.must("grep -h /share/man/ /var/lib/dpkg/info/pinhole-*.list");
        for page in [
            "man8/pinhole-node.8",
            "man5/pinhole-node.toml.5",
            "man8/pinhole-server.8",
            "man1/pinhole-view.1",
        ] {
            assert!(pages.contains(page), "{page} is not among\n{pages}");
        }
    }

    /// Waits until the node says that its server has taken it in.
    pub fn wait_until_signed_in(&self) {
        self.machine
            .wait_for(NODE, "StatusText", |text| text.starts_with("signed in"));
    }

    /// A viewer on the host, with a moving picture from the node.
    pub fn watch(&self, node: &str) -> Viewer {
        Viewer::watch(
            &self.network,
            &server_url(),
            node,
            &[],
            self.machine.system().patience(),
        )
    }

    /// Prints what the services take of memory: docs/footprint.md has these lines. `config` is what the node runs with; for
    /// the figure with a viewer it has the usual size of picture instead, at a rate that an emulated processor can encode.
    pub fn report_footprint(&self, config: &str) {
        let machine = &self.machine;
        machine.report(&format!("the server: {}", memory(machine, SERVER)));
        machine.report(&format!("the node, nobody watches: {}", memory(machine, NODE)));
        let usual = config.lines().map(|line| match line.split_once(" = ") {
            Some(("size", _)) => "size = \"1280x720\"",
            Some(("fps", _)) => "fps = 5",
            _ => line,
        });
        machine.write(NODE_TOML, &usual.collect::<Vec<_>>().join("\n"));
        machine.must(&format!("systemctl reload {NODE}"));
        let viewer = self.watch("porch");
        machine.wait_for(NODE, "StatusText", |text| text.ends_with("1 viewer"));
        let seen = viewer.goes_on();
        assert_eq!(seen["width"], 1280, "{seen}");
        machine.report(&format!(
            "the node, one viewer of 1280x720: {}",
            memory(machine, NODE)
        ));
        let summary = viewer.stop();
        assert_eq!(summary["ended"], "stopped", "{summary}");
        assert!(summary["changed_frames"].as_u64() >= Some(10), "{summary}");
        machine.write(NODE_TOML, config);
        machine.must(&format!("systemctl reload {NODE}"));
    }

    /// Whether the server on the machine answers somebody on the host.
    pub fn server_answers(&self) -> bool {
        let request = format!("GET / HTTP/1.1\r\nHost: {GUEST}\r\nConnection: close\r\n\r\n");
        exchange(&self.network, SocketAddr::from((GUEST, PORT)), request.as_bytes())
            .is_ok_and(|answer| answer.status == 200)
    }

    /// Removes all packages, which stops the services and keeps the configuration; then purges them: nothing is left.
    pub fn remove_and_purge(self) {
        let machine = &self.machine;
        let names = NAMES.join(" ");
        machine.must(&format!("dpkg --remove {names}"));
        machine.must(&format!("test -e {NODE_TOML}"));
        for unit in [NODE, SERVER] {
            assert_eq!(machine.property(unit, "ActiveState"), "inactive", "{unit}");
        }
        assert!(!self.server_answers());

        machine.must(&format!("dpkg --purge {names}"));
        let gone = eventually(machine.system().patience(), || {
            units(machine).is_empty().then_some(())
        });
        assert!(gone.is_some(), "units are left:\n{}", units(machine));
        let after = Traces::of(machine);
        let left: Vec<_> = after.files.difference(&self.before.files).collect();
        assert!(left.is_empty(), "files are left: {left:?}");
        let lost: Vec<_> = self.before.files.difference(&after.files).collect();
        assert!(lost.is_empty(), "files are gone that are not ours: {lost:?}");
        let left: Vec<_> = after.accounts.difference(&self.before.accounts).collect();
        assert!(left.is_empty(), "users or groups are left: {left:?}");
    }
}

impl Traces {
    fn of(machine: &Machine) -> Self {
        // What the system itself writes while it runs, dpkg's own records, and logs.
        let passed_over = [
            "/proc",
            "/sys",
            "/dev",
            "/rig",
            "/run",
            "/tmp",
            "/var/tmp",
            "/var/log",
            "/var/cache",
            "/var/lib/dpkg",
            "/var/lib/apt",
            "/var/lib/systemd/timers",
            "/var/lib/systemd/random-seed",
            // The copies that are made before each change of the files of the same names.
            "/etc/passwd-",
            "/etc/group-",
            "/etc/shadow-",
            "/etc/gshadow-",
            "/etc/.pwd.lock",
        ];
        let tests = passed_over.map(|path| format!("-path {path}")).join(" -o ");
        let lines = |command: &str| machine.must(command).lines().map(str::to_owned).collect();
        Self {
            files: lines(&format!("find / \\( {tests} \\) -prune -o -print")),
            accounts: lines("sed 's/^/user /' /etc/passwd; sed 's/^/group /' /etc/group"),
        }
    }
}

/// Where the server on the machine is, seen from the host.
pub fn server_url() -> String {
    format!("http://{GUEST}:{PORT}")
}

/// The units of ours that systemd knows, whatever their state.
fn units(machine: &Machine) -> String {
    machine.must(
        "systemctl list-units --all --plain --no-legend 'pinhole*'; systemctl list-unit-files --no-legend 'pinhole*' || true",
    )
}

/// What a service takes of memory, in words.
fn memory(machine: &Machine, unit: &str) -> String {
    let pid = machine.property(unit, "MainPID");
    let kilobytes = |text: String| {
        text.split_whitespace()
            .nth(1)
            .and_then(|number| number.parse::<u64>().ok())
    };
    let own = |file: &str, name: &str| {
        kilobytes(machine.must(&format!("grep ^{name}: /proc/{pid}/{file}")))
            .unwrap_or_else(|| panic!("no {name} in /proc/{pid}/{file}"))
    };
    format!(
        "RSS {:.1} MB (at most {:.1} MB so far), of it private {:.1} MB",
        megabytes(own("status", "VmRSS")),
        megabytes(own("status", "VmHWM")),
        megabytes(own("smaps_rollup", "Private_Dirty")),
    )
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, of some megabytes")]
fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 / 1024.0
}

/// Stops the node's capture thread where it stands, as a driver does that never returns.
pub fn freeze_camera_thread(machine: &Machine) -> Process {
    let pid = machine.property(NODE, "MainPID");
    // A debugger that attaches to one thread, halts it, and does no more: PTRACE_SEIZE and PTRACE_INTERRUPT of linux/ptrace.h,
    // waitpid(2) with __WALL. ptrace is call 101 on x86-64 and 117 on arm64.
    let freezer = machine.start(
        "freezer",
        &format!(
            r#"for task in /proc/{pid}/task/*; do [ "$(cat $task/comm)" != camera ] || thread=${{task##*/}}; done
            case $(uname -m) in x86_64) call=101;; aarch64) call=117;; esac
            exec perl -e '$| = 1; my ($call, $thread) = map {{ $_ + 0 }} @ARGV;
              syscall($call, 0x4206, $thread, 0, 0) == 0 or die "seize $thread: $!";
              syscall($call, 0x4207, $thread, 0, 0) == 0 or die "interrupt $thread: $!";
              waitpid($thread, 0x40000000) == $thread or die "wait for $thread: $!";
              print "frozen\n"; waitpid($thread, 0x40000000)' $call $thread"#
        ),
    );
    freezer.wait_for_line_since(crate::log::Mark::default(), "frozen", machine.system().patience());
    freezer
}

/// How long the last stop of a unit took, as systemd saw it.
pub fn stop_took(machine: &Machine, unit: &str) -> Duration {
    let microseconds = |name| {
        machine
            .property(unit, name)
            .parse::<u64>()
            .unwrap_or_else(|error| panic!("{name} of {unit}: {error}"))
    };
    let began = microseconds("ActiveExitTimestampMonotonic");
    Duration::from_micros(microseconds("InactiveEnterTimestampMonotonic").saturating_sub(began))
}
