//! What both ends of the wire share: paths, header names, limits and percent-encoding.

use std::time::Duration;

/// The port of the stock server, and of ours.
pub const PORT: u16 = 8888;

/// `GET /sign_in?<name>`: become a member.
pub const SIGN_IN: &str = "/sign_in";
/// `GET /wait?peer_id=<own id>`: hang until there is one event.
pub const WAIT: &str = "/wait";
/// `POST /message?peer_id=<own id>&to=<other id>`: send the body to another member.
pub const MESSAGE: &str = "/message";
/// `GET /sign_out?peer_id=<own id>`: leave.
pub const SIGN_OUT: &str = "/sign_out";

/// The query key of the own id.
pub const PEER_ID: &str = "peer_id";
/// The query key of the id that a message is for.
pub const TO: &str = "to";

/// The header that tells an event's kind: the own id for presence, another id for a message from that peer.
pub const PRAGMA: &str = "Pragma";
/// The header that shows the access token, where a server wants one ([`crate::Token`]).
pub const AUTHORIZATION: &str = "Authorization";
/// The header that shows the member's key, from its sign-in on ([`crate::MemberKey`]). An addition of Pinhole, which stock servers pass
/// over.
pub const MEMBER_KEY: &str = "X-Pinhole-Key";
/// Spelt exactly so: the stock programs compare it case-sensitively.
pub const CONTENT_LENGTH: &str = "Content-Length";
/// Spelt exactly so: the stock programs compare it case-sensitively.
pub const CONTENT_TYPE: &str = "Content-Type";

/// The content type of entries and, by custom, of messages too.
pub const TEXT_PLAIN: &str = "text/plain";

/// The text of the `500` for an id that no member has.
pub const GONE: &str = "Peer most likely gone.";

/// A member without an open `/wait` for longer than this is dropped.
pub const ABSENT: Duration = Duration::from_secs(30);

/// The most bytes of a message's body. A session description has a few KiB, with many codecs and candidates
/// some tens of KiB.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// The most bytes of a roster that a client reads: over 2,000 members with names of ordinary length or 1,000
/// with the longest.
pub const MAX_ROSTER: usize = 1024 * 1024;
/// The most bytes of a head (status or request line and headers) that either end reads.
pub const MAX_HEAD: usize = 16 * 1024;
/// The most bytes of a request line's target, raw. A name of 512 bytes, percent-encoded, takes 1,536.
pub const MAX_TARGET: usize = 4 * 1024;

/// Writes bytes such that they can stand in a query: all but RFC 3986's unreserved characters (and `@`, which a
/// query may carry and almost every name has) become `%XX`.
pub fn percent_encode(bytes: &[u8]) -> String {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@') {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)] as char);
            out.push(HEX[usize::from(byte & 0xf)] as char);
        }
    }
    out
}

/// Reads what [`percent_encode`] wrote, and more: `+` is a space, and a `%` that starts no escape stands for itself.
pub fn percent_decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| {
        text.get(at)
            .and_then(|&byte| (byte as char).to_digit(16))
            .map(|digit| digit as u8)
    };
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

/// The value of `key` in a query `a=1&b=2`, raw.
pub fn query_value<'q>(query: &'q str, key: &str) -> Option<&'q str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_percent_encoding() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(percent_decode(percent_encode(&all).as_bytes()), all);
    }

    #[test]
    fn a_torn_escape_stands_for_itself() {
        for text in ["%", "%4", "%g0", "%0g", "a%"] {
            assert_eq!(percent_decode(text.as_bytes()), text.as_bytes());
        }
    }

    #[test]
    fn a_query_value_is_found_by_its_whole_key() {
        assert_eq!(query_value("peer_id=1&to=2", "to"), Some("2"));
        assert_eq!(query_value("peer_id=1&to=2", "peer_id"), Some("1"));
        assert_eq!(query_value("xto=3", "to"), None);
        assert_eq!(query_value("to", "to"), None);
        assert_eq!(query_value("", "to"), None);
    }
}
