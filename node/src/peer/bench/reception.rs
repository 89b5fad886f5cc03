//! What becomes of the media packets that arrive at a viewer.
//!
//! The core tells nobody of a packet that it can't decrypt: that one is missing among those that it gives out. So each that arrives is looked
//! for there.

use std::collections::{HashMap, HashSet};

use super::numbers::Numbers;

/// The packets of a viewer.
#[derive(Debug, Default)]
pub(super) struct Reception {
    streams: HashMap<u32, Stream>,
    arriving: Option<Arriving>,
    figures: Figures,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) decrypted: u64,
    /// Of a number that had been decrypted before.
    pub(super) again: u64,
    /// At a time when the viewer could not or would not take them.
    pub(super) unheard: u64,
    /// It could have been decrypted, and was not.
    pub(super) undecrypted: u64,
}

#[derive(Debug, Default)]
struct Stream {
    numbers: Numbers,
    decrypted: HashSet<u64>,
    /// Those that came in another stream.
    repaired: HashSet<u64>,
}

/// A packet that the core was given.
#[derive(Clone, Copy, Debug)]
struct Arriving {
    source: u32,
    number: u64,
    came_out: bool,
}

/// The source and the number of a packet; `None` where it is not one of RTP (RFC 7983; RFC 5761, section 4).
pub(super) fn rtp(packet: &[u8]) -> Option<(u32, u16)> {
    let [first, kind, high, low, _, _, _, _, source @ ..] = packet else {
        return None;
    };
    let is_rtp = first >> 6 == 2 && !(192..=223).contains(kind);
    let source = u32::from_be_bytes(*source.first_chunk()?);
    is_rtp.then_some((source, u16::from_be_bytes([*high, *low])))
}

impl Reception {
    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    /// The newest number of a source.
    pub(super) fn newest(&self, source: u32) -> Option<u64> {
        self.streams.get(&source)?.numbers.newest()
    }

    /// The core is given a packet, and [`Reception::came_out`] is told what it makes of it.
    pub(super) fn arrives(&mut self, packet: &[u8]) {
        self.arriving = rtp(packet).map(|(source, sequence)| Arriving {
            source,
            number: self.streams.entry(source).or_default().numbers.take(sequence),
            came_out: false,
        });
    }

    /// The core has given out a packet.
    ///
    /// # Panics
    /// It did so before, or it was not given that one.
    pub(super) fn came_out(&mut self, source: u32, sequence: u16) {
        let arriving = self.arriving.as_mut();
        let arriving =
            arriving.filter(|arriving| (arriving.source, arriving.number as u16) == (source, sequence));
        let arriving = arriving.expect("it has just arrived");
        arriving.came_out = true;
        let stream = self.streams.entry(source).or_default();
        assert!(
            stream.decrypted.insert(arriving.number),
            "{sequence} came out twice"
        );
    }

    /// A packet has come in another stream than its own. Returns whether it was not there before.
    pub(super) fn is_new(&mut self, source: u32, sequence: u16) -> bool {
        let stream = self.streams.entry(source).or_default();
        let number = stream.numbers.take(sequence);
        // Its own packet may still come, late.
        stream.repaired.insert(number) && !stream.decrypted.contains(&number)
    }

    /// The core has made of the packet what it could, and the viewer `hears` such packets.
    pub(super) fn settle(&mut self, hears: bool) {
        let Some(arriving) = self.arriving.take() else {
            return;
        };
        let stream = self.streams.entry(arriving.source).or_default();
        let count = if arriving.came_out {
            &mut self.figures.decrypted
        } else if stream.decrypted.contains(&arriving.number) {
            &mut self.figures.again
        } else if !hears {
            &mut self.figures.unheard
        } else {
            &mut self.figures.undecrypted
        };
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 7, 1]
    }

    #[test]
    fn what_does_not_come_out_is_counted_by_its_reason() {
        let mut reception = Reception::default();
        let mut take = |sequence, comes_out, hears| {
            reception.arrives(&packet(sequence));
            if comes_out {
                reception.came_out(7, sequence);
            }
            reception.settle(hears);
            let Figures {
                decrypted,
                again,
                unheard,
                undecrypted,
            } = reception.figures();
            [decrypted, again, unheard, undecrypted]
        };
        assert_eq!(take(65_534, false, false), [0, 0, 1, 0]);
        assert_eq!(take(65_535, true, true), [1, 0, 1, 0]);
        assert_eq!(take(65_535, false, true), [1, 1, 1, 0]);
        assert_eq!(take(0, false, true), [1, 1, 1, 1]);
        assert_eq!(take(0, true, true), [2, 1, 1, 1], "sent again, and better");
    }

    #[test]
    fn only_rtp_is_looked_for() {
        let mut reception = Reception::default();
        for kind in [192, 200, 223] {
            let mut report = packet(1);
            report[1] = kind;
            reception.arrives(&report);
            reception.settle(true);
        }
        for other in [&[][..], &[0; 40], &[22; 40], &packet(1)[..11]] {
            reception.arrives(other);
            reception.settle(true);
        }
        assert_eq!(reception.figures(), Figures::default());
    }
}
