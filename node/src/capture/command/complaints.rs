use std::{
    io::{PipeReader, Read},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The longest line that is kept; what is longer is cut.
const LONGEST_LINE: usize = 400;
/// Lines that may be logged in a row …
const LINES_IN_A_ROW: u32 = 20;
/// … and then one in this time: some 9000 a day, however much a command has to say.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Who writes more than a read takes is left alone for so long: the pipe fills, and a flood waits for us instead of keeping us.
const FLOOD_PAUSE: Duration = Duration::from_millis(50);

/// What a command says on its standard error: into our log, as far as there is room.
pub(super) struct Complaints {
    command: String,
    line: Line,
    /// The last line with anything in it.
    last: Option<String>,
    limit: Arc<Limit>,
    /// A flood is not read before this.
    resume: Option<Instant>,
}

impl Complaints {
    pub(super) fn new(command: String, limit: Arc<Limit>) -> Self {
        Self {
            command,
            line: Line::default(),
            last: None,
            limit,
            resume: None,
        }
    }

    /// Whether there is any use in looking for more.
    pub(super) fn listens(&mut self, now: Instant) -> bool {
        if self.resume.is_some_and(|resume| resume <= now) {
            self.resume = None;
        }
        self.resume.is_none()
    }

    /// Reads what is there, once. `false` at the end.
    pub(super) fn read(&mut self, stderr: &mut PipeReader) -> bool {
        let mut bytes = [0; 4096];
        match stderr.read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => {
                if count == bytes.len() {
                    self.resume = Some(Instant::now() + FLOOD_PAUSE);
                }
                for &byte in &bytes[..count] {
                    if let Some(line) = self.line.add(byte) {
                        self.log(line);
                    }
                }
            }
            // Nothing there, or nothing to be had: what matters comes on the other pipe.
            Err(_) => {}
        }
        true
    }

    /// The last line without the stamps before it, which are others each time.
    pub(super) fn last_words(&self) -> Option<&str> {
        let mut words = self.last.as_deref()?;
        while let Some(rest) = words.strip_prefix('[').and_then(|stamp| stamp.split_once(']')) {
            words = rest.1.trim_start();
        }
        Some(words).filter(|words| !words.is_empty())
    }

    /// A line that has not ended yet is one when nothing more can come.
    pub(super) fn finish(&mut self) {
        if let Some(line) = self.line.take() {
            self.log(line);
        }
    }

    fn log(&mut self, line: String) {
        if let Some(left_out) = self.limit.may_log(Instant::now()) {
            let command = &self.command;
            if left_out > 0 {
                tracing::info!("{command} has said {left_out} lines more, which are left out here");
            }
            tracing::info!("{command} says: {line}");
        }
        self.last = Some(line);
    }
}

/// A line in the making.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// The line that ends with `byte`, if it has anything in it. Programs that show their progress end lines with a carriage return.
    fn add(&mut self, byte: u8) -> Option<String> {
        if matches!(byte, b'\n' | b'\r') {
            return self.take();
        }
        if self.0.len() < LONGEST_LINE {
            self.0.push(byte);
        }
        None
    }

    fn take(&mut self) -> Option<String> {
        // What would move the cursor or colour the terminal of whoever reads the log has no business there.
        let text: String = String::from_utf8_lossy(&self.0)
            .chars()
            .filter(|character| !character.is_control())
            .collect();
        self.0.clear();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// How much of a command's talk gets into the log, over all its starts.
#[derive(Debug, Default)]
pub(super) struct Limit(Mutex<Budget>);

#[derive(Debug, Default)]
struct Budget {
    /// When the lines logged so far are paid for, at one an interval.
    paid_until: Option<Instant>,
    left_out: u64,
}

impl Limit {
    /// Whether one more line may be logged now, and how many were left out before it.
    fn may_log(&self, now: Instant) -> Option<u64> {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paid_until = budget.paid_until.map_or(now, |paid_until| paid_until.max(now));
        if paid_until.duration_since(now) > LINE_INTERVAL * (LINES_IN_A_ROW - 1) {
            budget.left_out += 1;
            return None;
        }
        budget.paid_until = Some(paid_until + LINE_INTERVAL);
        Some(std::mem::take(&mut budget.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<String> {
        let mut line = Line::default();
        let mut lines: Vec<_> = text.iter().filter_map(|byte| line.add(*byte)).collect();
        lines.extend(line.take());
        lines
    }

    #[test]
    fn lines_end_at_every_kind_of_end_and_are_fit_to_be_read() {
        assert_eq!(
            lines(b"one\r\ntwo\rthree\n\n  \n\x1b[31mred\x07\xff\nlast"),
            ["one", "two", "three", "[31mred\u{fffd}", "last"]
        );
        assert_eq!(lines(&[b'x'; 10_000])[0].len(), LONGEST_LINE);
    }

    #[test]
    fn a_flood_is_cut_to_a_trickle_and_the_rest_is_counted() {
        let (limit, start) = (Limit::default(), Instant::now());
        let logged = |seconds| {
            let now = start + Duration::from_secs(seconds);
            (0..1000).filter_map(|_| limit.may_log(now)).collect::<Vec<_>>()
        };
        assert_eq!(logged(0), [0; 20]);
        assert_eq!(logged(1), [0; 0]);
        assert_eq!(logged(10), [1980]);
        assert_eq!(logged(30), [999, 0]);
    }

    #[test]
    fn last_words_are_the_same_each_time() {
        let mut complaints = Complaints::new("the command x".to_owned(), Arc::default());
        assert_eq!(complaints.last_words(), None);
        complaints.log("[0:12:34.5] [77] ERROR no cameras available".to_owned());
        assert_eq!(complaints.last_words(), Some("ERROR no cameras available"));
        complaints.log("[1] [2]".to_owned());
        assert_eq!(complaints.last_words(), None);
    }
}
