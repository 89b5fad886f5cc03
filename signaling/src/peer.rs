//! The number by which a member of a server is known.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// The id that a server gives to a member at sign-in.
///
/// Ids count up from 1 and are never reused while the server runs; after a restart they start again, so an id
/// means nothing beyond one run of one server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(NonZeroU64);

/// The text is not a peer id: digits only, no sign, no leading zero, at least 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a peer id (a decimal number from 1)")]
pub struct PeerIdError {
    text: String,
}

impl PeerId {
    /// The first id that a server gives.
    pub const FIRST: PeerId = PeerId(NonZeroU64::MIN);

    /// An id from its number; `None` for 0.
    pub fn new(number: u64) -> Option<PeerId> {
        NonZeroU64::new(number).map(PeerId)
    }

    /// The number itself.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The id after this one; `None` when the numbers have run out.
    pub fn next(self) -> Option<PeerId> {
        self.0.checked_add(1).map(PeerId)
    }

    /// Reads an id from the wire.
    pub fn parse(text: &[u8]) -> Result<PeerId, PeerIdError> {
        let error = || PeerIdError {
            text: String::from_utf8_lossy(&text[..text.len().min(32)]).into_owned(),
        };
        // `u64::from_str` takes a plus sign and leading zeros, which no server writes.
        if text.is_empty() || text[0] == b'0' || !text.iter().all(u8::is_ascii_digit) {
            return Err(error());
        }
        std::str::from_utf8(text)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .map(PeerId)
            .ok_or_else(error)
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<PeerId, PeerIdError> {
        PeerId::parse(text.as_bytes())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_a_server_writes() {
        for (text, number) in [("1", 1), ("42", 42), ("18446744073709551615", u64::MAX)] {
            let id: PeerId = text.parse().unwrap();
            assert_eq!(id.get(), number);
            assert_eq!(id.to_string(), text);
        }
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "01",
            " 1",
            "1 ",
            "1x",
            "٣",
            "18446744073709551616",
        ] {
            assert!(text.parse::<PeerId>().is_err(), "{text:?} was taken for an id");
        }
    }

    #[test]
    fn an_error_shows_no_more_than_the_start_of_a_long_text() {
        let error = PeerId::parse(&[b'x'; 10_000]).unwrap_err();
        assert!(error.to_string().len() < 100);
    }
}
