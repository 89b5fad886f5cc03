//! Tells the service manager that the program lives, as long as every essential part of it really moves.
//!
//! A part holds a [`Pulse`] and beats it whenever it gets around. The manager is told (`WATCHDOG=1`) only while no
//! pulse is late; it then kills and restarts the program (`WatchdogSec=`, systemd.service(5)). Waiting is no
//! excuse for a part: whoever waits for long wakes now and then, which is what shows that it could.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use tracing::{error, info};

use crate::{notify, quiet::Quiet};

/// How often a part that waits beats at the latest, and how often the pulses are looked at.
pub const BEAT: Duration = Duration::from_secs(3);

/// The pulses of a program.
#[derive(Clone, Debug)]
pub struct Watchdog(Arc<Chest>);

#[derive(Debug)]
struct Chest {
    /// What the beats are counted from.
    start: Instant,
    parts: Mutex<Vec<Part>>,
}

#[derive(Debug)]
struct Part {
    name: String,
    patience: Duration,
    beat: Arc<AtomicU64>,
}

/// The pulse of one part. While it exists its part is watched; when it is dropped no more.
#[derive(Debug)]
pub struct Pulse {
    chest: Arc<Chest>,
    beat: Arc<AtomicU64>,
}

/// A part that does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Which.
    pub part: String,
    /// For how long.
    pub for_: Duration,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has not moved for {} s", self.part, self.for_.as_secs())
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self(Arc::new(Chest {
            start: Instant::now(),
            parts: Mutex::default(),
        }))
    }
}

impl Watchdog {
    /// Watches one more part, which beats at least once in `patience`. `name` is for the log: "the camera thread".
    pub fn pulse(&self, name: impl Into<String>, patience: Duration) -> Pulse {
        let beat = Arc::new(AtomicU64::new(self.0.now(Instant::now())));
        self.0.parts().push(Part {
            name: name.into(),
            patience,
            beat: beat.clone(),
        });
        Pulse {
            chest: self.0.clone(),
            beat,
        }
    }

    /// The part that is late the longest.
    pub fn stuck(&self, now: Instant) -> Option<Stuck> {
        let milliseconds = self.0.now(now);
        let silence = |part: &Part| {
            let beat = part.beat.load(Ordering::Relaxed);
            Duration::from_millis(milliseconds.saturating_sub(beat))
        };
        let parts = self.0.parts();
        let late = parts.iter().filter(|part| silence(part) > part.patience);
        late.max_by_key(|part| silence(part)).map(|part| Stuck {
            part: part.name.clone(),
            for_: silence(part),
        })
    }

    /// Tells the service manager for ever. A task of the program's own runtime: when that is stuck, so is this.
    pub async fn run(&self) {
        let mut said = false;
        let changes = Quiet::new(10);
        loop {
            match self.stuck(Instant::now()) {
                None => {
                    notify::alive();
                    if std::mem::take(&mut said)
                        && let Some(others) = changes.may_say()
                    {
                        info!(others, "every part moves again");
                    }
                }
                Some(stuck) if !said => {
                    said = true;
                    if let Some(others) = changes.may_say() {
                        error!(others, part = %stuck.part, "{stuck}; without a change the service manager restarts this program");
                    }
                }
                Some(_) => {}
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}

impl Chest {
    fn now(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, Vec<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse {
    /// Its part moves. Cheap enough for every frame.
    pub fn beat(&self) {
        self.beat.store(self.chest.now(Instant::now()), Ordering::Relaxed);
    }

    /// Runs `work` and beats whenever it is polled, and every [`BEAT`] besides: for a task that waits for the
    /// network. Work that blocks its thread is late.
    pub async fn during<F: Future>(&self, work: F) -> F::Output {
        self.during_every(BEAT, work).await
    }

    async fn during_every<F: Future>(&self, period: Duration, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut tick = tokio::time::interval(period);
        poll_fn(|context| {
            self.beat();
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            while tick.poll_tick(context).is_ready() {}
            Poll::Pending
        })
        .await
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.chest
            .parts()
            .retain(|part| !Arc::ptr_eq(&part.beat, &self.beat));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_part_that_does_not_beat_is_stuck() {
        let watchdog = Watchdog::default();
        let _camera = watchdog.pulse("the camera", PATIENCE);
        let _patient = watchdog.pulse("the network", PATIENCE * 3);
        assert_eq!(watchdog.stuck(Instant::now()), None);
        let later = Instant::now() + PATIENCE * 2;
        let stuck = watchdog.stuck(later).expect("nobody beat");
        assert_eq!(stuck.part, "the camera");
        assert!(stuck.for_ > PATIENCE, "{stuck:?}");
    }

    #[test]
    fn a_beat_helps_its_own_part_only() {
        let watchdog = Watchdog::default();
        let camera = watchdog.pulse("the camera", Duration::ZERO);
        let network = watchdog.pulse("the network", PATIENCE);
        while watchdog.stuck(Instant::now()).is_none() {
            network.beat();
        }
        assert_eq!(watchdog.stuck(Instant::now()).expect("late").part, "the camera");
        camera.beat();
        drop(camera);
        assert_eq!(watchdog.stuck(Instant::now()), None, "who is gone is not watched");
    }

    #[tokio::test]
    async fn who_waits_for_the_network_is_woken_to_beat() {
        let watchdog = Watchdog::default();
        let pulse = watchdog.pulse("the network", PATIENCE);
        // Nobody but the beat wakes this one.
        let mut polls = 0;
        let patient = poll_fn(|_| {
            polls += 1;
            if polls < 5 { Poll::Pending } else { Poll::Ready(()) }
        });
        pulse.during_every(Duration::from_millis(1), patient).await;
        assert_eq!(polls, 5);
    }
}
