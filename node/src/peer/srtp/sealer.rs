use std::mem::{ManuallyDrop, MaybeUninit, needs_drop, size_of};

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rtc::crypto::AeadAlgorithm;

/// The header of an RTP packet without extensions and contributing sources (RFC 3550, section 5.1).
pub(in crate::peer) const HEADER: usize = 12;
/// What stands before the words of an extension (RFC 3550, section 5.3.1).
const EXTENSION: usize = 4;
/// In the first byte of a header: that an extension follows it, and how many sources have contributed.
const EXTENDED: u8 = 0x10;
const SOURCES: u8 = 0x0f;
/// AES-GCM's tag (RFC 7714, section 13.1).
pub(in crate::peer) const TAG: usize = 16;
/// What a packet has besides its payload, where it has no extension.
#[cfg(test)]
const OVERHEAD: usize = HEADER + TAG;
const SALT: usize = 12;

/// Seals RTP packets by the key of one connection.
pub(in crate::peer) struct Sealer {
    key: Key,
    salt: [u8; SALT],
}

impl Sealer {
    /// By a session key and its salt (RFC 3711, section 4.3). `None` where the algorithm is not one of AES-GCM, or the key not of its length.
    pub(in crate::peer) fn new(algorithm: AeadAlgorithm, key: &[u8], salt: [u8; SALT]) -> Option<Self> {
        let key = UnboundKey::new(gcm(algorithm)?, key).ok()?;
        Some(Self {
            key: Key::new(LessSafeKey::new(key)),
            salt,
        })
    }

    /// Seals a packet where it is: its header with all that belongs to it, its payload and room for the tag. `roll_over` tells how often the stream's sequence numbers
    /// have begun anew. Returns whether that could be done; it can't with what is shorter than a packet.
    ///
    /// By one key a header is to be sealed with one payload only: the nonce follows from nothing but the source, `roll_over` and the
    /// sequence number (RFC 7714, sections 8.1 and 9.1).
    pub(in crate::peer) fn seal(&self, packet: &mut [u8], roll_over: u32) -> bool {
        let Some(length) = header_length(packet) else {
            return false;
        };
        let Some((header, rest)) = packet.split_at_mut_checked(length) else {
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

/// Of a packet's header, with its sources and its extension: what is not encrypted (RFC 7714, section 9.2). `None` where it is shorter than a header.
fn header_length(packet: &[u8]) -> Option<usize> {
    let (fixed, rest) = packet.split_first_chunk::<HEADER>()?;
    let sources = 4 * usize::from(fixed[0] & SOURCES);
    if fixed[0] & EXTENDED == 0 {
        return Some(HEADER + sources);
    }
    let before = rest.get(sources..)?.first_chunk::<EXTENSION>()?;
    let words = usize::from(u16::from_be_bytes([before[2], before[3]]));
    Some(HEADER + sources + EXTENSION + 4 * words)
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

/// A key that is wiped when it is not needed any more. Its place does not change from here on, so that no further copy is left behind.
struct Key(Box<ManuallyDrop<LessSafeKey>>);

impl Key {
    fn new(key: LessSafeKey) -> Self {
        const {
            assert!(
                !needs_drop::<LessSafeKey>(),
                "there is nothing to be done but to wipe it"
            )
        };
        Self(Box::new(ManuallyDrop::new(key)))
    }

    fn get(&self) -> &LessSafeKey {
        &self.0
    }
}

impl Drop for Key {
    #[allow(
        unsafe_code,
        reason = "nothing else is sure to be written before memory is given back"
    )]
    fn drop(&mut self) {
        let start: *mut MaybeUninit<u8> = (&raw mut *self.0).cast();
        for at in 0..size_of::<LessSafeKey>() {
            // SAFETY: it is within the box, which is ours; and nobody looks at the key any more, as it has no destructor.
            unsafe { start.add(at).write_volatile(MaybeUninit::new(0)) };
        }
    }
}

#[cfg(test)]
mod tests;
