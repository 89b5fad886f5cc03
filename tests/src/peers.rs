//! Viewers from outside the project: a real Chromium on the viewer page, and a stock-like desktop client on a real libwebrtc.
//! They are programs (tests/peers) that take commands as JSON lines; each one documents its commands at its top.

use std::io::Write;
use std::process::{ChildStdin, Command};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::ear::write_tone;
use crate::log::Mark;
use crate::network::Network;
use crate::process::{Process, SOON};
use crate::programs::repository;
use crate::scratch::Scratch;

/// A program that obeys commands.
pub struct Peer {
    process: Process,
    stdin: ChildStdin,
    asked: u64,
    // After the process, which may still write into it.
    _scratch: Scratch,
}

/// A command that is under way, while the test does something else.
#[must_use = "nobody looks at the answer"]
pub struct Asked {
    id: u64,
    what: String,
    patience: Duration,
}

impl Peer {
    /// A Chromium in `network`.
    pub fn chromium(network: &Network) -> Self {
        Self::start(network, "chromium.mjs")
    }

    /// A Firefox in `network`.
    pub fn firefox(network: &Network) -> Self {
        Self::start(network, "firefox.mjs")
    }

    /// A stock-like desktop client in `network`.
    pub fn stock_client(network: &Network) -> Self {
        Self::start(network, "stock-client.mjs")
    }

    /// Many short sessions, on a way that loses packets.
    pub fn sessions(network: &Network) -> Self {
        Self::start(network, "sessions.mjs")
    }

    /// A Chromium whose microphone hears a tone of so many hertz.
    pub fn chromium_with_voice(network: &Network, hertz: u32) -> Self {
        let scratch = Scratch::new("peer");
        let voice = scratch.path().join("voice.wav");
        write_tone(&voice, hertz);
        let mut command = network.command("node");
        command.env("PINHOLE_VOICE", voice);
        Self::run(command, "chromium.mjs", scratch)
    }

    fn start(network: &Network, script: &str) -> Self {
        Self::run(network.command("node"), script, Scratch::new("peer"))
    }

    fn run(mut command: Command, script: &str, scratch: Scratch) -> Self {
        command.arg(repository().join("tests/peers").join(script));
        // A Chromium that is killed leaves its profile behind.
        command.env("TMPDIR", scratch.path());
        let (process, stdin) = Process::spawn(script, command);
        Self {
            process,
            stdin,
            asked: 0,
            _scratch: scratch,
        }
    }

    /// Sends a command and waits for its answer; an error in it fails the test.
    pub fn ask(&mut self, what: &str, words: Value) -> Value {
        let asked = self.begin(what, words);
        self.finish(asked)
    }

    /// Sends a command; [`Peer::finish`] waits for its answer.
    pub fn begin(&mut self, what: &str, mut words: Value) -> Asked {
        self.asked += 1;
        // `seconds` is how long it measures, `within` its own patience; what it says about them is better than our time-out.
        let seconds = ["seconds", "within"]
            .iter()
            .filter_map(|key| words[key].as_f64())
            .sum::<f64>();
        words["id"] = json!(self.asked);
        words["do"] = json!(what);
        let line = words.to_string();
        writeln!(self.stdin, "{line}")
            .unwrap_or_else(|error| panic!("{} takes no commands: {error}", self.process.name()));
        Asked {
            id: self.asked,
            what: line,
            patience: SOON * 2 + Duration::from_secs_f64(seconds),
        }
    }

    /// Waits for the answer to a command.
    pub fn finish(&mut self, asked: Asked) -> Value {
        let start = format!("{{\"reply\":{}", asked.id);
        let is_answer = |line: &str| {
            line.strip_prefix(&start)
                .is_some_and(|rest| rest.starts_with([',', '}']))
        };
        let name = self.process.name();
        let log = self.process.log();
        let Some(line) = log.wait_since(Mark::default(), asked.patience, is_answer) else {
            panic!("{name} did not answer {} within {:?}", asked.what, asked.patience);
        };
        let answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{name} answered {line}: {error}"));
        assert!(
            answer.get("error").is_none(),
            "{name}, asked {}: {}",
            asked.what,
            answer["error"]
        );
        answer
    }

    /// Waits for a line in what it says besides its answers.
    pub fn wait_for_line(&self, pattern: &str) -> String {
        self.process.wait_for_line(pattern)
    }

    /// SIGKILL to it and to all it started, like a phone whose battery is empty.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Stops it where it stands, network and all, without ending it.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }
}
