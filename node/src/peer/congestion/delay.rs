//! How long packets wait on their way.

use super::trend::{Signal, Trend};

/// What is sent within so many microseconds is one group.
const BURST: u64 = 5000;
/// The shortest way is that of the last one or two spans of so many microseconds: a path may change.
const SPAN: i64 = 5_000_000;
/// A queue that is shorter than this, in microseconds, is none that we have made.
const NOTICED: i64 = 20_000;
/// A queue that has been longer than this for the last groups stands, whatever its trend is.
const STANDS: i64 = 200_000;
const LAST: usize = 16;
/// After a silence as long as this, in microseconds, a group is not compared with the one before.
const SILENCE: u64 = 1_000_000;

/// A packet on its way, in microseconds on two clocks.
#[derive(Clone, Copy, Debug)]
struct Way {
    sent: u64,
    arrived: i64,
}

impl Way {
    /// How long it took, but for what is between the clocks.
    fn took(self) -> i64 {
        self.arrived - self.sent as i64
    }
}

/// The delays of groups of packets.
///
/// Of a group the first packet counts: pictures are sent in one go, so the last one waits for those before it however free the path is, and the
/// longer the picture is. The first finds what is left of the pictures before.
#[derive(Debug, Default)]
pub(super) struct Delay {
    trend: Trend,
    group: Option<Way>,
    /// The shortest way in this span, and in the one before.
    shortest: Option<(i64, i64)>,
    span_began: i64,
    /// Of the last groups, how long each was on its way.
    last: [i64; LAST],
    groups: usize,
    signal: Signal,
}

impl Delay {
    /// A packet that was sent at one time arrived at another.
    pub(super) fn arrived(&mut self, sent: u64, arrived: i64) {
        let way = Way { sent, arrived };
        let Some(before) = self.group else {
            return self.begin(way);
        };
        if sent < before.sent + BURST {
            return;
        }
        self.begin(way);
        let after = sent - before.sent;
        if after > SILENCE {
            return self.trend.forget();
        }
        let longer = way.took() - before.took();
        let milliseconds = |microseconds: i64| microseconds as f64 / 1000.0;
        let signal = self
            .trend
            .add(milliseconds(arrived), milliseconds(longer), after as f64 / 1000.0);
        self.signal = match signal {
            // A machine that stood still, or a keyframe, makes a queue at once, which empties itself while the trend still rises.
            Signal::Overuse if self.queue() < NOTICED || longer <= 0 => Signal::Normal,
            _ if self.stands() => Signal::Overuse,
            other => other,
        };
    }

    /// What the delays say.
    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    /// How long the newest group waited, in microseconds.
    pub(super) fn queue(&self) -> i64 {
        match (self.shortest, self.group) {
            (Some((one, other)), Some(group)) => group.took() - one.min(other),
            _ => 0,
        }
    }

    fn stands(&self) -> bool {
        let Some((one, other)) = self.shortest.filter(|_| self.groups >= LAST) else {
            return false;
        };
        let least = self.last.iter().min().copied().unwrap_or_default();
        least - one.min(other) > STANDS
    }

    fn begin(&mut self, way: Way) {
        let took = way.took();
        self.group = Some(way);
        self.last[self.groups % LAST] = took;
        self.groups = self.groups.wrapping_add(1).max(1);
        self.shortest = Some(match self.shortest {
            None => {
                self.span_began = way.arrived;
                (took, took)
            }
            Some((this, _)) if way.arrived - self.span_began > SPAN => {
                self.span_began = way.arrived;
                (took, this)
            }
            Some((this, before)) => (this.min(took), before),
        });
    }
}
