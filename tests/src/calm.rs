//! Whether the machine was left to work while something was measured on it.
//!
//! A virtual machine is stopped now and then for as long as its host likes, with everything in it: no program is at fault for what is
//! late then. A thread that sleeps for a moment again and again sees it: whatever it oversleeps, the machine has not given it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long it sleeps at a time.
const NAP: Duration = Duration::from_millis(10);
/// A machine that stood still for no longer was calm. Players hold back more than that.
pub const CALM: Duration = Duration::from_millis(100);

/// Watches the machine until it is dropped.
pub struct Witness(Arc<Mutex<Sleep>>);

struct Sleep {
    since: Instant,
    longest: Duration,
}

impl Witness {
    /// Begins to watch.
    pub fn start() -> Self {
        let sleep = Arc::new(Mutex::new(Sleep {
            since: Instant::now(),
            longest: Duration::ZERO,
        }));
        let watched = Arc::downgrade(&sleep);
        thread::spawn(move || watch(&watched));
        Self(sleep)
    }

    /// For how long the machine stood still at most, since the start or since this was asked last.
    pub fn stood_still(&self) -> Duration {
        let mut sleep = lock(&self.0);
        // It may not have woken up yet from what has just woken the one who asks.
        sleep.wake();
        std::mem::take(&mut sleep.longest)
    }
}

impl Sleep {
    fn wake(&mut self) {
        let now = Instant::now();
        let overslept = now.duration_since(self.since).saturating_sub(NAP);
        self.longest = self.longest.max(overslept);
        self.since = now;
    }
}

fn watch(sleep: &Weak<Mutex<Sleep>>) {
    while let Some(sleep) = sleep.upgrade() {
        lock(&sleep).wake();
        drop(sleep);
        thread::sleep(NAP);
    }
}

fn lock(sleep: &Mutex<Sleep>) -> MutexGuard<'_, Sleep> {
    sleep.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_the_longest_sleep_once() {
        let mut sleep = Sleep {
            since: Instant::now() - Duration::from_secs(2),
            longest: Duration::ZERO,
        };
        sleep.wake();
        let witness = Witness(Arc::new(Mutex::new(sleep)));
        assert!(witness.stood_still() >= Duration::from_millis(1990));
        assert!(witness.stood_still() < Duration::from_secs(1));
    }
}
