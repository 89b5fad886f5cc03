//! Which pictures are in the encoder's hands, and how long to wait for them.
//!
//! An encoder for live pictures gives each back coded before it takes the next. Some keep one or more back, always; waiting for
//! those at every picture would cost the whole patience each time. So how many are kept back is learned, and forgotten again where
//! it turns out that the encoder was late only once.

use std::{collections::VecDeque, time::Duration};

use crate::media::Timestamp;

/// More than any encoder that does not reorder pictures keeps back.
pub const MOST_KEPT: usize = 2;

/// The pictures under way, in order.
#[derive(Debug, Default)]
pub struct Flight {
    sent: VecDeque<Timestamp>,
    kept: usize,
}

/// The encoder takes pictures and gives none.
#[derive(Debug, PartialEq, Eq)]
pub struct Silent;

impl Flight {
    /// A picture goes in.
    pub fn sent(&mut self, captured_at: Timestamp) {
        self.sent.push_back(captured_at);
    }

    /// A coded picture came out with this time stamp: when it was captured. Those before it were left out by the encoder. A driver that
    /// passes no stamps on keeps the order at least.
    pub fn arrived(&mut self, stamp: Duration) -> Option<Timestamp> {
        let microseconds = |time: Duration| time.as_micros();
        let position = self
            .sent
            .iter()
            .position(|sent| microseconds(sent.as_duration()) == microseconds(stamp));
        self.sent
            .drain(..=position.unwrap_or(0).min(self.sent.len().checked_sub(1)?))
            .next_back()
    }

    /// Whether a picture is under way that should come before the next one is sent.
    pub fn is_awaited(&self) -> bool {
        self.sent.len() > self.kept
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// How many the encoder keeps back.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Nothing came although it was waited for: the encoder keeps one more back.
    pub fn in_vain(&mut self) -> Result<(), Silent> {
        self.kept = self.sent.len();
        if self.kept > MOST_KEPT {
            Err(Silent)
        } else {
            Ok(())
        }
    }

    /// Before the next picture is sent: an encoder that has given everything by now keeps nothing back.
    pub fn settle(&mut self) {
        if self.sent.is_empty() {
            self.kept = 0;
        }
    }

    /// Nothing is under way any more.
    pub fn clear(&mut self) {
        self.sent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_monotonic(Duration::from_millis(milliseconds))
    }

    #[test]
    fn each_coded_picture_is_known_by_its_time() {
        let mut flight = Flight::default();
        assert_eq!(flight.arrived(Duration::ZERO), None, "nothing was sent");
        for milliseconds in [10, 20, 30, 40] {
            flight.sent(at(milliseconds));
        }
        assert_eq!(flight.arrived(Duration::from_millis(10)), Some(at(10)));
        assert_eq!(
            flight.arrived(Duration::from_millis(30)),
            Some(at(30)),
            "20 was left out"
        );
        assert_eq!(
            flight.arrived(Duration::ZERO),
            Some(at(40)),
            "no stamp: the next in order"
        );
        assert_eq!(flight.len(), 0);
    }

    #[test]
    fn how_many_are_kept_back_is_learned() {
        let mut flight = Flight::default();
        flight.sent(at(10));
        assert!(flight.is_awaited());
        assert_eq!(flight.in_vain(), Ok(()));
        assert!(!flight.is_awaited());
        flight.settle();
        flight.sent(at(20));
        assert!(flight.is_awaited(), "one may stay, the other is due");
        assert_eq!(flight.arrived(Duration::from_millis(10)), Some(at(10)));
        assert!(!flight.is_awaited());
        assert_eq!(flight.kept(), 1);
    }

    #[test]
    fn an_encoder_that_was_late_once_keeps_nothing_back() {
        let mut flight = Flight::default();
        flight.sent(at(10));
        assert_eq!(flight.in_vain(), Ok(()));
        assert_eq!(
            flight.arrived(Duration::from_millis(10)),
            Some(at(10)),
            "before the next"
        );
        flight.settle();
        flight.sent(at(20));
        assert!(flight.is_awaited());
    }

    #[test]
    fn an_encoder_that_gives_nothing_is_found_out() {
        let mut flight = Flight::default();
        for number in 0..2 {
            flight.sent(at(number));
            assert_eq!(flight.in_vain(), Ok(()), "{number}");
        }
        flight.sent(at(2));
        assert_eq!(flight.in_vain(), Err(Silent));
    }
}
