use std::{sync::Arc, time::Instant};

use super::{track::Track, unit::Unit};
use crate::media::{AccessUnit, Bitrate, Orders};

/// The end of a track that the encoder feeds. It lives as long as the pipeline, through any unplug of the
/// device; when it is dropped the track ends for good.
pub struct Publisher<U: Unit> {
    track: Arc<Track<U>>,
}

impl<U: Unit> Publisher<U> {
    pub(super) fn new(track: Arc<Track<U>>) -> Self {
        Self { track }
    }

    /// What this track carries.
    pub fn rendition(&self) -> U::Rendition {
        self.track.rendition
    }

    /// Whether there is anything to be had here ([`super::Broadcast::offers`]). There is, until something else is said.
    pub fn set_offered(&self, is_offered: bool) {
        self.track.state().is_offered = is_offered;
    }

    /// Whether anybody subscribes at this moment.
    pub fn has_subscribers(&self) -> bool {
        !self.track.state().seats.is_empty()
    }

    /// Gives `unit` to every subscriber. Never blocks; who has no room loses some, as the kind of the unit has it ([`Unit::LOSES`]).
    /// Nobody gets what privacy blocks.
    pub fn publish(&self, unit: &U) {
        self.track.publish(unit);
    }

    /// Units that subscribers lost because they lagged, since the start.
    pub fn dropped(&self) -> u64 {
        self.track.figures.dropped.get()
    }
}

impl Publisher<AccessUnit> {
    /// What the viewers want of the next frame.
    pub fn take_orders(&self, now: Instant) -> Orders {
        self.track.state().desk.take(now)
    }

    /// What the subscribers can pass on, where none of them can pass on whatever comes.
    pub fn limit(&self) -> Option<Bitrate> {
        self.track.limit()
    }

    /// Whether what makes the pictures makes a keyframe when it is asked for one. It does, until something else is said.
    pub fn set_on_request(&self, on_request: bool) {
        self.track.state().on_request = on_request;
    }
}

impl<U: Unit> Drop for Publisher<U> {
    fn drop(&mut self) {
        self.track.end();
    }
}
