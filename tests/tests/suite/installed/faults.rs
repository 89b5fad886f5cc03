//! What the watchdog does, and what it leaves alone; and the token that comes as a credential.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use pinhole_e2e::installed::{Board, NODE, NODE_TOML, SERVER, freeze_camera_thread, server_url};
use pinhole_e2e::log::Mark;
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::viewer::{Viewer, view};

use super::PORCH;

/// The camera's thread may take 20 s, and systemd waits for another 20 s (`WatchdogSec=`) before it acts.
const LONGER_THAN_THE_WATCHDOG: Duration = Duration::from_secs(45);

/// A capture thread that stands still, as in a driver that never returns, gets the node restarted, and the picture is back.
pub fn a_frozen_camera_thread_is_restarted(board: &Board) {
    let machine = &board.machine;
    machine.must(&format!(
        "systemctl reset-failed {NODE}; systemctl restart {NODE}"
    ));
    let before = machine.property(NODE, "MainPID");
    let viewer = board.watch("porch");
    let journal = machine.follow(NODE);
    let started = Instant::now();
    let freezer = freeze_camera_thread(machine);
    let patience = LONGER_THAN_THE_WATCHDOG + machine.system().patience();
    let verdict = journal.wait_for_line_since(Mark::default(), "Watchdog timeout", patience);
    machine.report(&format!(
        "{verdict}, {} s after the freeze",
        started.elapsed().as_secs()
    ));
    machine.wait_for(NODE, "MainPID", |pid| pid != before && pid != "0");
    machine.wait_until_active(NODE);
    drop(freezer);
    assert_eq!(
        machine.property(NODE, "NRestarts"),
        "1",
        "{}",
        machine.account(NODE)
    );
    // The node was killed, so the viewer's session is lost; whoever calls again sees a picture.
    drop(viewer);
    board.watch("porch").stop();
}

/// A camera that is not there is no reason to restart anything, however long; and it is live again when it is back.
pub fn an_absent_camera_is_not(board: &Board) {
    let machine = &board.machine;
    let before = machine.property(NODE, "MainPID");
    let restarts = machine.property(NODE, "NRestarts");
    let viewer = board.watch("porch");
    let driver = "/sys/bus/platform/drivers/vivid";
    let journal = machine.follow(NODE);
    let mark = journal.mark();
    machine.must(&format!("echo vivid.0 >{driver}/unbind"));
    machine.wait_for(NODE, "StatusText", |text| text.contains("no picture"));
    // Were it to come, this is how.
    let verdict = journal.log().wait_since(mark, LONGER_THAN_THE_WATCHDOG, |line| {
        line.contains("Watchdog timeout")
    });
    assert_eq!(verdict, None);
    assert_eq!(
        machine.property(NODE, "ActiveState"),
        "active",
        "{}",
        machine.account(NODE)
    );
    machine.report(&format!(
        "without a camera for {LONGER_THAN_THE_WATCHDOG:?}: {}",
        machine.property(NODE, "StatusText")
    ));
    machine.must(&format!("echo vivid.0 >{driver}/bind"));
    machine.wait_for(NODE, "StatusText", |text| text.contains("camera live"));
    viewer.goes_on();
    viewer.stop();
    assert_eq!(
        machine.property(NODE, "MainPID"),
        before,
        "{}",
        machine.account(NODE)
    );
    assert_eq!(machine.property(NODE, "NRestarts"), restarts);
}

/// One file in systemd's credential store gives server and node the same token; who has none sees nothing.
pub fn a_token_from_the_credential_store(board: &Board) {
    let Board { machine, network, .. } = board;
    let token = "a-token-for-this-test-0123456789";
    let patience = machine.system().patience();
    machine.must("install -d -m 700 /etc/credstore");
    machine.write("/etc/credstore/pinhole.token", token);
    // As a person does: the sample has the line, commented out.
    machine.must("chmod 600 /etc/credstore/pinhole.token && sed -i 's/^#: token_file/token_file/' /etc/pinhole/server.toml");
    let line = "token_file = \"/run/credentials/pinhole-node.service/pinhole.token\"";
    machine.write(
        NODE_TOML,
        &PORCH.replace("[signaling]", &format!("[signaling]\n{line}")),
    );
    machine.must(&format!("systemctl restart {SERVER} {NODE}"));
    board.wait_until_signed_in();

    let (status, text) = view(network, &server_url(), &["list"], patience);
    assert_ne!(status, 0, "the list is given away: {text}");
    let scratch = Scratch::new("token");
    let file = scratch.path().join("token");
    fs::write(&file, token).expect("the scratch directory can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    let file = file.to_str().expect("a plain path");
    let more = ["--token-file", file];
    Viewer::watch(network, &server_url(), "porch", &more, patience).stop();
    let leak = machine.run(&format!("journalctl --no-pager | grep {token}"));
    assert_ne!(leak.status, 0, "the token is in the journal: {}", leak.text);

    machine.write(NODE_TOML, PORCH);
    machine.must("rm -r /etc/credstore && sed -i 's/^token_file/#: token_file/' /etc/pinhole/server.toml");
    machine.must(&format!("systemctl restart {SERVER} {NODE}"));
    board.wait_until_signed_in();
}
