use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rtc::crypto::AeadAlgorithm;

use super::{
    header::{self, HEADER},
    key::Key,
};

pub(super) const TAG: usize = 16;
pub(super) const SALT: usize = 12;

/// AES-GCM (RFC 7714).
pub(super) struct Gcm {
    key: Key<LessSafeKey>,
    salt: [u8; SALT],
}

impl Gcm {
    pub(super) fn new(algorithm: AeadAlgorithm, key: &[u8], salt: [u8; SALT]) -> Option<Self> {
        let key = UnboundKey::new(gcm(algorithm)?, key).ok()?;
        Some(Self {
            key: Key::new(LessSafeKey::new(key)),
            salt,
        })
    }

    pub(super) fn seal(&self, packet: &mut [u8], roll_over: u32) -> bool {
        let Some((header, rest)) = header::cut(packet) else {
            return false;
        };
        let (Some(fixed), Some((payload, room))) = (header.first_chunk(), rest.split_last_chunk_mut::<TAG>())
        else {
            return false;
        };
        let nonce = Nonce::assume_unique_for_key(nonce(fixed, roll_over, &self.salt));
        let sealed = self
            .key
            .get()
            .seal_in_place_separate_tag(nonce, Aad::from(&*header), payload);
        let Ok(tag) = sealed else {
            return false;
        };
        room.copy_from_slice(tag.as_ref());
        true
    }
}

/// What the nonce of a packet is made of (RFC 7714, section 8.1): its source, how often the numbers began anew, and its number, each combined
/// with the salt. Of the nonce of a sealed packet it gives the salt.
pub(super) fn nonce(header: &[u8; HEADER], roll_over: u32, salt: &[u8; SALT]) -> [u8; SALT] {
    let (mut nonce, roll_over) = (*salt, roll_over.to_be_bytes());
    let (sequence, source) = (&header[2..4], &header[8..12]);
    let counted = source.iter().chain(&roll_over).chain(sequence);
    for (byte, counted) in nonce[2..].iter_mut().zip(counted) {
        *byte ^= counted;
    }
    nonce
}

fn gcm(algorithm: AeadAlgorithm) -> Option<&'static ring::aead::Algorithm> {
    match algorithm {
        AeadAlgorithm::Aes128Gcm => Some(&AES_128_GCM),
        AeadAlgorithm::Aes256Gcm => Some(&AES_256_GCM),
        _ => None,
    }
}
