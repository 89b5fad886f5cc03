//! What systemd thinks of the units.

use pinhole_e2e::installed::{Board, NODE, SERVER};

/// The exposure that we promise, of systemd's 0 (nothing) to 10 (everything).
const EXPOSURE: f64 = 2.0;

pub fn exposure_is_low(board: &Board) {
    for unit in [NODE, SERVER] {
        let table = board
            .machine
            .must(&format!("systemd-analyze security --no-pager {unit}"));
        let verdict = table.lines().last().unwrap_or_default();
        board.machine.report(verdict);
        let exposure: f64 = verdict
            .split_whitespace()
            .find_map(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("no figure in {verdict:?}"));
        assert!(exposure <= EXPOSURE, "{table}");
    }
}

pub fn units_are_sound(board: &Board) {
    let complaints = board.machine.must(&format!(
        "systemd-analyze verify --man=no {NODE} {SERVER} pinhole-node.path"
    ));
    board
        .machine
        .report(&format!("systemd-analyze verify: {complaints:?}"));
    assert_eq!(complaints, "");
}
