//! What the watchdog does, and what it leaves alone; and the token that comes as a credential.

use std::time::{Duration, Instant};

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::installed::{NODE, NODE_TOML, SERVER, freeze_camera_thread, server_url, watch};
use pinhole_e2e::log::Mark;
use pinhole_e2e::network::Network;
use pinhole_e2e::viewer::{Viewer, view};

use crate::{Bench, PORCH};

/// The camera's thread may take 20 s, and systemd waits for another 20 s (`WatchdogSec=`) before it acts.
const LONGER_THAN_THE_WATCHDOG: Duration = Duration::from_secs(45);

/// A capture thread that stands still, as in a driver that never returns, gets the node restarted, and the picture is back.
pub fn a_frozen_camera_thread_is_restarted(bench: &Bench) {
    let Bench { machine, network, .. } = bench;
    machine.must(&format!(
        "systemctl reset-failed {NODE}; systemctl restart {NODE}"
    ));
    let before = machine.property(NODE, "MainPID");
    let viewer = watch(network, machine, "porch");
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
    watch(network, machine, "porch").stop();
}

/// A camera that is not there is no reason to restart anything, however long; and it is live again when it is back.
pub fn an_absent_camera_is_not(bench: &Bench) {
    let Bench { machine, network, .. } = bench;
    let before = machine.property(NODE, "MainPID");
    let restarts = machine.property(NODE, "NRestarts");
    let viewer = watch(network, machine, "porch");
    let driver = "/sys/bus/platform/drivers/vivid";
    let journal = machine.follow(NODE);
    let mark = journal.mark();
    machine.must(&format!("echo vivid.0 >{driver}/unbind"));
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
pub fn a_token_from_the_credential_store(bench: &Bench) {
    let Bench { machine, network, .. } = bench;
    let token = "a-token-for-this-test-0123456789";
    let patience = machine.system().patience();
    machine.must("install -d -m 700 /etc/credstore");
    machine.write("/etc/credstore/pinhole.token", token);
    machine.must(&format!(
        "chmod 600 /etc/credstore/pinhole.token && systemctl restart {SERVER} {NODE}"
    ));
    machine.wait_for(NODE, "StatusText", |text| text.contains("signed in"));

    let (status, text) = view(network, &server_url(), &["list"], patience);
    assert_ne!(status, 0, "the list is given away: {text}");
    let file = write_token(network, token);
    let path = file.path().join("token");
    let path = path.to_str().expect("a plain path");
    let more = ["--token-file", path];
    Viewer::watch(network, &server_url(), "porch", &more, patience).stop();
    let secret = machine.run(&format!("journalctl --no-pager | grep {token}"));
    assert_ne!(secret.status, 0, "the token is in the journal: {}", secret.text);

    machine.must(&format!(
        "rm -r /etc/credstore && systemctl restart {SERVER} {NODE}"
    ));
    machine.must(&format!("grep -q porch {NODE_TOML}"));
    let open = eventually(patience, || {
        view(network, &server_url(), &["list"], patience)
            .1
            .contains("porch")
            .then_some(())
    });
    assert!(open.is_some(), "{PORCH}\n{}", machine.account(NODE));
}

fn write_token(_network: &Network, token: &str) -> pinhole_e2e::scratch::Scratch {
    let scratch = pinhole_e2e::scratch::Scratch::new("token");
    std::fs::write(scratch.path().join("token"), token).expect("the scratch directory can be written");
    scratch
}
