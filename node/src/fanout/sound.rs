use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use super::{Demand, Figures};
use crate::media::{SoundCodec, SoundUnit};

/// Units that may wait for one subscriber: 160 ms. Sound has no keyframes, so who lags loses the oldest.
const QUEUE: usize = 8;

/// Sound of `codec`: the end that encodes and the end that viewers subscribe to. Every change of who listens is told to
/// `demand`.
pub fn sound_track(codec: SoundCodec, demand: Demand) -> (SoundPublisher, SoundTrack) {
    let shared = Arc::new(Shared {
        codec,
        demand,
        seats: Mutex::default(),
        figures: Arc::default(),
    });
    (
        SoundPublisher {
            shared: shared.clone(),
        },
        SoundTrack { shared },
    )
}

struct Shared {
    codec: SoundCodec,
    demand: Demand,
    seats: Mutex<Seats>,
    figures: Arc<Figures>,
}

#[derive(Default)]
struct Seats {
    taken: Vec<Arc<Seat>>,
    ended: bool,
}

/// One subscriber's queue.
#[derive(Default)]
struct Seat(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    units: VecDeque<(Instant, SoundUnit)>,
    waker: Option<Waker>,
    ended: bool,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Consistent between any two statements that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        if let Some(waker) = waiting.waker.take() {
            waker.wake();
        }
    }
}

impl Shared {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a sound track that the encoder feeds. When it is dropped the track ends for good.
pub struct SoundPublisher {
    shared: Arc<Shared>,
}

impl SoundPublisher {
    /// What this track carries.
    pub fn codec(&self) -> SoundCodec {
        self.shared.codec
    }

    /// Whether anybody subscribes at this moment.
    pub fn is_heard(&self) -> bool {
        !self.shared.seats().taken.is_empty()
    }

    /// Gives `unit` to every subscriber. Never blocks; who has no room loses the oldest unit that waits.
    pub fn publish(&self, unit: &SoundUnit) {
        let now = Instant::now();
        let mut dropped = 0;
        for seat in &self.shared.seats().taken {
            let mut waiting = seat.lock();
            if waiting.units.len() == QUEUE {
                waiting.units.pop_front();
                dropped += 1;
            }
            waiting.units.push_back((now, unit.clone()));
            if let Some(waker) = waiting.waker.take() {
                waker.wake();
            }
        }
        self.shared.figures.dropped.add(dropped);
    }
}

impl Drop for SoundPublisher {
    fn drop(&mut self) {
        let mut seats = self.shared.seats();
        seats.ended = true;
        for seat in seats.taken.drain(..) {
            seat.end();
        }
    }
}

/// Sound that can be subscribed to. Cheap to clone.
#[derive(Clone)]
pub struct SoundTrack {
    shared: Arc<Shared>,
}

impl SoundTrack {
    /// What this track carries.
    pub fn codec(&self) -> SoundCodec {
        self.shared.codec
    }

    /// What this track tells of itself, for as long as anybody holds it.
    pub fn figures(&self) -> Arc<Figures> {
        self.shared.figures.clone()
    }

    /// Takes part from now on: the microphone is opened where it was not.
    pub fn subscribe(&self) -> SoundSubscriber {
        let seat = Arc::<Seat>::default();
        let mut seats = self.shared.seats();
        if seats.ended {
            seat.end();
        } else {
            seats.taken.push(seat.clone());
        }
        drop(seats);
        self.shared.demand.change();
        SoundSubscriber {
            shared: self.shared.clone(),
            seat,
        }
    }
}

/// One who receives a sound track. Leaves when dropped.
pub struct SoundSubscriber {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
}

impl SoundSubscriber {
    /// The next unit, `None` when the track has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<SoundUnit> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`SoundSubscriber::next`] for one who listens to several tracks at once.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<SoundUnit>> {
        let mut waiting = self.seat.lock();
        match waiting.units.pop_front() {
            Some((published, unit)) => {
                self.shared.figures.waited.record(published.elapsed());
                Poll::Ready(Some(unit))
            }
            None if waiting.ended => Poll::Ready(None),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for SoundSubscriber {
    fn drop(&mut self) {
        self.shared
            .seats()
            .taken
            .retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        self.shared.demand.change();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;
    use bytes::Bytes;
    use std::time::Duration;

    fn unit(number: u8) -> SoundUnit {
        SoundUnit {
            data: Bytes::copy_from_slice(&[number]),
            captured_at: Timestamp::now(),
            after_silence: false,
        }
    }

    #[tokio::test]
    async fn who_lags_loses_the_oldest_and_nobody_else_does() {
        let (publisher, track) = sound_track(SoundCodec::Opus, Demand::default());
        let (mut slow, mut quick) = (track.subscribe(), track.subscribe());
        let most = u8::try_from(QUEUE).expect("small");
        for number in 0..most + 3 {
            publisher.publish(&unit(number));
            assert_eq!(quick.next().await.expect("a unit").data[0], number);
        }
        assert_eq!(slow.next().await.expect("a unit").data[0], 3);
        assert_eq!(track.figures().dropped.get(), 3);
        drop(publisher);
        for number in 4..most + 3 {
            assert_eq!(
                slow.next().await.expect("what waits is still given").data[0],
                number
            );
        }
        assert!(slow.next().await.is_none() && quick.next().await.is_none());
        assert!(
            track.subscribe().next().await.is_none(),
            "also for one who comes later"
        );
    }

    #[tokio::test]
    async fn who_listens_is_known_at_once_and_is_woken() {
        let demand = Demand::default();
        let (publisher, track) = sound_track(SoundCodec::Pcmu, demand.clone());
        let seen = demand.seen();
        let mut subscriber = track.subscribe();
        assert!(publisher.is_heard() && demand.wait(seen, Some(Duration::ZERO)) > seen);
        let heard = async { subscriber.next().await.expect("a unit").data[0] };
        let (heard, ()) = tokio::join!(heard, async { publisher.publish(&unit(7)) });
        assert_eq!(heard, 7);
        drop(subscriber);
        assert!(!publisher.is_heard());
    }
}
