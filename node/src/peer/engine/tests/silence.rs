//! Viewers that can't be heard, and what becomes of their places.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

impl Scene {
    fn session_of(&mut self, call: u64) -> SessionId {
        self.host.sessions.of(CallId(call)).expect("it has a session")
    }

    /// A viewer that is connected from now on, and was heard from this address.
    fn watches(&mut self, call: u64, from: &str, now: Instant) -> Told {
        let told = self.offers_at(call, BROWSER, now);
        let id = self.session_of(call);
        self.host
            .sessions
            .get(id)
            .expect("it was found")
            .session
            .pretends_to_be_connected(now);
        self.is_heard(call, from, now);
        self.host.give(id, Input::Timeout, now);
        self.host.tally.count(self.host.sessions.connected());
        told
    }

    /// Nothing comes of this one for so long that it is silent.
    fn is_silent(&mut self, call: u64, since: Instant) {
        for milliseconds in [3000, 3500] {
            let id = self.session_of(call);
            let now = since + Duration::from_millis(milliseconds);
            self.host.give(id, Input::Timeout, now);
        }
    }

    fn is_back(&mut self, call: u64, from: &str, now: Instant) {
        self.is_heard(call, from, now);
        let id = self.session_of(call);
        self.host.give(id, Input::Timeout, now);
    }

    fn is_filmed(&self) -> bool {
        self.host.feeds.iter().any(Feed::is_used)
    }
}

const A: &str = "198.51.100.1:40000";
const B: &str = "198.51.100.2:40000";

#[tokio::test]
async fn a_silent_viewer_has_no_place_and_takes_it_again_when_it_is_back() {
    let mut scene = Scene::new(1);
    let start = Instant::now();
    let told = scene.watches(1, A, start);
    let count = scene.viewers.count();
    assert!(scene.is_filmed() && *count.borrow() == 1);
    scene.is_silent(1, start);
    assert!(!scene.is_filmed(), "nobody films for it");
    assert_eq!((*count.borrow(), scene.sessions()), (0, 1));
    scene.is_back(1, A, start + 10 * SECOND);
    assert!(scene.is_filmed() && *count.borrow() == 1);
    assert_eq!(told.words(), ["answer"]);
}

#[tokio::test]
async fn a_viewer_whose_place_was_given_to_another_is_told_so_when_it_is_back() {
    let mut scene = Scene::new(1);
    let start = Instant::now();
    let told = scene.watches(1, A, start);
    scene.is_silent(1, start);
    let other = scene.watches(2, B, start + 4 * SECOND);
    assert_eq!(*scene.viewers.count().borrow(), 1);
    scene.is_back(1, A, start + 5 * SECOND);
    assert_eq!(told.words(), ["answer", "ended: crowded"]);
    assert_eq!((other.words(), scene.sessions()), (vec!["answer".to_owned()], 1));
    assert!(scene.is_filmed());
}

#[tokio::test]
async fn one_that_stays_silent_is_ended_after_half_a_minute() {
    let mut scene = Scene::new(1);
    let start = Instant::now();
    let told = scene.watches(1, A, start);
    scene.is_silent(1, start);
    let id = scene.session_of(1);
    scene.host.give(id, Input::Timeout, start + 29 * SECOND);
    assert_eq!(told.words(), ["answer"]);
    for second in [30, 31] {
        scene.host.give(id, Input::Timeout, start + second * SECOND);
    }
    assert_eq!(told.words(), ["answer", "ended: silent"]);
}

#[tokio::test]
async fn so_many_silent_ones_are_kept_and_half_of_them_of_one_address() {
    let most = CONNECTING as u64;
    let mut scene = Scene::new(1);
    let mut start = Instant::now();
    let mut falls_silent = |scene: &mut Scene, call, from: &str| {
        // One place is enough for all of them, one after the other.
        start += 4 * SECOND / 10;
        let told = scene.watches(call, from, start);
        scene.is_silent(call, start);
        told
    };
    let crowd: Vec<_> = (0..most).map(|call| falls_silent(&mut scene, call, A)).collect();
    let left = crowd.iter().filter(|told| told.words() == ["answer"]).count();
    assert_eq!((left, scene.sessions()), (CONNECTING / 2, CONNECTING / 2));
    assert_eq!(
        crowd[0].words(),
        ["answer", "ended: silent"],
        "the oldest goes first"
    );
    for call in 0..most {
        falls_silent(&mut scene, 100 + call, &format!("203.0.113.{call}:40000"));
    }
    assert_eq!(scene.sessions(), CONNECTING);
}
