use rtc::crypto::AeadAlgorithm;

use super::{
    counter_mode::{self, CounterMode},
    gcm::{self, Gcm},
    header::HEADER,
};

/// Seals RTP packets by the keys of one connection.
pub(in crate::peer) struct Sealer(Cipher);

enum Cipher {
    Gcm(Gcm),
    CounterMode(CounterMode),
}

impl Sealer {
    /// AES-GCM, by a session key and its salt (RFC 3711, section 4.3). `None` where it is another algorithm, or the key not of its length.
    pub(in crate::peer) fn gcm(algorithm: AeadAlgorithm, key: &[u8], salt: [u8; gcm::SALT]) -> Option<Self> {
        Some(Self(Cipher::Gcm(Gcm::new(algorithm, key, salt)?)))
    }

    /// AES in counter mode with HMAC-SHA1, by session keys and a salt. `None` where a key is not of its length.
    pub(super) fn counter_mode(key: &[u8], salt: [u8; counter_mode::SALT], digest: &[u8]) -> Option<Self> {
        Some(Self(Cipher::CounterMode(CounterMode::new(key, salt, digest)?)))
    }

    /// What a packet has besides its payload, where its header has no extension.
    pub(in crate::peer) fn overhead(&self) -> usize {
        HEADER
            + match self.0 {
                Cipher::Gcm(_) => gcm::TAG,
                Cipher::CounterMode(_) => counter_mode::TAG,
            }
    }

    /// Seals a packet where it is: its header with all that belongs to it, its payload and room for the tag. `roll_over` tells how often the stream's sequence numbers
    /// have begun anew. Returns whether that could be done; it can't with what is shorter than a packet.
    ///
    /// By one key a header is to be sealed with one payload only: what it is encrypted with follows from nothing but the source, `roll_over`
    /// and the sequence number (RFC 7714, sections 8.1 and 9.1; RFC 3711, section 4.1.1).
    pub(in crate::peer) fn seal(&self, packet: &mut [u8], roll_over: u32) -> bool {
        match &self.0 {
            Cipher::Gcm(gcm) => gcm.seal(packet, roll_over),
            Cipher::CounterMode(counter_mode) => counter_mode.seal(packet, roll_over),
        }
    }
}

#[cfg(test)]
mod tests;
