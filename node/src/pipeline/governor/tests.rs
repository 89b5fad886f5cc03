use super::*;

/// A camera at 30 frames per second, and an encoder in a machine of its own time.
struct Machine {
    governor: Governor,
    now: Duration,
    /// The number of the newest frame that was fetched.
    fetched: u64,
    /// What a whole frame takes.
    cost: Duration,
    /// What every step was, and when.
    steps: Vec<(u64, Relief)>,
    /// The age of the oldest picture when it was encoded.
    oldest: Duration,
}

const INTERVAL: Duration = Duration::from_nanos(33_333_333);

impl Machine {
    fn new(milliseconds: u64) -> Self {
        Self {
            governor: Governor::new(FrameRate::per_second(30)),
            now: Duration::from_secs(1000),
            fetched: 30_000,
            cost: Duration::from_millis(milliseconds),
            steps: Vec::new(),
            oldest: Duration::ZERO,
        }
    }

    /// Runs on, with a frame taking so long, and gives the steps that were made meanwhile.
    fn runs(&mut self, seconds: u64, milliseconds: u64) -> Vec<Relief> {
        self.cost = Duration::from_millis(milliseconds);
        let (end, before) = (self.now + Duration::from_secs(seconds), self.steps.len());
        while self.now < end {
            self.one();
        }
        self.steps[before..].iter().map(|(_, relief)| *relief).collect()
    }

    /// A single frame takes so long.
    fn hiccups(&mut self, milliseconds: u64) {
        self.cost = Duration::from_millis(milliseconds);
        while !self.one() {}
    }

    /// Fetches the newest frame, as a driver gives it, waiting for the next where that was fetched already; whether it was encoded.
    fn one(&mut self) -> bool {
        let newest = (self.now.as_nanos() / INTERVAL.as_nanos()) as u64;
        let number = newest.max(self.fetched + 1);
        let captured_at = INTERVAL * u32::try_from(number).expect("small");
        self.now = self.now.max(captured_at);
        let missed = number - self.fetched - 1;
        self.fetched = number;
        if !self
            .governor
            .takes(Timestamp::from_monotonic(captured_at), missed)
        {
            return false;
        }
        let relief = self.governor.relief();
        let worked = self.cost.mul_f64(relief.scale.area());
        self.now += worked;
        self.oldest = self.oldest.max(self.now - captured_at);
        let now = Timestamp::from_monotonic(self.now);
        if let Some(step) = self.governor.took(worked, now) {
            assert_ne!(self.governor.relief(), relief, "{step:?} is none");
            self.steps.push((self.now.as_secs(), self.governor.relief()));
        }
        true
    }
}

fn relief(every: u32, scale: Scale) -> Relief {
    Relief { every, scale }
}

#[test]
fn each_machine_gets_what_it_can_do_and_keeps_it() {
    for (milliseconds, expected) in [
        (5, &[][..]),
        (29, &[]),
        // More than a frame interval: every other frame is enough, and a step back is not even tried.
        (36, &[relief(2, Scale::Full)]),
        (55, &[relief(2, Scale::Full)]),
        (80, &[relief(2, Scale::Full), relief(3, Scale::Full)]),
        (
            120,
            &[
                relief(2, Scale::Full),
                relief(3, Scale::Full),
                relief(3, Scale::TwoThirds),
            ],
        ),
        (
            350,
            &[
                relief(2, Scale::Full),
                relief(3, Scale::Full),
                relief(3, Scale::TwoThirds),
                relief(3, Scale::Half),
            ],
        ),
    ] {
        let mut machine = Machine::new(milliseconds);
        assert_eq!(machine.runs(600, milliseconds), expected, "{milliseconds} ms");
        // A frame waits for one other at most, and then for its own encoding.
        let bound = 2 * Duration::from_millis(milliseconds) + 2 * INTERVAL;
        assert!(machine.oldest < bound, "{milliseconds} ms: {:?}", machine.oldest);
    }
}

#[test]
fn what_was_given_up_comes_back_in_steps() {
    let mut machine = Machine::new(10);
    assert_eq!(machine.runs(60, 10), []);
    machine.runs(20, 400);
    assert_eq!(machine.governor.relief(), relief(3, Scale::Half));
    let start = machine.now;
    assert_eq!(
        machine.runs(60, 10),
        [
            relief(3, Scale::TwoThirds),
            relief(3, Scale::Full),
            relief(2, Scale::Full),
            Relief::NONE
        ]
    );
    let took = machine.steps.last().expect("a step").0 - start.as_secs();
    assert!((20..40).contains(&took), "{took} s");
}

#[test]
fn a_machine_that_is_far_too_slow_is_relieved_after_a_second_each() {
    let mut machine = Machine::new(200);
    assert_eq!(
        machine.runs(4, 200),
        [relief(2, Scale::Full), relief(3, Scale::Full)]
    );
}

#[test]
fn a_single_hiccup_costs_nothing() {
    let mut machine = Machine::new(10);
    for _ in 0..10 {
        assert_eq!(machine.runs(5, 10), []);
        machine.hiccups(1200);
    }
    assert_eq!(machine.steps, []);
}

#[test]
fn hiccups_do_not_keep_a_machine_down() {
    let mut machine = Machine::new(10);
    // Until its tries are as rare as they get.
    for _ in 0..900 {
        let milliseconds = if machine.governor.level() == 0 { 60 } else { 10 };
        machine.runs(1, milliseconds);
    }
    assert_eq!(machine.governor.level(), 1);
    // It can do everything again, but for one frame in ten seconds.
    for _ in 0..30 {
        machine.runs(10, 10);
        machine.hiccups(800);
    }
    assert_eq!(machine.governor.relief(), Relief::NONE);
}

#[test]
fn a_machine_that_is_late_half_of_the_time_is_not_tried() {
    let mut machine = Machine::new(10);
    machine.runs(3, 60);
    assert_eq!(machine.governor.level(), 1);
    for _ in 0..60 {
        machine.runs(1, 10);
        machine.hiccups(800);
    }
    assert!(
        machine.steps.iter().all(|(_, relief)| *relief != Relief::NONE),
        "{:?}",
        machine.steps
    );
}

#[test]
fn tries_that_fail_become_rare() {
    // Encoding becomes slow whenever every frame is encoded: the governor can't know that before.
    let mut machine = Machine::new(10);
    machine.runs(5, 60);
    let mut tries = Vec::new();
    for second in 0..900 {
        let milliseconds = if machine.governor.level() == 0 { 60 } else { 10 };
        if machine.runs(1, milliseconds).contains(&Relief::NONE) {
            tries.push(second);
        }
    }
    let pauses: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.windows(2).all(|pair| pair[1] + 3 >= pair[0]), "{pauses:?}");
    assert!((5..=12).contains(&tries.len()), "{tries:?}");
    assert!(*pauses.last().expect("several") >= 115, "{pauses:?}");
    // Once it holds, the next trouble is no failed try.
    machine.runs(300, 10);
    assert_eq!(machine.governor.relief(), Relief::NONE);
    machine.runs(5, 60);
    assert_eq!(machine.governor.level(), 1);
    let start = machine.now.as_secs();
    machine.runs(60, 10);
    let (back, last) = machine.steps.last().expect("a step");
    assert_eq!(*last, Relief::NONE);
    assert!(back - start <= 10, "{} s", back - start);
}

#[test]
fn a_load_at_the_brink_does_not_make_it_swing() {
    // Pictures that take 20 to 36 ms, changing by the second.
    let mut machine = Machine::new(20);
    for second in 0..600u64 {
        machine.runs(1, 20 + (second * 7) % 17);
    }
    assert!(machine.steps.len() <= 10, "{:?}", machine.steps);
}

#[test]
fn frames_that_are_missed_count_where_there_is_work_and_only_there() {
    let rate = FrameRate::per_second(30);
    for (worked, missed, steps) in [
        (22, 1, true),
        (22, 0, false),
        (3, 1, false),
        (9, 1, false),
        // Most of them are: the thread hardly gets to run at all.
        (6, 2, true),
        (1, 2, false),
    ] {
        let mut governor = Governor::new(rate);
        let mut stepped = false;
        for number in 0..300u32 {
            let at = Timestamp::from_monotonic(INTERVAL * number);
            if governor.takes(at, missed) {
                stepped |= governor
                    .took(Duration::from_millis(worked), at)
                    .is_some_and(|step| step.is_down);
            }
        }
        assert_eq!(stepped, steps, "{worked} ms, {missed} missed");
    }
}

#[test]
fn a_machine_that_is_too_hot_rests_until_it_is_not() {
    let mut machine = Machine::new(22);
    assert_eq!(machine.runs(30, 22), []);
    machine.governor.set_hot(true);
    assert_eq!(machine.runs(60, 22), [relief(2, Scale::Full)]);
    machine.governor.set_hot(false);
    assert_eq!(machine.runs(60, 22), [Relief::NONE]);
}

#[test]
fn a_slow_camera_keeps_its_frames_and_gives_up_size() {
    let ladder = |rate| Governor::new(rate).ladder;
    assert_eq!(
        ladder(FrameRate::per_second(8)),
        [Relief::NONE, relief(1, Scale::TwoThirds), relief(1, Scale::Half)]
    );
    assert_eq!(
        ladder(FrameRate::per_second(12))[1..3],
        [relief(2, Scale::Full), relief(2, Scale::TwoThirds)]
    );
    assert_eq!(
        ladder(FrameRate {
            frames: 1,
            seconds: 2
        })
        .len(),
        3
    );
}

#[test]
fn a_camera_that_is_opened_again_goes_on_where_it_was() {
    let mut machine = Machine::new(55);
    machine.runs(30, 55);
    machine.governor.opened(FrameRate::per_second(30));
    assert_eq!(machine.governor.level(), 1);
    assert_eq!(machine.runs(30, 55), []);
    machine.governor.opened(FrameRate::per_second(15));
    assert_eq!(machine.governor.level(), 0);
}

#[test]
fn uneven_time_stamps_do_not_change_the_rate() {
    let mut governor = Governor::new(FrameRate::per_second(30));
    governor.level = 1;
    let taken = (0..300u32)
        .filter(|number| {
            let jitter = Duration::from_millis(u64::from(number * 7 % 11));
            governor.takes(Timestamp::from_monotonic(INTERVAL * *number + jitter), 0)
        })
        .count();
    assert_eq!(taken, 150);
}
