//! What a member calls itself.

use std::fmt;

use bytes::Bytes;

use crate::http::{percent_decode, percent_encode};

/// A member's name: bytes, as the stock client sends `USER@host` raw in whatever encoding its system has.
///
/// Valid by construction: at most [`Name::MAX`] bytes, and none of `,` (it ends the name in an entry), line ends
/// or other ASCII control characters; each of these becomes `_`. May be empty: the server then calls the member
/// `peer_<id>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Bytes);

impl Name {
    /// The most bytes that a name keeps; what is beyond is cut.
    pub const MAX: usize = 512;

    /// A name from raw bytes, mended to be one (see [`Name`]).
    pub fn new(bytes: &[u8]) -> Name {
        let kept = &bytes[..cut(bytes)];
        Name(
            kept.iter()
                .map(|&byte| {
                    if byte == b',' || byte.is_ascii_control() {
                        b'_'
                    } else {
                        byte
                    }
                })
                .collect(),
        )
    }

    /// A name from the query of a sign-in: `%XX` is a byte, `+` is a space; a `%` that starts no escape stands
    /// for itself.
    pub fn from_query(query: &[u8]) -> Name {
        Name::new(&percent_decode(query))
    }

    /// The name for the query of a sign-in, percent-encoded.
    pub fn to_query(&self) -> String {
        percent_encode(&self.0)
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where to cut a name that is too long: not within a character, if it is UTF-8.
fn cut(bytes: &[u8]) -> usize {
    if bytes.len() <= Name::MAX {
        return bytes.len();
    }
    let is_continuation = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    // A character has at most three continuation bytes; further back, it isn't UTF-8.
    (Name::MAX - 3..=Name::MAX)
        .rev()
        .find(|&end| !is_continuation(bytes[end]))
        .unwrap_or(Name::MAX)
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name::new(text.as_bytes())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Name {
        Name::new(text.as_bytes())
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, text: &str) -> bool {
        self.0 == text.as_bytes()
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, text: &&str) -> bool {
        self == *text
    }
}

/// Bytes that are not UTF-8 show as U+FFFD.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_an_entry_becomes_an_underscore() {
        assert_eq!(Name::from("a,b\r\nc\t\u{7f}"), "a_b__c__");
    }

    #[test]
    fn a_query_is_decoded_like_the_stock_server_does() {
        for (query, name) in [
            ("bob%2Cx", "bob_x"),
            ("John+Smith@pc", "John Smith@pc"),
            ("John Smith@pc", "John Smith@pc"),
            ("%EA%B0%80", "가"),
            ("가", "가"),
            ("100%", "100%"),
            ("50%zz", "50%zz"),
            ("a%0Ab", "a_b"),
        ] {
            assert_eq!(Name::from_query(query.as_bytes()), name, "{query}");
        }
    }

    #[test]
    fn any_bytes_survive_the_query() {
        let name = Name::new(b"caf\xe9 & 100%+\xff\xfe?#/");
        assert_eq!(Name::from_query(name.to_query().as_bytes()), name);
        assert!(name.to_query().bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(Name::new(&[b'x'; 600]).as_bytes().len(), 512);
        let hangul = "가".repeat(300);
        assert_eq!(Name::from(hangul.as_str()).as_bytes().len(), 510);
        assert_eq!(Name::new(&[0x80; 600]).as_bytes().len(), 512);
        assert_eq!(Name::new(&[b'x'; 512]).as_bytes().len(), 512);
    }
}
