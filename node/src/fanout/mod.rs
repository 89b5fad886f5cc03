//! One encoded stream to many subscribers: the only seam between the capture threads and tokio.
//!
//! Publishing never blocks: a subscriber that lags loses whole access units up to the next keyframe, and
//! nobody else notices. Wishes travel the other way as merged state, not as messages: the keyframe requests of
//! a hundred viewers make one keyframe.

mod demand;
mod desk;
mod figures;
mod publisher;
mod sound;
mod subscriber;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::mpsc;

use crate::media::{AccessUnit, Codec};
use desk::Desk;

pub use demand::Demand;
pub use figures::Figures;
pub use publisher::Publisher;
pub use sound::{SoundPublisher, SoundSubscriber, SoundTrack, sound_track};
pub use subscriber::{Subscriber, Track};

/// Access units that may wait for one subscriber: a quarter of a second at 30 fps. More would be latency.
const QUEUE: usize = 8;

/// A stream of `codec`: the end that encodes and the end that viewers subscribe to. Every change of who
/// watches is told to `demand`.
pub fn track(codec: Codec, demand: Demand) -> (Publisher, Track) {
    let shared = Arc::new(Shared {
        codec,
        demand,
        state: Mutex::default(),
        figures: Arc::default(),
    });
    (Publisher::new(shared.clone()), Track::new(shared))
}

struct Shared {
    codec: Codec,
    demand: Demand,
    state: Mutex<State>,
    figures: Arc<Figures>,
}

#[derive(Default)]
struct State {
    desk: Desk,
    seats: Vec<Seat>,
    next_seat: u64,
    ended: bool,
}

/// One subscriber, as the publisher sees it.
struct Seat {
    number: u64,
    queue: mpsc::Sender<Queued>,
    /// The subscriber missed something: it gets nothing until the next keyframe.
    lagging: bool,
}

/// A unit on its way, and when it was published.
type Queued = (Instant, AccessUnit);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;
    use bytes::Bytes;
    use std::time::Duration;

    fn unit(text: &'static str, is_keyframe: bool) -> AccessUnit {
        AccessUnit {
            data: Bytes::from_static(text.as_bytes()),
            captured_at: Timestamp::now(),
            is_keyframe,
        }
    }

    #[tokio::test]
    async fn every_subscriber_gets_every_unit_of_the_same_bytes() {
        let (publisher, track) = track(Codec::H264, Demand::default());
        let (mut one, mut two) = (track.subscribe(), track.subscribe());
        let sent = unit("picture", true);
        publisher.publish(sent.clone());
        for subscriber in [&mut one, &mut two] {
            let got = subscriber.next().await.expect("a unit");
            assert_eq!(got.data.as_ptr(), sent.data.as_ptr(), "shared, not copied");
        }
        assert_eq!(track.figures().waited.read().count(), 2);
    }

    #[tokio::test]
    async fn a_lagging_subscriber_resumes_at_a_keyframe_and_asks_for_it() {
        let (publisher, track) = track(Codec::H264, Demand::default());
        let (mut slow, mut quick) = (track.subscribe(), track.subscribe());
        publisher.publish(unit("key", true));
        assert!(
            !publisher.take_orders(Instant::now()).keyframe,
            "the first keyframe was enough"
        );
        for _ in 0..QUEUE {
            publisher.publish(unit("delta", false));
            quick.next().await.expect("a unit");
        }
        assert!(
            publisher
                .take_orders(Instant::now() + Duration::from_secs(1))
                .keyframe
        );
        publisher.publish(unit("lost", false));
        for _ in 0..QUEUE {
            assert_ne!(slow.next().await.expect("a unit").data, "lost");
        }
        publisher.publish(unit("lost too", false));
        publisher.publish(unit("key again", true));
        assert_eq!(slow.next().await.expect("a unit").data, "key again");
        assert!(publisher.dropped() >= 2);
        assert_eq!(track.figures().dropped.get(), publisher.dropped());
    }

    #[tokio::test]
    async fn who_watches_is_known_at_once() {
        let demand = Demand::default();
        let (publisher, track) = track(Codec::Vp8, demand.clone());
        assert!(!publisher.is_watched());
        let seen = demand.seen();
        let subscriber = track.subscribe();
        assert!(publisher.is_watched());
        assert!(
            demand.wait(seen, Some(Duration::ZERO)) > seen,
            "the pipeline is woken"
        );
        drop(subscriber);
        assert!(!publisher.is_watched());
    }

    #[tokio::test]
    async fn the_stream_ends_with_its_publisher() {
        let (publisher, track) = track(Codec::Vp8, Demand::default());
        let mut subscriber = track.subscribe();
        drop(publisher);
        assert!(subscriber.next().await.is_none());
        assert!(
            track.subscribe().next().await.is_none(),
            "also for one who comes later"
        );
    }
}
