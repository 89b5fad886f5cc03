use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc::error::TrySendError;

use super::Shared;
use crate::media::{AccessUnit, Codec, Orders};

/// The end of a track that the encoder feeds. It lives as long as the pipeline, through any unplug of the
/// camera; when it is dropped the track ends for good.
pub struct Publisher {
    shared: Arc<Shared>,
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What this track carries.
    pub fn codec(&self) -> Codec {
        self.shared.codec
    }

    /// Whether anybody subscribes at this moment.
    pub fn is_watched(&self) -> bool {
        !self.shared.state().seats.is_empty()
    }

    /// What the viewers want of the next frame.
    pub fn take_orders(&self, now: Instant) -> Orders {
        self.shared.state().desk.take(now)
    }

    /// Gives `unit` to every subscriber. Never blocks; who has no room loses the unit and everything up to the
    /// next keyframe, which is ordered at once.
    pub fn publish(&self, unit: AccessUnit) {
        let now = Instant::now();
        let mut state = self.shared.state();
        if unit.is_keyframe {
            state.desk.keyframe_made();
        }
        let (mut dropped, mut lagging) = (0, false);
        for seat in &mut state.seats {
            if seat.lagging && !unit.is_keyframe {
                dropped += 1;
                continue;
            }
            seat.lagging = match seat.queue.try_send((now, unit.clone())) {
                Ok(()) => false,
                Err(TrySendError::Full(_)) => {
                    dropped += 1;
                    true
                }
                // Its subscriber is just leaving and takes the seat along.
                Err(TrySendError::Closed(_)) => false,
            };
            lagging |= seat.lagging;
        }
        if lagging {
            state.desk.want_keyframe();
        }
        drop(state);
        self.shared.figures.dropped.add(dropped);
    }

    /// Access units that subscribers lost because they lagged, since the start.
    pub fn dropped(&self) -> u64 {
        self.shared.figures.dropped.get()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.ended = true;
        state.seats.clear();
    }
}
