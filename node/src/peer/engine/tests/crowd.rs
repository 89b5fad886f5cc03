//! Many sessions, with which several threads work.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::peer::shard::Task;

/// The sessions' numbers, as they are told.
fn numbers(scene: &mut Scene) -> Vec<u64> {
    let (question, mut answer) = oneshot::channel();
    scene.host.answer(question);
    let report = answer.try_recv().expect("an answer");
    report.viewers.iter().map(|viewer| viewer.session).collect()
}

#[tokio::test]
async fn nobody_is_lost_whoever_works_with_them() {
    let mut scene = Scene::new(20);
    let calls: Vec<_> = (0..10).map(|call| scene.offers(call, BROWSER)).collect();
    let began = numbers(&mut scene);
    assert!(
        began.len() == 10 && began.is_sorted(),
        "the oldest first: {began:?}"
    );
    let mut now = Instant::now();
    for _ in 0..50 {
        now += Duration::from_millis(100);
        scene.host.advance_due(now);
        assert_eq!(numbers(&mut scene), began);
        assert!(scene.host.sessions.deadline() > Some(now), "all were asked");
    }
    // Those that go leave their shard smaller than the others, and the next ones fill it.
    for call in 0..5 {
        let why = Ending::Left;
        scene.host.take(Request::HangUp {
            call: CallId(call),
            why,
        });
    }
    for call in 10..15 {
        scene.offers(call, BROWSER);
    }
    let sizes = scene.host.sessions.shards().iter().map(|shard| shard.all().len());
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes.iter().sum::<usize>(), 10);
    assert!(sizes.iter().all(|size| (3..=4).contains(size)), "{sizes:?}");
    let later = numbers(&mut scene);
    assert!(later.len() == 10 && later.is_sorted() && later[..5] == began[5..]);
    // Nobody answers their checks.
    while scene.sessions() > 0 {
        now += Duration::from_secs(1);
        scene.host.advance_due(now);
    }
    assert!(calls[9].words().last().expect("the end").starts_with("ended: "));
}

#[tokio::test]
async fn what_goes_wrong_in_a_helper_ends_the_engine() {
    let mut scene = Scene::new(20);
    for call in 0..3 {
        scene.offers(call, BROWSER);
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        scene.host.share(Task::Panic(SessionId(2)), Instant::now())
    }));
    let panic = outcome.expect_err("it went wrong");
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
}

#[tokio::test]
async fn of_a_flood_of_offers_few_are_read_and_a_newcomer_gets_in() {
    let mut scene = Scene::new(200);
    let start = Instant::now();
    // One member, which has a session, negotiates anew a thousand times a second.
    let taken = |told: &Told| told.words() == ["answer"];
    let mut answered = 0;
    for number in 0..3000 {
        let now = start + Duration::from_millis(number);
        answered += usize::from(taken(&scene.offers_at(1, BROWSER, now)));
        if number % 100 == 99 {
            let newcomer = scene.offers_at(1000 + number, BROWSER, now);
            assert_eq!(newcomer.words(), ["answer"], "after {number} ms");
        }
    }
    assert!((100..=50 + 3 * 50).contains(&answered), "{answered} of 3000");
    // Now everybody is new.
    let later = start + Duration::from_secs(60);
    let told = (0..1000).filter(|call| taken(&scene.offers_at(10_000 + call, BROWSER, later)));
    assert_eq!(told.count(), 100);
}
