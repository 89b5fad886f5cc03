//! Many calls over paths drawn by lot. A call that goes wrong is named by its seed.
//!
//! | variable | what it says | without |
//! |---|---|---|
//! | `PINHOLE_BENCH_RUNS` | how many calls | 100 |
//! | `PINHOLE_BENCH_SECONDS` | how long each lasts, in virtual time | 10 |
//! | `PINHOLE_BENCH_SEED` | the seed of the first | 0 |

use std::{fmt, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    call::Call,
    link::{Bottleneck, Conditions},
    seeds::{Seeds, variable},
    setting::Setting,
    viewer::{Asking, Ciphers, Wants},
};
use crate::media::Codec;

/// How long a session outlives a viewer whose goodbye got lost, and a little more.
const GONE: Duration = Duration::from_secs(32);
/// What a call may take until its first picture: the node's patience with a handshake.
const START: Duration = Duration::from_secs(20);
/// Packets that a session may hold: those for retransmission.
const HELD: usize = 1024;

/// The setting of a seed.
fn draw(seed: u64) -> Setting {
    let mut random = StdRng::seed_from_u64(seed);
    let mut up_to = |most: f64| random.random_range(0.0..most);
    // Short and long ways are as likely: 5 to 300 ms, evenly by their logarithm.
    let delay = 0.005 * 60f64.powf(up_to(1.0));
    let rate = 500_000.0 + up_to(2_500_000.0);
    let queue = rate / 8.0 * (0.15 + up_to(0.25));
    let bottleneck = Bottleneck {
        rate: rate as u64,
        queue: queue as usize,
    };
    let mut direction = |loss| Conditions {
        loss,
        delay: Duration::from_secs_f64(delay),
        jitter: Duration::from_secs_f64(up_to(delay.min(0.12) / 4.0)),
        reordering: up_to(0.03),
        duplication: up_to(0.01),
        bottleneck: Some(bottleneck),
    };
    let (to_viewer, to_node) = (direction(0.0), direction(0.0));
    // There is no congestion control: a person sets a bitrate that fits the path.
    let bitrate = rate * (0.6 + up_to(0.1));
    let (lost_down, lost_up) = (up_to(0.1), up_to(0.1));
    // As this core and its kin ask, and as pinhole-view does.
    let milliseconds = if up_to(1.0) < 0.5 { 100 } else { 20 };
    Setting {
        seed,
        codec: Codec::ALL[(seed % 2) as usize],
        bitrate: bitrate as u64,
        to_viewer: Conditions {
            loss: lost_down,
            ..to_viewer
        },
        to_node: Conditions {
            loss: lost_up,
            ..to_node
        },
        asking: Asking {
            interval: Duration::from_millis(milliseconds),
            tries: 10,
        },
        wants: Wants::Video,
        ciphers: match up_to(1.0) {
            share if share < 0.1 => Ciphers::ShortTag,
            share if share < 0.5 => Ciphers::CounterMode,
            _ => Ciphers::Any,
        },
        repairs: up_to(1.0) < 0.5,
        ..Setting::default()
    }
}

/// For how long a viewer may see no picture.
///
/// A picture waits for its last packet, and that may get lost several times in a row, or the requests for it: where a tenth gets lost in both
/// directions, one packet in 40,000 is missing after five rounds. The rest is for a keyframe, which a viewer asks for meanwhile, and which
/// waits for the bottleneck and for its own last packet.
fn bearable(setting: &Setting) -> Duration {
    let there_and_back = setting.to_viewer.delay + setting.to_node.delay;
    Duration::from_secs(3) + 6 * (there_and_back + setting.asking.interval)
}

/// What came of a call.
struct Account {
    pictures: u32,
    shown: u32,
    wanted: u32,
    keyframes: u32,
    sent: u64,
    again: u64,
    refused: u64,
    held: usize,
    start: Duration,
    gap: Duration,
}

/// Has a call, to its end.
fn call(setting: Setting, lasts: Duration) -> Result<Account, String> {
    let mut call = Call::new(setting);
    if !call.run_until(START, |call| call.viewer.screen().shown() > 0) {
        return Err(format!("no picture within {START:?}: {:?}", call.told));
    }
    let start = call.lasts();
    call.run(lasts);
    if let Some(ending) = call.ending() {
        return Err(format!("it ended: {ending}"));
    }
    if !call.told.silent.is_empty() {
        return Err(format!("it was held to be silent: {:?}", call.told));
    }
    let gap = call.viewer.screen().longest_gap(call.now).unwrap_or(lasts);
    let account = Account {
        pictures: call.given,
        shown: call.viewer.screen().shown(),
        wanted: call.told.keyframes_wanted,
        keyframes: call.source.keyframes(),
        sent: call.sent,
        again: call.retransmitted(),
        refused: call.to_viewer.figures().refused,
        held: call.holding.most(),
        start,
        gap,
    };
    if gap > bearable(&setting) {
        return Err(format!("stuck for {gap:.1?}: {account}"));
    }
    let undecrypted = call.viewer.reception().figures().undecrypted;
    if undecrypted > 0 {
        return Err(format!("{undecrypted} packets could not be decrypted: {account}"));
    }
    // One of two says goodbye.
    if setting.seed % 4 < 2 {
        call.hang_up();
    } else {
        call.close_viewer();
        call.run_until(GONE, |call| call.ending().is_some());
    }
    let left = call.holding.count();
    if left > 0 || account.held > HELD {
        return Err(format!("{left} payloads are left, of {} at most", account.held));
    }
    Ok(account)
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pictures,
            shown,
            wanted,
            keyframes,
            sent,
            again,
            refused,
            held,
            start,
            gap,
        } = self;
        write!(
            f,
            "{shown} of {pictures} pictures shown, {wanted} keyframes wanted and {keyframes} made, {again} of {sent} packets sent again, \
             {refused} found the queue full, {held} held at most, first picture after {start:.2?}, longest gap {gap:.2?}"
        )
    }
}

#[test]
#[allow(
    clippy::print_stderr,
    reason = "figures are for people, and a seed is what a failure is reproduced by"
)]
fn no_viewer_is_stuck_on_any_path() {
    let seeds = Seeds {
        count: "PINHOLE_BENCH_RUNS",
        usual: 100,
        first: "PINHOLE_BENCH_SEED",
    };
    let seconds = variable("PINHOLE_BENCH_SECONDS", 10);
    let outcome = seeds.each(|seed| {
        let setting = draw(seed);
        let account = call(setting, Duration::from_secs(seconds))
            .map_err(|failure| format!("{failure}\n{setting:?}"))?;
        if seeds.count() == 1 {
            eprintln!("{setting:#?}\n{account}");
        }
        Ok(account)
    });
    eprintln!(
        "{} calls of {seconds} s, median and worst:",
        outcome.accounts.len()
    );
    let of = |what: fn(&Account) -> u64| outcome.spread(what);
    let (pictures, shown) = (of(|a| a.pictures.into()), of(|a| a.shown.into()));
    eprintln!("  pictures sent {pictures:?}, shown {shown:?}");
    let shares = outcome.accounts.iter().map(|a| a.shown * 100 / a.pictures.max(1));
    eprintln!("  share shown, at least: {:?} %", shares.min());
    eprintln!(
        "  keyframes wanted {:?}, made {:?}",
        of(|a| a.wanted.into()),
        of(|a| a.keyframes.into())
    );
    eprintln!("  packets sent {:?}, again {:?}", of(|a| a.sent), of(|a| a.again));
    eprintln!("  found the queue full {:?}", of(|a| a.refused));
    eprintln!("  held {:?}", of(|a| a.held as u64));
    eprintln!("  first picture {:.2?}", outcome.spread(|a| a.start));
    eprintln!("  longest gap {:.2?}", outcome.spread(|a| a.gap));
    outcome.assert_well();
}
