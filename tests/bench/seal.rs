//! What it takes to seal a packet, by each cipher that could be negotiated or built, and nothing else. `dev/instructions` runs this.

use aes::Aes128;
use anyhow::{Context, bail};
use ctr::{
    Ctr128BE, CtrCore,
    cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper},
};
use hmac::{Hmac, Mac};
use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rtc::{
    crypto::default_provider,
    rtp::{Header, Packet},
    shared::marshal::Marshal,
    srtp::{context::Context as Srtp, protection_profile::ProtectionProfile},
};

use sha1::Sha1;

use crate::print_line;

/// The payload of a packet.
const PAYLOAD: usize = 1150;
/// RTP's header (RFC 3550, section 5.1), and the longest tag.
const HEADER: usize = 12;
const TAG: usize = 16;
/// HMAC-SHA1, of which SRTP sends ten bytes.
const DIGEST: usize = 20;
const SHORT_TAG: usize = 10;
const KEY: [u8; 32] = [7; 32];
const SALT: [u8; 16] = [3; 16];

/// What seals one packet after the other.
trait Seals {
    /// Seals a header and a payload, and returns the last byte of what that came to.
    fn seal(&mut self, number: u64, packet: &[u8]) -> anyhow::Result<u8>;
}

/// Seals so many packets by this cipher.
pub fn run(cipher: &str, packets: &str) -> anyhow::Result<()> {
    let mut seals: Box<dyn Seals> = match cipher {
        "aes-128-gcm" => Box::new(Ring::new(&AES_128_GCM)?),
        "aes-256-gcm" => Box::new(Ring::new(&AES_256_GCM)?),
        "chacha20-poly1305" => Box::new(Ring::new(&CHACHA20_POLY1305)?),
        "aes-128-cm-hmac-sha1" => Box::new(CounterMode::new()?),
        "core-aes-128-gcm" => Box::new(core(ProtectionProfile::AeadAes128Gcm)?),
        "core-aes-128-cm-hmac-sha1" => Box::new(core(ProtectionProfile::Aes128CmHmacSha1_80)?),
        _ => bail!("nobody seals by {cipher:?}"),
    };
    let mut packet = Packet {
        header: Header {
            version: 2,
            payload_type: 102,
            ..Header::default()
        },
        payload: vec![1; PAYLOAD].into(),
    }
    .marshal()?
    .to_vec();
    let mut last = 0;
    for number in 0..packets.parse().context("the number of packets")? {
        let number: u64 = number;
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        last ^= seals.seal(number, &packet)?;
    }
    print_line(&last.to_string())
}

/// As the node seals by itself: by ring, where the packet is to lie.
struct Ring {
    key: LessSafeKey,
    room: Vec<u8>,
}

impl Ring {
    fn new(algorithm: &'static Algorithm) -> anyhow::Result<Self> {
        let key = UnboundKey::new(algorithm, &KEY[..algorithm.key_len()]);
        Ok(Self {
            key: LessSafeKey::new(key.ok().context("a key")?),
            room: vec![0; HEADER + PAYLOAD + TAG],
        })
    }
}

impl Seals for Ring {
    fn seal(&mut self, number: u64, packet: &[u8]) -> anyhow::Result<u8> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let (sealed, room) = self.room.split_at_mut(packet.len());
        sealed.copy_from_slice(packet);
        let (header, payload) = sealed.split_at_mut(HEADER);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(&*header), payload);
        room.copy_from_slice(tag.ok().context("it can't be sealed")?.as_ref());
        Ok(room[TAG - 1])
    }
}

/// As the node seals in counter mode (RFC 3711, section 4), where the packet is to lie.
struct CounterMode {
    cipher: Aes128,
    digest: Hmac<Sha1>,
    room: Vec<u8>,
}

impl CounterMode {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            cipher: Aes128::new_from_slice(&KEY[..16])?,
            digest: <Hmac<Sha1> as Mac>::new_from_slice(&KEY[..DIGEST])?,
            room: vec![0; HEADER + PAYLOAD + SHORT_TAG],
        })
    }
}

impl Seals for CounterMode {
    fn seal(&mut self, number: u64, packet: &[u8]) -> anyhow::Result<u8> {
        let mut counter = SALT;
        counter[6..14].copy_from_slice(&number.to_be_bytes());
        let (sealed, room) = self.room.split_at_mut(packet.len());
        sealed.copy_from_slice(packet);
        let cipher = CtrCore::inner_iv_init(&self.cipher, &counter.into());
        let mut stream: Ctr128BE<&Aes128> = StreamCipherCoreWrapper::from_core(cipher);
        stream.apply_keystream(&mut sealed[HEADER..]);
        let mut digest = self.digest.clone();
        digest.update(sealed);
        digest.update(&((number >> 16) as u32).to_be_bytes());
        room.copy_from_slice(&digest.finalize().into_bytes()[..SHORT_TAG]);
        Ok(room[SHORT_TAG - 1])
    }
}

/// As the core seals what the node leaves to it.
struct Core(Srtp);

fn core(profile: ProtectionProfile) -> anyhow::Result<Core> {
    let provider = default_provider()?;
    let (key, salt) = (&KEY[..profile.key_len()], &SALT[..profile.salt_len()]);
    Ok(Core(Srtp::new(
        key,
        salt,
        profile,
        None,
        None,
        provider.crypto(),
    )?))
}

impl Seals for Core {
    fn seal(&mut self, _number: u64, packet: &[u8]) -> anyhow::Result<u8> {
        let sealed = self.0.encrypt_rtp(packet)?;
        sealed.last().copied().context("nothing was sealed")
    }
}
