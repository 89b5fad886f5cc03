use std::sync::Arc;

use rtc::crypto::{
    ActiveKeyExchange, AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CbcAlgorithm, CbcCipher,
    CryptoAlgorithm, CryptoError, HashAlgorithm, HmacAlgorithm, KeyExchangeAlgorithm, Mac, PublicKey,
    RTCCrypto, RTCCryptoProvider, RTCRandom, SignatureScheme, SigningKey, StreamCipher,
    StreamCipherAlgorithm, default_provider,
};

use super::{
    sealer::Sealer,
    seen::Seen,
    watched::{WatchedAead, WatchedMac, WatchedStream},
};

/// Sees by what a connection seals its first RTP packet.
///
/// The core tells nobody its keys, but it asks a provider for its ciphers. Ours gives it those of the default one, and looks on: what is asked to seal
/// a packet with an RTP header is that of SRTP, and the salt is what the nonce, or the counter, has besides the header's numbers. This rests on
/// RFC 7714 and RFC 3711 alone, not on the order in which the core derives its keys.
#[derive(Clone, Default)]
pub(in crate::peer) struct Witness(Seen);

impl Witness {
    /// What the connection is to be given for its ciphers.
    ///
    /// # Errors
    /// There is no default one.
    pub(in crate::peer) fn provider(&self) -> Result<Arc<dyn RTCCryptoProvider>, CryptoError> {
        Ok(Arc::new(Watched {
            inner: default_provider()?,
            seen: self.0.clone(),
        }))
    }

    /// What seals as the connection did. `None` before its first packet, and after the first call; and where it was done by a cipher that we
    /// don't have.
    pub(in crate::peer) fn take(&self) -> Option<Sealer> {
        self.0.take()
    }
}

/// The default provider, looked on by a [`Witness`].
struct Watched {
    inner: Arc<dyn RTCCryptoProvider>,
    seen: Seen,
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
        let inner = self.inner.crypto().new_hmac(algorithm, key)?;
        Ok(Box::new(WatchedMac::new(inner, algorithm, key, &self.seen)))
    }

    fn new_stream_cipher(
        &self,
        algorithm: StreamCipherAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn StreamCipher>, CryptoError> {
        let inner = self.inner.crypto().new_stream_cipher(algorithm, key)?;
        Ok(Box::new(WatchedStream::new(inner, algorithm, key, &self.seen)))
    }

    fn new_aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, CryptoError> {
        let inner = self.inner.crypto().new_aead(algorithm, key)?;
        Ok(Box::new(WatchedAead::new(inner, algorithm, key, &self.seen)))
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
mod tests;
