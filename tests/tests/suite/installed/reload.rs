//! `systemctl reload` with a viewer watching: every change takes effect, and the viewer stays.

use std::net::UdpSocket;

use pinhole_e2e::installed::{Board, NODE, NODE_TOML, server_url};
use pinhole_e2e::process::Process;
use pinhole_e2e::viewer::{Viewer, view};

use super::PORCH;

/// Where a test's STUN server listens.
const STUN: &str = "10.77.1.1:3478";

/// The configuration with a change, obeyed; the journal's word for what has changed is `words`.
fn reload(board: &Board, journal: &Process, config: &str, words: &str) {
    let mark = journal.mark();
    board.machine.write(NODE_TOML, config);
    board.machine.must(&format!("systemctl reload {NODE}"));
    let patience = board.machine.system().patience();
    let line = journal.wait_for_line_since(mark, "configuration read again", patience);
    assert!(line.contains(words), "{line}");
}

pub fn each_change_keeps_the_viewer(board: &Board) {
    let Board { machine, network, .. } = board;
    let patience = machine.system().patience();
    let journal = machine.follow(NODE);
    // The usual picture is too easy on the encoder to tell one rate from another.
    machine.must("v4l2-ctl -d /dev/video0 --set-ctrl=test_pattern=21");
    let viewer = board.watch("porch");
    viewer.shows(|second| second["kbps"].as_f64() > Some(1400.0));
    let mark = journal.mark();

    let slower = PORCH.replace("2M", "600k");
    reload(board, &journal, &slower, "bitrate");
    viewer.shows(|second| {
        second["kbps"]
            .as_f64()
            .is_some_and(|kbps| kbps > 0.0 && kbps < 1000.0)
    });

    machine.must("v4l2-ctl -d /dev/video0 --set-ctrl=test_pattern=0");

    let darker = slower.clone() + "\n[camera.controls]\nbrightness = 7\n";
    reload(board, &journal, &placed(&darker), "controls");
    let brightness = || machine.must("v4l2-ctl -d /dev/video0 --get-ctrl=brightness");
    let set =
        pinhole_e2e::eventually::eventually(patience, || (brightness() == "brightness: 7").then_some(()));
    assert!(set.is_some(), "{}", brightness());

    let renamed = slower.replace("porch", "veranda");
    reload(board, &journal, &renamed, "name");
    let listed = pinhole_e2e::eventually::eventually(patience, || {
        let (_, members) = view(network, &server_url(), &["list"], patience);
        (members.contains("veranda") && !members.contains("porch")).then_some(())
    });
    assert!(listed.is_some());
    viewer.goes_on();

    let stun = network
        .inside(|| UdpSocket::bind(STUN))
        .expect("the port is free");
    let asking = renamed.clone() + &format!("\n[webrtc]\nice_servers = [\"stun:{STUN}\"]\n");
    reload(board, &journal, &asking, "viewers");
    stun.set_read_timeout(Some(patience))
        .expect("a time-out can be set");
    let second = board.watch("veranda");
    let mut request = [0; 1500];
    let (length, from) = stun
        .recv_from(&mut request)
        .expect("the node asks its new STUN server");
    assert!(
        length >= 20 && request[..2] == [0, 1],
        "not a binding request, from {from}"
    );
    second.stop();

    reload(
        board,
        &journal,
        &(renamed.clone() + "\n[webrtc]\nmax_viewers = 1\n"),
        "viewers",
    );
    let (status, text) = view(network, &server_url(), &["watch", "veranda", "--json"], patience);
    assert_eq!(status, 5, "a second viewer was let in: {text}");
    viewer.goes_on();

    let smaller = PORCH
        .replace("640x360", "320x180")
        .replace("fps = 15", "fps = 10");
    reload(board, &journal, &smaller, "camera");
    viewer.shows(|second| second["width"] == 320 && second["frames"].as_u64() > Some(0));
    reload(board, &journal, PORCH, "camera");
    viewer.shows(|second| second["width"] == 640);
    viewer.goes_on();

    let ended = journal
        .log()
        .since(mark)
        .into_iter()
        .filter(|line| line.contains("session ended"))
        .count();
    assert_eq!(
        ended,
        1,
        "only the second viewer's session ended:\n{}",
        journal.log().tail(60)
    );
    assert_eq!(machine.property(NODE, "NRestarts"), "0");
    stays_to_the_end(viewer);
}

/// `[camera.controls]` has to stand behind its camera.
fn placed(config: &str) -> String {
    let (head, controls) = config
        .split_once("\n[camera.controls]")
        .expect("there are controls");
    let (camera, video) = head.split_once("\n[video]").expect("there is a rate");
    format!("{camera}\n[camera.controls]{controls}\n[video]{video}")
}

fn stays_to_the_end(viewer: Viewer) {
    let summary = viewer.stop();
    assert_eq!(summary["ended"], "stopped", "{summary}");
}

/// A mistake fails the reload with its line, and what ran goes on to run.
pub fn a_broken_file_changes_nothing(board: &Board) {
    let machine = &board.machine;
    let viewer = board.watch("porch");
    let before = machine.property(NODE, "MainPID");
    let broken = PORCH.replace("bitrate =", "bitrat =");
    let line = broken
        .lines()
        .position(|line| line.starts_with("bitrat "))
        .expect("it is there")
        + 1;
    machine.write(NODE_TOML, &broken);
    let said = machine.must_fail(&format!("systemctl reload {NODE}"));
    let account = machine.account(NODE);
    machine.report(&format!("a broken file: {said}"));
    let named = [format!("line {line}"), format!("{NODE_TOML}:{line}")];
    assert!(
        named.iter().any(|name| account.contains(name)) && account.contains("bitrate"),
        "line {line} is not named:\n{account}"
    );
    // A signal reaches the program without the check in front of it.
    let journal = machine.follow(NODE);
    let mark = journal.mark();
    machine.must(&format!("systemctl kill --signal=HUP --kill-whom=main {NODE}"));
    journal.wait_for_line_since(mark, "the old configuration stays", machine.system().patience());
    assert_eq!(
        machine.property(NODE, "ActiveState"),
        "active",
        "{}",
        machine.account(NODE)
    );
    assert_eq!(machine.property(NODE, "MainPID"), before);
    machine.wait_for(NODE, "StatusText", |text| text.contains("old configuration kept"));
    viewer.goes_on();
    viewer.stop();
    machine.write(NODE_TOML, PORCH);
    machine.must(&format!("systemctl reload {NODE}"));
}
