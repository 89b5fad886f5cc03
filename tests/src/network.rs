//! A network of its own for each test: a namespace with a tap device, so that programs meet on a real interface with a
//! real address (WebRTC stacks skip the loopback one), on fixed ports, and undisturbed.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::Process;

/// The address of everything on the host's side of the tap: server, browsers, and a node that needs no camera.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);
/// The address of the guest at the other end of the tap.
pub const GUEST: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 2);
/// An address that programs on the host's side may have for a while ([`Network::lend_address`]).
pub const LENT: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 77);
/// The name of the tap device, which the guest is plugged into.
pub const TAP: &str = "tap0";

/// A network namespace. It is removed when this is dropped.
pub struct Network {
    name: String,
    plug: Option<Process>,
}

impl Network {
    /// A network whose tap waits for a guest. Its interface counts as down until one is there.
    ///
    /// Needs root; [`crate::skip::reason`] tells before.
    pub fn for_guest() -> Self {
        let network = Self::named();
        network.ip(&["link", "set", "lo", "up"]);
        network.ip(&["tuntap", "add", "dev", TAP, "mode", "tap"]);
        network.ip(&["address", "add", &format!("{HOST}/24"), "dev", TAP]);
        network.ip(&["link", "set", TAP, "up"]);
        network
    }

    /// A network without anything in it: whoever is there reaches others by a [`crate::path::Path`] only.
    pub fn remote() -> Self {
        let network = Self::named();
        network.ip(&["link", "set", "lo", "up"]);
        network
    }

    /// A network for programs that all run on the host's side, its interface up without a guest.
    pub fn without_guest() -> Self {
        let mut network = Self::for_guest();
        // An interface is up as long as something holds the other end of the tap. TUNSETIFF is 0x400454ca, 0x1002 IFF_TAP|IFF_NO_PI.
        let mut holder = network.command("perl");
        holder.args(["-e", &format!(
            r#"$|=1; open(T,"+<","/dev/net/tun") or die; my $request=pack("a16s","{TAP}",0x1002); ioctl(T,0x400454ca,$request) or die "tap: $!"; print "up\n"; sleep"#
        )]);
        let (plug, _) = Process::spawn("plug", holder);
        plug.wait_for_line("up");
        network.plug = Some(plug);
        network
    }

    /// An empty namespace.
    fn named() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_orphans();
        let name = format!(
            "pinhole-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        ip(&["netns", "add", &name]);
        Self { name, plug: None }
    }

    /// Gives the host's side one more address, from which somebody else speaks.
    pub fn add_address(&self, address: Ipv4Addr) {
        self.ip(&["address", "add", &format!("{address}/24"), "dev", TAP]);
    }

    /// A command that runs inside, and dies with the test.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name, "setpriv", "--pdeathsig", "KILL"])
            .arg(program);
        command
    }

    /// Runs `work` on a thread that is inside; sockets it makes belong there for good.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let namespace =
                    File::open(Path::new("/run/netns").join(&self.name)).expect("the namespace is there");
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may enter it");
                work()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// From now on whoever connects to the host's address comes from another one, as a laptop does that has just got it from a
    /// network.
    pub fn lend_address(&self) {
        self.ip(&["address", "add", &format!("{LENT}/32"), "dev", TAP]);
        self.come_from(LENT);
    }

    /// The lent address is gone. What was connected from it is dead without a word: nothing it sends leaves, and nothing reaches it.
    pub fn take_address_back(&self) {
        self.come_from(HOST);
        self.ip(&["address", "delete", &format!("{LENT}/32"), "dev", TAP]);
    }

    fn come_from(&self, address: Ipv4Addr) {
        let (host, address) = (HOST.to_string(), address.to_string());
        let what = [
            "route",
            "replace",
            "table",
            "local",
            "local",
            host.as_str(),
            "dev",
            TAP,
        ];
        let how = ["proto", "kernel", "scope", "host", "src", address.as_str()];
        self.ip(&[what.as_slice(), how.as_slice()].concat());
    }

    /// Runs iproute2's `ip` for what is inside.
    pub fn ip(&self, words: &[&str]) {
        ip(&[&["-n", &self.name], words].concat());
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.plug = None;
        delete(&self.name);
    }
}

fn ip(words: &[&str]) {
    let output = Command::new("ip")
        .args(words)
        .output()
        .expect("iproute2 is installed (dev/install test)");
    assert!(
        output.status.success(),
        "ip {}: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn delete(name: &str) {
    // In a drop, or of a namespace that another test run removes at the same time: nothing to do about a failure.
    let _ = Command::new("ip").args(["netns", "delete", name]).output();
}

/// Removes what test runs left that were killed.
fn remove_orphans() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix("pinhole-")
            .and_then(|rest| rest.split('-').next())
            .map(str::to_owned);
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            delete(&name);
        }
    }
}
