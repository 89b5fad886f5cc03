//! From a master key to a sealed packet: what others say that comes of it.
//!
//! The core derives the keys and tells nobody. So it is given master keys whose packets are known, and a [`Witness`] that looks on.

use rtc::srtp::{context::Context, protection_profile::ProtectionProfile};

use super::{HEADER, Sealer, Witness};

/// What stands there in hexadecimal digits.
pub(super) fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<_> = hexadecimal
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// The core's end of a connection with this master key and salt.
fn core(profile: ProtectionProfile, key: &str, salt: &str, witness: &Witness) -> Context {
    let provider = witness.provider().expect("a provider");
    let (key, salt) = (bytes(key), bytes(salt));
    Context::new(&key, &salt, profile, None, None, provider.crypto()).expect("a key of its length")
}

/// The packet as we seal it.
fn sealed(sealer: &Sealer, packet: &[u8], roll_over: u32) -> Vec<u8> {
    let mut packet = [packet, &vec![0; sealer.overhead() - HEADER]].concat();
    assert!(sealer.seal(&mut packet, roll_over));
    packet
}

/// The packet of libsrtp's own tests (test/srtp_driver.c).
const PACKET: &str = "800f1234 decafbad cafebabe abababab abababab abababab abababab";

/// `srtp_validate_gcm` of libsrtp. RFC 7714 has vectors for sealing, but none for its keys (section 11).
const GCM_KEY: &str = "00010203 04050607 08090a0b 0c0d0e0f";
const GCM_SALT: &str = "a0a1a2a3 a4a5a6a7 a8a9aaab";
const GCM_SEALED: &str = "800f1234 decafbad cafebabe c5002ede 04cfdd2e b91159e0 880aa06e d2976826 f796b201 \
                          df3131a1 27e8a392";

/// `srtp_validate` of libsrtp, by the master key of RFC 3711, appendix B.3.
const COUNTER_MODE_KEY: &str = "e1f97a0d 3e018be0 d64fa32c 06de4139";
const COUNTER_MODE_SALT: &str = "0ec675ad 498afeeb b6960b3a abe6";
const COUNTER_MODE_SEALED: &str =
    "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb";

#[test]
fn what_libsrtp_seals_by_a_master_key_is_what_we_seal() {
    let vectors = [
        (ProtectionProfile::AeadAes128Gcm, GCM_KEY, GCM_SALT, GCM_SEALED),
        (
            ProtectionProfile::Aes128CmHmacSha1_80,
            COUNTER_MODE_KEY,
            COUNTER_MODE_SALT,
            COUNTER_MODE_SEALED,
        ),
    ];
    for (profile, key, salt, expected) in vectors {
        let witness = Witness::default();
        let mut core = core(profile, key, salt, &witness);
        let packet = bytes(PACKET);
        assert_eq!(
            core.encrypt_rtp(&packet).expect("it seals"),
            bytes(expected),
            "{profile:?}"
        );
        let sealer = witness.take().expect("it was RTP");
        assert_eq!(sealed(&sealer, &packet, 0), bytes(expected), "{profile:?}");
    }
}

#[test]
fn in_what_we_have_not_the_core_seals_as_libsrtp_does() {
    // `srtp_validate_aes_256` of libsrtp, by the master key of RFC 6188, section 7.2. DTLS has no such profile.
    let key = "f0f04914 b513f276 3a1b1fa1 30f10e29 98f6f6e4 3e4309d1 e622a0e3 32b9f1b6";
    let salt = "3b04803d e51ee7c9 6423ab5b 78d2";
    let expected = "800f1234 decafbad cafebabe f1d9de17 ff251ff1 aa007774 b0b4b40d a08d9d9a 5b3a55d8 873b";
    let witness = Witness::default();
    let mut core = core(ProtectionProfile::Aes256CmHmacSha1_80, key, salt, &witness);
    let packet = core.encrypt_rtp(&bytes(PACKET)).expect("it seals");
    assert_eq!(packet, bytes(expected));
    assert!(witness.take().is_none());
}

#[test]
fn where_numbers_begin_anew_we_seal_as_the_core_does() {
    // Three times, and with one that comes late.
    let numbers = [
        0xfffe_u64, 0xffff, 0x1_0000, 0x1_6000, 0x1_c000, 0x2_2000, 0x2_9000, 0x2_fff0, 0x3_0002, 0x2_ffff,
        0x3_0003,
    ];
    let longer = [GCM_KEY, GCM_KEY].concat();
    for (profile, key, salt) in [
        (ProtectionProfile::AeadAes128Gcm, GCM_KEY, GCM_SALT),
        (ProtectionProfile::AeadAes256Gcm, longer.as_str(), GCM_SALT),
        (
            ProtectionProfile::Aes128CmHmacSha1_80,
            COUNTER_MODE_KEY,
            COUNTER_MODE_SALT,
        ),
    ] {
        let witness = Witness::default();
        let mut core = core(profile, key, salt, &witness);
        let mut sealer = None;
        for number in numbers {
            let mut packet = bytes(PACKET);
            packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
            packet[HEADER..].fill(number as u8);
            if sealer.is_some() {
                // The first has no extension, others have one.
                packet[0] |= 0x10;
                packet[HEADER..HEADER + 8].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x31, 5, 6, 0]);
            }
            let theirs = core.encrypt_rtp(&packet).expect("it seals");
            let sealer = sealer.get_or_insert_with(|| witness.take().expect("it was RTP"));
            assert_eq!(
                theirs,
                sealed(sealer, &packet, (number >> 16) as u32),
                "{number:x}"
            );
        }
    }
}
