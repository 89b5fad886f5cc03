//! SRTP for what goes out (RFC 3711): AES in counter mode with HMAC-SHA1, and AES-GCM (RFC 7714). Without IO.
//!
//! DTLS and the derivation of keys stay the core's. It seals the first packet of each stream, and a [`Witness`] sees by what; everything after that is
//! sealed here, where it is to lie, at a quarter of the cost.

mod counter_mode;
mod gcm;
mod header;
mod key;
mod sealer;
mod seen;
#[cfg(test)]
mod vectors;
mod watched;
mod witness;

pub(super) use header::HEADER;
pub(super) use sealer::Sealer;
pub(super) use witness::Witness;
