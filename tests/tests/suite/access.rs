//! A server with an access token: node, browser and terminal viewer with it, and each without.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pinhole_e2e::log::Mark;
use pinhole_e2e::network::{HOST, Network};
use pinhole_e2e::peers::Peer;
use pinhole_e2e::process::{Process, SOON};
use pinhole_e2e::programs::{
    NO_PICTURE, PORT, SIGNED_IN, binary, node_config, server_url, start_node, start_node_until,
    start_server_with,
};
use pinhole_e2e::scratch::Scratch;
use pinhole_e2e::skip::{Need, skipped};
use rustix::process::Signal;
use serde_json::json;

const TOKEN: &str = "open-sesame+2/3=";

/// Writes a private file and gives its path.
fn secret(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.path().join(name);
    fs::write(&path, text).expect("the directory is ours");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("so is the file");
    path.to_str()
        .expect("the temporary directory has a plain name")
        .to_owned()
}

fn start_guarded(network: &Network, scratch: &Scratch) -> Process {
    let token = secret(scratch, "server.token", &format!("{TOKEN}\n"));
    let config = secret(
        scratch,
        "server.toml",
        &format!("[access]\ntoken_file = {token:?}\n"),
    );
    start_server_with(network, &["--config", &config])
}

/// A node's configuration with a token.
fn with_token(token: &str) -> String {
    node_config("porch", "pattern")
        .replace("[signaling]\n", &format!("[signaling]\ntoken_file = {token:?}\n"))
}

/// Runs pinhole-view to its end.
fn view(network: &Network, token: Option<&Path>, words: &[&str]) -> (i32, String) {
    let mut command = network.command(binary("pinhole-view"));
    command.args(["--server", &server_url()]).args(words);
    if let Some(token) = token {
        command.env("PINHOLE_TOKEN_FILE", token);
    }
    let (mut process, _) = Process::spawn("pinhole-view", command);
    let status = process.wait();
    process.log().wait_for_end();
    (status, process.log().since(Mark::default()).join("\n"))
}

mod quick {
    use super::*;

    #[test]
    fn whoever_has_the_token_sees_the_camera() {
        if skipped(Need::Network) {
            return;
        }
        let (network, scratch) = (Network::without_guest(), Scratch::new("access"));
        let mut server = start_guarded(&network, &scratch);
        let token = secret(&scratch, "node.token", TOKEN);
        let mut node = start_node(&network, &with_token(&token));

        // A person who types it, and one whose bookmark has it.
        let mut page = Peer::chromium(&network);
        let bookmark = format!("http://anybody:open-sesame%2B2%2F3%3D@{HOST}:{PORT}/#watch=porch");
        for (url, password) in [(server_url(), json!(TOKEN)), (bookmark, json!(null))] {
            let opened = page.ask("open", json!({"url": url, "password": password}));
            assert_eq!(opened["status"], 200, "{opened}");
            if !url.contains("#watch") {
                page.ask("watch", json!({"camera": "porch"}));
            }
            page.ask("wait_live", json!({"within": 40}));
            page.ask("frames", json!({"distinct": 17}));
        }
        node.assert_never_said(NO_PICTURE);

        let (status, said) = view(
            &network,
            Some(token.as_ref()),
            &["watch", "porch", "--seconds", "0.5"],
        );
        assert_eq!(status, 0, "{said}");
        for program in [&mut server, &mut node] {
            program.assert_running();
            let log = program.log().since(Mark::default()).join("\n");
            assert!(!log.contains("open-sesame"), "{log}");
        }
    }

    #[test]
    fn whoever_has_not_the_token_is_told_so_and_gets_nothing() {
        if skipped(Need::Network) {
            return;
        }
        let (network, scratch) = (Network::without_guest(), Scratch::new("access"));
        let server = start_guarded(&network, &scratch);
        let other = secret(&scratch, "other.token", "open-barley");

        let mut page = Peer::chromium(&network);
        for password in [json!(null), json!("open-barley")] {
            let opened = page.ask("open", json!({"url": server_url(), "password": password}));
            assert_eq!(opened["status"], 401, "{opened}");
        }

        for (token, says) in [
            (None, "wants an access token; give its file with --token-file"),
            (Some(other.as_ref()), "does not take this access token; compare"),
        ] {
            let (status, said) = view(&network, token, &["list"]);
            assert_eq!(status, 3, "{said}");
            assert!(said.contains(says), "{said}");
        }

        let wants = "wants an access token; set `token_file` under [signaling]";
        start_node_until(&network, &node_config("porch", "pattern"), wants).stop();
        let node = start_node_until(
            &network,
            &with_token(&other),
            "does not take this access token; compare",
        );
        assert!(
            !node
                .log()
                .since(Mark::default())
                .join("\n")
                .contains("open-barley")
        );
        node.stop();
        let log = server.log().since(Mark::default()).join("\n");
        assert!(!log.contains(SIGNED_IN), "{log}");
    }

    /// All have the one token, so all change it at about the same time.
    #[test]
    fn a_token_is_changed_while_somebody_watches() {
        if skipped(Need::Network) {
            return;
        }
        let (network, scratch) = (Network::without_guest(), Scratch::new("access"));
        let mut server = start_guarded(&network, &scratch);
        let token = secret(&scratch, "node.token", TOKEN);
        // Where the node finds it again.
        let config = secret(&scratch, "node.toml", &with_token(&token));
        let mut command = network.command(binary("pinhole-node"));
        command.args(["--config", &config]);
        let (mut node, _) = Process::spawn("pinhole-node", command);
        node.wait_for_line(SIGNED_IN);
        let mut page = Peer::chromium(&network);
        page.ask("open", json!({"url": server_url(), "password": TOKEN}));
        page.ask("watch", json!({"camera": "porch"}));
        page.ask("wait_live", json!({"within": 40}));

        let new = "open-barley";
        for (program, file) in [(&mut server, "server.token"), (&mut node, "node.token")] {
            secret(&scratch, file, new);
            let mark = program.mark();
            program.signal(Signal::HUP);
            let line = program.wait_for_line_since(mark, "configuration read again", SOON);
            assert!(line.contains("token"), "{line}");
        }
        let (status, said) = view(
            &network,
            Some(token.as_ref()),
            &["watch", "porch", "--seconds", "0.5"],
        );
        assert_eq!(status, 0, "{said}");
        let frames = page.ask("frames", json!({"distinct": 17}));
        node.assert_never_said(NO_PICTURE);
        assert_eq!(frames["calls"], 1, "the page had to call again: {frames}");
        server.assert_running();
        node.assert_running();
    }

    #[test]
    fn a_node_comes_in_when_the_token_is_put_right_on_the_server() {
        if skipped(Need::Network) {
            return;
        }
        let (network, scratch) = (Network::without_guest(), Scratch::new("access"));
        let server = start_guarded(&network, &scratch);
        let wants = "wants an access token";
        let node = start_node_until(&network, &node_config("porch", "pattern"), wants);
        let mark = node.mark();
        server.stop();
        let _open = start_server_with(&network, &[]);
        node.wait_for_line_since(mark, SIGNED_IN, SOON);
    }
}
