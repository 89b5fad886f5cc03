use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::delay::Delay;
use crate::media::SOUND_RATE;

/// Sound that is held at most. What is beyond is thrown away, the oldest first: a voice that is late is worse than one
/// with a gap.
pub(super) const MOST: Duration = Duration::from_millis(200);
/// Packets that are held at most, whatever length they claim.
const MOST_PACKETS: usize = 80;
/// A sequence number that is further away than this belongs to another stream (RFC 3550, appendix A.1 has 3000; a
/// voice has 50 a second).
const FAR: i64 = 500;
/// Packets that are missing in a row, beyond which the stream goes on behind them.
const MOST_LOST: i64 = 10;
/// After such a pause the talker begins anew: what the time stamps say of the pause counts for nothing.
const PAUSE: Duration = Duration::from_millis(400);

/// The packets of one talker on their way to the loudspeaker: puts them into order, holds them back for as long as the
/// network is uneven, and says what is missing. Without a clock.
#[derive(Debug, Default)]
pub(super) struct Jitter {
    held: BTreeMap<i64, Held>,
    /// The sequence number to be played next, counted on beyond 16 bits. `None` while sound is gathered.
    next: Option<i64>,
    newest: Option<Newest>,
    /// What is held, in samples.
    samples: u32,
    delay: Delay,
    /// The zero of arrival times.
    epoch: Option<Instant>,
}

/// A packet that waits.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) payload: Bytes,
    pub(super) arrived: Instant,
    /// Its length, in samples.
    pub(super) samples: u32,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    sequence: i64,
    timestamp: u32,
    /// Samples since the stream's beginning.
    media: i64,
    arrived: Instant,
}

/// A packet, as far as this room cares.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) sequence: u16,
    /// In ticks of the coding's clock.
    pub(super) timestamp: u32,
    /// Samples for each tick.
    pub(super) scale: u64,
    pub(super) held: Held,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Held,
    /// Its turn has passed.
    Late,
    /// It was there before.
    Twice,
    /// It is held, and so many older ones were thrown away for it.
    Crowded(usize),
}

/// What is to be played next.
#[derive(Debug)]
pub(super) enum Next {
    Packet(Held),
    /// One packet is missing. The one after it may carry a coarse copy (in-band FEC).
    Lost {
        following: Option<Bytes>,
    },
    /// Nothing has come. Where it goes on for long the talker has ended.
    Empty,
    /// Sound is gathered first, or there is none.
    Gathering,
}

impl Jitter {
    /// Takes a packet in.
    pub(super) fn insert(&mut self, packet: Arrival) -> Fate {
        let Arrival {
            sequence,
            timestamp,
            scale,
            held,
        } = packet;
        let mut extended = i64::from(sequence);
        if let Some(newest) = self.newest {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a sequence number is the lowest 16 bits of the extended one"
            )]
            let step = i64::from(sequence.wrapping_sub(newest.sequence as u16).cast_signed());
            extended = newest.sequence + step;
            let pause = held.arrived.saturating_duration_since(newest.arrived);
            if step.abs() > FAR {
                self.begin();
            } else if pause > PAUSE && self.next.is_none() && self.held.is_empty() {
                self.delay.restart();
            }
        }
        if self.next.is_some_and(|next| extended < next) {
            return Fate::Late;
        }
        if self.held.contains_key(&extended) {
            return Fate::Twice;
        }
        self.measure(extended, timestamp, scale, &held);
        self.samples += held.samples;
        self.held.insert(extended, held);
        match self.make_room() {
            0 => Fate::Held,
            thrown => Fate::Crowded(thrown),
        }
    }

    /// What is due. Each call but those that give [`Next::Empty`] and [`Next::Gathering`] is one packet further.
    pub(super) fn next(&mut self) -> Next {
        let Some(next) = self.next else {
            let Some((&first, _)) = self.held.first_key_value() else {
                return Next::Gathering;
            };
            if self.depth() < self.delay.target() {
                return Next::Gathering;
            }
            self.next = Some(first);
            return self.next();
        };
        if let Some(held) = self.held.remove(&next) {
            self.samples -= held.samples;
            self.next = Some(next + 1);
            return Next::Packet(held);
        }
        let Some((&first, following)) = self.held.first_key_value() else {
            return Next::Empty;
        };
        if first - next > MOST_LOST {
            self.next = Some(first);
            return self.next();
        }
        self.next = Some(next + 1);
        Next::Lost {
            following: (first == next + 1).then(|| following.payload.clone()),
        }
    }

    /// The talker has ended, or paused: gathers anew before the next sound.
    pub(super) fn rest(&mut self) {
        self.next = None;
    }

    /// How much sound is held.
    pub(super) fn depth(&self) -> Duration {
        length(self.samples)
    }

    /// How much shall be held.
    pub(super) fn target(&self) -> Duration {
        self.delay.target()
    }

    /// Forgets everything of the stream but how uneven the network was.
    pub(super) fn begin(&mut self) {
        self.held.clear();
        self.samples = 0;
        self.next = None;
        self.newest = None;
        self.delay.restart();
    }

    /// Learns how uneven the network is, also from what comes out of order.
    fn measure(&mut self, sequence: i64, timestamp: u32, scale: u64, held: &Held) {
        let epoch = *self.epoch.get_or_insert(held.arrived);
        let media = match self.newest {
            Some(newest) => {
                let ticks = i64::from(timestamp.wrapping_sub(newest.timestamp).cast_signed());
                newest.media + ticks * scale.cast_signed()
            }
            // Room for packets that came after a later one.
            None => i64::from(SOUND_RATE) * 10,
        };
        if self.newest.is_none_or(|newest| sequence > newest.sequence) {
            self.newest = Some(Newest {
                sequence,
                timestamp,
                media,
                arrived: held.arrived,
            });
        }
        let arrival = held.arrived.saturating_duration_since(epoch);
        let media = Duration::from_secs_f64((media.max(0) as f64) / f64::from(SOUND_RATE));
        self.delay.see(arrival, media, length(held.samples));
    }

    /// Throws the oldest away where more is held than may be. Returns how many.
    fn make_room(&mut self) -> usize {
        let mut thrown = 0;
        while self.depth() > MOST || self.held.len() > MOST_PACKETS {
            let Some((sequence, held)) = self.held.pop_first() else {
                break;
            };
            self.samples -= held.samples;
            thrown += 1;
            self.next = self.next.map(|next| next.max(sequence + 1));
        }
        thrown
    }
}

/// How long so many samples last.
pub(super) fn length(samples: u32) -> Duration {
    Duration::from_nanos(u64::from(samples) * 1_000_000_000 / u64::from(SOUND_RATE))
}

#[cfg(test)]
mod tests;
