//! Which pictures are in the encoder's hands, and how long to wait for them.
//!
//! An encoder for live pictures gives each back coded before it takes the next. Some keep one or more back, always, or take longer than a
//! frame interval for one and work on several; waiting for those at every picture would cost the whole patience each time. So how many are
//! kept back is learned, and forgotten again where it turns out that the encoder was late only once. Some leave a picture out, where it
//! would cost too many bits, and say nothing of it: so what is awaited in vain is given up in the end.

use std::{collections::VecDeque, time::Duration};

use crate::media::Timestamp;

/// More than any encoder that does not reorder pictures keeps back.
pub const MOST_KEPT: usize = 2;

/// The pictures under way, in order.
#[derive(Debug, Default)]
pub struct Flight {
    sent: VecDeque<Timestamp>,
    kept: usize,
    /// The newest that was given up.
    given_up: Option<Timestamp>,
}

impl Flight {
    /// A picture goes in.
    pub fn sent(&mut self, captured_at: Timestamp) {
        self.sent.push_back(captured_at);
    }

    /// A coded picture came out with this time stamp: when it was captured. Those before it were left out by the encoder. A driver that
    /// passes no stamps on keeps the order at least.
    pub fn arrived(&mut self, stamp: Duration) -> Option<Timestamp> {
        let microseconds = |time: Duration| time.as_micros();
        // It comes after all.
        let is_old = |given_up: Timestamp| microseconds(stamp) <= microseconds(given_up.as_duration());
        if !stamp.is_zero() && self.given_up.is_some_and(is_old) {
            return Some(Timestamp::from_monotonic(stamp));
        }
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

    /// Whether more are under way than any encoder keeps back.
    pub fn is_full(&self) -> bool {
        self.sent.len() > MOST_KEPT
    }

    /// Nothing came although it was waited for: the encoder keeps one more back, or has left the oldest out.
    pub fn in_vain(&mut self) {
        if self.is_full() {
            self.given_up = self.sent.pop_front();
        }
        self.kept = self.sent.len();
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
        flight.in_vain();
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
        flight.in_vain();
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
    fn what_is_awaited_in_vain_is_given_up_and_may_come_after_all() {
        let mut flight = Flight::default();
        for milliseconds in [10, 20, 30, 40] {
            flight.sent(at(milliseconds));
            assert_eq!(flight.is_full(), milliseconds >= 30);
            flight.in_vain();
            assert!(flight.len() <= MOST_KEPT);
        }
        for milliseconds in [20, 30, 40] {
            let stamp = Duration::from_millis(milliseconds);
            assert_eq!(flight.arrived(stamp), Some(at(milliseconds)), "10 was left out");
        }
        assert_eq!(flight.len(), 0);
    }

    #[test]
    fn an_encoder_that_takes_longer_than_an_interval_has_one_more_to_work_on() {
        let mut flight = Flight::default();
        flight.sent(at(10));
        flight.in_vain();
        for milliseconds in [20, 30, 40] {
            flight.settle();
            flight.sent(at(milliseconds));
            assert!(flight.is_awaited());
            assert_eq!(
                flight.arrived(Duration::from_millis(milliseconds - 10)),
                Some(at(milliseconds - 10))
            );
            assert!(!flight.is_awaited(), "the other may take until the next");
        }
    }
}
