use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    depth::Depth,
    queue::Queue,
    track::{Seat, Track},
    unit::Unit,
};
use crate::media::{AccessUnit, Bitrate};

/// One who receives a track. Leaves when dropped.
pub struct Subscriber<U: Unit> {
    track: Arc<Track<U>>,
    seat: Arc<Seat<U>>,
}

impl<U: Unit> Subscriber<U> {
    pub(super) fn new(track: Arc<Track<U>>, depth: Depth) -> Self {
        let mut state = track.state();
        let seat = Arc::new(Seat::new(Queue::new(depth), state.has_ended));
        if !state.has_ended {
            state.desk.want_keyframe();
            state.seats.push(seat.clone());
        }
        drop(state);
        track.demand.change();
        Self { track, seat }
    }

    /// The next unit, `None` when the track has ended. The first can be decoded by itself, and so can the first
    /// after a gap. Cancel safe.
    pub async fn next(&mut self) -> Option<U> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`Subscriber::next`] for one who follows several tracks at once.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<U>> {
        let mut waiting = self.seat.lock();
        let mut wants_keyframe = false;
        if let Some((published, unit)) = waiting.queue.pop() {
            if !self.track.privacy.blocks(unit.captured_at()) {
                self.track.figures.waited.record(published.elapsed());
                return Poll::Ready(Some(unit));
            }
            // It was published in the moment in which the switch was thrown. What is behind it builds upon it.
            waiting.queue.forget();
            wants_keyframe = true;
        }
        if waiting.has_ended {
            return Poll::Ready(None);
        }
        let waker = context.waker();
        if waiting.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            waiting.waker = Some(waker.clone());
        }
        wants_keyframe |= waiting.queue.take_request();
        // The publisher takes both locks the other way round.
        drop(waiting);
        if wants_keyframe {
            self.track.state().desk.want_keyframe();
        }
        Poll::Pending
    }
}

impl Subscriber<AccessUnit> {
    /// Asks for a keyframe; the wishes of all are merged and limited in rate.
    pub fn request_keyframe(&self) {
        self.track.state().desk.want_keyframe();
    }

    /// Tells how much it can pass on; `None`: whatever comes. An encoder makes no more than the one who can pass on most.
    pub fn set_limit(&self, limit: Option<Bitrate>) {
        self.seat.lock().limit = limit;
    }

    /// Whether what makes the pictures makes a keyframe when it is asked for one.
    pub fn is_on_request(&self) -> bool {
        self.track.state().on_request
    }
}

impl<U: Unit> Drop for Subscriber<U> {
    fn drop(&mut self) {
        self.track
            .state()
            .seats
            .retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        self.track.demand.change();
    }
}

#[cfg(test)]
impl<U: Unit> Subscriber<U> {
    /// Has a unit wait that its publisher has looked at a moment before.
    pub(super) fn slip_in(&mut self, unit: U) {
        self.seat.lock().queue.put(std::time::Instant::now(), unit, true);
    }
}
