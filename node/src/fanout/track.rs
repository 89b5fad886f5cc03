use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Instant,
};

use super::{Demand, Figures, desk::Desk, queue::Queue, unit::Unit};
use crate::media::{Bitrate, Keeper, Privacy};

/// One rendition on its way to many subscribers: what its publisher and they share.
pub(super) struct Track<U: Unit> {
    pub(super) rendition: U::Rendition,
    pub(super) demand: Demand,
    pub(super) privacy: Privacy,
    pub(super) figures: Arc<Figures>,
    state: Mutex<State<U>>,
}

pub(super) struct State<U> {
    /// Of sound nobody asks for keyframes.
    pub(super) desk: Desk,
    pub(super) seats: Vec<Arc<Seat<U>>>,
    pub(super) has_ended: bool,
    /// Whether a keyframe that is asked for is made.
    pub(super) on_request: bool,
    /// Whether anything comes here for who subscribes.
    pub(super) is_offered: bool,
}

/// One subscriber's queue, which its two ends share with nobody else.
pub(super) struct Seat<U>(Mutex<Waiting<U>>);

pub(super) struct Waiting<U> {
    pub(super) queue: Queue<U>,
    pub(super) waker: Option<Waker>,
    pub(super) has_ended: bool,
    /// What the subscriber can pass on; `None`: whatever comes.
    pub(super) limit: Option<Bitrate>,
}

impl<U: Unit> Seat<U> {
    pub(super) fn new(queue: Queue<U>, has_ended: bool) -> Self {
        Self(Mutex::new(Waiting {
            queue,
            waker: None,
            has_ended,
            limit: None,
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting<U>> {
        // Consistent between any two statements that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing comes after what waits.
    fn end(&self) {
        let mut waiting = self.lock();
        waiting.has_ended = true;
        if let Some(waker) = waiting.waker.take() {
            waker.wake();
        }
    }
}

impl<U: Unit> Track<U> {
    pub(super) fn new(rendition: U::Rendition, demand: Demand, privacy: Privacy) -> Arc<Self> {
        let track = Arc::new(Self {
            rendition,
            demand,
            privacy: privacy.clone(),
            figures: Arc::default(),
            state: Mutex::new(State {
                desk: Desk::default(),
                seats: Vec::new(),
                has_ended: false,
                on_request: true,
                is_offered: true,
            }),
        });
        let keeper: Arc<dyn Keeper> = track.clone();
        privacy.watch_over(Arc::downgrade(&keeper));
        track
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<U>> {
        // As above.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives `unit` to every subscriber.
    pub(super) fn publish(&self, unit: &U) {
        if self.privacy.blocks(unit.captured_at()) {
            // What comes next builds upon it.
            return self.forget();
        }
        let now = Instant::now();
        let mut lost = 0;
        let mut state = self.state();
        let State {
            desk,
            seats,
            on_request,
            ..
        } = &mut *state;
        if unit.is_entry() {
            desk.keyframe_made();
        }
        for seat in seats {
            let mut waiting = seat.lock();
            let put = waiting.queue.put(now, unit.clone(), *on_request);
            lost += put.lost;
            let waker = waiting.waker.take();
            drop(waiting);
            if put.is_gap {
                desk.want_keyframe();
            }
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        drop(state);
        self.figures.dropped.add(lost);
    }

    /// What all subscribers together can pass on: the most of what any of them can; `None`: whatever comes.
    pub(super) fn limit(&self) -> Option<Bitrate> {
        let state = self.state();
        let limits = state.seats.iter().map(|seat| seat.lock().limit);
        // One without a limit is above all others.
        limits.reduce(|one, other| Some(one?.max(other?))).flatten()
    }

    /// Nothing comes any more, for good.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.has_ended = true;
        for seat in state.seats.drain(..) {
            seat.end();
        }
    }
}

impl<U: Unit> Keeper for Track<U> {
    fn forget(&self) {
        let mut state = self.state();
        if !state.seats.is_empty() {
            state.desk.want_keyframe();
        }
        for seat in &state.seats {
            seat.lock().queue.forget();
        }
    }
}
