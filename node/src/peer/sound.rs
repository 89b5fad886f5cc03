//! Our sound on its way to viewers.

use std::task::{Context, Poll};

use crate::{
    fanout::{Broadcast, Depth, Subscriber},
    media::{SoundCodec, SoundUnit},
};

/// Sound of one codec inside the engine: subscribed to while a session hears it.
pub(super) struct SoundFeed {
    broadcast: Broadcast<SoundUnit>,
    codec: SoundCodec,
    subscriber: Option<Subscriber<SoundUnit>>,
}

impl SoundFeed {
    pub(super) fn new(broadcast: Broadcast<SoundUnit>, codec: SoundCodec) -> Self {
        Self {
            broadcast,
            codec,
            subscriber: None,
        }
    }

    pub(super) fn codec(&self) -> SoundCodec {
        self.codec
    }

    /// Whether any session hears it: with the first the microphone is opened, with the last it may be closed.
    pub(super) fn set_heard(&mut self, heard: bool) {
        if !heard {
            self.subscriber = None;
        } else if self.subscriber.is_none() {
            self.subscriber = self.broadcast.subscribe(self.codec, Depth::SOUND);
        }
    }

    /// The next unit, `Ready(None)` when the track has ended for good.
    pub(super) fn poll_unit(&mut self, context: &mut Context<'_>) -> Poll<Option<SoundUnit>> {
        match &mut self.subscriber {
            Some(subscriber) => subscriber.poll_next(context),
            None => Poll::Pending,
        }
    }
}
