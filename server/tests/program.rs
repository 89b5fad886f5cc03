//! The program itself: arguments, messages, signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;

struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole-server"));
    command
        .args(args)
        .env_remove("PINHOLE_LOG")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn fail(args: &[&str]) -> String {
    let Output { status, stderr, .. } = command(args).output().unwrap();
    assert!(!status.success(), "{args:?} should fail");
    String::from_utf8(stderr).unwrap()
}

impl Program {
    fn start(args: &[&str]) -> Program {
        let mut child = command(args).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Program { child, log }
    }

    /// Reads the log up to a line that says this.
    fn line(&mut self, says: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if line.contains(says) {
                return line;
            }
            line.clear();
        }
        panic!("the log ended without {says:?}");
    }

    fn address(&mut self) -> SocketAddr {
        let line = self.line(" listens on ");
        line.split(" listens on ")
            .nth(1)
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_signal_ends_it_and_answers_the_waits() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::start(&["--listen", "127.0.0.1:0"]);
        let address = program.address();
        let ask = |target: &'static str| async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream
                .write_all(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes())
                .await
                .unwrap();
            stream
        };
        wire::reply(ask("/sign_in?alice").await).await;
        // A second wait supersedes the first: from the answer it is known that one is open.
        let (one, two) = (ask("/wait?peer_id=1").await, ask("/wait?peer_id=1").await);
        let open = tokio::select! {
            _ = one.readable() => two,
            _ = two.readable() => one,
        };
        program.signal(signal);
        assert_eq!(wire::reply(open).await.status(), 503);
        program.line("stopped");
        assert!(program.child.wait().unwrap().success());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut program = Program::start(&["--listen", "127.0.0.1:0"]);
    let address = program.address();
    // A request that doesn't end keeps the first signal from ending it.
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nX: ").unwrap();
    // Connections are taken in order: when this one is answered, the other has been taken.
    let mut second = TcpStream::connect(address).unwrap();
    second.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    std::io::copy(&mut second, &mut std::io::sink()).unwrap();
    program.signal(Signal::TERM);
    program.line("stopping");
    program.signal(Signal::TERM);
    program.line("stopping at once");
    assert_eq!(program.child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_log_says_what_to_open() {
    let mut program = Program::start(&["--listen", "127.0.0.1:0"]);
    let line = program.line(" listens on ");
    let port = line
        .split("127.0.0.1:")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert!(line.contains(&format!("open http://127.0.0.1:{port}/")), "{line}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let says = fail(&["--listen", &address]);
    assert!(
        says.contains(&format!("can't listen on {address}")) && says.contains("--listen"),
        "{says}"
    );
}

#[test]
fn a_wrong_configuration_is_named_with_its_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "listen = \"127.0.0.1:0\"\n[limits]\nmembrs = 5\n").unwrap();
    let path = file.path().to_str().unwrap();
    let says = fail(&["--config", path]);
    for part in [path, "line 3", "membrs", "members"] {
        assert!(says.contains(part), "{part} is not in: {says}");
    }
    let says = fail(&["--config", "/nowhere/server.toml"]);
    assert!(says.contains("/nowhere/server.toml"), "{says}");
}

#[test]
fn the_command_line_is_above_the_configuration() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "listen = \"192.0.2.77:1\"").unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    assert_ne!(
        Program::start(&["--config", &path, "--listen", "127.0.0.1:0"])
            .address()
            .port(),
        0
    );
    assert!(fail(&["--config", &path]).contains("192.0.2.77:1"));
}

/// A private file with a token, and a configuration that names it.
fn with_token(directory: &Path, token: &str) -> String {
    use std::os::unix::fs::PermissionsExt;

    let (file, config) = (directory.join("token"), directory.join("server.toml"));
    std::fs::write(&file, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[access]\ntoken_file = \"{}\"\n",
        file.display()
    );
    std::fs::write(&config, text).unwrap();
    config.to_str().unwrap().to_owned()
}

/// A request with this header line, and the status of its answer.
fn status(address: SocketAddr, header: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.0\r\n{header}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_wrong_token_is_in_the_log_once_for_its_address_and_never_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let config = with_token(directory.path(), "open-sesame");
    let mut program = Program::start(&["--config", &config]);
    let address = program.address();
    for _ in 0..3 {
        assert_eq!(status(address, "Authorization: Bearer open-barley"), 401);
        assert_eq!(status(address, "Cookie: none"), 401);
    }
    assert_eq!(status(address, "Authorization: Bearer open-sesame"), 200);
    program.signal(Signal::TERM);
    let mut log = String::new();
    program.log.read_to_string(&mut log).unwrap();
    assert_eq!(log.matches("wrong access token").count(), 1, "{log}");
    assert!(log.contains("127.0.0.1") && !log.contains("open-"), "{log}");
}

#[test]
fn a_token_that_can_not_be_used_keeps_the_server_from_standing_open() {
    let directory = tempfile::tempdir().unwrap();
    let config = with_token(directory.path(), "");
    for (says, change) in [
        ("it is empty", None),
        ("No such file", Some(directory.path().join("token"))),
    ] {
        change.inspect(|file| std::fs::remove_file(file).unwrap());
        let log = fail(&["--config", &config]);
        assert!(
            log.contains(says) && log.contains("access.token_file") && log.contains(&config),
            "{log}"
        );
    }
}
