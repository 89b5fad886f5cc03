//! pinhole-view on the host, watching a node while a test does something to it.

use std::cell::RefCell;
use std::ops::RangeBounds;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::log::Mark;
use crate::network::Network;
use crate::process::Process;
use crate::programs::binary;

/// How often it tells its figures, in seconds; and how many of them are a second.
const INTERVAL: &str = "0.25";
const A_SECOND: usize = 4;

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
        let viewer = Self::call(network, server, node, more, patience);
        viewer.goes_on();
        viewer
    }

    /// Calls `node`, and waits for nothing.
    pub fn call(network: &Network, server: &str, node: &str, more: &[&str], patience: Duration) -> Self {
        let mut words = vec!["watch", node, "--json", "--wait", "60"];
        if !more.contains(&"--interval") {
            words.extend(["--interval", INTERVAL]);
        }
        words.extend(more);
        Self {
            process: start(network, server, &words),
            patience,
        }
    }

    /// Waits for ten more pictures than there are now, each another: the picture still comes, and moves.
    pub fn goes_on(&self) -> Value {
        self.brings(10)
    }

    /// The same of so many.
    pub fn brings(&self, pictures: u64) -> Value {
        let mark = self.process.mark();
        let count = |figures: &Value| figures["changed_frames"].as_u64().unwrap_or_default();
        let first = self.figures_since(mark, |_| true);
        self.figures_since(mark, |figures| count(figures) >= count(&first) + pictures)
    }

    /// Waits for a second, from now on, in which so many pictures come: of the slate there are four, of a camera more.
    pub fn sees(&self, pictures: impl RangeBounds<u64>) {
        all_see(std::slice::from_ref(self), pictures);
    }

    /// Where its figures are now, for [`Viewer::sees_again_since`].
    pub fn mark(&self) -> Mark {
        self.process.mark()
    }

    /// Waits for a picture, since `mark`, after a second in which there was none.
    pub fn sees_again_since(&self, mark: Mark) {
        let counts = RefCell::new(Vec::new());
        self.figures_since(mark, |figures| {
            let mut counts = counts.borrow_mut();
            counts.push(figures["frames"].as_u64().unwrap_or_default());
            let [before @ .., now] = &counts[..] else {
                return false;
            };
            let [.., begin] = &before[..before.len().saturating_sub(A_SECOND)] else {
                return false;
            };
            before.last() == Some(begin) && now > begin
        });
    }

    fn sees_since(&self, mark: Mark, pictures: &impl RangeBounds<u64>) {
        let counts = RefCell::new(Vec::new());
        self.figures_since(mark, |figures| {
            let mut counts = counts.borrow_mut();
            counts.push(figures["frames"].as_u64().unwrap_or_default());
            let before = counts.iter().rev().nth(A_SECOND);
            before.is_some_and(|before| pictures.contains(&(counts[counts.len() - 1] - before)))
        });
    }

    /// Waits for so many packets of sound.
    pub fn hears(&self, packets: u64) {
        let heard = RefCell::new(0);
        self.figures_since(self.process.mark(), |figures| {
            *heard.borrow_mut() += figures["audio"]["packets"].as_u64().unwrap_or_default();
            *heard.borrow() >= packets
        });
    }

    /// Waits for figures, from now on, that are as wanted.
    pub fn shows(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.figures_since(self.process.mark(), wanted)
    }

    /// The first figures that are as wanted; it is asked of each once, in their order.
    fn figures_since(&self, mark: Mark, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = self.process.log().wait_since(mark, self.patience, |line| {
            figures(line).is_some_and(|figures| wanted(&figures))
        });
        let line = line.unwrap_or_else(|| {
            panic!(
                "the viewer does not see what it should (patience {:?}); its last lines:\n{}",
                self.patience,
                self.process.log().tail(20)
            )
        });
        figures(&line).expect("they were some a moment ago")
    }

    /// All figures so far.
    pub fn figures(&self) -> Vec<Value> {
        let lines = self.process.log().since(Mark::default());
        lines.iter().filter_map(|line| figures(line)).collect()
    }

    /// SIGKILL, like a phone whose battery is empty.
    pub fn kill(self) {
        self.process.kill();
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

/// Waits until each of them has had such a second ([`Viewer::sees`]).
pub fn all_see(viewers: &[Viewer], pictures: impl RangeBounds<u64>) {
    let marks: Vec<Mark> = viewers.iter().map(|viewer| viewer.process.mark()).collect();
    for (viewer, mark) in viewers.iter().zip(marks) {
        viewer.sees_since(mark, &pictures);
    }
}

/// The figures of an interval, where the line has such.
fn figures(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    value["second"].is_number().then_some(value)
}
