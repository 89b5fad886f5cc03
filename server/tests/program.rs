//! The program itself: arguments, messages, signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

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
        .env_remove("NOTIFY_SOCKET")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// That of a mistake in the configuration, after which a service manager need not try again.
const MISTAKE: i32 = 78;

/// What it says when it fails with this exit status.
fn fail(args: &[&str], code: i32) -> String {
    let Output { status, stderr, .. } = command(args).output().unwrap();
    assert_eq!(status.code(), Some(code), "{args:?}");
    String::from_utf8(stderr).unwrap()
}

impl Program {
    fn start(args: &[&str]) -> Program {
        Program::spawn(&mut command(args))
    }

    fn spawn(command: &mut Command) -> Program {
        let mut child = command.spawn().unwrap();
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
    let says = fail(&["--listen", &address], 1);
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
    let says = fail(&["--config", path], MISTAKE);
    for part in [path, "line 3", "membrs", "members"] {
        assert!(says.contains(part), "{part} is not in: {says}");
    }
    let says = fail(&["--config", "/nowhere/server.toml"], MISTAKE);
    assert!(says.contains("/nowhere/server.toml"), "{says}");
}

#[test]
fn every_mistake_is_a_line_at_the_start_and_in_the_check() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "[limits]\nmembrs = 5\nconnections = 0\n[access]\nhosts = \"a\"\ntoken_file = \"/nowhere/token\"\n"
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    for args in [
        &["--config", path][..],
        &["check", path],
        &["--config", path, "check"],
    ] {
        let says = fail(args, MISTAKE);
        let lines: Vec<_> = says.lines().collect();
        let expected = [
            "line 2: there is no key `membrs`",
            "line 3: `connections` is 0; it must be 4",
            "line 5: `hosts` is the text",
            "line 6: access.token_file: can't read",
        ];
        assert_eq!(lines.len(), expected.len(), "{says}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(
                line.contains(&format!("{path}, {expected}")),
                "{expected} is not in {line}"
            );
        }
    }
}

#[test]
fn a_port_alone_is_that_port_on_all_addresses() {
    for (args, text) in [
        (&["--listen", "0"][..], ""),
        (&["--listen", ":0"], ""),
        (&[], "listen = 0\n"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let config = ["--config", file.path().to_str().unwrap()];
        let address = Program::start(&[&config[..], args].concat()).address();
        assert!(
            address.ip().is_unspecified() && address.port() != 0,
            "{args:?}: {address}"
        );
    }
    assert!(fail(&["--listen", "here"], 2).contains("a port alone"));
}

#[test]
fn a_name_makes_no_line_and_no_value_of_its_own_in_the_log() {
    let mut program = Program::spawn(command(&["--listen", "127.0.0.1:0"]).env("NO_COLOR", "1"));
    let mut stream = TcpStream::connect(program.address()).unwrap();
    // `a b\n2026 INFO x id=7 "c"`
    stream
        .write_all(b"GET /sign_in?a%20b%0A2026%20INFO%20x%20id=7%20%22c%22 HTTP/1.0\r\n\r\n")
        .unwrap();
    let line = program.line("signed in");
    let name = line.split(" name=").nth(1).unwrap_or_else(|| panic!("{line}"));
    assert!(name.starts_with('"') && !line.contains('\x1b'), "{line}");
    // Up to the next quote that is not marked the name is one value.
    let mut is_marked = false;
    let end = name[1..].find(|letter| {
        let is_end = letter == '"' && !is_marked;
        is_marked = letter == '\\' && !is_marked;
        is_end
    });
    let rest = &name[2 + end.unwrap_or_else(|| panic!("{line}"))..];
    assert!(rest.starts_with(" members=1"), "{line}");
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
    assert!(fail(&["--config", &path], 1).contains("192.0.2.77:1"));
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
fn a_changed_configuration_is_obeyed_on_sighup_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let config = with_token(directory.path(), "open-sesame");
    let mut program = Program::start(&["--config", &config]);
    let address = program.address();
    let (old, new) = (
        "Authorization: Bearer open-sesame",
        "Authorization: Bearer open-barley",
    );
    assert_eq!((status(address, old), status(address, new)), (200, 401));

    with_token(directory.path(), "open-barley");
    program.signal(Signal::HUP);
    let line = program.line("configuration read again");
    assert!(
        line.contains("token") && !line.contains("limits") && !line.contains("open-"),
        "{line}"
    );
    // The server takes it over before the next connection, or the one after.
    while status(address, old) != 401 {}
    assert_eq!(status(address, new), 200);

    let whole = std::fs::read_to_string(&config).unwrap();
    for (broken, says) in [
        (
            whole.replace("[access]", "[acces]"),
            "line 2: there is no key `acces` here; did you mean `access`?",
        ),
        (whole.replace("token\"", "no-token\""), "no-token: No such file"),
    ] {
        std::fs::write(&config, broken).unwrap();
        program.signal(Signal::HUP);
        let line = program.line("the old configuration stays");
        assert!(line.contains(says) && line.contains(&config), "{line}");
    }
    assert_eq!((status(address, old), status(address, new)), (401, 200));

    std::fs::write(&config, whole.replace("127.0.0.1:0", "127.0.0.1:1")).unwrap();
    program.signal(Signal::HUP);
    program.line("listen has changed; it is obeyed at the next start");
    program.line("nothing to do");
    assert_eq!(status(address, new), 200);

    let named = format!("{new}\r\nHost: cameras.example.org");
    let guest = format!("{new}\r\nHost: porch\r\nOrigin: https://home.example.org");
    assert_eq!((status(address, &named), status(address, &guest)), (421, 403));
    let keys = "hosts = [\"cameras.example.org\"]\nallow_origins = [\"https://home.example.org\"]\n";
    std::fs::write(&config, format!("{whole}{keys}")).unwrap();
    program.signal(Signal::HUP);
    let line = program.line("configuration read again");
    assert!(line.contains("hosts, allow_origins"), "{line}");
    while status(address, &named) != 200 {}
    assert_eq!(status(address, &guest), 200);
}

/// What it tells a service manager, up to the first message that contains this.
fn told(manager: &UnixDatagram, says: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut space = [0; 4096];
    while !all.last().is_some_and(|last: &String| last.contains(says)) {
        let length = manager
            .recv(&mut space)
            .unwrap_or_else(|error| panic!("{says:?}: {error}; {all:?}"));
        all.push(String::from_utf8(space[..length].to_vec()).unwrap());
    }
    all
}

/// A server with these arguments, and the service manager that it tells how it is.
fn managed(directory: &Path, args: &[&str]) -> (Program, UnixDatagram) {
    let socket = directory.join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let program = Program::spawn(command(args).env("NOTIFY_SOCKET", &socket));
    (program, manager)
}

#[test]
fn a_mistake_is_in_the_status_until_it_is_mended() {
    let directory = tempfile::tempdir().unwrap();
    let config = with_token(directory.path(), "open-sesame");
    let whole = std::fs::read_to_string(&config).unwrap();
    let (program, manager) = managed(directory.path(), &["--config", &config]);
    told(&manager, "STATUS=listening on ");
    std::fs::write(&config, whole.replace("[access]", "[acces]")).unwrap();
    program.signal(Signal::HUP);
    let line = told(&manager, "STATUS=old configuration kept (").pop().unwrap();
    assert!(line.contains("line 2: there is no key `acces`"), "{line}");
    std::fs::write(&config, whole).unwrap();
    program.signal(Signal::HUP);
    told(&manager, "STATUS=listening on ");
}

#[test]
fn a_service_manager_is_told_what_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (mut program, manager) = managed(directory.path(), &["--listen", "127.0.0.1:0"]);
    let address = program.address();
    told(&manager, "READY=1");
    told(
        &manager,
        &format!("STATUS=listening on {address}; nobody is signed in; everybody may"),
    );
    told(&manager, "WATCHDOG=1");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /sign_in?alice HTTP/1.0\r\n\r\n").unwrap();
    told(&manager, "; 1 member is signed in; ");
    program.signal(Signal::HUP);
    let reload = told(&manager, "READY=1");
    assert!(
        reload
            .iter()
            .any(|told| told.contains("RELOADING=1") && told.contains("MONOTONIC_USEC=")),
        "{reload:?}"
    );
    program.signal(Signal::TERM);
    told(&manager, "STOPPING=1");
    assert!(program.child.wait().unwrap().success());
}

/// What `check` prints for a configuration, and whether it is content.
fn check(text: &str, more: &[&str]) -> (bool, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let args = [&["check"], more, &[file.path().to_str().unwrap()]].concat();
    let Output {
        status,
        stdout,
        stderr,
    } = command(&args).stdout(Stdio::piped()).output().unwrap();
    (
        status.success(),
        String::from_utf8([stdout, stderr].concat()).unwrap(),
    )
}

#[test]
fn check_finds_what_would_fail() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (text, is_content, says) in [
        ("", true, "is valid"),
        ("listen = \"127.0.0.1:0\"", true, "listen   works"),
        (
            &format!("listen = \"{taken}\""),
            true,
            "listen   note   can't listen",
        ),
        (
            "listen = \"192.0.2.77:8888\"",
            false,
            "listen   FAILS  can't listen on 192.0.2.77:8888",
        ),
        (
            "listen = \"[::]:0\"",
            true,
            "access   note   everybody who can reach",
        ),
        (
            "listen = \"127.0.0.1:0\"",
            true,
            "access   works  everybody on this machine",
        ),
        (
            "[limits]\nmembrs = 5",
            false,
            "line 2: there is no key `membrs` here; did you mean `members`?",
        ),
        (
            "[access]\ntoken_file = \"/nowhere/token\"",
            false,
            "access.token_file: can't read the access token /nowhere",
        ),
        ("[limits]\nconnections = 1000000", true, "files "),
        (
            "[limits]\nmembers = 100000",
            true,
            "memory   note   limits.memory is enough for about",
        ),
        (
            "[limits]\nconnections = 500",
            true,
            "memory   note   1000 members need a connection each",
        ),
    ] {
        let (content, said) = check(text, &[]);
        assert!(content == is_content && said.contains(says), "{text}: {said}");
    }
    let (content, said) = check("listen = \"192.0.2.77:8888\"", &["--offline"]);
    assert!(content && !said.contains("listen"), "{said}");
}

/// Starts it where the system allows so many open files, at first and at most.
fn with_files(first: u32, most: u32) -> Program {
    let mut shell = Command::new("sh");
    let exec = format!("ulimit -Sn {first} && ulimit -Hn {most} && exec \"$0\" --listen 127.0.0.1:0");
    shell.args(["-c", &exec, env!("CARGO_BIN_EXE_pinhole-server")]);
    shell.env_remove("PINHOLE_LOG").stderr(Stdio::piped());
    Program::spawn(&mut shell)
}

#[test]
fn open_files_are_raised_to_what_connections_need_or_both_numbers_are_said() {
    let mut program = with_files(256, 4096);
    program.address();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.child.id())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let files: usize = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    let connections = pinhole_server::config::Config::default().limits.connections;
    assert!(
        files >= connections + pinhole_server::http::TURNED_AWAY + 32,
        "{files}"
    );

    let line = with_files(256, 512).line("open files");
    assert!(
        line.contains("allows 512 open files, enough for 384 of 2500 connections, which need 2628"),
        "{line}"
    );
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
        let log = fail(&["--config", &config], MISTAKE);
        assert!(
            log.contains(says) && log.contains("access.token_file") && log.contains(&config),
            "{log}"
        );
    }
}
