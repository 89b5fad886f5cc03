//! What the programs' command lines take, and what they end with: the same way for all three.

use std::fs;
use std::process::{Command, Output};

use pinhole_e2e::programs::binary;
use pinhole_e2e::scratch::Scratch;

mod quick {
    use super::*;

    /// What a program says, and its exit status.
    fn run(program: &str, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(binary(program))
            .args(arguments)
            .env_remove("PINHOLE_LOG")
            .env_remove("RUNTIME_DIRECTORY")
            .output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.expect("it is built");
        let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        (status.code().expect("no signal"), text)
    }

    /// A file with this text, for as long as the folder is kept.
    fn file(folder: &Scratch, text: &str) -> String {
        let path = folder.path().join("a.toml");
        fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    }

    #[test]
    fn a_configuration_is_named_before_a_command_or_behind_it() {
        let folder = Scratch::new("command-line");
        let valid = file(&folder, "");
        for program in ["pinhole-node", "pinhole-server"] {
            for arguments in [
                &["check", "--offline", "--config", &valid][..],
                &["--config", &valid, "check", "--offline"],
                &["check", "--offline", &valid],
            ] {
                let (status, said) = run(program, arguments);
                assert!(
                    status == 0 && said.contains("a.toml is valid"),
                    "{program} {arguments:?}: {status} {said}"
                );
            }
            let (status, said) = run(program, &["--config", &valid, "check", "--config", &valid]);
            assert!(status == 2 && said.contains("named twice"), "{program}: {said}");
            assert_eq!(run(program, &["--confg", &valid]).0, 2);
        }
        assert_eq!(run("pinhole-node", &["--config", &valid, "devices"]).0, 2);
    }

    #[test]
    fn a_wrong_configuration_is_told_whole_with_a_status_of_its_own_at_check_and_start() {
        let folder = Scratch::new("command-line");
        let wrong = file(
            &folder,
            "[[camera]]\ndevice = \"rtsp://me:secret@192.0.2.9/1\"\n[webrtc]\nudp_prt = 1\nice_servers = \"turn:a\"\n\
             max_viewers = \"20\"\n[http]\nhosts = [\"a b\"]\n",
        );
        for arguments in [&["check", &wrong][..], &["--config", &wrong]] {
            let (status, said) = run("pinhole-node", arguments);
            assert_eq!(status, 78, "{said}");
            let lines: Vec<_> = said.lines().collect();
            let expected = [
                "line 2: `device` is an address, rtsp://",
                "line 4: there is no key `udp_prt` here; did you mean `udp_port`?",
                "line 5: `ice_servers` is the text \"turn:a\"; it has to be a list: write [\"turn:a\"]",
                "line 6: `max_viewers` is the text \"20\"; it has to be a whole number, without quotes",
                "line 8: `a b` is no host name",
            ];
            assert_eq!(lines.len(), expected.len(), "{said}");
            for (line, expected) in lines.iter().zip(expected) {
                assert!(
                    line.starts_with("pinhole-node: ") && line.contains(&format!("a.toml, {expected}")),
                    "{line}"
                );
            }
            assert!(!said.contains("secret"), "{said}");
        }
        let turn = file(&folder, "[webrtc]\nice_servers = [\"stun:a\", \"turn:b\"]\n");
        for arguments in [&["check", &turn][..], &["--config", &turn]] {
            let (status, said) = run("pinhole-node", arguments);
            assert!(
                status == 78 && said.contains("line 2: `turn:b`: TURN relays are not supported"),
                "{said}"
            );
        }
    }

    #[test]
    fn the_viewer_takes_its_server_before_the_command_or_behind_it() {
        // A port on which nobody listens, as far as can be known.
        let nobody = "http://127.0.0.1:1";
        for arguments in [&["--server", nobody, "list"], &["list", "--server", nobody]] {
            let (status, said) = run("pinhole-view", arguments);
            assert!(status == 3 && said.contains("127.0.0.1:1"), "{said}");
        }
        for arguments in [
            &["list", "--server", "nowhere://"][..],
            &["watch", "porch", "--ice-server", "turn:relay.example.org"],
        ] {
            assert_eq!(run("pinhole-view", arguments).0, 2, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_to_be_read_has_to_be_a_file() {
        let folder = Scratch::new("command-line");
        let missing = folder.path().join("missing.toml").display().to_string();
        let pipe = folder.path().join("pipe").display().to_string();
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("it is a program of every system").success());
        let named = |path: &str, why: &str| format!("the configuration {path} can't be read: {why}");
        for program in ["pinhole-node", "pinhole-server"] {
            for (path, why) in [
                (pipe.as_str(), "it is a pipe, and not a file"),
                ("/dev/zero", "it is a device, and not a file"),
            ] {
                for arguments in [&["check", "--offline", path][..], &["--config", path]] {
                    let (status, said) = run(program, arguments);
                    assert!(
                        status == 78 && said.contains(&named(path, why)),
                        "{status} {said}"
                    );
                }
            }
        }
        // Whoever mistypes the name has to know that no output is safe.
        let (status, said) = run("pinhole-node", &["safe", &missing]);
        assert!(
            status == 78 && said.contains(&named(&missing, "No such file")),
            "{status} {said}"
        );
        for (path, why) in [
            (missing.as_str(), "No such file or directory (os error 2)"),
            (&pipe, "it is not a file"),
            ("/dev/zero", "it is not a file"),
        ] {
            let (status, said) = run("pinhole-view", &["--token-file", path, "list"]);
            let expected = format!("pinhole-view: can't read the access token {path}: {why}\n");
            assert_eq!((status, said), (1, expected));
        }
    }

    #[test]
    fn a_log_filter_that_can_not_be_read_is_named() {
        let folder = Scratch::new("command-line");
        let valid = file(&folder, "");
        for program in ["pinhole-node", "pinhole-server"] {
            let output = Command::new(binary(program))
                .args(["check", "--offline", &valid])
                .env("PINHOLE_LOG", "inof,rtc=warn")
                .output()
                .expect("it is built");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            assert!(
                said.starts_with(&format!(
                    "{program}: PINHOLE_LOG: `inof` is no level; write error, warn,"
                )),
                "{said}"
            );
        }
    }
}
