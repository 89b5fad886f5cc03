//! What happens in a session, drawn by lot.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    media::Codec,
    peer::bench::{
        link::Conditions,
        setting::Setting,
        viewer::{Asking, Ciphers, Media, Wants},
    },
};

/// The last number before they begin anew.
const LAST: u16 = u16::MAX;

/// What a viewer does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// It has ICE begin anew, at the same address, …
    Restart,
    /// … or at another.
    Move,
    /// It switches a section off, or on, or adds it.
    Switch(Media),
    /// It asks for packets, whether it needs them or not.
    Ask { times: u32 },
}

/// A session from its first offer to its end.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) setting: Setting,
    /// What the path is like after the first picture, where it was a good one until then.
    pub(super) later: Option<(Conditions, Conditions)>,
    /// After which time the viewer answers our offer of a picture, where that is ours to offer, …
    pub(super) agrees_after: Option<Duration>,
    /// … and whether it makes one of its own before.
    pub(super) offers_first: bool,
    /// Each with how long it is after the one before.
    pub(super) acts: Vec<(Duration, Act)>,
    /// For what is drawn when it happens.
    pub(super) random: StdRng,
}

impl Course {
    /// The course of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let (to_viewer, to_node) = (path(&mut random), path(&mut random));
        // Nobody can count how often numbers begin anew while he can't hear yet: they begin in their lower half, unless nothing gets lost.
        let begins_well = random.random_bool(0.6);
        let first = begins_well.then(|| LAST - random.random_range(0..120));
        let wants = match random.random_range(0..10) {
            0..2 => Wants::Sound,
            2..5 => Wants::Video,
            _ => Wants::Both,
        };
        let setting = Setting {
            on_request: true,
            seed,
            codec: match wants {
                // It is what we offer.
                Wants::Sound => Codec::Vp8,
                _ => Codec::ALL[random.random_range(0..2)],
            },
            bitrate: random.random_range(200_000..1_000_000),
            to_viewer: if begins_well { good(to_viewer) } else { to_viewer },
            to_node: if begins_well { good(to_node) } else { to_node },
            asking: Asking {
                interval: Duration::from_millis(if random.random_bool(0.5) { 100 } else { 20 }),
                tries: 10,
            },
            wants,
            ciphers: match random.random_range(0..8) {
                0..2 => Ciphers::Any,
                2..4 => Ciphers::Aes256,
                4..7 => Ciphers::CounterMode,
                _ => Ciphers::ShortTag,
            },
            repairs: random.random_bool(0.5),
            microphone: random.random_bool(0.7),
            first,
        };
        let acts = (0..random.random_range(1..6)).map(|_| {
            let wait = Duration::from_millis(random.random_range(0..300));
            (wait, act(&mut random))
        });
        Self {
            acts: acts.collect(),
            setting,
            later: begins_well.then_some((to_viewer, to_node)),
            agrees_after: (wants == Wants::Sound).then(|| Duration::from_millis(random.random_range(0..600))),
            offers_first: !begins_well && random.random_bool(0.3),
            random,
        }
    }
}

/// One direction of a path that is worse than most.
fn path(random: &mut StdRng) -> Conditions {
    let delay = random.random_range(0.001..0.1);
    Conditions {
        loss: random.random_range(0.0..0.1),
        delay: Duration::from_secs_f64(delay),
        jitter: Duration::from_secs_f64(random.random_range(0.0..delay / 2.0)),
        reordering: random.random_range(0.0..0.1),
        duplication: random.random_range(0.0..0.05),
        bottleneck: None,
    }
}

/// The same, but all comes once and in its order.
fn good(path: Conditions) -> Conditions {
    Conditions {
        loss: 0.0,
        reordering: 0.0,
        duplication: 0.0,
        ..path
    }
}

fn act(random: &mut StdRng) -> Act {
    match random.random_range(0..10) {
        0..2 => Act::Restart,
        2..4 => Act::Move,
        4 => Act::Switch(Media::Picture),
        5..7 => Act::Switch(Media::Sound),
        _ => Act::Ask {
            times: random.random_range(1..4),
        },
    }
}
