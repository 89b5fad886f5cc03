use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    decode::{DecodeError, Decoder, MOST, USUAL, samples_in},
    figures::Figures,
    jitter::{Arrival, Fate, Held, Jitter, Next, length},
    level,
    packet::{Packet, samples_per_tick},
};
use crate::media::SoundCodec;

/// How long an end of speech, or a hole in it, is filled with what was heard last.
const FILLED: Duration = Duration::from_millis(60);
/// Plays after which the depth is judged: half a second.
const JUDGED: u32 = 50;
/// Sound above the target that was never needed within [`JUDGED`], from which on a quiet frame is left out …
const SURPLUS: Duration = Duration::from_millis(25);
/// … and from which on any frame is.
const EXCESS: Duration = Duration::from_millis(80);
/// So quiet a frame is not missed: -40 dBFS.
const QUIET: f32 = 0.01;

/// One talker: from packets to samples. Without a clock.
#[derive(Debug)]
pub(super) struct Speech {
    codec: SoundCodec,
    ssrc: u32,
    jitter: Jitter,
    decoder: Decoder,
    /// Decoded and not yet played.
    ready: VecDeque<f32>,
    /// The length of this talker's packets, in samples.
    frame: u32,
    /// What was filled since the last packet.
    filled: Filled,
    /// The least depth in this round of [`JUDGED`].
    least: Duration,
    plays: u32,
    surplus: Option<Duration>,
    /// Of what was played last.
    level: f32,
}

#[derive(Debug, Default)]
struct Filled {
    lasts: Duration,
    frames: u64,
}

impl Speech {
    /// # Errors
    /// There is no memory for a decoder.
    pub(super) fn new(codec: SoundCodec, ssrc: u32) -> Result<Self, DecodeError> {
        Ok(Self {
            codec,
            ssrc,
            jitter: Jitter::default(),
            decoder: Decoder::new(codec)?,
            ready: VecDeque::with_capacity(2 * MOST),
            frame: USUAL,
            filled: Filled::default(),
            least: Duration::MAX,
            plays: 0,
            surplus: None,
            level: 0.0,
        })
    }

    /// Takes a packet in, to be played when its turn comes.
    pub(super) fn hear(&mut self, packet: Packet, figures: &Figures) {
        let Some(samples) = samples_in(packet.codec, &packet.payload) else {
            return figures.damaged.one();
        };
        if !self.follow(&packet) {
            return figures.damaged.one();
        }
        let fate = self.jitter.insert(Arrival {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            scale: samples_per_tick(packet.codec),
            held: Held {
                payload: packet.payload,
                arrived: packet.arrived,
                samples,
            },
        });
        match fate {
            Fate::Held => {}
            Fate::Late => figures.late.one(),
            Fate::Twice => {}
            Fate::Crowded(thrown) => figures.skipped.add(thrown as u64),
        }
    }

    /// Whether somebody talks in this packet; it is heard, not played.
    pub(super) fn overhear(&mut self, packet: &Packet, figures: &Figures) -> bool {
        if samples_in(packet.codec, &packet.payload).is_none() || !self.follow(packet) {
            figures.damaged.one();
            return false;
        }
        self.ready.clear();
        if self.decoder.decode(&packet.payload, &mut self.ready).is_err() {
            figures.damaged.one();
        }
        self.level = level::rms(self.ready.make_contiguous());
        self.ready.clear();
        self.level > level::AUDIBLE
    }

    /// Gives the next samples, where there are any, and remembers in `waits` how long packets have waited since they came
    /// until they are heard, from `now` on.
    pub(super) fn play(
        &mut self,
        out: &mut [f32],
        now: Instant,
        waits: &mut Vec<Duration>,
        figures: &Figures,
    ) -> bool {
        self.judge();
        while self.ready.len() < out.len() {
            match self.jitter.next() {
                Next::Packet(held) => self.decode(&held, now, waits, figures),
                Next::Lost { following } => {
                    self.settle(figures);
                    figures.concealed.one();
                    let frame = self.frame as usize;
                    self.decoder.conceal(following.as_deref(), frame, &mut self.ready);
                }
                Next::Empty if self.filled.lasts < FILLED => {
                    self.filled.lasts += length(self.frame);
                    self.filled.frames += 1;
                    self.decoder.conceal(None, self.frame as usize, &mut self.ready);
                }
                Next::Empty => {
                    // Most likely the talker has ended: nothing was missing.
                    self.filled = Filled::default();
                    self.jitter.rest();
                    break;
                }
                Next::Gathering => break,
            }
        }
        let count = self.ready.len().min(out.len());
        for (sample, ready) in out.iter_mut().zip(self.ready.drain(..count)) {
            *sample = ready;
        }
        out[count..].fill(0.0);
        self.level = level::rms(out);
        count > 0
    }

    /// How much sound waits.
    pub(super) fn depth(&self) -> Duration {
        #[allow(clippy::cast_possible_truncation, reason = "a few thousand at most")]
        let ready = self.ready.len() as u32;
        self.jitter.depth() + length(ready)
    }

    /// How much is meant to.
    pub(super) fn target(&self) -> Duration {
        self.jitter.target()
    }

    /// The root mean square of what was played last.
    pub(super) fn level(&self) -> f32 {
        self.level
    }

    /// Forgets what waits.
    pub(super) fn begin(&mut self) {
        self.jitter.begin();
        self.ready.clear();
        self.filled = Filled::default();
        self.least = Duration::MAX;
        self.surplus = None;
    }

    /// Follows a talker to another stream or codec. Returns whether it can.
    fn follow(&mut self, packet: &Packet) -> bool {
        if packet.codec == self.codec && packet.ssrc == self.ssrc {
            return true;
        }
        match Decoder::new(packet.codec) {
            Ok(decoder) => {
                self.decoder = decoder;
                self.codec = packet.codec;
                self.ssrc = packet.ssrc;
                self.begin();
                true
            }
            Err(_) => false,
        }
    }

    fn decode(&mut self, held: &Held, now: Instant, waits: &mut Vec<Duration>, figures: &Figures) {
        self.settle(figures);
        self.frame = held.samples;
        let before = self.ready.len();
        #[allow(clippy::cast_possible_truncation, reason = "a few thousand at most")]
        let ahead = length(before as u32);
        if self.decoder.decode(&held.payload, &mut self.ready).is_err() {
            figures.damaged.one();
            self.decoder.conceal(None, held.samples as usize, &mut self.ready);
        }
        if self.is_superfluous(before) {
            self.ready.truncate(before);
            figures.skipped.one();
            return;
        }
        waits.push(now.saturating_duration_since(held.arrived) + ahead);
    }

    /// A packet has come after all: what was filled meanwhile was a hole and not the end.
    fn settle(&mut self, figures: &Figures) {
        figures.concealed.add(std::mem::take(&mut self.filled).frames);
    }

    /// Watches how much sound waits that is never needed.
    fn judge(&mut self) {
        self.least = self.least.min(self.depth());
        self.plays += 1;
        if self.plays < JUDGED {
            return;
        }
        self.plays = 0;
        let never_needed =
            std::mem::replace(&mut self.least, Duration::MAX).saturating_sub(self.jitter.target());
        self.surplus = (never_needed > SURPLUS).then_some(never_needed);
    }

    /// Whether to leave out the frame that begins at `from`, so that the delay does not stay.
    fn is_superfluous(&mut self, from: usize) -> bool {
        let Some(surplus) = self.surplus else {
            return false;
        };
        let frame = length(self.frame);
        let is_quiet = level::rms(&self.ready.make_contiguous()[from..]) < QUIET;
        if !is_quiet && surplus < EXCESS {
            return false;
        }
        let left = surplus.saturating_sub(frame);
        self.surplus = (left > SURPLUS).then_some(left);
        true
    }
}

#[cfg(test)]
mod tests;
