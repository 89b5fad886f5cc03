//! Waiting for what nothing announces.

use std::thread;
use std::time::{Duration, Instant};

/// Asks `look` again and again until it sees what it wants, for at most `patience`.
pub fn eventually<T>(patience: Duration, look: impl FnMut() -> Option<T>) -> Option<T> {
    eventually_every(Duration::from_millis(20), patience, look)
}

/// The same, with a pause between two questions.
pub fn eventually_every<T>(
    pause: Duration,
    patience: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(pause);
    }
}
