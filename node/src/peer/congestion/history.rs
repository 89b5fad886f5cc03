//! What was sent, and when: the last packets by their transport-wide numbers.

/// Packets that are remembered: more than a second at 8 Mbit/s. Who reports later than that is not on a path that carries so much.
pub(super) const KEPT: usize = 1024;

/// A packet that leaves.
#[derive(Clone, Copy, Debug)]
pub(in crate::peer) struct Departure {
    /// Its transport-wide number, where it has one.
    pub(in crate::peer) number: Option<u64>,
    pub(in crate::peer) bytes: usize,
    /// Whether it has waited for others of its picture: how long it takes then tells of those.
    pub(in crate::peer) is_late: bool,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// In microseconds since the session began.
    pub(super) at: u64,
    pub(super) bytes: u16,
    /// It has waited for others, so that its time tells of those.
    is_late: bool,
    fate: Fate,
}

/// What is known of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    /// It has never left.
    #[default]
    Unsent,
    Sent,
    /// It left more than once, so that nobody knows which of them arrived.
    Again,
    /// The viewer has said that it is missing. It may still come.
    Missed,
    /// It has arrived.
    Arrived,
}

/// The last packets, in a ring without gaps.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Without memory until the first packet.
    ring: Box<[Sent]>,
    /// The number of the next packet.
    next: u64,
}

/// What a report's word on a packet comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It has arrived, for the first time that we hear of it. With its time only where that is certain.
    Arrived { bytes: u16, sent: Option<u64> },
    /// It is missing, which is news.
    Missed,
}

impl History {
    /// The packet of this number leaves. Numbers come in their order; those that were passed over count for nothing.
    pub(super) fn sent(&mut self, number: u64, departure: Departure, at: u64) {
        if self.ring.is_empty() {
            self.ring = vec![Sent::default(); KEPT].into_boxed_slice();
        }
        for passed in self.next.max(number.saturating_sub(KEPT as u64))..number {
            self.ring[index(passed)] = Sent::default();
        }
        self.next = number + 1;
        self.ring[index(number)] = Sent {
            at,
            bytes: u16::try_from(departure.bytes).unwrap_or(u16::MAX),
            is_late: departure.is_late,
            fate: Fate::Sent,
        };
    }

    /// The packet of this number leaves once more.
    pub(super) fn sent_again(&mut self, number: u64) {
        if let Some(sent) = self.get(number)
            && sent.fate != Fate::Arrived
        {
            sent.fate = Fate::Again;
        }
    }

    /// The newest number that ends in these bits, of those that were sent.
    pub(super) fn number(&self, bits: u16) -> Option<u64> {
        let newest = self.next.checked_sub(1)?;
        newest.checked_sub(u64::from((newest as u16).wrapping_sub(bits)))
    }

    /// The viewer says that this packet has arrived.
    pub(super) fn arrived(&mut self, number: u64) -> Option<Told> {
        let sent = self.get(number)?;
        let fate = std::mem::replace(&mut sent.fate, Fate::Arrived);
        let Sent {
            at, bytes, is_late, ..
        } = *sent;
        match fate {
            Fate::Arrived => None,
            Fate::Again => Some(Told::Arrived { bytes, sent: None }),
            Fate::Sent | Fate::Missed => Some(Told::Arrived {
                bytes,
                sent: Some(at).filter(|_| !is_late),
            }),
            Fate::Unsent => {
                sent.fate = Fate::Unsent;
                None
            }
        }
    }

    /// The viewer says that this packet is missing.
    pub(super) fn missed(&mut self, number: u64) -> Option<Told> {
        let sent = self.get(number)?;
        (sent.fate == Fate::Sent).then(|| {
            sent.fate = Fate::Missed;
            Told::Missed
        })
    }

    fn get(&mut self, number: u64) -> Option<&mut Sent> {
        let behind = self.next.checked_sub(number)?;
        (1..=KEPT as u64)
            .contains(&behind)
            .then(|| &mut self.ring[index(number)])
    }
}

fn index(number: u64) -> usize {
    (number % KEPT as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize) -> Departure {
        Departure {
            number: None,
            bytes,
            is_late: false,
        }
    }

    #[test]
    fn what_has_waited_for_others_arrives_without_a_time() {
        let mut history = History::default();
        let departure = Departure {
            is_late: true,
            ..of(1000)
        };
        history.sent(7, departure, 10);
        assert_eq!(history.missed(7), Some(Told::Missed));
        let arrived = Told::Arrived {
            bytes: 1000,
            sent: None,
        };
        assert_eq!(history.arrived(7), Some(arrived));
    }

    #[test]
    fn a_packet_is_told_of_once_and_what_was_passed_over_never() {
        let mut history = History::default();
        assert_eq!((history.number(7), history.arrived(7)), (None, None));
        history.sent(7, of(1000), 10);
        history.sent(9, of(1100), 20);
        assert_eq!(history.number(9), Some(9));
        assert_eq!(history.number(8), Some(8));
        assert_eq!(history.missed(8), None, "it never left");
        assert_eq!(history.arrived(8), None);
        assert_eq!(history.missed(7), Some(Told::Missed));
        assert_eq!(history.missed(7), None);
        let arrived = |bytes, sent| Some(Told::Arrived { bytes, sent });
        assert_eq!(history.arrived(7), arrived(1000, Some(10)), "late");
        assert_eq!((history.arrived(7), history.missed(7)), (None, None));
        history.sent_again(9);
        assert_eq!(history.missed(9), None, "another one is on its way");
        assert_eq!(history.arrived(9), arrived(1100, None), "one of the two");
    }

    #[test]
    fn the_last_are_kept_and_numbers_go_on_beyond_their_bits() {
        let mut history = History::default();
        for number in 60_000..70_000 {
            history.sent(number, of(1), number);
        }
        assert_eq!(history.number((69_999_u64 & 0xffff) as u16), Some(69_999));
        assert_eq!(history.number(65_535), Some(65_535));
        assert!(history.arrived(70_000 - KEPT as u64).is_some());
        assert!(history.arrived(70_000 - KEPT as u64 - 1).is_none());
        assert!(history.arrived(70_000).is_none(), "still to come");
        history.sent(90_000, of(1), 1);
        assert!(history.arrived(89_999).is_none() && history.arrived(90_000).is_some());
    }
}
