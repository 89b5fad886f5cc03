use std::{
    task::{Context, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::*;
use crate::media::{AccessUnit, Codec, Layer, Privacy, Rendition, Rung, SoundCodec, SoundUnit, Timestamp};

const H264: Rendition = Rendition::top(Codec::H264);
const VP8: Rendition = Rendition::top(Codec::Vp8);
/// From picture to picture at 30 frames a second, and how many of them may wait.
const INTERVAL: Duration = Duration::from_nanos(33_333_333);
const QUEUE: u32 = 8;

fn camera(rendition: Rendition) -> (Publisher<AccessUnit>, Broadcast<AccessUnit>) {
    let ([publisher], broadcast) = broadcast([rendition], &Demand::default(), &Privacy::default());
    (publisher, broadcast)
}

fn watch(broadcast: &Broadcast<AccessUnit>, rendition: Rendition) -> Subscriber<AccessUnit> {
    let subscriber = broadcast.subscribe(rendition, Depth::PICTURES);
    subscriber.expect("there is such a rendition")
}

fn dropped<U: Unit>(broadcast: &Broadcast<U>) -> u64 {
    broadcast
        .figures()
        .map(|(_, figures)| figures.dropped.get())
        .sum()
}

/// What comes without waiting for it.
fn waiting<U: Unit>(subscriber: &mut Subscriber<U>) -> Vec<U> {
    let mut context = Context::from_waker(Waker::noop());
    std::iter::from_fn(|| match subscriber.poll_next(&mut context) {
        std::task::Poll::Ready(unit) => unit,
        std::task::Poll::Pending => None,
    })
    .collect()
}

fn unit(text: &'static str, is_keyframe: bool) -> AccessUnit {
    AccessUnit {
        data: Bytes::from_static(text.as_bytes()),
        captured_at: Timestamp::now(),
        is_keyframe,
        layer: Layer::Base,
    }
}

/// The picture of this number, in time.
fn picture(number: u32, text: &'static str, is_keyframe: bool) -> AccessUnit {
    AccessUnit {
        captured_at: Timestamp::from_monotonic(Duration::from_secs(1000) + INTERVAL * number),
        ..unit(text, is_keyframe)
    }
}

/// The 20 ms of this number.
fn sound(number: u8) -> SoundUnit {
    SoundUnit {
        data: Bytes::copy_from_slice(&[number]),
        captured_at: Timestamp::from_monotonic(Duration::from_millis(5000 + 20 * u64::from(number))),
        after_silence: false,
    }
}

#[tokio::test]
async fn every_subscriber_gets_every_unit_of_the_same_bytes() {
    let (publisher, broadcast) = camera(H264);
    let (mut one, mut two) = (watch(&broadcast, H264), watch(&broadcast, H264));
    let sent = unit("picture", true);
    publisher.publish(&sent);
    for subscriber in [&mut one, &mut two] {
        let got = subscriber.next().await.expect("a unit");
        assert_eq!(got.data.as_ptr(), sent.data.as_ptr(), "shared, not copied");
    }
    let (_, figures) = broadcast.figures().next().expect("a track");
    assert_eq!(figures.waited.read().count(), 2);
}

#[tokio::test]
async fn a_lagging_subscriber_resumes_at_a_keyframe_and_asks_for_it() {
    let (publisher, broadcast) = camera(H264);
    let (mut slow, mut quick) = (watch(&broadcast, H264), watch(&broadcast, H264));
    publisher.publish(&picture(0, "key", true));
    assert!(
        !publisher.take_orders(Instant::now()).keyframe,
        "the first keyframe was enough"
    );
    for number in 1..=QUEUE {
        publisher.publish(&picture(number, "delta", false));
        quick.next().await.expect("a unit");
    }
    assert!(
        publisher
            .take_orders(Instant::now() + Duration::from_secs(1))
            .keyframe
    );
    publisher.publish(&picture(QUEUE + 1, "lost", false));
    for _ in 0..QUEUE {
        assert_ne!(slow.next().await.expect("a unit").data, "lost");
    }
    publisher.publish(&picture(QUEUE + 2, "lost too", false));
    publisher.publish(&picture(QUEUE + 3, "key again", true));
    assert_eq!(slow.next().await.expect("a unit").data, "key again");
    assert!(publisher.dropped() >= 2);
    assert_eq!(dropped(&broadcast), publisher.dropped());
}

#[tokio::test]
async fn who_watches_is_known_at_once() {
    let demand = Demand::default();
    let ([publisher], broadcast) = broadcast([VP8], &demand, &Privacy::default());
    assert!(!publisher.has_subscribers());
    let seen = demand.seen();
    let subscriber = watch(&broadcast, VP8);
    assert!(publisher.has_subscribers());
    assert!(
        demand.wait(seen, Some(Duration::ZERO)) > seen,
        "the pipeline is woken"
    );
    drop(subscriber);
    assert!(!publisher.has_subscribers());
}

#[tokio::test]
async fn the_stream_ends_with_its_publisher() {
    let (publisher, broadcast) = camera(VP8);
    let mut subscriber = watch(&broadcast, VP8);
    drop(publisher);
    assert!(subscriber.next().await.is_none());
    assert!(
        watch(&broadcast, VP8).next().await.is_none(),
        "also for one who comes later"
    );
}

#[tokio::test]
async fn of_sound_who_lags_loses_the_oldest_and_nobody_else_does() {
    let (publishers, broadcast) = broadcast([SoundCodec::Opus], &Demand::default(), &Privacy::default());
    let [publisher]: [Publisher<SoundUnit>; 1] = publishers;
    let listen = || {
        let subscriber = broadcast.subscribe(SoundCodec::Opus, Depth::SOUND);
        subscriber.expect("there is Opus")
    };
    let (mut slow, mut quick) = (listen(), listen());
    let most = 8;
    for number in 0..most + 3 {
        publisher.publish(&sound(number));
        assert_eq!(quick.next().await.expect("a unit").data[0], number);
    }
    assert_eq!(slow.next().await.expect("a unit").data[0], 3);
    assert_eq!(dropped(&broadcast), 3);
    drop(publisher);
    for number in 4..most + 3 {
        assert_eq!(
            slow.next().await.expect("what waits is still given").data[0],
            number
        );
    }
    assert!(slow.next().await.is_none() && quick.next().await.is_none());
    assert!(listen().next().await.is_none(), "also for one who comes later");
}

#[tokio::test]
async fn who_listens_is_known_at_once_and_is_woken() {
    let demand = Demand::default();
    let ([publisher], broadcast) =
        broadcast::<SoundUnit, 1>([SoundCodec::Pcmu], &demand, &Privacy::default());
    let seen = demand.seen();
    let subscriber = broadcast.subscribe(SoundCodec::Pcmu, Depth::SOUND);
    let mut subscriber = subscriber.expect("there is such a codec");
    assert!(publisher.has_subscribers() && demand.wait(seen, Some(Duration::ZERO)) > seen);
    let heard = async { subscriber.next().await.expect("a unit").data[0] };
    let (heard, ()) = tokio::join!(heard, async { publisher.publish(&sound(7)) });
    assert_eq!(heard, 7);
    drop(subscriber);
    assert!(!publisher.has_subscribers());
}

#[test]
fn each_rendition_is_found_and_comes_from_its_own_publisher() {
    let small = Rendition {
        rung: Rung(1),
        ..H264
    };
    let (publishers, broadcast) =
        broadcast::<AccessUnit, 3>([H264, small, VP8], &Demand::default(), &Privacy::default());
    assert_eq!(broadcast.renditions().collect::<Vec<_>>(), [H264, small, VP8]);
    let mut subscriber = watch(&broadcast, small);
    let watched = publishers.each_ref().map(Publisher::has_subscribers);
    assert_eq!(watched, [false, true, false]);
    for publisher in &publishers {
        publisher.publish(&unit("picture", true));
    }
    assert_eq!(waiting(&mut subscriber).len(), 1);
    let missing = Rendition {
        rung: Rung(2),
        ..H264
    };
    assert!(broadcast.subscribe(missing, Depth::PICTURES).is_none());
    let offered = || [H264, small, VP8, missing].map(|rendition| broadcast.offers(rendition));
    assert_eq!(offered(), [true, true, true, false]);
    publishers[1].set_offered(false);
    assert_eq!(offered(), [true, false, true, false]);
    publishers[1].set_offered(true);
    assert_eq!(offered(), [true, true, true, false]);
}

#[test]
fn each_subscriber_queues_as_deep_as_it_says() {
    let (publisher, broadcast) = camera(H264);
    let depth = |milliseconds, bytes| Depth {
        lasting: Duration::from_millis(milliseconds),
        lasting_unasked: Duration::from_millis(milliseconds),
        bytes,
    };
    let subscribe = |depth| {
        broadcast
            .subscribe(H264, depth)
            .expect("there is such a rendition")
    };
    let mut subscribers = [depth(100, 1000), depth(400, 1000), depth(400, 22)].map(subscribe);
    for number in 0..100 {
        publisher.publish(&picture(number, "delta", number == 0));
    }
    assert_eq!(
        subscribers.each_mut().map(|subscriber| waiting(subscriber).len()),
        [4, 13, 4]
    );
    assert_eq!(publisher.dropped(), 96 + 87 + 96);
}

#[test]
fn more_waits_from_a_source_that_makes_no_keyframe_on_request() {
    let (publisher, broadcast) = camera(H264);
    let mut subscriber = watch(&broadcast, H264);
    let mut fits = |on_request, from: u32| {
        publisher.set_on_request(on_request);
        for number in 0..100 {
            publisher.publish(&picture(from + number, "delta", number == 0));
        }
        waiting(&mut subscriber).len()
    };
    assert_eq!((fits(true, 0), fits(false, 200), fits(true, 400)), (8, 31, 8));
}

#[test]
fn who_takes_nothing_costs_nobody_more_than_one_keyframe() {
    let (publisher, broadcast) = camera(H264);
    let mut stuck = watch(&broadcast, H264);
    let mut ordered = 0;
    for number in 0..1000 {
        let now = Instant::now() + INTERVAL * number;
        let is_keyframe = publisher.take_orders(now).keyframe;
        ordered += u32::from(is_keyframe);
        publisher.publish(&picture(number, "picture", is_keyframe));
    }
    assert_eq!(ordered, 2, "at its start, and when it fell behind");
    assert_eq!(waiting(&mut stuck).len(), 8);
    let later = Instant::now() + INTERVAL * 1000;
    assert!(publisher.take_orders(later).keyframe, "it takes again");
}

#[test]
fn the_privacy_switch_empties_queues_and_pictures_go_on_at_a_keyframe() {
    let privacy = Privacy::default();
    let ([publisher], broadcast) = broadcast([H264], &Demand::default(), &privacy);
    let mut subscriber = watch(&broadcast, H264);
    publisher.publish(&unit("before", true));
    publisher.publish(&unit("before", false));
    privacy.set(true);
    assert!(waiting(&mut subscriber).is_empty());
    assert!(publisher.take_orders(Instant::now()).keyframe);
    publisher.publish(&unit("slate", true));
    assert_eq!(waiting(&mut subscriber).len(), 1);
    publisher.publish(&unit("meanwhile", false));
    privacy.set(false);
    publisher.publish(&unit("builds upon that", false));
    publisher.publish(&unit("picture", true));
    let after = waiting(&mut subscriber);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].data, "picture");
    assert_eq!(publisher.dropped(), 1, "privacy is no lag");
}

#[test]
fn what_was_captured_before_the_switch_is_not_published_after_it() {
    let privacy = Privacy::default();
    let ([publisher], broadcast) = broadcast([H264], &Demand::default(), &privacy);
    let mut subscriber = watch(&broadcast, H264);
    publisher.publish(&unit("key", true));
    assert_eq!(waiting(&mut subscriber).len(), 1);
    // What an encoder still has.
    let [late, later] = [unit("late", false), unit("later", true)];
    privacy.set(true);
    publisher.publish(&late);
    assert!(waiting(&mut subscriber).is_empty());
    privacy.set(false);
    publisher.publish(&later);
    publisher.publish(&unit("builds upon it", false));
    assert!(
        waiting(&mut subscriber).is_empty(),
        "not even when it is off again"
    );
    publisher.publish(&unit("new", true));
    assert_eq!(waiting(&mut subscriber).len(), 1);
}

#[test]
fn what_slips_into_a_queue_while_the_switch_is_thrown_does_not_leave_it() {
    let privacy = Privacy::default();
    let ([publisher], broadcast) = broadcast([H264], &Demand::default(), &privacy);
    let mut subscriber = watch(&broadcast, H264);
    let late = unit("late", true);
    privacy.set(true);
    // As if it had been let through just before.
    subscriber.slip_in(late);
    publisher.publish(&unit("builds upon it", false));
    assert!(waiting(&mut subscriber).is_empty());
    assert!(publisher.take_orders(Instant::now()).keyframe);
    publisher.publish(&unit("slate", true));
    assert_eq!(waiting(&mut subscriber).len(), 1);
}

#[test]
fn the_privacy_switch_empties_queues_of_sound_which_goes_on_with_the_next() {
    let privacy = Privacy::default();
    let (publishers, broadcast) = broadcast([SoundCodec::Opus], &Demand::default(), &privacy);
    let [publisher]: [Publisher<SoundUnit>; 1] = publishers;
    let subscriber = broadcast.subscribe(SoundCodec::Opus, Depth::SOUND);
    let mut subscriber = subscriber.expect("there is Opus");
    let now = |number| SoundUnit {
        captured_at: Timestamp::now(),
        ..sound(number)
    };
    publisher.publish(&now(1));
    let late = [now(2), now(3)];
    privacy.set(true);
    assert!(waiting(&mut subscriber).is_empty(), "the queue");
    publisher.publish(&late[0]);
    assert!(waiting(&mut subscriber).is_empty(), "what is published");
    subscriber.slip_in(late[1].clone());
    assert!(waiting(&mut subscriber).is_empty(), "what slips in");
    publisher.publish(&now(4));
    assert_eq!(waiting(&mut subscriber)[0].data[0], 4, "silence");
    assert_eq!(dropped(&broadcast), 0);
}
