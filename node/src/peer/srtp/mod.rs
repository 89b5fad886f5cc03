//! SRTP for what goes out (RFC 3711), with AES-GCM (RFC 7714). Without IO.
//!
//! DTLS and the derivation of keys stay the core's. It seals the first packet of each stream, and a [`Witness`] sees by what; everything after that is
//! sealed here, where it is to lie, at a quarter of the cost.

mod sealer;
#[cfg(test)]
mod vectors;
mod witness;

pub(super) use sealer::{HEADER, Sealer, TAG};
pub(super) use witness::Witness;
