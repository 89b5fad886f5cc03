use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;

const FRAME: u32 = 960;

struct Stream {
    start: Instant,
    jitter: Jitter,
}

impl Stream {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            jitter: Jitter::default(),
        }
    }

    /// The packet of that number comes `ms` after the beginning.
    fn comes(&mut self, number: u32, ms: u64) -> Fate {
        #[allow(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let sequence = (65_530 + number) as u16;
        self.jitter.insert(Arrival {
            sequence,
            timestamp: (u32::MAX - 3 * FRAME).wrapping_add(number * FRAME),
            scale: 1,
            held: Held {
                payload: Bytes::copy_from_slice(&number.to_be_bytes()),
                arrived: self.start + Duration::from_millis(ms),
                samples: FRAME,
            },
        })
    }

    /// What is played next: a number, `lost`, `fec` (lost, with the next one at hand), `-` or `…`.
    fn plays(&mut self) -> String {
        match self.jitter.next() {
            Next::Packet(held) => number(&held.payload).to_string(),
            Next::Lost { following: None } => "lost".to_owned(),
            Next::Lost { .. } => "fec".to_owned(),
            Next::Empty => "-".to_owned(),
            Next::Gathering => "…".to_owned(),
        }
    }

    fn plays_all(&mut self, count: usize) -> String {
        (0..count).map(|_| self.plays()).collect::<Vec<_>>().join(" ")
    }
}

fn number(payload: &Bytes) -> u32 {
    u32::from_be_bytes(payload[..].try_into().expect("four bytes"))
}

#[test]
fn order_is_restored_across_the_wrap_of_numbers_and_time_stamps() {
    let mut stream = Stream::new();
    for (number, ms) in [(4, 80), (6, 121), (5, 122), (8, 160), (7, 161)] {
        assert_eq!(stream.comes(number, ms), Fate::Held);
    }
    assert_eq!(stream.plays_all(6), "4 5 6 7 8 -");
}

#[test]
fn sound_is_gathered_before_it_is_played() {
    let mut stream = Stream::new();
    assert_eq!(stream.plays(), "…");
    stream.comes(0, 0);
    assert_eq!(stream.plays(), "…", "40 ms are wanted while nothing is known");
    stream.comes(1, 20);
    assert_eq!(stream.plays_all(3), "0 1 -");
    stream.comes(2, 40);
    assert_eq!(stream.plays(), "2", "what was only late goes on at once");
}

#[test]
fn what_is_missing_is_said_and_what_comes_after_its_turn_is_thrown_away() {
    let mut stream = Stream::new();
    for (number, ms) in [(0, 0), (1, 20), (3, 60), (6, 120)] {
        stream.comes(number, ms);
    }
    assert_eq!(stream.plays_all(7), "0 1 fec 3 lost fec 6");
    assert_eq!(stream.comes(2, 140), Fate::Late);
    assert_eq!(stream.comes(7, 140), Fate::Held);
    assert_eq!(stream.comes(7, 141), Fate::Twice);
}

#[test]
fn a_long_hole_is_jumped() {
    let mut stream = Stream::new();
    stream.comes(0, 0);
    stream.comes(1, 20);
    assert_eq!(stream.plays_all(2), "0 1");
    stream.comes(30, 600);
    assert_eq!(stream.plays(), "30");
}

#[test]
fn more_than_the_bound_is_never_held() {
    let mut stream = Stream::new();
    for number in 0..10 {
        assert_eq!(stream.comes(number, 0), Fate::Held);
    }
    assert_eq!(stream.jitter.depth(), MOST);
    assert_eq!(stream.comes(10, 0), Fate::Crowded(1));
    assert_eq!(stream.jitter.depth(), MOST);
    assert_eq!(stream.plays(), "1");
}

#[test]
fn empty_packets_do_not_pile_up() {
    let mut stream = Stream::new();
    for number in 0..400 {
        stream.jitter.insert(Arrival {
            sequence: number,
            timestamp: 0,
            scale: 1,
            held: Held {
                payload: Bytes::new(),
                arrived: stream.start,
                samples: 0,
            },
        });
    }
    assert!(stream.jitter.held.len() <= MOST_PACKETS);
}

#[test]
fn another_stream_begins_anew() {
    let mut stream = Stream::new();
    stream.comes(0, 0);
    stream.comes(1, 20);
    assert_eq!(stream.plays(), "0");
    stream.comes(20_000, 40);
    assert_eq!(stream.plays(), "…", "what was held of the old one is gone");
    stream.comes(20_001, 60);
    assert_eq!(stream.plays(), "20000");
}

#[test]
fn a_pause_of_the_talker_is_no_unevenness() {
    let mut stream = Stream::new();
    for number in 0..50 {
        stream.comes(number, u64::from(number) * 20);
        stream.plays();
    }
    while stream.plays() != "-" {}
    stream.jitter.rest();
    let target = stream.jitter.target();
    // A browser without a track goes on counting where it had stopped.
    for number in 50..100 {
        stream.comes(number, 60_000 + u64::from(number) * 20);
        stream.plays();
    }
    assert_eq!(stream.jitter.target(), target);
}

/// 10 000 packets with 5 % loss and 30 ms of jitter, played at their own pace.
#[test]
fn a_bad_network_loses_little_more_than_it_loses_itself() {
    let mut random = StdRng::seed_from_u64(7);
    let mut stream = Stream::new();
    let mut arrivals: Vec<(u64, u32)> = (0..10_000u32)
        .filter_map(|number| {
            let late = random.random_range(0..60);
            random
                .random_bool(0.95)
                .then_some((u64::from(number) * 20 + late, number))
        })
        .collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let (mut played, mut missing) = (0, 0);
    let mut deepest = Duration::ZERO;
    for ms in (0..200_000).step_by(20) {
        while let Some((at, number)) = arrivals.next_if(|(at, _)| *at <= ms) {
            stream.comes(number, at);
        }
        deepest = deepest.max(stream.jitter.depth());
        match stream.jitter.next() {
            Next::Packet(_) => played += 1,
            Next::Lost { .. } | Next::Empty => missing += 1,
            Next::Gathering => {}
        }
    }
    assert!(played > 9_200, "{played} played, {missing} missing");
    assert!(missing < 800, "{missing} missing");
    assert!(deepest <= MOST, "{deepest:?}");
}

#[test]
fn nothing_that_comes_in_breaks_it() {
    let mut random = StdRng::seed_from_u64(9);
    let mut stream = Stream::new();
    for _ in 0..50_000 {
        stream.jitter.insert(Arrival {
            sequence: random.random(),
            timestamp: random.random(),
            scale: if random.random() { 1 } else { 6 },
            held: Held {
                payload: Bytes::new(),
                arrived: stream.start + Duration::from_millis(random.random_range(0..100_000)),
                samples: random.random_range(0..5760),
            },
        });
        if random.random_bool(0.3) {
            stream.jitter.next();
        }
        assert!(stream.jitter.depth() <= MOST);
    }
}
