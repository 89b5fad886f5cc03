use std::sync::{Arc, Mutex, PoisonError};

use rtc::crypto::{
    ActiveKeyExchange, AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CbcAlgorithm, CbcCipher,
    CryptoAlgorithm, CryptoError, HashAlgorithm, HmacAlgorithm, KeyExchangeAlgorithm, Mac, PublicKey,
    RTCCrypto, RTCCryptoProvider, RTCRandom, SecretVec, SignatureScheme, SigningKey, StreamCipher,
    StreamCipherAlgorithm, default_provider,
};

use super::sealer::{HEADER, Sealer, nonce};

/// Sees by what a connection seals its first RTP packet.
///
/// The core tells nobody its keys, but it asks a provider for its ciphers. Ours gives it those of the default one, and looks on: the cipher that is
/// asked to seal a packet with an RTP header is that of SRTP, and the salt is what the nonce has besides the header's numbers. This rests on
/// RFC 7714 alone, not on the order in which the core derives its keys.
#[derive(Clone, Default)]
pub(in crate::peer) struct Witness(Arc<Mutex<Option<Sealer>>>);

impl Witness {
    /// What the connection is to be given for its ciphers.
    ///
    /// # Errors
    /// There is no default one.
    pub(in crate::peer) fn provider(&self) -> Result<Arc<dyn RTCCryptoProvider>, CryptoError> {
        Ok(Arc::new(Watched {
            inner: default_provider()?,
            witness: self.clone(),
        }))
    }

    /// What seals as the connection did. `None` before its first packet, and after the first call; and where it did not do it by AES-GCM.
    pub(in crate::peer) fn take(&self) -> Option<Sealer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn saw(&self, sealer: Sealer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sealer);
    }
}

/// A cipher, and its key until it is known whether it is that of RTP.
struct WatchedCipher {
    inner: Box<dyn AeadCipher>,
    key: Option<(AeadAlgorithm, SecretVec)>,
    witness: Witness,
}

/// The header of an RTP packet without extensions, as what is sealed with it has it; not what DTLS and RTCP have instead (RFC 5761, section 4).
fn rtp_header(data: &[u8]) -> Option<&[u8; HEADER]> {
    let header: &[u8; HEADER] = data.try_into().ok()?;
    let is_rtp = header[0] == 0x80 && !(192..=223).contains(&header[1]);
    is_rtp.then_some(header)
}

impl AeadCipher for WatchedCipher {
    fn tag_len(&self) -> usize {
        self.inner.tag_len()
    }

    fn seal_in_place(
        &mut self,
        iv: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        // The first packet tells whose cipher it is. No stream's numbers have begun anew then.
        if let Some((algorithm, key)) = self.key.take()
            && let (Some(header), Ok(iv)) = (rtp_header(aad), iv.try_into())
        {
            let sealer = Sealer::new(algorithm, key.as_ref(), nonce(header, 0, iv));
            sealer.into_iter().for_each(|sealer| self.witness.saw(sealer));
        }
        self.inner.seal_in_place(iv, aad, data, tag)
    }

    fn open_in_place(
        &mut self,
        iv: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        // That of the viewer.
        self.key = None;
        self.inner.open_in_place(iv, aad, data, tag)
    }
}

/// The default provider, looked on by a [`Witness`].
struct Watched {
    inner: Arc<dyn RTCCryptoProvider>,
    witness: Witness,
}

impl RTCCryptoProvider for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self
    }

    fn random(&self) -> &dyn RTCRandom {
        self.inner.random()
    }
}

impl RTCCrypto for Watched {
    fn supports(&self, algorithm: CryptoAlgorithm) -> bool {
        self.inner.crypto().supports(algorithm)
    }

    fn hash(&self, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.inner.crypto().hash(algorithm, data)
    }

    fn block_encrypt(
        &self,
        algorithm: BlockCipherAlgorithm,
        key: &[u8],
        block: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.inner.crypto().block_encrypt(algorithm, key, block)
    }

    fn new_hmac(&self, algorithm: HmacAlgorithm, key: &[u8]) -> Result<Box<dyn Mac>, CryptoError> {
        self.inner.crypto().new_hmac(algorithm, key)
    }

    fn new_stream_cipher(
        &self,
        algorithm: StreamCipherAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn StreamCipher>, CryptoError> {
        self.inner.crypto().new_stream_cipher(algorithm, key)
    }

    fn new_aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, CryptoError> {
        Ok(Box::new(WatchedCipher {
            inner: self.inner.crypto().new_aead(algorithm, key)?,
            key: Some((algorithm, SecretVec::new(key.to_vec()))),
            witness: self.witness.clone(),
        }))
    }

    fn new_cbc(&self, algorithm: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, CryptoError> {
        self.inner.crypto().new_cbc(algorithm, key)
    }

    fn start_key_exchange(
        &self,
        algorithm: KeyExchangeAlgorithm,
    ) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        self.inner.crypto().start_key_exchange(algorithm)
    }

    fn generate_signing_key(&self, scheme: SignatureScheme) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.inner.crypto().generate_signing_key(scheme)
    }

    fn import_signing_key(
        &self,
        scheme: SignatureScheme,
        pkcs8_der: &[u8],
    ) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.inner.crypto().import_signing_key(scheme, pkcs8_der)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        public_key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.inner
            .crypto()
            .verify_signature(scheme, public_key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];
    const SALT: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    /// A header with this second byte and sequence number.
    fn header(kind: u8, sequence: u8) -> [u8; HEADER] {
        [0x80, kind, 0, sequence, 0, 0, 0, 9, 1, 2, 3, 4]
    }

    fn cipher(witness: &Witness, algorithm: AeadAlgorithm, key: &[u8]) -> Box<dyn AeadCipher> {
        let provider = witness.provider().expect("a provider");
        provider.crypto().new_aead(algorithm, key).expect("a cipher")
    }

    /// Seals as the core would, and returns the whole packet.
    fn core_seals(cipher: &mut dyn AeadCipher, header: [u8; HEADER], payload: &[u8]) -> Vec<u8> {
        let (mut data, mut tag) = (payload.to_vec(), [0; 16]);
        let iv = nonce(&header, 0, &SALT);
        cipher
            .seal_in_place(&iv, &header, &mut data, &mut tag)
            .expect("it is sealed");
        [&header[..], &data, &tag].concat()
    }

    #[test]
    fn what_was_seen_seals_the_same_and_what_follows() {
        for (algorithm, key) in [
            (AeadAlgorithm::Aes128Gcm, vec![7; 16]),
            (AeadAlgorithm::Aes256Gcm, vec![9; 32]),
        ] {
            let witness = Witness::default();
            let mut cipher = cipher(&witness, algorithm, &key);
            assert!(witness.take().is_none(), "nothing was sealed");
            let first = core_seals(&mut *cipher, header(96, 1), b"first");
            let sealer = witness.take().expect("it was RTP");
            let ours = |header: [u8; HEADER], payload: &[u8]| {
                let mut packet = [&header[..], payload, &[0; 16]].concat();
                assert!(sealer.seal(&mut packet, 0));
                packet
            };
            assert_eq!(ours(header(96, 1), b"first"), first);
            let next = core_seals(&mut *cipher, header(96, 2), b"next");
            assert_eq!(ours(header(96, 2), b"next"), next);
            assert!(witness.take().is_none(), "one is enough");
        }
    }

    #[test]
    fn other_ciphers_give_nothing_away() {
        let witness = Witness::default();
        // RTCP, whose header is followed by an index here.
        core_seals(
            &mut *cipher(&witness, AeadAlgorithm::Aes128Gcm, &KEY),
            header(200, 1),
            b"report",
        );
        // DTLS has 13 bytes.
        let mut dtls = cipher(&witness, AeadAlgorithm::Aes128Gcm, &KEY);
        let (mut data, mut tag) = (*b"record", [0; 16]);
        dtls.seal_in_place(&SALT, &[0x80; 13], &mut data, &mut tag)
            .expect("it is sealed");
        // Whatever opens is the viewer's, and what it seals later is not looked at.
        let mut theirs = cipher(&witness, AeadAlgorithm::Aes128Gcm, &KEY);
        assert!(
            theirs
                .open_in_place(&SALT, &header(96, 1), &mut data, &tag)
                .is_err()
        );
        core_seals(&mut *theirs, header(96, 1), b"packet");
        // Not AES-GCM.
        core_seals(
            &mut *cipher(&witness, AeadAlgorithm::ChaCha20Poly1305, &[7; 32]),
            header(96, 1),
            b"packet",
        );
        assert!(witness.take().is_none());
    }
}
