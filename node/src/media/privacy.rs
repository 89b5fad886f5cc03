use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use super::Timestamp;

/// Whether the node's owner wants to be left alone: no picture and no sound may leave. One for the whole node; every
/// clone is the same flag.
///
/// Whoever captures looks at it after each frame that was captured, closes the device while it is on, and lets nothing of
/// that frame out. Whoever sends asks [`Privacy::blocks`] besides: what was captured before the switch may have been on
/// its way.
#[derive(Clone, Debug)]
pub struct Privacy(Arc<Flag>);

#[derive(Debug)]
struct Flag {
    /// When it was switched on, in nanoseconds of the monotonic clock; 0 while it is off.
    since: AtomicU64,
    changes: watch::Sender<bool>,
}

impl Default for Privacy {
    fn default() -> Self {
        Self(Arc::new(Flag {
            since: AtomicU64::new(0),
            changes: watch::Sender::new(false),
        }))
    }
}

impl Privacy {
    /// Switches it. What was captured up to this moment is not sent any more where it is on.
    pub fn set(&self, on: bool) {
        if on == self.is_on() {
            return;
        }
        let since = if on {
            nanoseconds(Timestamp::now()).max(1)
        } else {
            0
        };
        self.0.since.store(since, Ordering::SeqCst);
        self.0.changes.send_replace(on);
    }

    /// Whether it is on. Cheap enough for every frame.
    pub fn is_on(&self) -> bool {
        self.0.since.load(Ordering::SeqCst) != 0
    }

    /// Whether what was captured then must not be sent now. A slate that is drawn while it is on may.
    pub fn blocks(&self, captured_at: Timestamp) -> bool {
        // Zero while it is off: nothing is older.
        nanoseconds(captured_at) < self.0.since.load(Ordering::SeqCst)
    }

    /// For tasks that wait for a change.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.0.changes.subscribe()
    }
}

fn nanoseconds(timestamp: Timestamp) -> u64 {
    u64::try_from(timestamp.as_duration().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_captured_before_the_switch_is_not_sent_after_it() {
        let privacy = Privacy::default();
        let before = Timestamp::now();
        assert!(!privacy.is_on() && !privacy.blocks(before));
        privacy.clone().set(true);
        assert!(privacy.is_on() && privacy.blocks(before));
        assert!(!privacy.blocks(Timestamp::now()), "a slate may");
        privacy.set(false);
        assert!(!privacy.is_on() && !privacy.blocks(before));
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
}
