//! Ciphers and digests as the default provider has them. The first deed of each tells whose it is; its key is kept no longer.

use rtc::crypto::{
    AeadAlgorithm, AeadCipher, CryptoError, HmacAlgorithm, Mac, SecretVec, StreamCipher,
    StreamCipherAlgorithm,
};

use super::seen::Seen;

pub(super) struct WatchedAead {
    inner: Box<dyn AeadCipher>,
    key: Option<(AeadAlgorithm, SecretVec)>,
    seen: Seen,
}

impl WatchedAead {
    pub(super) fn new(inner: Box<dyn AeadCipher>, algorithm: AeadAlgorithm, key: &[u8], seen: &Seen) -> Self {
        Self {
            inner,
            key: Some((algorithm, SecretVec::new(key.to_vec()))),
            seen: seen.clone(),
        }
    }
}

impl AeadCipher for WatchedAead {
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
        if let Some((algorithm, key)) = self.key.take() {
            self.seen.sealed(algorithm, &key, iv, aad);
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

pub(super) struct WatchedStream {
    inner: Box<dyn StreamCipher>,
    key: Option<SecretVec>,
    seen: Seen,
}

impl WatchedStream {
    pub(super) fn new(
        inner: Box<dyn StreamCipher>,
        algorithm: StreamCipherAlgorithm,
        key: &[u8],
        seen: &Seen,
    ) -> Self {
        // DTLS offers no profile with the longer key (RFC 5764, section 4.1.2).
        let is_of_interest = matches!(algorithm, StreamCipherAlgorithm::Aes128Ctr);
        Self {
            inner,
            key: is_of_interest.then(|| SecretVec::new(key.to_vec())),
            seen: seen.clone(),
        }
    }
}

impl StreamCipher for WatchedStream {
    fn apply_keystream(&mut self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.inner.apply_keystream(iv, data)?;
        if let Some(key) = self.key.take() {
            self.seen.encrypted(key, iv, data);
        }
        Ok(())
    }
}

pub(super) struct WatchedMac {
    inner: Box<dyn Mac>,
    key: Option<SecretVec>,
    seen: Seen,
}

impl WatchedMac {
    pub(super) fn new(inner: Box<dyn Mac>, algorithm: HmacAlgorithm, key: &[u8], seen: &Seen) -> Self {
        let is_of_interest = matches!(algorithm, HmacAlgorithm::Sha1);
        Self {
            inner,
            key: is_of_interest.then(|| SecretVec::new(key.to_vec())),
            seen: seen.clone(),
        }
    }
}

impl Mac for WatchedMac {
    fn output_len(&self) -> usize {
        self.inner.output_len()
    }

    fn sign(&mut self, input: &[&[u8]], output: &mut [u8]) -> Result<(), CryptoError> {
        if let Some(key) = self.key.take() {
            self.seen.digested(&key, input);
        }
        self.inner.sign(input, output)
    }

    fn verify(&mut self, input: &[&[u8]], expected: &[u8]) -> Result<(), CryptoError> {
        self.key = None;
        self.inner.verify(input, expected)
    }
}
