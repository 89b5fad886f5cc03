use super::*;

const TAKES: u64 = 500_000;
const WANTED: u64 = 1_400_000;

struct Course {
    probe: Probe,
    step: usize,
    sent: u64,
    /// Of what was sent, for probes.
    beside: u64,
    now: Instant,
    queue: Duration,
}

impl Course {
    fn new() -> Self {
        Self {
            probe: Probe::default(),
            step: 2,
            sent: 0,
            beside: 0,
            now: Instant::now(),
            queue: Duration::ZERO,
        }
    }

    /// Goes on for so many pictures on a path that carries so much. Returns what came of probes besides nothing.
    fn go(&mut self, pictures: u32, carries: u64) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for _ in 0..pictures {
            let before = self.sent;
            for _ in 0..8 {
                self.now += Duration::from_micros(4125);
                if self.probe.is_due(self.now) {
                    let slice = self.probe.slice(self.sent, self.now);
                    assert!(slice as u64 <= bytes(Bitrate::from_bps(WANTED), MOST));
                    self.probe.spend(slice);
                    self.sent += slice as u64;
                    self.beside += slice as u64;
                }
            }
            let media = TAKES / 8 / 30;
            self.sent += media;
            self.probe.earn(media as usize);
            let rate = (self.sent - before) * 8 * 30;
            let outcome = self.probe.look(
                Seen {
                    verdict: Verdict {
                        carries: None,
                        is_full: rate > carries,
                        received: Some(Bitrate::from_bps(rate.min(carries))),
                        queue: self.queue,
                    },
                    step: self.step,
                    takes: Bitrate::from_bps(TAKES),
                    wanted: (self.step > 0).then_some(Bitrate::from_bps(WANTED)),
                },
                self.now,
            );
            if outcome == Outcome::Carried {
                self.step -= 1;
            }
            if outcome != Outcome::Nothing && outcomes.last() != Some(&outcome) {
                outcomes.push(outcome);
            }
        }
        outcomes
    }
}

#[test]
fn a_path_that_takes_it_is_given_more_and_more_at_once_after_that() {
    let mut course = Course::new();
    assert!(course.go(140, 9_000_000).is_empty(), "it is patient");
    let outcomes = course.go(100, 9_000_000);
    assert_eq!(
        outcomes,
        [
            Outcome::UnderWay,
            Outcome::Carried,
            Outcome::UnderWay,
            Outcome::Carried
        ]
    );
    assert_eq!((course.step, course.go(1000, 9_000_000).len()), (0, 0));
}

#[test]
fn one_that_was_too_much_is_over_at_once_and_the_next_waits_for_longer() {
    let mut course = Course::new();
    let mut waits = Vec::new();
    for _ in 0..5 {
        let pictures = (1..3000).find(|_| !course.go(1, 1_000_000).is_empty());
        waits.push(pictures.expect("a probe") / 30);
        // It is full with the first picture of it.
        while course.probe.next().is_some() {
            course.go(1, 1_000_000);
        }
    }
    assert!(waits[0] <= 5 && waits[1] >= 9 && waits[2] >= 14, "{waits:?}");
    assert!((14..17).contains(&waits[4]), "{waits:?}");
    assert!(
        course.beside < course.sent / 20,
        "{} of {}",
        course.beside,
        course.sent
    );
    assert_eq!(course.step, 2);
}

#[test]
fn it_costs_no_more_than_the_stream() {
    let mut course = Course::new();
    course.step = 1000;
    course.go(6000, 9_000_000);
    assert!(course.step < 1000 && course.beside <= course.sent / 2);
}

#[test]
fn what_has_shown_nothing_has_failed_and_what_is_stopped_sends_nothing() {
    let mut course = Course::new();
    course.go(155, 9_000_000);
    assert!(course.probe.next().is_some());
    course.probe.stop();
    assert_eq!(
        (course.probe.next(), course.probe.slice(0, course.now)),
        (None, 0)
    );
    // A step that does not hold.
    course.go(300, 9_000_000);
    assert_eq!(course.step, 0);
    course.step = 2;
    course.go(1, 9_000_000);
    assert_eq!(course.probe.patience, 2 * PATIENCE);
}

#[test]
fn one_for_which_packets_wait_is_over_before_the_path_is_full() {
    let mut course = Course::new();
    course.queue = Duration::from_millis(30);
    course.go(155, 9_000_000);
    assert!(course.probe.next().is_some(), "they waited before");
    course.queue += WAITS;
    course.go(1, 9_000_000);
    assert!(course.probe.next().is_some());
    course.queue += Duration::from_millis(1);
    course.go(1, 9_000_000);
    assert_eq!(course.probe.next(), None);
    assert_eq!((course.probe.patience, course.step), (2 * PATIENCE, 2));
}
