//! What a person at the other end would hear: packets in, and whether they fit each other.

use std::collections::BTreeMap;

use rtc::rtp::Packet;

use super::{
    microphone::{self, LASTS},
    numbers::Numbers,
};
use crate::media::SoundCodec;

/// The receiving end of one stream of sound.
#[derive(Debug, Default)]
pub(super) struct Ear {
    numbers: Numbers,
    units: BTreeMap<u64, Unit>,
}

#[derive(Clone, Copy, Debug)]
struct Unit {
    number: u32,
    timestamp: u32,
}

impl Ear {
    /// Units that came.
    pub(super) fn heard(&self) -> usize {
        self.units.len()
    }

    /// The newest unit's number.
    pub(super) fn last(&self) -> Option<u32> {
        self.units.last_key_value().map(|(_, unit)| unit.number)
    }

    /// Packets between the first and the newest that did not come.
    pub(super) fn missing(&self) -> u64 {
        let ends = self.units.first_key_value().zip(self.units.last_key_value());
        ends.map_or(0, |((first, _), (last, _))| {
            last + 1 - first - self.units.len() as u64
        })
    }

    /// Takes a packet.
    ///
    /// # Panics
    /// It is not as it was sent, or not in its place among the others.
    pub(super) fn receive(&mut self, packet: &Packet) {
        let place = self.numbers.take(packet.header.sequence_number);
        let unit = Unit {
            number: microphone::read(&packet.payload).expect("a unit as it was sent"),
            timestamp: packet.header.timestamp,
        };
        if let Some((_, before)) = self.units.range(..place).next_back() {
            before.assert_comes_before(unit);
        }
        if let Some((_, behind)) = self.units.range(place + 1..).next() {
            unit.assert_comes_before(*behind);
        }
        self.units.insert(place, unit);
    }
}

impl Unit {
    fn assert_comes_before(self, next: Self) {
        assert!(self.number < next.number, "{self:?} before {next:?}");
        let ticks = LASTS.as_millis() as u32 * SoundCodec::Opus.clock_rate() / 1000;
        let passed = next.timestamp.wrapping_sub(self.timestamp);
        assert_eq!(
            passed,
            (next.number - self.number) * ticks,
            "{self:?} before {next:?}"
        );
    }
}
