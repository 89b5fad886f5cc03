use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    figures::Figures,
    level,
    packet::{Packet, Talker},
    speech::Speech,
};

/// Who is heard at the same time. Each costs a decoder; and of more nobody understands a word.
pub(super) const MOST_TALKERS: usize = 8;
/// A talker of whom nothing has come for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Who was silent for so long gives up the place to somebody who wants to talk.
const YIELDS: Duration = Duration::from_secs(2);
/// Pauses between words belong to them.
const BETWEEN_WORDS: Duration = Duration::from_millis(400);
/// The loudest that the sum of all may be.
const CEILING: f32 = 0.95;
/// How much of the lowered volume comes back with each 10 ms: all of it in about a second.
const RECOVERY: f32 = 0.03;

/// All talkers, added up. Without a clock.
#[derive(Debug)]
pub(super) struct Mixer {
    seats: Vec<Seat>,
    figures: Arc<Figures>,
    gain: f32,
    one: Vec<f32>,
    waits: Vec<Duration>,
}

#[derive(Debug)]
struct Seat {
    talker: Talker,
    speech: Speech,
    /// When the last packet came.
    came: Instant,
    /// When the last sound was heard.
    audible: Option<Instant>,
    since: Instant,
}

/// A talker, for whoever wants to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TalkerReport {
    /// Who.
    pub talker: Talker,
    /// Whether something is heard.
    pub is_audible: bool,
    /// How loud, in decibels below full scale; -120 for silence.
    pub level: f32,
    /// Sound that waits.
    pub depth: Duration,
    /// Sound that is meant to wait.
    pub target: Duration,
}

impl Mixer {
    pub(super) fn new(figures: Arc<Figures>) -> Self {
        Self {
            seats: Vec::with_capacity(MOST_TALKERS),
            figures,
            gain: 1.0,
            one: Vec::new(),
            waits: Vec::with_capacity(64),
        }
    }

    /// Takes a packet, to be played.
    pub(super) fn hear(&mut self, packet: Packet, now: Instant) {
        let figures = self.figures.clone();
        match self.seat(&packet, now) {
            Some(seat) => seat.speech.hear(packet, &figures),
            None => figures.refused.one(),
        }
    }

    /// Listens to a packet while nothing is played: whether somebody talks in it.
    pub(super) fn overhear(&mut self, packet: &Packet, now: Instant) -> bool {
        let figures = self.figures.clone();
        let Some(seat) = self.seat(packet, now) else {
            figures.refused.one();
            return false;
        };
        let is_audible = seat.speech.overhear(packet, &figures);
        if is_audible {
            seat.audible = Some(now);
        }
        is_audible
    }

    /// Everybody together, into `out`. `now` is when its first sample leaves this room.
    pub(super) fn mix(&mut self, out: &mut [f32], now: Instant) {
        out.fill(0.0);
        self.waits.clear();
        self.one.resize(out.len(), 0.0);
        for seat in &mut self.seats {
            if !seat
                .speech
                .play(&mut self.one, now, &mut self.waits, &self.figures)
            {
                continue;
            }
            if seat.speech.level() > level::AUDIBLE {
                seat.audible = Some(now);
            }
            for (sum, sample) in out.iter_mut().zip(&self.one) {
                *sum += sample;
            }
        }
        self.limit(out);
    }

    /// How long the packets waited whose first sample was in the last mix.
    pub(super) fn waits(&self) -> &[Duration] {
        &self.waits
    }

    /// Whether anybody is heard, pauses between words included.
    pub(super) fn is_audible(&self, now: Instant) -> bool {
        self.seats.iter().any(|seat| seat.is_audible(now))
    }

    /// By how much more sound waits than is meant to, on average over those who talk, in seconds. `None` where nobody does.
    pub(super) fn surplus(&self, now: Instant) -> Option<f64> {
        let audible = self.seats.iter().filter(|seat| seat.is_audible(now));
        let surplus =
            audible.map(|seat| seat.speech.depth().as_secs_f64() - seat.speech.target().as_secs_f64());
        let (count, sum) = surplus.fold((0u32, 0.0), |(count, sum), one| (count + 1, sum + one));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// Forgets those who have not sent anything for a while.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.seats
            .retain(|seat| now.saturating_duration_since(seat.came) < FORGOTTEN);
    }

    /// Throws away what waits: it is too old to be played.
    pub(super) fn begin(&mut self) {
        for seat in &mut self.seats {
            seat.speech.begin();
        }
    }

    /// Who is there.
    pub(super) fn report(&self, now: Instant) -> Vec<TalkerReport> {
        let report = |seat: &Seat| TalkerReport {
            talker: seat.talker,
            is_audible: seat.is_audible(now),
            level: level::decibels(seat.speech.level()),
            depth: seat.speech.depth(),
            target: seat.speech.target(),
        };
        self.seats.iter().map(report).collect()
    }

    /// The place of a packet's talker, a new one where there is room.
    fn seat(&mut self, packet: &Packet, now: Instant) -> Option<&mut Seat> {
        if let Some(place) = self.seats.iter().position(|seat| seat.talker == packet.talker) {
            let seat = &mut self.seats[place];
            seat.came = now;
            return Some(seat);
        }
        if self.seats.len() >= MOST_TALKERS {
            let silent_for = |seat: &Seat| now.saturating_duration_since(seat.audible.unwrap_or(seat.since));
            let quietest = self
                .seats
                .iter()
                .enumerate()
                .max_by_key(|(_, seat)| silent_for(seat));
            let (place, _) = quietest.filter(|(_, seat)| silent_for(seat) > YIELDS)?;
            self.seats.swap_remove(place);
        }
        let speech = Speech::new(packet.codec, packet.ssrc).ok()?;
        self.seats.push(Seat {
            talker: packet.talker,
            speech,
            came: now,
            audible: None,
            since: now,
        });
        self.seats.last_mut()
    }

    /// Lowers the volume at once where the sum is too loud, and lets it come back slowly.
    fn limit(&mut self, out: &mut [f32]) {
        let peak = out.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        let before = self.gain;
        let allowed = if peak > CEILING { CEILING / peak } else { 1.0 };
        self.gain = (before + (1.0 - before) * RECOVERY).min(allowed);
        let step = (self.gain - before) / out.len().max(1) as f32;
        let mut gain = before;
        for sample in out {
            gain += step;
            // On its way down the volume may still be too high.
            *sample = (*sample * gain).clamp(-1.0, 1.0);
        }
    }
}

impl Seat {
    fn is_audible(&self, now: Instant) -> bool {
        self.audible
            .is_some_and(|audible| now.saturating_duration_since(audible) < BETWEEN_WORDS)
    }
}

#[cfg(test)]
mod tests;
