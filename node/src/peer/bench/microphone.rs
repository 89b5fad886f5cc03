//! A microphone and its encoder, in virtual time. As with [`Source`](super::source::Source), what is between it and a session is the node's own.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{
    fanout::{self, Demand, Publisher},
    media::{Privacy, SoundCodec, SoundUnit, Timestamp},
    peer::sound::SoundFeed,
};

/// The sound of one unit.
pub(super) const LASTS: Duration = Duration::from_millis(20);
/// When the first unit comes. A microphone runs by a clock of its own.
const PHASE: Duration = Duration::from_millis(3);
/// Bytes of a unit: 32 kbit/s.
const LENGTH: usize = 80;

/// What gives sound.
pub(super) struct Microphone {
    publisher: Publisher<SoundUnit>,
    feed: SoundFeed,
    start: Instant,
    units: u32,
}

impl Microphone {
    /// One that gives its first unit soon after `start`.
    pub(super) fn new(start: Instant) -> Self {
        let privacy = Privacy::default();
        let ([publisher], broadcast) = fanout::broadcast([SoundCodec::Opus], &Demand::default(), &privacy);
        Self {
            publisher,
            feed: SoundFeed::new(broadcast, SoundCodec::Opus),
            start,
            units: 0,
        }
    }

    /// When the next unit comes.
    pub(super) fn deadline(&self) -> Instant {
        self.start + PHASE + LASTS * self.units
    }

    /// The unit that is due, as sessions get it, while anybody hears the codec.
    pub(super) fn unit(&mut self, heard: Option<SoundCodec>) -> Option<SoundUnit> {
        self.feed.set_heard(heard == Some(self.feed.codec()));
        let captured_at = self.deadline().saturating_duration_since(self.start);
        self.publisher.publish(&SoundUnit {
            data: write(self.units),
            captured_at: Timestamp::from_monotonic(captured_at),
            after_silence: false,
        });
        self.units += 1;
        let mut context = Context::from_waker(Waker::noop());
        match self.feed.poll_unit(&mut context) {
            Poll::Ready(unit) => unit,
            Poll::Pending => None,
        }
    }
}

/// The unit of this number.
fn write(number: u32) -> Bytes {
    let mut data = number.to_be_bytes().to_vec();
    data.resize(LENGTH, filling(number));
    data.into()
}

/// What a unit is filled with, which tells whether its number is intact.
fn filling(number: u32) -> u8 {
    let digits = number.to_be_bytes().into_iter();
    digits.fold(0, |sum: u8, digit| sum.wrapping_mul(31).wrapping_add(digit))
}

/// The number of a unit; `None` where it is not as it was written.
pub(super) fn read(data: &[u8]) -> Option<u32> {
    let (number, filled) = data.split_first_chunk()?;
    let number = u32::from_be_bytes(*number);
    let is_intact = data.len() == LENGTH && filled.iter().all(|byte| *byte == filling(number));
    is_intact.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_come_at_their_times_while_somebody_hears_them() {
        let start = Instant::now();
        let mut microphone = Microphone::new(start);
        assert!(microphone.unit(None).is_none());
        assert!(microphone.unit(Some(SoundCodec::Pcmu)).is_none());
        for number in 2..5 {
            assert_eq!(microphone.deadline(), start + PHASE + LASTS * number);
            let unit = microphone.unit(Some(SoundCodec::Opus)).expect("it is heard");
            assert_eq!(read(&unit.data), Some(number));
        }
    }

    #[test]
    fn what_was_changed_on_the_way_can_not_be_read() {
        let written = write(1000);
        for at in 0..written.len() {
            let mut damaged = written.to_vec();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged), None, "{at}");
        }
        assert_eq!(read(&written[1..]), None);
        assert_eq!(read(&written), Some(1000));
    }
}
