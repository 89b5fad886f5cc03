use aes::Aes128;
use ctr::{
    Ctr128BE,
    cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper},
};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::{
    header::{self, HEADER},
    key::Key,
};

/// HMAC-SHA1, of which the profile that everybody has sends ten bytes (RFC 5764, section 4.1.2).
pub(super) const TAG: usize = 10;
pub(super) const SALT: usize = 14;
/// A block of AES, and what its counter begins with for a packet.
pub(super) const COUNTER: usize = 16;

/// AES in counter mode with HMAC-SHA1 (RFC 3711, sections 4.1.1 and 4.2.1): what libwebrtc asks for first.
pub(super) struct CounterMode {
    keys: Key<Keys>,
    salt: [u8; SALT],
}

/// Both with what follows from the key alone, so that a packet costs none of that.
struct Keys {
    cipher: Aes128,
    digest: Hmac<Sha1>,
}

impl CounterMode {
    /// `None` where a key is not of its length: 16 bytes, and for the digest 20 (RFC 3711, section 5.2).
    pub(super) fn new(key: &[u8], salt: [u8; SALT], digest_key: &[u8]) -> Option<Self> {
        if digest_key.len() != 20 {
            return None;
        }
        let keys = Keys {
            cipher: Aes128::new_from_slice(key).ok()?,
            digest: <Hmac<Sha1> as Mac>::new_from_slice(digest_key).ok()?,
        };
        Some(Self {
            keys: Key::new(keys),
            salt,
        })
    }

    pub(super) fn seal(&self, packet: &mut [u8], roll_over: u32) -> bool {
        let Some((sealed, room)) = packet.split_last_chunk_mut::<TAG>() else {
            return false;
        };
        let Some((header, payload)) = header::cut(sealed) else {
            return false;
        };
        let Some(fixed) = header.first_chunk() else {
            return false;
        };
        let keys = self.keys.get();
        let counter = counter(fixed, roll_over, &self.salt);
        let stream: Ctr128BE<&Aes128> =
            StreamCipherCoreWrapper::from_core(InnerIvInit::inner_iv_init(&keys.cipher, &counter.into()));
        // It can't run out: a packet is shorter than 2^16 blocks.
        if { stream }.try_apply_keystream(payload).is_err() {
            return false;
        }
        let mut digest = keys.digest.clone();
        digest.update(sealed);
        digest.update(&roll_over.to_be_bytes());
        room.copy_from_slice(&digest.finalize().into_bytes()[..TAG]);
        true
    }
}

/// What the counter of a packet begins with (RFC 3711, section 4.1.1): its source, how often the numbers began anew, and its number, each
/// combined with the salt, and two bytes that count its blocks.
pub(super) fn counter(header: &[u8; HEADER], roll_over: u32, salt: &[u8; SALT]) -> [u8; COUNTER] {
    let mut counter = [0; COUNTER];
    counter[..SALT].copy_from_slice(salt);
    let (sequence, source, roll_over) = (&header[2..4], &header[8..12], roll_over.to_be_bytes());
    let counted = source.iter().chain(&roll_over).chain(sequence);
    for (byte, counted) in counter[4..].iter_mut().zip(counted) {
        *byte ^= counted;
    }
    counter
}

/// The salt, by the counter of a packet with this header, whose stream's numbers have not begun anew. `None` where it is none of this packet's.
pub(super) fn salt(header: &[u8; HEADER], begin: &[u8; COUNTER]) -> Option<[u8; SALT]> {
    let (begin, blocks) = begin.split_first_chunk::<SALT>()?;
    let salt = counter(header, 0, begin);
    (blocks == [0, 0]).then(|| salt.first_chunk().copied()).flatten()
}
