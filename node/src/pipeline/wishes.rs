use std::sync::{Arc, Mutex, PoisonError};

use super::{Bitrates, Settings};
use crate::{
    capture::{Camera, Controls},
    fanout::Demand,
};

/// What a new configuration asks of a running pipeline: merged state, of which the newest counts, not a queue.
#[derive(Clone, Default)]
pub(super) struct Wishes(Arc<Mutex<Changes>>);

/// What has changed since it was last asked.
#[derive(Default)]
pub(super) struct Changes {
    /// Another camera, or the same one in another format: it has to be opened anew.
    pub(super) camera: Option<(Box<dyn Camera>, Settings)>,
    pub(super) controls: Option<Controls>,
    pub(super) bitrates: Option<Bitrates>,
    /// A camera may have come.
    pub(super) plugged: bool,
}

impl Wishes {
    /// Adds wishes, and wakes the thread.
    pub(super) fn add(&self, demand: &Demand, change: impl FnOnce(&mut Changes)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        demand.change();
    }

    /// What is new. Cheap enough for every frame.
    pub(super) fn take(&self) -> Changes {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
