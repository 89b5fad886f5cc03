use super::*;
use crate::peer::srtp::{
    HEADER,
    counter_mode::{SALT as LONG_SALT, TAG, counter},
    gcm::nonce,
};

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

/// AES in counter mode and its digest, as the core has them.
struct CounterMode {
    cipher: Box<dyn StreamCipher>,
    digest: Box<dyn Mac>,
}

impl CounterMode {
    const SALT: [u8; LONG_SALT] = [5; LONG_SALT];

    fn new(witness: &Witness) -> Self {
        let provider = witness.provider().expect("a provider");
        let crypto = provider.crypto();
        Self {
            cipher: crypto
                .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &KEY)
                .expect("a cipher"),
            digest: crypto.new_hmac(HmacAlgorithm::Sha1, &[8; 20]).expect("a digest"),
        }
    }

    fn digest(&mut self, packet: &[u8], roll_over: u32) -> [u8; 20] {
        let mut digest = [0; 20];
        let signed = self.digest.sign(&[packet, &roll_over.to_be_bytes()], &mut digest);
        signed.expect("a digest");
        digest
    }

    /// Seals as the core would, and returns the whole packet.
    fn seals(&mut self, header: [u8; HEADER], payload: &[u8]) -> Vec<u8> {
        let mut data = payload.to_vec();
        let counter = counter(&header, 0, &Self::SALT);
        self.cipher.apply_keystream(&counter, &mut data).expect("it fits");
        let packet = [&header[..], &data].concat();
        let digest = self.digest(&packet, 0);
        [&packet[..], &digest[..TAG]].concat()
    }
}

#[test]
fn what_was_seen_in_counter_mode_seals_the_same_and_what_follows() {
    let witness = Witness::default();
    let mut core = CounterMode::new(&witness);
    let first = core.seals(header(96, 1), b"first");
    let sealer = witness.take().expect("it was RTP");
    let ours = |header: [u8; HEADER], payload: &[u8]| {
        let mut packet = [&header[..], payload, &[0; TAG]].concat();
        assert!(sealer.seal(&mut packet, 0));
        packet
    };
    assert_eq!(ours(header(96, 1), b"first"), first);
    assert_eq!(ours(header(96, 2), b"next"), core.seals(header(96, 2), b"next"));
    assert!(witness.take().is_none(), "one is enough");
}

#[test]
fn other_streams_and_digests_give_nothing_away() {
    let witness = Witness::default();
    // RTCP, whose header is followed by an index.
    CounterMode::new(&witness).seals(header(200, 1), b"report");
    assert!(witness.take().is_none());
    // What came is digested before it is decrypted, …
    let mut theirs = CounterMode::new(&witness);
    let packet = [&header(96, 1)[..], b"packet"].concat();
    theirs.digest(&packet, 0);
    theirs
        .cipher
        .apply_keystream(&[3; 16], &mut packet[HEADER..].to_vec())
        .expect("it fits");
    // … and no cipher and digest of two pairs are taken for one.
    CounterMode::new(&witness).digest(&packet, 0);
    assert!(witness.take().is_none());
    // Another counter than that of the header.
    let mut other = CounterMode::new(&witness);
    let mut data = *b"packet";
    other
        .cipher
        .apply_keystream(&[9; 16], &mut data)
        .expect("it fits");
    other.digest(&[&header(96, 1)[..], &data].concat(), 0);
    assert!(witness.take().is_none());
    // STUN's, and a digest of something longer.
    let mut stun = CounterMode::new(&witness);
    stun.digest.sign(&[b"message"], &mut [0; 20]).expect("a digest");
    stun.seals(header(96, 1), b"packet");
    assert!(witness.take().is_none());
}
