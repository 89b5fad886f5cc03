use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::mpsc;

use super::{Figures, QUEUE, Queued, Seat, Shared};
use crate::media::{AccessUnit, Codec};

/// A stream that can be subscribed to. Cheap to clone.
#[derive(Clone)]
pub struct Track {
    shared: Arc<Shared>,
}

impl Track {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What this track carries.
    pub fn codec(&self) -> Codec {
        self.shared.codec
    }

    /// What this track tells of itself, for as long as anybody holds it.
    pub fn figures(&self) -> Arc<Figures> {
        self.shared.figures.clone()
    }

    /// Takes part from now on: the encoder is started where it was not running, and the first unit that comes
    /// is a keyframe as soon as one can be made.
    pub fn subscribe(&self) -> Subscriber {
        let (queue, units) = mpsc::channel(QUEUE);
        let mut state = self.shared.state();
        let number = state.next_seat;
        if !state.ended {
            state.next_seat += 1;
            state.desk.want_keyframe();
            // Until the keyframe comes nothing can be decoded: a new seat counts as lagging.
            state.seats.push(Seat {
                number,
                queue,
                lagging: true,
            });
        }
        drop(state);
        self.shared.demand.change();
        Subscriber {
            shared: self.shared.clone(),
            number,
            units,
        }
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Track")
            .field("codec", &self.codec())
            .finish_non_exhaustive()
    }
}

/// One who receives a track. Leaves when dropped.
pub struct Subscriber {
    shared: Arc<Shared>,
    number: u64,
    units: mpsc::Receiver<Queued>,
}

impl Subscriber {
    /// The next access unit, `None` when the track has ended. The first is a keyframe, and so is the first
    /// after a gap. Cancel safe.
    pub async fn next(&mut self) -> Option<AccessUnit> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`Subscriber::next`] for one who watches several tracks at once.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<AccessUnit>> {
        self.units.poll_recv(context).map(|queued| {
            let (published, unit) = queued?;
            self.shared.figures.waited.record(published.elapsed());
            Some(unit)
        })
    }

    /// Asks for a keyframe; the wishes of all are merged and limited in rate.
    pub fn request_keyframe(&self) {
        self.shared.state().desk.want_keyframe();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.shared
            .state()
            .seats
            .retain(|seat| seat.number != self.number);
        self.shared.demand.change();
    }
}
