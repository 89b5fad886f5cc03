use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use super::Timestamp;

/// Whether the node's owner wants to be left alone: no picture and no sound may leave. One for the whole node; every
/// clone is the same switch.
///
/// No stream has anything in it after the switch was thrown that was captured before, whether or not it is back by then. Three things
/// see to that:
///
/// - whoever captures opens its device with a [`Permit`], closes it when that has ended, and lets nothing out that came meanwhile;
/// - whatever keeps captured media for others is a [`Keeper`], which the switch empties;
/// - whoever publishes, takes from a queue or sends asks [`Privacy::blocks`], for what was on its way between two of these.
///
/// Pictures as files are kept by whoever throws it (`control`), who drops them.
#[derive(Clone, Debug)]
pub struct Privacy(Arc<Switch>);

/// A queue or cache of captured media.
pub trait Keeper: Send + Sync {
    /// Forgets what it keeps. Called by the thread that throws the switch: it must not wait for anything.
    fn forget(&self);
}

/// What a device may be open by: it ends when the switch is thrown, for however short a moment.
#[derive(Debug)]
pub struct Permit {
    switch: Arc<Switch>,
    thrown: u64,
}

struct Switch {
    /// What was captured before must not leave: when it was thrown last, in nanoseconds of the monotonic clock.
    barrier: AtomicU64,
    /// How often it was thrown, either way; odd while it is on.
    thrown: AtomicU64,
    /// Also the lock of whoever throws it.
    keepers: Mutex<Vec<Weak<dyn Keeper>>>,
    changes: watch::Sender<bool>,
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch")
            .field("is_on", &self.is_on())
            .finish_non_exhaustive()
    }
}

impl Switch {
    fn is_on(&self) -> bool {
        self.thrown.load(Ordering::SeqCst) % 2 == 1
    }
}

impl Default for Privacy {
    fn default() -> Self {
        Self(Arc::new(Switch {
            barrier: AtomicU64::new(0),
            thrown: AtomicU64::new(0),
            keepers: Mutex::default(),
            changes: watch::Sender::new(false),
        }))
    }
}

impl Privacy {
    /// Throws it. What was captured up to this moment is not sent any more, and is forgotten where it is kept.
    pub fn set(&self, on: bool) {
        let mut keepers = self.0.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        if on == self.is_on() {
            return;
        }
        // The barrier first: what is published while the queues are being emptied is stopped by it.
        self.0
            .barrier
            .store(nanoseconds(Timestamp::now()), Ordering::SeqCst);
        self.0.thrown.fetch_add(1, Ordering::SeqCst);
        keepers.retain(|keeper| keeper.upgrade().inspect(|keeper| keeper.forget()).is_some());
        self.0.changes.send_replace(on);
    }

    /// Whether it is on. Cheap enough for every frame.
    pub fn is_on(&self) -> bool {
        self.0.is_on()
    }

    /// Whether what was captured then must not leave any more. A slate that is drawn while it is on may.
    pub fn blocks(&self, captured_at: Timestamp) -> bool {
        nanoseconds(captured_at) < self.0.barrier.load(Ordering::SeqCst)
    }

    /// What a device is opened with; `None` while it is on.
    pub fn permit(&self) -> Option<Permit> {
        let permit = Permit {
            thrown: self.0.thrown.load(Ordering::SeqCst),
            switch: self.0.clone(),
        };
        permit.thrown.is_multiple_of(2).then_some(permit)
    }

    /// Has `keeper` emptied whenever it is thrown, for as long as anybody holds it.
    pub fn watch_over(&self, keeper: Weak<dyn Keeper>) {
        let mut keepers = self.0.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        // Cameras come and go with the configuration.
        keepers.retain(|keeper| keeper.strong_count() > 0);
        keepers.push(keeper);
    }

    /// For tasks that wait for a change.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.0.changes.subscribe()
    }
}

impl Permit {
    /// Whether it has not ended. Cheap enough for every frame.
    pub fn holds(&self) -> bool {
        self.switch.thrown.load(Ordering::SeqCst) == self.thrown
    }
}

fn nanoseconds(timestamp: Timestamp) -> u64 {
    u64::try_from(timestamp.as_duration().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn what_was_captured_before_the_switch_is_not_sent_after_it() {
        let privacy = Privacy::default();
        let before = Timestamp::now();
        assert!(!privacy.is_on() && !privacy.blocks(before));
        later();
        privacy.clone().set(true);
        assert!(privacy.is_on() && privacy.blocks(before));
        let slate = later();
        assert!(!privacy.blocks(slate), "a slate may");
        later();
        privacy.set(false);
        assert!(
            !privacy.is_on() && privacy.blocks(before),
            "not even when it is off again"
        );
        assert!(
            privacy.blocks(slate),
            "nor what a device may have captured meanwhile"
        );
        assert!(!privacy.blocks(later()));
    }

    /// A moment after everything before it, however coarse the clock is.
    fn later() -> Timestamp {
        let now = Timestamp::now();
        loop {
            let later = Timestamp::now();
            if later > now {
                return later;
            }
        }
    }

    #[test]
    fn a_change_is_told_once() {
        let privacy = Privacy::default();
        let watch = privacy.watch();
        privacy.set(false);
        assert!(!watch.has_changed().expect("it is there"));
        privacy.set(true);
        let mut watch = watch;
        assert!(*watch.borrow_and_update());
        privacy.set(true);
        assert!(!watch.has_changed().expect("it is there"));
    }

    #[test]
    fn a_permit_ends_by_the_shortest_moment_of_privacy() {
        let privacy = Privacy::default();
        let permit = privacy.permit().expect("it is off");
        privacy.set(false);
        assert!(permit.holds(), "nothing was thrown");
        privacy.set(true);
        assert!(!permit.holds() && privacy.permit().is_none());
        privacy.set(false);
        assert!(
            !permit.holds(),
            "whoever looks only now learns of it all the same"
        );
        assert!(privacy.permit().is_some_and(|permit| permit.holds()));
    }

    #[test]
    fn keepers_are_emptied_by_each_throw_while_anybody_holds_them() {
        struct Counting(AtomicUsize);
        impl Keeper for Counting {
            fn forget(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let privacy = Privacy::default();
        let [kept, gone] = [(), ()].map(|()| Arc::new(Counting(AtomicUsize::new(0))));
        for keeper in [&kept, &gone] {
            privacy.watch_over(Arc::downgrade(keeper) as Weak<dyn Keeper>);
        }
        privacy.set(true);
        privacy.set(true);
        assert_eq!(gone.0.load(Ordering::Relaxed), 1);
        drop(gone);
        privacy.set(false);
        assert_eq!(kept.0.load(Ordering::Relaxed), 2);
        assert_eq!(privacy.0.keepers.lock().expect("whole").len(), 1);
    }
}
