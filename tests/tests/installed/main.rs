//! The packages on a Debian machine with systemd: installed as a person installs them, run by systemd, reloaded, frozen,
//! upgraded and removed, with a viewer on another machine that watches.
//!
//! One machine serves all checks, in the order in which a machine would live through them. The same on arm64, as far as
//! its processor matters, is in `installed_arm64.rs`.

mod faults;
mod hardening;
mod lifecycle;
mod reload;

use pinhole_e2e::installed::{NODE, NODE_TOML, SERVER, memory, watch};
use pinhole_e2e::machine::{Machine, System};
use pinhole_e2e::network::Network;
use pinhole_e2e::packages::Packages;

/// The configuration that the checks begin with.
const PORCH: &str = r#"name = "porch"

[signaling]
server = "http://127.0.0.1:8888"

[[camera]]
device = "/dev/video0"
size = "640x360"
fps = 15

[video]
bitrate = "2M"
"#;

/// The machine, and what the checks need around it.
struct Bench {
    machine: Machine,
    network: Network,
    packages: Packages,
}

#[test]
fn a_machine_lives_with_the_packages() {
    let Some(packages) = System::Bookworm.packages_or_skip("a_machine_lives_with_the_packages") else {
        return;
    };
    let network = Network::for_guest();
    let machine = Machine::boot(&network, System::Bookworm);
    let bench = Bench {
        machine,
        network,
        packages,
    };
    let before = lifecycle::Traces::of(&bench.machine);
    lifecycle::install(&bench);
    footprint(&bench);
    lifecycle::journal_has_fields(&bench);
    hardening::exposure_is_low(&bench);
    hardening::units_are_sound(&bench);
    reload::each_change_keeps_the_viewer(&bench);
    reload::a_broken_file_changes_nothing(&bench);
    faults::a_frozen_camera_thread_is_restarted(&bench);
    faults::an_absent_camera_is_not(&bench);
    faults::a_token_from_the_credential_store(&bench);
    lifecycle::upgrade(&bench);
    lifecycle::stop(&bench);
    lifecycle::remove_and_purge(&bench, &before);
}

#[test]
fn the_same_packages_serve_debian_13() {
    let Some(packages) = System::Trixie.packages_or_skip("the_same_packages_serve_debian_13") else {
        return;
    };
    let network = Network::for_guest();
    let machine = Machine::boot(&network, System::Trixie);
    let bench = Bench {
        machine,
        network,
        packages,
    };
    let before = lifecycle::Traces::of(&bench.machine);
    lifecycle::install(&bench);
    watch(&bench.network, &bench.machine, "porch").stop();
    lifecycle::remove_and_purge(&bench, &before);
}

/// What the services take of memory, for docs/footprint.md.
fn footprint(bench: &Bench) {
    let Bench { machine, network, .. } = bench;
    machine.report(&format!("server: {}", memory(machine, SERVER)));
    machine.report(&format!("node, nobody watches: {}", memory(machine, NODE)));
    let viewer = watch(network, machine, "porch");
    machine.report(&format!("node, one viewer of 640x360: {}", memory(machine, NODE)));
    let summary = viewer.stop();
    assert_eq!(summary["ended"], "stopped", "{summary}");
    assert!(summary["changed_frames"].as_u64() >= Some(10), "{summary}");
    machine.must(&format!("grep -q 640x360 {NODE_TOML}"));
}
