use super::{
    gcm::{SALT, TAG, nonce},
    *,
};
use crate::peer::srtp::vectors::bytes;

/// The packet of RFC 7714, section 16: "Gallia est omnis divisa in partes tres".
const HEAD: &str = "8040f17b 8041f8d3 5501a0b2";
const TEXT: &str = "47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573";
const SALTED: &str = "51756964 2070726f 2071756f";

fn sealed(algorithm: AeadAlgorithm, key: &str, head: &str, roll_over: u32) -> Vec<u8> {
    let salt = bytes(SALTED).try_into().expect("12 bytes");
    let sealer = Sealer::gcm(algorithm, &bytes(key), salt).expect("a key");
    let mut packet = [bytes(head), bytes(TEXT), vec![0xaa; TAG]].concat();
    assert!(sealer.seal(&mut packet, roll_over));
    packet
}

#[test]
fn the_vectors_of_rfc_7714_come_out() {
    // Sections 16.1.1 and 16.2.1.
    let key = "00010203 04050607 08090a0b 0c0d0e0f";
    let expected = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a \
                    51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";
    assert_eq!(sealed(AeadAlgorithm::Aes128Gcm, key, HEAD, 0), bytes(expected));
    let key = "00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f";
    let expected = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 \
                    76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";
    assert_eq!(sealed(AeadAlgorithm::Aes256Gcm, key, HEAD, 0), bytes(expected));
}

#[test]
fn every_part_of_a_packets_place_changes_what_it_is_sealed_with() {
    let salt = bytes(SALTED).try_into().expect("12 bytes");
    let of = |head: &str, roll_over| nonce(&bytes(head).try_into().expect("12 bytes"), roll_over, &salt);
    let all = [
        of(HEAD, 0),
        of(HEAD, 1),
        of(HEAD, 1 << 31),
        of("8040f17c 8041f8d3 5501a0b2", 0),
        of("8040f17b 8041f8d3 5501a0b3", 0),
    ];
    for (number, one) in all.iter().enumerate() {
        assert!(all[..number].iter().all(|other| other != one), "{number}");
    }
    // The time stamp and the payload type are no part of it, which is why a header is never used twice.
    assert_eq!(of("8060f17b 0041f8d3 5501a0b2", 0), all[0]);
}

#[test]
fn the_keystream_of_rfc_3711_comes_out() {
    // Appendix B.2: what a packet of zeros is encrypted to, of which source and numbers are none.
    let salt = bytes("f0f1f2f3 f4f5f6f7 f8f9fafb fcfd")
        .try_into()
        .expect("14 bytes");
    let key = bytes("2b7e1516 28aed2a6 abf71588 09cf4f3c");
    let sealer = Sealer::counter_mode(&key, salt, &[9; 20]).expect("keys");
    let mut packet = [0; HEADER + 48 + counter_mode::TAG];
    assert!(sealer.seal(&mut packet, 0));
    let expected = "e03ead09 35c95e80 e166b16d d92b4eb4 d2351316 2b02d0f7 2a43a2fe 4a5f97ab 41e95b3b b0a2e8dd 477901e4 fca894c0";
    assert_eq!(packet[HEADER..HEADER + 48], bytes(expected));
}

#[test]
fn what_is_no_packet_or_no_key_is_refused() {
    let gcm = Sealer::gcm(AeadAlgorithm::Aes128Gcm, &[7; 16], [0; SALT]).expect("a key");
    let counter_mode = Sealer::counter_mode(&[7; 16], [0; counter_mode::SALT], &[9; 20]).expect("keys");
    for sealer in [gcm, counter_mode] {
        for length in 0..sealer.overhead() {
            assert!(!sealer.seal(&mut vec![0; length], 0), "{length}");
        }
        assert!(
            sealer.seal(&mut vec![0; sealer.overhead()], 0),
            "without a payload"
        );
        // An extension that is longer than the packet, and half of one.
        let mut extended = vec![0x90; sealer.overhead()];
        assert!(!sealer.seal(&mut extended, 0));
        assert!(!sealer.seal(&mut extended[..HEADER + 2], 0));
    }
    assert!(Sealer::gcm(AeadAlgorithm::Aes128Gcm, &[7; 15], [0; SALT]).is_none());
    assert!(Sealer::gcm(AeadAlgorithm::ChaCha20Poly1305, &[7; 32], [0; SALT]).is_none());
    assert!(Sealer::counter_mode(&[7; 15], [0; counter_mode::SALT], &[9; 20]).is_none());
    assert!(Sealer::counter_mode(&[7; 16], [0; counter_mode::SALT], &[9; 19]).is_none());
}
