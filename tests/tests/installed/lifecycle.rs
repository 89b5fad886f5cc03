//! Installation, upgrade, stop, removal.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::installed::{
    NODE, NODE_TOML, SERVER, accounts, files, server_answers, since, units, uptime, watch,
};
use pinhole_e2e::machine::Machine;
use pinhole_e2e::packages::NAMES;
use pinhole_e2e::scratch::Scratch;

use crate::{Bench, PORCH};

/// What a package could leave behind.
pub struct Traces {
    files: BTreeSet<String>,
    accounts: String,
}

impl Traces {
    pub fn of(machine: &Machine) -> Self {
        Self {
            files: files(machine),
            accounts: accounts(machine),
        }
    }
}

/// The server runs once it is installed; the node once its file is edited, without a further command.
pub fn install(bench: &Bench) {
    let Bench {
        machine,
        network,
        packages,
    } = bench;
    machine.install(&[packages.file("pinhole-node"), packages.file("pinhole-view")]);
    assert_eq!(
        machine.property(NODE, "ActiveState"),
        "inactive",
        "nobody has told the node where to sign in:\n{}",
        machine.account(NODE)
    );
    machine.write(NODE_TOML, PORCH);
    machine.wait_until_active(NODE);
    machine.wait_for(NODE, "StatusText", |text| text.contains("127.0.0.1:8888"));

    machine.install(&[packages.file("pinhole-server")]);
    machine.wait_until_active(SERVER);
    assert!(server_answers(network), "{}", machine.account(SERVER));
    let status = machine.wait_for(NODE, "StatusText", |text| text.contains("signed in"));
    machine.report(&format!("{NODE}: {status}"));
    machine.report(&format!("{SERVER}: {}", machine.property(SERVER, "StatusText")));
    for unit in [NODE, SERVER] {
        assert_eq!(machine.property(unit, "UnitFileState"), "enabled", "{unit}");
        assert_eq!(machine.property(unit, "User"), "pinhole", "{unit}");
        assert_eq!(
            machine.property(unit, "NRestarts"),
            "0",
            "{}",
            machine.account(unit)
        );
    }
    machine.must("pinhole-view --server http://127.0.0.1:8888 list | grep porch");
    for page in ["pinhole-node.8", "pinhole-node.toml.5", "pinhole-view.1"] {
        let (name, section) = page.rsplit_once('.').expect("a page has a section");
        // The root has no documentation; what dpkg knows of the package is enough.
        machine.must(&format!(
            "cat /var/lib/dpkg/info/pinhole-*.list | grep '/man{section}/{name}'"
        ));
    }
}

/// The journal has our values as fields, and so finds what concerns one viewer.
pub fn journal_has_fields(bench: &Bench) {
    let viewers = bench.machine.must(&format!(
        "journalctl --unit={NODE} --output=json --no-pager --output-fields=PINHOLE_VIEWER,MESSAGE | grep PINHOLE_VIEWER"
    ));
    assert!(!viewers.is_empty());
    let entries = bench.machine.journal(NODE);
    let ours = entries.iter().find(|entry| {
        entry["MESSAGE"]
            .as_str()
            .is_some_and(|text| text.starts_with("pinhole-node starts"))
    });
    let ours = ours.unwrap_or_else(|| panic!("the node does not say that it starts: {entries:?}"));
    assert_eq!(ours["PINHOLE_NAME"], "porch", "{ours}");
    assert_eq!(ours["SYSLOG_IDENTIFIER"], "pinhole-node", "{ours}");
    assert_eq!(ours["PRIORITY"], "6", "{ours}");
}

/// A newer package keeps what was edited, and runs.
pub fn upgrade(bench: &Bench) {
    let Bench {
        machine,
        network,
        packages,
    } = bench;
    let config = machine.must(&format!("cat {NODE_TOML}"));
    let scratch = Scratch::new("upgrade");
    let newer: Vec<_> = ["pinhole-node", "pinhole-server"]
        .map(|name| packages.newer(name, &scratch))
        .into();
    let old = [NODE, SERVER].map(|unit| machine.property(unit, "MainPID"));
    machine.install(&newer.iter().map(|file| file.as_path()).collect::<Vec<&Path>>());
    for (unit, old) in [NODE, SERVER].into_iter().zip(old) {
        machine.wait_for(unit, "MainPID", |pid| pid != old && pid != "0");
        machine.wait_until_active(unit);
    }
    assert_eq!(machine.must(&format!("cat {NODE_TOML}")), config);
    machine.must("dpkg-query --show pinhole-node | grep upgrade");
    watch(network, machine, "porch").stop();
}

/// A stop is graceful, with a viewer watching, within the 5 s that we promise; the viewer is told.
pub fn stop(bench: &Bench) {
    let Bench { machine, network, .. } = bench;
    let viewer = watch(network, machine, "porch");
    let started = uptime(machine);
    machine.must(&format!("systemctl stop {NODE}"));
    let taken = since(machine, started);
    machine.report(&format!("{NODE} stopped in {taken:?} with a viewer watching"));
    assert_eq!(
        machine.property(NODE, "Result"),
        "success",
        "{}",
        machine.account(NODE)
    );
    assert!(
        taken < Duration::from_secs(5),
        "{taken:?}\n{}",
        machine.account(NODE)
    );
    let summary = viewer.end();
    assert_eq!(summary["ended"], "hung-up", "{summary}");
    machine.must(&format!("systemctl start {NODE}"));
}

/// Removal stops the services and keeps the configuration; a purge leaves nothing.
pub fn remove_and_purge(bench: &Bench, before: &Traces) {
    let machine = &bench.machine;
    let names = NAMES.join(" ");
    machine.must(&format!("dpkg --remove {names}"));
    machine.must(&format!("test -e {NODE_TOML}"));
    for unit in [NODE, SERVER] {
        assert_eq!(machine.property(unit, "ActiveState"), "inactive", "{unit}");
    }
    assert!(!server_answers(&bench.network));

    machine.must(&format!("dpkg --purge {names}"));
    let gone = eventually(machine.system().patience(), || {
        units(machine).is_empty().then_some(())
    });
    assert!(gone.is_some(), "units are left:\n{}", units(machine));
    let after = Traces::of(machine);
    let left: Vec<_> = after.files.difference(&before.files).collect();
    assert!(left.is_empty(), "files are left: {left:?}");
    let lost: Vec<_> = before.files.difference(&after.files).collect();
    assert!(lost.is_empty(), "files are gone that are not ours: {lost:?}");
    assert_eq!(after.accounts, before.accounts);
}
