//! Runs capture, encode and fanout: one OS thread per camera.
//!
//! Invariants: the device is open only while somebody watches (and a moment longer), but for what has to be done
//! before ([`Camera::prepare`]); however many watch, there is one encoder per rendition, and none for one that nobody watches; tracks outlive the camera, so
//! viewers stay connected through an unplug; a fault is logged once per change, not once per try.

mod account;
mod coded;
mod governor;
mod heat;
mod ladder;
mod line;
mod pictures;
mod raw;
mod snapshot;
mod sound;
mod wishes;
mod work;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use pinhole_service::watchdog::Pulse;
use tracing::{Span, warn};

use crate::{
    capture::{Camera, Controls, Want},
    encode::{Converter, Way, m2m::CodedFormat},
    fanout::{Demand, Publisher},
    media::{AccessUnit, Bitrate, Privacy},
};
use heat::Heat;
use ladder::Ladder;
use line::Line;
use pictures::Shrinkers;
use snapshot::Snapshots;
use wishes::{Changes, Wishes};
use work::{Complaints, Work};

pub use account::{Account, Condition, LineAccount, Overload, State};
pub use ladder::RENDITIONS;
pub use line::PASSTHROUGH;
pub use snapshot::{Snapshot, Still, Taker};
pub use sound::{Level, SoundAccount, SoundCondition, SoundPipeline, SoundSettings, SoundState};

/// What to capture and how to encode it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to ask the camera for.
    pub want: Want,
    /// The encoders' rates.
    pub bitrates: Bitrates,
    /// What may encode here, the preferred one first.
    pub ways: Vec<Way>,
    /// What hardware has to make for the viewers of H.264.
    pub hardware: CodedFormat,
}

/// The rates of a camera's encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitrates {
    /// Of the whole picture.
    pub full: Bitrate,
    /// Of the small one; `None` where there is none.
    pub small: Option<Bitrate>,
}

/// A running pipeline. Stops when dropped, without waiting; [`Pipeline::stop`] waits.
pub struct Pipeline {
    account: Arc<Account>,
    stopping: Arc<AtomicBool>,
    wishes: Wishes,
    snapshots: Snapshots,
    demand: Demand,
    thread: Option<JoinHandle<()>>,
}

/// What others than the owner may ask of a running pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Reins {
    wishes: Wishes,
    snapshots: Snapshots,
    demand: Demand,
}

impl Reins {
    /// As [`Pipeline::set_controls`].
    pub fn set_controls(&self, controls: Controls) {
        self.wishes
            .add(&self.demand, |changes| changes.controls = Some(controls));
    }

    /// Has the next picture made into a file of at most so many bytes, where there are pictures: while somebody watches.
    pub fn snapshot(&self, largest: usize, taker: Taker) {
        self.snapshots.want(largest, taker);
        self.demand.change();
    }

    /// Something that the thread looks at has changed.
    pub fn look(&self) {
        self.demand.change();
    }
}

impl Pipeline {
    /// Starts the thread, which beats `pulse` at least every few seconds, camera or not. `demand` is the one that the
    /// `publishers`' broadcast was made with; `span` is what the log says in front of all that happens here. While `privacy` is on
    /// the device is closed and viewers see that; whoever switches it says so by [`Reins::look`].
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        camera: Box<dyn Camera>,
        settings: Settings,
        publishers: Vec<Publisher<AccessUnit>>,
        demand: Demand,
        privacy: Privacy,
        pulse: Pulse,
        span: Span,
    ) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let wishes = Wishes::default();
        let snapshots = Snapshots::default();
        let account = Arc::new(Account::default());
        let line = |publisher| Line::new(publisher, account.clone());
        let mut work = Work {
            camera,
            ladder: Ladder::new(&settings),
            settings,
            lines: publishers.into_iter().map(line).collect(),
            account: account.clone(),
            demand: demand.clone(),
            stopping: stopping.clone(),
            wishes: wishes.clone(),
            snapshots: snapshots.clone(),
            privacy,
            converter: Converter::default(),
            shrinkers: Shrinkers::default(),
            heat: Heat::find("/sys".as_ref()),
            controls_changed: false,
            pulse,
            complaints: Complaints::default(),
            unprepared: None,
        };
        // Known before anybody can ask.
        work.offer();
        let thread = std::thread::Builder::new().name("camera".into()).spawn(move || {
            let _here = span.entered();
            work.run();
        })?;
        Ok(Self {
            account,
            stopping,
            wishes,
            snapshots,
            demand,
            thread: Some(thread),
        })
    }

    /// What the pipeline tells of itself.
    pub fn account(&self) -> Arc<Account> {
        self.account.clone()
    }

    /// Whether the thread still runs. It ends by itself only by a bug.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Goes on with another camera, or with the same one in another format. Viewers stay.
    pub fn replace(&self, camera: Box<dyn Camera>, settings: Settings) {
        self.wishes.add(&self.demand, |changes| {
            *changes = Changes {
                camera: Some((camera, settings)),
                ..Changes::default()
            };
        });
    }

    /// Sets the camera's controls, now and whenever it is opened; those that are not among them any more go back to the
    /// driver's default.
    pub fn set_controls(&self, controls: Controls) {
        self.wishes
            .add(&self.demand, |changes| changes.controls = Some(controls));
    }

    /// For others than the owner.
    pub fn reins(&self) -> Reins {
        Reins {
            wishes: self.wishes.clone(),
            snapshots: self.snapshots.clone(),
            demand: self.demand.clone(),
        }
    }

    /// Encodes at these rates from the next frame on.
    pub fn set_bitrates(&self, bitrates: Bitrates) {
        self.wishes
            .add(&self.demand, |changes| changes.bitrates = Some(bitrates));
    }

    /// A camera may have been plugged in: where one is missed, or stood in for, it is looked for at once.
    pub fn plugged(&self) {
        self.wishes.add(&self.demand, |changes| changes.plugged = true);
    }

    /// Has the camera closed, without waiting for it.
    pub fn end(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.demand.change();
    }

    /// Closes the camera and waits for it. Blocks: not for tasks.
    pub fn stop(mut self) {
        self.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the camera thread had panicked");
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
