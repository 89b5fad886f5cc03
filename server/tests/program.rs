//! The program itself: arguments, messages, signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
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
