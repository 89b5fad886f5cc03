//! The lines a program prints, as they come, for a test to wait for.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A growing list of lines, shared by the thread that fills it and the test that waits.
#[derive(Clone, Default)]
pub struct Log {
    shared: Arc<(Mutex<Inner>, Condvar)>,
}

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    open: usize,
}

/// A place in a [`Log`]: what came after it is new. The default is its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

impl Log {
    /// Reads `source` to its end on a thread of its own. A log may have several sources; it has ended when all have.
    pub fn read(&self, source: impl Read + Send + 'static) {
        self.lock().open += 1;
        let log = self.clone();
        thread::spawn(move || {
            // By bytes: a program that prints something else than UTF-8 must not silence the rest.
            for line in BufReader::new(source).split(b'\n') {
                let Ok(line) = line else { break };
                log.push(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
            }
            log.lock().open -= 1;
            log.shared.1.notify_all();
        });
    }

    /// Adds a line.
    pub fn push(&self, line: String) {
        self.lock().lines.push(line);
        self.shared.1.notify_all();
    }

    /// Where the log ends now.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().lines.len())
    }

    /// All lines since `mark`.
    pub fn since(&self, mark: Mark) -> Vec<String> {
        self.lock().lines[mark.0..].to_vec()
    }

    /// The first line since `mark` that `matches`. `None` when there is none within `patience`, or ever.
    pub fn wait_since(
        &self,
        mark: Mark,
        patience: Duration,
        matches: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let deadline = Instant::now() + patience;
        let mut seen = mark.0;
        let mut inner = self.lock();
        loop {
            if let Some(line) = inner.lines[seen..].iter().find(|line| matches(line)) {
                return Some(line.clone());
            }
            seen = inner.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if inner.open == 0 || left.is_zero() {
                return None;
            }
            inner = self
                .shared
                .1
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The line at `mark`, which moves on; waits for it. `None` at the end of the log.
    pub fn next_line(&self, mark: &mut Mark) -> Option<String> {
        let mut inner = self.lock();
        while inner.lines.len() <= mark.0 && inner.open > 0 {
            inner = self.shared.1.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let line = inner.lines.get(mark.0)?.clone();
        mark.0 += 1;
        Some(line)
    }

    /// Waits until nothing more can come.
    pub fn wait_for_end(&self) {
        let mut inner = self.lock();
        while inner.open > 0 {
            inner = self.shared.1.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The end of the log, for the message of a failed test.
    pub fn tail(&self, lines: usize) -> String {
        let inner = self.lock();
        inner.lines[inner.lines.len().saturating_sub(lines)..].join("\n")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints past the test harness's capture of output: for what must be seen although the test passes.
pub fn loudly(text: &str) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}
