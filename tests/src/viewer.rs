//! pinhole-view on the host, watching a node while a test does something to it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::log::Mark;
use crate::network::Network;
use crate::process::Process;
use crate::programs::binary;

/// A pinhole-view that watches.
pub struct Viewer {
    process: Process,
    patience: Duration,
}

/// Runs pinhole-view to its end: its exit status, and what it printed.
pub fn view(network: &Network, server: &str, words: &[&str], patience: Duration) -> (i32, String) {
    let mut process = start(network, server, words);
    let status = process.wait_within(patience);
    process.log().wait_for_end();
    (status, process.log().since(Mark::default()).join("\n"))
}

fn start(network: &Network, server: &str, words: &[&str]) -> Process {
    let mut command = network.command(binary("pinhole-view"));
    command.args(["--server", server]).args(words);
    Process::spawn("pinhole-view", command).0
}

impl Viewer {
    /// Calls `node` and waits for a moving picture; `patience` is for that, and for all that is waited for later.
    pub fn watch(network: &Network, server: &str, node: &str, more: &[&str], patience: Duration) -> Self {
        let mut words = vec!["watch", node, "--json", "--wait", "60"];
        words.extend(more);
        let viewer = Self {
            process: start(network, server, &words),
            patience,
        };
        viewer.goes_on();
        viewer
    }

    /// Waits for ten more frames than there are now: the picture still comes.
    pub fn goes_on(&self) -> Value {
        let mark = self.process.mark();
        let first = self.second_since(mark, |_| true);
        let frames = |second: &Value| second["frames"].as_u64().unwrap_or_default();
        self.second_since(mark, |second| frames(second) >= frames(&first) + 10)
    }

    /// Waits for a second from now on whose figures are as wanted.
    pub fn shows(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.second_since(self.process.mark(), wanted)
    }

    fn second_since(&self, mark: Mark, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = self.process.log().wait_since(mark, self.patience, |line| {
            second(line).is_some_and(|second| wanted(&second))
        });
        let line = line.unwrap_or_else(|| {
            panic!(
                "the viewer does not see what it should (patience {:?}); its last lines:\n{}",
                self.patience,
                self.process.log().tail(20)
            )
        });
        second(&line).expect("it was one a moment ago")
    }

    /// Ends the watch, and gives its summary.
    pub fn stop(mut self) -> Value {
        self.process.signal(Signal::INT);
        self.end()
    }

    /// Waits until the watch ends by itself, and gives its summary.
    pub fn end(mut self) -> Value {
        self.process.wait_within(self.patience);
        self.process.log().wait_for_end();
        let lines = self.process.log().since(Mark::default());
        let last = lines.iter().rfind(|line| line.starts_with("{\"summary\""));
        let line = last.unwrap_or_else(|| panic!("no summary in\n{}", lines.join("\n")));
        serde_json::from_str::<Value>(line).expect("the summary is JSON")["summary"].take()
    }
}

/// The figures of a second, where the line is one.
fn second(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    value["second"].is_number().then_some(value)
}
