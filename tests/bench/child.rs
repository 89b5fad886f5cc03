//! A process of ours that answers commands, each a line on its standard input, with a line of JSON.

use std::io::Write;
use std::process::ChildStdin;
use std::time::Duration;

use anyhow::Context;
use pinhole_e2e::network::Network;
use pinhole_e2e::process::Process;
use serde::{Serialize, de::DeserializeOwned};

/// What its answers start with; all else that it says is for people.
const ANSWER: &str = "answer: ";
/// More than anything that it is asked may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// This program once more, with other words.
pub struct Child {
    process: Process,
    stdin: ChildStdin,
}

impl Child {
    /// Starts it; the first of `words` is its name.
    pub fn start(network: &Network, words: &[&str]) -> anyhow::Result<Self> {
        let mut command = network.command(std::env::current_exe()?);
        command.args(words);
        let name = words.first().copied().unwrap_or_default();
        let (process, stdin) = Process::spawn(name, command);
        Ok(Self { process, stdin })
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What it answers to a command.
    pub fn ask<T: DeserializeOwned>(&mut self, command: &str) -> anyhow::Result<T> {
        let mark = self.process.mark();
        writeln!(self.stdin, "{command}")?;
        let is_answer = |line: &str| line.starts_with(ANSWER);
        let line = self.process.log().wait_since(mark, PATIENCE, is_answer);
        let line = line.with_context(|| format!("{command}: no answer:\n{}", self.process.log().tail(40)))?;
        Ok(serde_json::from_str(line.trim_start_matches(ANSWER))?)
    }
}

/// Inside of it: answers.
pub fn answer(answer: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(answer)?;
    Ok(writeln!(std::io::stdout(), "{ANSWER}{text}")?)
}
