//! Puts RTP packets back in order and together to pictures.
//!
//! A picture is handed out as soon as its last packet is there: nothing waits for the picture after it. A
//! hole is waited for a little while, so that a retransmission can fill it, and then skipped, with
//! everything up to the next certain start of a picture.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::reception::Arrival;

/// How long a missing packet is waited for: a few rounds of asking for it again.
const PATIENCE: Duration = Duration::from_millis(200);

/// Packets held at most; a second of 20 Mbit/s.
const MOST_PACKETS: usize = 2048;

/// The packets of one picture, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragments {
    /// RTP timestamp, continued beyond 32 bits.
    pub timestamp: u64,
    /// The payloads of its packets; empty ones (padding) left out.
    pub payloads: Vec<Bytes>,
}

/// What comes out of the assembler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// A picture without holes.
    Picture(Fragments),
    /// Packets were given up; the next picture does not follow the one before.
    Gap,
}

struct Packet {
    timestamp: u64,
    marker: bool,
    payload: Bytes,
}

/// Orders the packets of one video stream.
#[derive(Default)]
pub struct Assembler {
    packets: BTreeMap<u64, Packet>,
    /// The sequence number that the next picture starts with.
    next: Option<u64>,
    /// Whether anything came out.
    started: bool,
    /// Since when the packet that is needed next is missing although later ones are here.
    hole_since: Option<Instant>,
    /// After a gap the start of a picture is only certain behind the end of another one.
    resync: bool,
}

impl Assembler {
    /// Takes a packet that was not here before. `marker` is RTP's marker bit: the last packet of a picture.
    pub fn insert(&mut self, arrival: Arrival, marker: bool, payload: Bytes) {
        let next = self.next.get_or_insert(arrival.sequence);
        if !self.started {
            // Nothing is out yet: the very first packets may come in the wrong order.
            *next = arrival.sequence.min(*next);
        }
        if arrival.sequence < *next {
            return;
        }
        self.packets.insert(
            arrival.sequence,
            Packet {
                timestamp: arrival.timestamp,
                marker,
                payload,
            },
        );
    }

    /// When to call [`Assembler::next`] again if no packet comes before.
    pub fn deadline(&self) -> Option<Instant> {
        self.hole_since.map(|since| since + PATIENCE)
    }

    /// The next complete picture, or the news that there is none to be had.
    pub fn next(&mut self, now: Instant) -> Option<Assembled> {
        loop {
            let start = self.next?;
            match self.scan(start) {
                Scan::Complete(end) => {
                    (self.hole_since, self.started) = (None, true);
                    self.next = Some(end);
                    let fragments = self.take(start, end);
                    if self.resync {
                        // This is the rest of a picture whose start is lost, or might be.
                        self.resync = false;
                        continue;
                    }
                    if !fragments.payloads.is_empty() {
                        return Some(Assembled::Picture(fragments));
                    }
                }
                Scan::Waiting if self.packets.len() > MOST_PACKETS => {
                    let end = self.packets.last_key_value().map_or(start, |(&last, _)| last + 1);
                    return Some(self.give_up(start, end));
                }
                Scan::Waiting => {
                    self.hole_since = None;
                    return None;
                }
                Scan::Hole(behind) => {
                    let since = *self.hole_since.get_or_insert(now);
                    if now < since + PATIENCE && self.packets.len() <= MOST_PACKETS {
                        return None;
                    }
                    return Some(self.give_up(start, behind));
                }
            }
        }
    }

    fn give_up(&mut self, start: u64, end: u64) -> Assembled {
        self.take(start, end);
        self.next = Some(end);
        (self.hole_since, self.resync, self.started) = (None, true, true);
        Assembled::Gap
    }

    /// Follows the packets from `start` to the end of the picture or of what is here.
    fn scan(&self, start: u64) -> Scan {
        let mut expected = start;
        let mut timestamp = None;
        for (&sequence, packet) in self.packets.range(start..) {
            if sequence != expected {
                return Scan::Hole(sequence);
            }
            // A sender that sets no marker still ends a picture by starting another.
            if timestamp.is_some_and(|of_picture| of_picture != packet.timestamp) {
                return Scan::Complete(sequence);
            }
            timestamp = Some(packet.timestamp);
            expected += 1;
            if packet.marker {
                return Scan::Complete(expected);
            }
        }
        Scan::Waiting
    }

    /// Removes the packets from `start` up to but not including `end`.
    fn take(&mut self, start: u64, end: u64) -> Fragments {
        let mut rest = self.packets.split_off(&end);
        std::mem::swap(&mut rest, &mut self.packets);
        let taken = rest
            .into_iter()
            .filter(|(sequence, _)| *sequence >= start)
            .map(|(_, packet)| packet);
        let mut fragments = Fragments {
            timestamp: 0,
            payloads: Vec::new(),
        };
        for packet in taken {
            fragments.timestamp = packet.timestamp;
            if !packet.payload.is_empty() {
                fragments.payloads.push(packet.payload);
            }
        }
        fragments
    }
}

enum Scan {
    /// All packets up to this sequence number (not included) make a picture.
    Complete(u64),
    /// More packets must come first, and none is known to be missing.
    Waiting,
    /// A packet is missing; the next one that is here has this sequence number.
    Hole(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(assembler: &mut Assembler, sequence: u64, timestamp: u64, marker: bool) {
        let payload = Bytes::from(vec![sequence as u8]);
        assembler.insert(Arrival { sequence, timestamp }, marker, payload);
    }

    fn picture(timestamp: u64, payloads: &[u8]) -> Option<Assembled> {
        let payloads = payloads.iter().map(|&byte| Bytes::from(vec![byte])).collect();
        Some(Assembled::Picture(Fragments { timestamp, payloads }))
    }

    #[test]
    fn a_picture_is_out_with_its_last_packet() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 1, 100, false);
        assert_eq!(assembler.next(now), None);
        put(&mut assembler, 2, 100, true);
        assert_eq!(assembler.next(now), picture(100, &[1, 2]));
        assert_eq!(assembler.next(now), None);
        assert_eq!(assembler.deadline(), None);
    }

    #[test]
    fn reordered_packets_are_put_in_order() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 1, 100, true);
        put(&mut assembler, 4, 300, true);
        put(&mut assembler, 3, 200, true);
        assert_eq!(assembler.next(now), picture(100, &[1]));
        assert_eq!(assembler.next(now), None);
        put(&mut assembler, 2, 200, false);
        assert_eq!(assembler.next(now), picture(200, &[2, 3]));
        assert_eq!(assembler.next(now), picture(300, &[4]));
    }

    #[test]
    fn the_first_packets_may_come_in_the_wrong_order() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 2, 100, true);
        put(&mut assembler, 1, 100, false);
        assert_eq!(assembler.next(now), picture(100, &[1, 2]));
    }

    #[test]
    fn a_lost_packet_is_waited_for_then_its_picture_is_skipped() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 1, 100, true);
        put(&mut assembler, 2, 200, false);
        put(&mut assembler, 4, 200, true);
        put(&mut assembler, 5, 300, true);
        assert_eq!(assembler.next(now), picture(100, &[1]));
        assert_eq!(assembler.next(now), None);
        assert_eq!(assembler.deadline(), Some(now + PATIENCE));
        let later = now + PATIENCE;
        assert_eq!(assembler.next(later), Some(Assembled::Gap));
        assert_eq!(assembler.next(later), picture(300, &[5]));
        assert_eq!(assembler.deadline(), None);
    }

    #[test]
    fn a_packet_that_comes_after_it_was_given_up_changes_nothing() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 1, 100, true);
        put(&mut assembler, 3, 300, true);
        put(&mut assembler, 4, 400, true);
        assert_eq!(assembler.next(now), picture(100, &[1]));
        assert_eq!(assembler.next(now), None);
        let later = now + PATIENCE;
        assert_eq!(assembler.next(later), Some(Assembled::Gap));
        // Whether packet 3 starts a picture can't be known: the one before it is missing.
        assert_eq!(assembler.next(later), picture(400, &[4]));
        put(&mut assembler, 2, 200, true);
        assert_eq!(assembler.next(later), None);
    }

    #[test]
    fn a_sender_without_markers_is_understood() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 1, 100, false);
        put(&mut assembler, 2, 100, false);
        put(&mut assembler, 3, 200, false);
        assert_eq!(assembler.next(now), picture(100, &[1, 2]));
        assert_eq!(assembler.next(now), None);
    }

    #[test]
    fn padding_is_no_picture() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 1, 100, true);
        assembler.insert(
            Arrival {
                sequence: 2,
                timestamp: 100,
            },
            false,
            Bytes::new(),
        );
        put(&mut assembler, 3, 200, true);
        assert_eq!(assembler.next(now), picture(100, &[1]));
        assert_eq!(assembler.next(now), picture(200, &[3]));
    }

    #[test]
    fn a_flood_behind_a_hole_does_not_fill_the_memory() {
        let (mut assembler, now) = (Assembler::default(), Instant::now());
        put(&mut assembler, 1, 1, true);
        assert!(assembler.next(now).is_some());
        for sequence in 3..3 + 3 * MOST_PACKETS as u64 {
            put(&mut assembler, sequence, 2, false);
            assembler.next(now);
            assert!(assembler.packets.len() <= MOST_PACKETS + 1);
        }
    }
}
