//! What was seen of a picture, frame by frame, and a table of what that comes to.

use pinhole_e2e::calm::{CALM, Witness};
use pinhole_e2e::log::loudly;
use serde_json::Value;

/// What a page presented (`course` of tests/peers/chromium.mjs).
pub(super) struct Course {
    /// Milliseconds from the beginning to each frame, …
    pub(super) times: Vec<f64>,
    /// … by how much later than its time stamp has it, …
    late: Vec<f64>,
    /// … and its width.
    widths: Vec<f64>,
    /// All else that the page said.
    pub(super) rest: Value,
}

impl Course {
    pub(super) fn read(answer: Value) -> Self {
        let numbers = |key: &str| {
            let all = answer[key]
                .as_array()
                .unwrap_or_else(|| panic!("{key} of {answer}"));
            all.iter().filter_map(Value::as_f64).collect()
        };
        let (times, late, widths) = (numbers("times"), numbers("late"), numbers("widths"));
        Self {
            times,
            late,
            widths,
            rest: answer,
        }
    }

    /// Frames a second between these two seconds.
    pub(super) fn rate(&self, from: f64, to: f64) -> f64 {
        let range = from * 1000.0..to * 1000.0;
        self.times.iter().filter(|time| range.contains(time)).count() as f64 / (to - from)
    }

    /// Those of the second in which there were fewest.
    pub(super) fn slowest(&self, from: f64, to: f64) -> f64 {
        let starts = (0..((to - from) as usize).max(1)).map(|second| from + second as f64);
        starts
            .map(|start| self.rate(start, start + 1.0))
            .fold(f64::MAX, f64::min)
    }

    /// The longest time without a new frame that had not ended by `from`, in seconds.
    pub(super) fn longest_gap(&self, from: f64, to: f64) -> f64 {
        self.longest_freeze(from, to).1
    }

    /// The same, after the second in which it began.
    pub(super) fn longest_freeze(&self, from: f64, to: f64) -> (f64, f64) {
        let (from, to) = (from * 1000.0, to * 1000.0);
        let mut last = self
            .times
            .iter()
            .copied()
            .rfind(|time| *time < from)
            .unwrap_or(0.0);
        let mut longest = (0.0, 0.0);
        let in_time = self
            .times
            .iter()
            .copied()
            .filter(|time| (from..to).contains(time));
        for time in in_time.chain([to]) {
            if time - last > longest.1 {
                longest = (last, time - last);
            }
            last = time;
        }
        (longest.0 / 1000.0, longest.1 / 1000.0)
    }

    /// From this second to the next frame, in seconds.
    pub(super) fn next_after(&self, second: f64) -> f64 {
        let next = self.times.iter().find(|time| **time >= second * 1000.0);
        next.map_or(f64::INFINITY, |time| time / 1000.0 - second)
    }

    /// By how much later than the most punctual of all frames this share of those from `from` on was at most, in milliseconds.
    pub(super) fn extra_delay(&self, from: f64, share: f64) -> f64 {
        let least = self.late.iter().copied().fold(f64::MAX, f64::min);
        let pairs = self.times.iter().zip(&self.late);
        let mut late: Vec<_> = pairs
            .filter(|(time, _)| **time >= from * 1000.0)
            .map(|(_, late)| late - least)
            .collect();
        percentile(&mut late, share)
    }

    /// From this second to the first frame of this width, in seconds.
    pub(super) fn width_after(&self, second: f64, width: f64) -> f64 {
        let mut pairs = self.times.iter().zip(&self.widths);
        let found = pairs.find(|(time, has)| **time >= second * 1000.0 && **has == width);
        found.map_or(f64::INFINITY, |(time, _)| time / 1000.0 - second)
    }

    /// A number that the page said.
    pub(super) fn number(&self, key: &str) -> f64 {
        self.rest[key].as_f64().unwrap_or(f64::NAN)
    }
}

/// The value below which this share of them lies.
pub(super) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// Rows of the table in docs/benchmarks.md: each figure is printed, and judged only at the end.
pub(super) struct Table {
    path: &'static str,
    witness: Witness,
    failures: Vec<String>,
}

impl Table {
    /// Of what is measured on this path.
    pub(super) fn of(path: &'static str) -> Self {
        Self {
            path,
            witness: Witness::start(),
            failures: Vec::new(),
        }
    }

    /// A figure of which nothing is asked.
    pub(super) fn tells(&self, what: &str, measured: impl std::fmt::Display) {
        loudly(&format!("| {} | {what} | {measured} | |", self.path));
    }

    pub(super) fn at_least(&mut self, what: &str, measured: f64, asked: f64) {
        self.row(what, measured, &format!("at least {asked}"), measured >= asked);
    }

    pub(super) fn at_most(&mut self, what: &str, measured: f64, asked: f64) {
        self.row(what, measured, &format!("at most {asked}"), measured <= asked);
    }

    /// What is asked is more than what holds: both are said, and what holds is judged by.
    pub(super) fn at_most_for_now(&mut self, what: &str, measured: f64, asked: f64, holds: f64) {
        let words = format!("at most {asked}; for now {holds}");
        self.row(what, measured, &words, measured <= holds);
    }

    /// What is asked is not so yet, and how much of it holds is not known: it is said, and not judged.
    pub(super) fn owes(&self, what: &str, measured: f64, asked: f64) {
        self.tells(what, format!("{measured:.2} of {asked}, NOT MET"));
    }

    fn row(&mut self, what: &str, measured: f64, words: &str, holds: bool) {
        loudly(&format!("| {} | {what} | {measured:.2} | {words} |", self.path));
        // What is no number is none that holds.
        if !holds {
            self.failures.push(format!("{what}: {measured:.2}, not {words}"));
        }
    }

    /// Fails where a figure is not as asked, or only for now.
    pub(super) fn end(self) {
        let stood_still = self.witness.stood_still();
        if stood_still > CALM {
            self.tells(
                "the machine itself stood still, s",
                format!("{:.2}", stood_still.as_secs_f64()),
            );
        }
        assert!(
            self.failures.is_empty(),
            "{} (the machine stood still for {stood_still:?})",
            self.failures.join("; ")
        );
    }
}
