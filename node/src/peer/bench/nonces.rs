//! What packets were sealed with (RFC 3711, section 9.1): a nonce that is used for two packets gives both away.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{numbers::Numbers, reception::rtp};

/// Numbers of one source, with how often they have begun anew.
#[derive(Default)]
struct Source {
    numbers: Numbers,
    /// By the number of a packet, what it was.
    seen: HashMap<u64, u64>,
}

/// The SRTP packets of a session so far, by source and number, which are what a nonce is made of besides the key.
#[derive(Default)]
pub(super) struct Nonces(HashMap<u32, Source>);

impl Nonces {
    /// Looks at a packet that goes out. Returns whether it is one of RTP that did not go out before.
    ///
    /// # Panics
    /// Its number was that of another packet.
    pub(super) fn see(&mut self, packet: &[u8]) -> bool {
        let Some((name, sequence)) = rtp(packet) else {
            return false;
        };
        let source = self.0.entry(name).or_default();
        let number = source.numbers.take(sequence);
        let mut hasher = DefaultHasher::new();
        packet.hash(&mut hasher);
        let known = source.seen.insert(number, hasher.finish());
        assert!(
            known.is_none_or(|known| known == hasher.finish()),
            "two packets are number {sequence} of {name}"
        );
        known.is_none()
    }

    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.0.values().map(|source| source.seen.len()).sum()
    }

    /// How often the numbers of the source that did so most have begun anew.
    pub(super) fn most_wraps(&self) -> u64 {
        let wraps = self.0.values().map(|source| source.numbers.wraps());
        wraps.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, payload: u8) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 7, payload]
    }

    #[test]
    fn the_same_packet_may_come_again_also_where_the_numbers_begin_anew() {
        let mut nonces = Nonces::default();
        for sequence in [65_534, 65_535, 0, 65_534, 1] {
            nonces.see(&packet(sequence, sequence as u8));
        }
        assert_eq!((nonces.most_wraps(), nonces.count()), (1, 4));
        // The same bits, a round later.
        for sequence in (2..65_534).chain([65_534]) {
            nonces.see(&packet(sequence, 99));
        }
    }

    #[test]
    #[should_panic(expected = "two packets are number 5")]
    fn another_packet_of_the_same_number_is_noticed() {
        let mut nonces = Nonces::default();
        nonces.see(&packet(5, 1));
        nonces.see(&packet(6, 1));
        nonces.see(&packet(5, 2));
    }
}
