//! What packets were sealed with (RFC 3711, section 9.1): a nonce that is used for two packets gives both away.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Numbers of one source, with how often they have begun anew.
#[derive(Default)]
struct Source {
    newest: u64,
    /// By the number of a packet, what it was.
    seen: HashMap<u64, u64>,
}

/// The SRTP packets of a session so far, by source and number, which are what a nonce is made of besides the key.
#[derive(Default)]
pub(super) struct Nonces(HashMap<u32, Source>);

impl Nonces {
    /// Looks at a packet that goes out.
    ///
    /// # Panics
    /// Its number was that of another packet.
    pub(super) fn see(&mut self, packet: &[u8]) {
        let is_rtp = packet.len() > 12 && packet[0] >> 6 == 2 && !(192..=223).contains(&packet[1]);
        if !is_rtp {
            return;
        }
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let name = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let source = self.0.entry(name).or_default();
        // The one that is nearest to the newest (RFC 3711, section 3.3.1).
        let ahead = sequence.wrapping_sub(source.newest as u16) as i16;
        let number = if source.seen.is_empty() {
            sequence.into()
        } else {
            source.newest.saturating_add_signed(ahead.into())
        };
        source.newest = source.newest.max(number);
        let mut hasher = DefaultHasher::new();
        packet.hash(&mut hasher);
        let known = *source.seen.entry(number).or_insert(hasher.finish());
        assert_eq!(
            known,
            hasher.finish(),
            "two packets are number {number} of {name}"
        );
    }

    /// How often the numbers of the source that did so most have begun anew.
    pub(super) fn most_wraps(&self) -> u64 {
        let wraps = self.0.values().map(|source| source.newest >> 16);
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
        assert_eq!(nonces.most_wraps(), 1);
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
