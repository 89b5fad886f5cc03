//! The journal, an upgrade, a stop.

use std::path::Path;
use std::time::Duration;

use pinhole_e2e::installed::{Board, NODE, NODE_TOML, SERVER, stop_took};
use pinhole_e2e::scratch::Scratch;

/// The journal has our values as fields, and so finds what concerns one viewer.
pub fn journal_has_fields(board: &Board) {
    let viewers = board.machine.must(&format!(
        "journalctl --unit={NODE} --output=json --no-pager --output-fields=PINHOLE_VIEWER,MESSAGE | grep PINHOLE_VIEWER"
    ));
    assert!(!viewers.is_empty());
    let entries = board.machine.journal(NODE);
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
pub fn upgrade(board: &Board) {
    let Board {
        machine, packages, ..
    } = board;
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
    board.watch("porch").stop();
}

/// A stop is graceful, with a viewer watching, within the 5 s that we promise; the viewer is told.
pub fn stop(board: &Board) {
    let machine = &board.machine;
    let viewer = board.watch("porch");
    machine.must(&format!("systemctl stop {NODE}"));
    let taken = stop_took(machine, NODE);
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
    // Whichever reaches it first: the node's goodbye, or the server's word that the node has signed out.
    assert!(
        summary["ended"] == "hung-up" || summary["ended"] == "left",
        "{summary}"
    );
    machine.must(&format!("systemctl start {NODE}"));
}
