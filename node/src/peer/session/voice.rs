//! What a viewer says, as far as it may be heard.

use std::time::{Duration, Instant};

use rtc::rtp::Packet;

use crate::{
    media::TalkBack,
    peer::sdp::{Microphone, Role},
    voice::{self, Talker},
};

/// Packets of one viewer's voice in a second, in the long run: frames of 10 ms, and half as many again.
const RATE: f64 = 150.0;
/// Packets that may come at once, after a hole in the network.
const BURST: f64 = 100.0;

/// Picks the viewer's voice out of what comes, as far as it may be heard.
#[derive(Debug)]
pub(super) struct Ear {
    /// The section that it listens to.
    role: Role,
    /// Whether the viewer would send there now.
    is_sent: bool,
    microphone: Microphone,
    talker: Talker,
    is_open: bool,
    budget: Budget,
}

/// A packet came faster than those of any voice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooFast;

impl Ear {
    pub(super) fn new(role: Role, microphone: Microphone, talker: Talker, now: Instant) -> Self {
        Self {
            role,
            is_sent: true,
            microphone,
            talker,
            is_open: true,
            budget: Budget::new(now),
        }
    }

    /// The core's name of the section that it listens to, while the viewer would send there.
    pub(super) fn section(&self) -> Option<&'static str> {
        self.is_sent.then(|| self.role.name())
    }

    /// Listens from now on, or not, as the viewer's new offer says.
    pub(super) fn renew(&mut self, microphone: Option<&(Role, Microphone)>) {
        self.is_sent = microphone.is_some_and(|(role, _)| *role == self.role);
    }

    /// Obeys a change of who may be heard.
    pub(super) fn obey(&mut self, talk_back: TalkBack) {
        self.is_open = self.microphone.is_allowed(talk_back);
    }

    /// Takes any packet of the viewer; `None` where it is not for us.
    pub(super) fn hear(&mut self, packet: Packet, now: Instant) -> Option<Result<voice::Packet, TooFast>> {
        let Packet { header, payload } = packet;
        let mut codecs = self.microphone.codecs.iter();
        let (_, codec) = codecs.find(|(number, _)| *number == header.payload_type)?;
        if !self.is_open {
            return None;
        }
        if !self.budget.spend(now) {
            return Some(Err(TooFast));
        }
        Some(Ok(voice::Packet {
            talker: self.talker,
            ssrc: header.ssrc,
            codec: *codec,
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            payload,
            arrived: now,
        }))
    }
}

/// A bucket of packets that fills by itself.
#[derive(Debug)]
struct Budget {
    left: f64,
    since: Instant,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            since: now,
        }
    }

    fn spend(&mut self, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.since);
        self.since = now;
        self.left = (self.left + passed.as_secs_f64() * RATE).min(BURST);
        let is_enough = self.left >= 1.0;
        if is_enough {
            self.left -= 1.0;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_has_enough_and_a_flood_does_not() {
        let start = Instant::now();
        let spent = |each: Duration, count: u32| {
            let mut budget = Budget::new(start);
            (0..count)
                .filter(|number| budget.spend(start + each * *number))
                .count()
        };
        assert_eq!(
            spent(Duration::from_millis(10), 6000),
            6000,
            "a minute in frames of 10 ms"
        );
        assert_eq!(spent(Duration::ZERO, 50), 50, "a second after a hole");
        let flood = spent(Duration::from_micros(100), 100_000);
        assert!((1550..1650).contains(&flood), "of ten seconds: {flood}");
    }
}
