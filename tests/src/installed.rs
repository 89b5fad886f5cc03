//! Pinhole as a user has it: the packages installed on a [`Machine`], configured by editing the file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::machine::Machine;
use crate::network::{GUEST, Network};
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

/// Where the server on the machine is, seen from the host.
pub fn server_url() -> String {
    format!("http://{GUEST}:{PORT}")
}

/// Whether the server on the machine answers somebody on the host.
pub fn server_answers(network: &Network) -> bool {
    let request = format!("GET / HTTP/1.1\r\nHost: {GUEST}\r\nConnection: close\r\n\r\n");
    exchange(network, SocketAddr::from((GUEST, PORT)), request.as_bytes())
        .is_ok_and(|answer| answer.status == 200)
}

/// A viewer on the host, with a moving picture from the node.
pub fn watch(network: &Network, machine: &Machine, node: &str) -> Viewer {
    Viewer::watch(network, &server_url(), node, &[], machine.system().patience())
}

/// Every file of the machine that a package could leave: those that the system itself writes while it runs are not among
/// them, and neither are dpkg's own records and the logs.
pub fn files(machine: &Machine) -> BTreeSet<String> {
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
    let tests: Vec<String> = passed_over.iter().map(|path| format!("-path {path}")).collect();
    let list = machine.must(&format!("find / \\( {} \\) -prune -o -print", tests.join(" -o ")));
    list.lines().map(str::to_owned).collect()
}

/// The users and groups of the machine.
pub fn accounts(machine: &Machine) -> String {
    machine.must("cut -d: -f1 /etc/passwd /etc/group")
}

/// The units of ours that systemd knows, whatever their state.
pub fn units(machine: &Machine) -> String {
    machine.must("systemctl list-units --all --plain --no-legend 'pinhole*'; systemctl list-unit-files --no-legend 'pinhole*' || true")
}

/// What a service takes of memory, in words: of its process by itself, and as systemd counts its whole group.
pub fn memory(machine: &Machine, unit: &str) -> String {
    let pid = machine.property(unit, "MainPID");
    let group: u64 = machine
        .property(unit, "MemoryCurrent")
        .parse()
        .unwrap_or_default();
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
        "RSS {:.1} MB, PSS {:.1} MB, of it private {:.1} MB; peak RSS {:.1} MB; MemoryCurrent {:.1} MB",
        megabytes(own("status", "VmRSS")),
        megabytes(own("smaps_rollup", "Pss")),
        megabytes(own("smaps_rollup", "Private_Dirty")),
        megabytes(own("status", "VmHWM")),
        megabytes(group / 1024),
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

/// How long a stop took that systemd has just finished: from `started`, as [`uptime`] gave it.
pub fn since(machine: &Machine, started: Duration) -> Duration {
    uptime(machine).saturating_sub(started)
}

/// For how long the machine has been up.
pub fn uptime(machine: &Machine) -> Duration {
    let text = machine.must("cut -d' ' -f1 /proc/uptime");
    Duration::from_secs_f64(text.parse().expect("a number of seconds"))
}
