use std::collections::BTreeMap;

use super::*;
use crate::peer::transport::Protocol;

fn path(local: u8, peer: u16) -> Path {
    Path {
        local: SocketAddr::from(([192, 0, 2, local], 5000)),
        peer: SocketAddr::from(([198, 51, 100, 7], peer)),
        protocol: Protocol::Udp,
    }
}

/// How often each path was checked, by session.
type Checked = HashMap<(u64, Path), u32>;

/// Sessions that want their paths checked, in rounds of a second as the core does it.
#[derive(Default)]
struct Scene {
    turns: Turns,
    sessions: BTreeMap<u64, Vec<Path>>,
    second: u64,
}

impl Scene {
    fn with(sessions: u64, paths: &[Path]) -> Self {
        Self {
            sessions: (0..sessions).map(|session| (session, paths.to_vec())).collect(),
            ..Self::default()
        }
    }

    /// What is checked in so many seconds.
    fn run(&mut self, start: Instant, seconds: u64) -> Checked {
        let mut checked = Checked::new();
        for _ in 0..seconds {
            let now = start + Duration::from_secs(self.second);
            self.second += 1;
            for (session, paths) in &self.sessions {
                for path in paths {
                    if self.turns.take(SessionId(*session), *path, now) {
                        *checked.entry((*session, *path)).or_default() += 1;
                    }
                }
            }
        }
        checked
    }
}

#[test]
fn each_address_of_each_session_is_checked_in_turn() {
    let start = Instant::now();
    let paths: Vec<_> = (0..24).map(|peer| path(1, 40_000 + peer)).collect();
    for (sessions, seconds) in [(1, 1), (4, 1), (10, 3), (20, 5), (50, 12), (100, 24)] {
        let mut scene = Scene::with(sessions, &paths);
        // In the first second nobody knows of the others.
        scene.run(start, 1);
        let checked = scene.run(start, seconds);
        for session in 0..sessions {
            for path in &paths {
                let times = checked.get(&(session, *path));
                assert!(
                    times.is_some_and(|times| (1..=2).contains(times)),
                    "{times:?} of {path:?} with {sessions} sessions"
                );
            }
        }
    }
}

#[test]
fn an_address_that_comes_late_is_checked_at_once_and_takes_no_more_than_its_turn() {
    let start = Instant::now();
    let paths: Vec<_> = (0..24).map(|peer| path(1, 40_000 + peer)).collect();
    let mut scene = Scene::with(20, &paths);
    scene.run(start, 3);
    let late = path(1, 50_000);
    for paths in scene.sessions.values_mut() {
        paths.push(late);
    }
    // Each session has five checks a second for 25 addresses.
    let soon = scene.run(start, 5);
    assert!((0..20).all(|session| soon[&(session, late)] == 1), "{soon:?}");
    let later = scene.run(start, 25);
    for session in 0..20 {
        for path in &scene.sessions[&session] {
            assert!((4..=6).contains(&later[&(session, *path)]), "{later:?}");
        }
    }
}

#[test]
fn an_address_is_checked_from_each_of_ours_in_turn() {
    let start = Instant::now();
    // As the core orders its pairs.
    let paths: Vec<_> = (0..10)
        .flat_map(|peer| (0..3).map(move |local| path(local, 40_000 + peer)))
        .collect();
    let mut scene = Scene::with(10, &paths);
    scene.run(start, 1);
    // Ten checks a second are one of each address.
    for second in 0..6 {
        let checked = scene.run(start, 1);
        for session in 0..10 {
            let of_session = checked.keys().filter(|(of, _)| *of == session);
            let peers: std::collections::BTreeSet<_> = of_session.map(|(_, path)| path.peer).collect();
            assert_eq!(peers.len(), 10, "in second {second}");
        }
    }
    let checked = scene.run(start, 3);
    assert_eq!(checked.len(), 10 * paths.len(), "each path of each session");
}

#[test]
fn what_is_not_asked_for_any_more_is_not_waited_for() {
    let start = Instant::now();
    let paths: Vec<_> = (0..24).map(|peer| path(1, 40_000 + peer)).collect();
    let mut scene = Scene::with(20, &paths);
    scene.run(start, 2);
    // All but those that were checked first are gone.
    for paths in scene.sessions.values_mut() {
        paths.truncate(3);
    }
    scene.run(start, 2);
    let checked = scene.run(start, 1);
    assert_eq!(checked.len(), 20 * 3);
}

#[test]
fn where_there_is_enough_for_all_nobody_waits() {
    let start = Instant::now();
    let paths: Vec<_> = (0..6)
        .flat_map(|peer| (0..4).map(move |local| path(local, 40_000 + peer)))
        .collect();
    let mut scene = Scene::with(3, &paths);
    let checked = scene.run(start, 3);
    assert_eq!(checked.len(), 3 * paths.len());
    assert!(checked.values().all(|times| *times == 3), "{checked:?}");
}

#[test]
fn what_is_remembered_is_of_those_who_ask() {
    let start = Instant::now();
    let mut turns = Turns::default();
    for number in 0..10_000u64 {
        let now = start + Duration::from_millis(number);
        let port = u16::try_from(number % 1000).expect("small");
        turns.take(SessionId(number), path(1, port), now);
    }
    assert!(turns.sessions.len() <= 4000, "{}", turns.sessions.len());
    let now = start + Duration::from_secs(20);
    turns.take(SessionId(1), path(1, 1), now);
    turns.take(SessionId(1), path(1, 1), now + Duration::from_secs(1));
    assert_eq!(turns.sessions.len(), 1);
}
