use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Wakes a capture thread when the set of viewers changes. One for all tracks of a camera.
///
/// It counts changes instead of keeping a flag, so that none is lost between a look and a wait.
#[derive(Clone, Debug, Default)]
pub struct Demand(Arc<(Mutex<u64>, Condvar)>);

impl Demand {
    /// The number of changes so far: what to give to [`Demand::wait`].
    pub fn seen(&self) -> u64 {
        *self.count()
    }

    /// Says that something changed.
    pub fn change(&self) {
        *self.count() += 1;
        self.0.1.notify_all();
    }

    /// Blocks until there are more changes than `seen`, or until `patience` is over (`None`: for ever), and
    /// returns the number of changes. Blocks its thread: not for tasks.
    pub fn wait(&self, seen: u64, patience: Option<Duration>) -> u64 {
        let same = |count: &mut u64| *count == seen;
        match patience {
            None => *self
                .0
                .1
                .wait_while(self.count(), same)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                *self
                    .0
                    .1
                    .wait_timeout_while(self.count(), patience, same)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }

    fn count(&self) -> MutexGuard<'_, u64> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
