use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rtc::crypto::{AeadAlgorithm, SecretVec};

use super::{
    counter_mode,
    gcm::nonce,
    header::{HEADER, rtp_header},
    sealer::Sealer,
};

/// What was seen of the ciphers and digests of a connection.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What was encrypted last by a stream cipher that had not been used before: the digest over it tells what it was.
    encrypted: Option<Encrypted>,
    sealer: Option<Sealer>,
}

/// What a stream cipher did.
struct Encrypted {
    key: SecretVec,
    counter: [u8; counter_mode::COUNTER],
    /// What it came to.
    data: Vec<u8>,
}

impl Seen {
    /// What seals as the connection did, where that was seen, once.
    pub(super) fn take(&self) -> Option<Sealer> {
        self.state().sealer.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An AEAD cipher sealed something as its first deed. No stream's numbers have begun anew then.
    pub(super) fn sealed(
        &self,
        algorithm: AeadAlgorithm,
        key: &SecretVec,
        nonce_of_it: &[u8],
        header: &[u8],
    ) {
        if let (Some(header), Ok(begin)) = (rtp_header(header), nonce_of_it.try_into())
            && let Some(sealer) = Sealer::gcm(algorithm, key.as_ref(), nonce(header, 0, begin))
        {
            self.state().sealer = Some(sealer);
        }
    }

    /// A stream cipher encrypted something as its first deed.
    pub(super) fn encrypted(&self, key: SecretVec, counter: &[u8], data: &[u8]) {
        if let Ok(counter) = counter.try_into() {
            self.state().encrypted = Some(Encrypted {
                key,
                counter,
                data: data.to_vec(),
            });
        }
    }

    /// A digest was made, as the first deed of what makes it, of these parts.
    pub(super) fn digested(&self, key: &SecretVec, parts: &[&[u8]]) {
        let mut state = self.state();
        // Of a packet that came it is made before it is decrypted, so it is none of what was encrypted last.
        if let [packet, [0, 0, 0, 0]] = parts
            && let Some((header, payload)) = packet.split_first_chunk::<HEADER>()
            && rtp_header(header).is_some()
            && let Some(encrypted) = state.encrypted.take_if(|encrypted| encrypted.data == payload)
            && let Some(salt) = counter_mode::salt(header, &encrypted.counter)
            && let Some(sealer) = Sealer::counter_mode(encrypted.key.as_ref(), salt, key.as_ref())
        {
            state.sealer = Some(sealer);
        }
    }
}
