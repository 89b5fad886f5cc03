//! By what SRTP is sealed: AES-GCM for every viewer that has it.
//!
//! The core takes the first of the profiles in the viewer's ClientHello that it has itself. libwebrtc lists AES in counter mode before AES-GCM, at which it
//! is as good and which costs us a fraction. A server may choose any of them (RFC 5764, 4.1.2), so the list is put in our order before the core
//! reads it. It reads it in the first ClientHello, the one without a cookie, which no checksum of the handshake covers (RFC 6347, 4.2.1).

use super::handshake::{CLIENT_HELLO, RECORD_HEADER, first_message};

/// What is left of the list where it is in our order (RFC 7714, 14.2): without AES instructions the shorter key is cheaper.
const AES_128_GCM: [u8; 2] = [0, 7];
const AES_256_GCM: [u8; 2] = [0, 8];
/// The header of a handshake message: type, length, number, offset and length of the fragment (RFC 6347, 4.2.2).
const MESSAGE_HEADER: usize = 12;
/// Version and random.
const FIXED: usize = 2 + 32;
/// The extension `use_srtp` (RFC 5764, 9).
const USE_SRTP: usize = 14;
/// Of an extension: its kind and its length.
const EXTENSION_HEADER: usize = 4;

/// Reads a first ClientHello, which may come in several fragments: with keys that no quantum computer breaks it fills no single packet.
#[derive(Debug, Default)]
pub(super) struct Hello {
    /// Where in the message the extension begins that no fragment has had yet.
    next: Option<usize>,
}

impl Hello {
    /// Puts the SRTP profiles of a first ClientHello in our order. Leaves alone whatever else it is given, fragments that come out of order, and a list that
    /// is in two of them.
    pub(super) fn prefer_gcm(&mut self, packet: &mut [u8]) {
        if first_message(packet) != Some(CLIENT_HELLO) {
            return;
        }
        if let Some(profiles) = self.profiles(packet) {
            let (profiles, _) = profiles.as_chunks_mut::<2>();
            profiles.sort_by_key(|profile| match *profile {
                AES_128_GCM => 0,
                AES_256_GCM => 1,
                _ => 2,
            });
        }
    }

    fn profiles<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let (header, body) = packet
            .get_mut(RECORD_HEADER..)?
            .split_at_mut_checked(MESSAGE_HEADER)?;
        let offset = number(&header[6..9]);
        let fragment = body.get_mut(..number(&header[9..12]))?;
        let expected = self.next.take();
        let mut at = if offset == 0 {
            extensions(fragment)?
        } else {
            expected?.checked_sub(offset)?
        };
        loop {
            let Some([kind @ .., _, _]) = fragment.get(at..at + EXTENSION_HEADER) else {
                self.next = Some(offset + at);
                return None;
            };
            let is_srtp = number(kind) == USE_SRTP;
            let length = number(&fragment[at + 2..at + EXTENSION_HEADER]);
            at += EXTENSION_HEADER;
            if is_srtp {
                let list = fragment.get_mut(at..at + length)?;
                let (length, list) = list.split_at_mut_checked(2)?;
                return list.get_mut(..number(length));
            }
            at += length;
        }
    }
}

/// Where the extensions begin of a ClientHello (RFC 6347, 4.2.1) without a cookie.
fn extensions(hello: &[u8]) -> Option<usize> {
    let counted = |at: usize, digits: usize| Some(at + digits + number(hello.get(at..at + digits)?));
    let cookie = counted(FIXED, 1)?; // behind the session id
    let suites = counted(cookie, 1)?;
    let compression = counted(suites, 2)?;
    let length = counted(compression, 1)?;
    (suites == cookie + 1).then_some(length + 2)
}

/// A number of a few bytes.
fn number(digits: &[u8]) -> usize {
    digits
        .iter()
        .fold(0, |number, digit| number << 8 | usize::from(*digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a viewer with these profiles says first.
    fn hello(cookie: &[u8], profiles: &[u8]) -> Vec<u8> {
        let counted = |digits: usize, content: &[u8]| {
            let length = content.len().to_be_bytes();
            [&length[length.len() - digits..], content].concat()
        };
        let use_srtp = [&counted(2, profiles)[..], &[0]].concat();
        let extensions = [
            &[0, 23][..],
            &counted(2, &[]),
            &[0, 14],
            &counted(2, &use_srtp),
            &[0, 10],
            &counted(2, &[0, 2, 0, 29]),
        ]
        .concat();
        let body = [
            &[0xfe, 0xfd][..],
            &[7; 32],
            &counted(1, &[]),
            &counted(1, cookie),
            &counted(2, &[0xc0, 0x2b]),
            &counted(1, &[0]),
            &counted(2, &extensions),
        ]
        .concat();
        let length = &body.len().to_be_bytes()[5..];
        let message = [&[1][..], length, &[0; 2], &[0; 3], length, &body].concat();
        [
            &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &counted(2, &message),
        ]
        .concat()
    }

    fn preferred(mut packet: Vec<u8>) -> Vec<u8> {
        Hello::default().prefer_gcm(&mut packet);
        packet
    }

    /// The message in two fragments, of which the first has so many bytes.
    fn in_two(hello: &[u8], first: usize) -> [Vec<u8>; 2] {
        let (headers, body) = hello.split_at(RECORD_HEADER + MESSAGE_HEADER);
        let (one, two) = body.split_at(first);
        [(0, one), (first, two)].map(|(offset, part)| {
            let mut headers = headers.to_vec();
            headers[RECORD_HEADER + 6..][..3].copy_from_slice(&offset.to_be_bytes()[5..]);
            headers[RECORD_HEADER + 9..].copy_from_slice(&part.len().to_be_bytes()[5..]);
            [headers, part.to_vec()].concat()
        })
    }

    const NO_COOKIE: &[u8] = &[];

    #[test]
    fn gcm_with_the_shorter_key_comes_first_and_the_rest_keeps_its_order() {
        for (theirs, ours) in [
            (&[0, 1, 0, 8, 0, 7][..], &[0, 7, 0, 8, 0, 1][..]),
            (&[0, 2, 0, 1, 0, 7], &[0, 7, 0, 2, 0, 1]),
            (&[0, 2, 0, 1], &[0, 2, 0, 1]),
            (&[0, 7], &[0, 7]),
            (&[], &[]),
        ] {
            let ordered = preferred(hello(NO_COOKIE, theirs));
            assert_eq!(ordered, hello(NO_COOKIE, ours), "{theirs:?}");
        }
    }

    #[test]
    fn a_list_in_any_fragment_is_found_unless_it_is_in_two() {
        let theirs = hello(NO_COOKIE, &[0, 1, 0, 7]);
        let whole = theirs.len() - RECORD_HEADER - MESSAGE_HEADER;
        let ours = hello(NO_COOKIE, &[0, 7, 0, 1]);
        // From the end: supported groups, this extension, the extended master secret.
        let srtp = whole - 8 - 11;
        for first in 1..whole {
            let mut fragments = in_two(&theirs, first);
            let mut hello = Hello::default();
            for fragment in &mut fragments {
                hello.prefer_gcm(fragment);
            }
            // Between two extensions, or ahead of the first one and of its list's length.
            let is_found = (srtp - 7..=srtp - 4).contains(&first) || first == srtp || first >= srtp + 11;
            let expected = if is_found { &ours } else { &theirs };
            assert_eq!(fragments, in_two(expected, first), "{first}");
            // The second one without the first.
            let [_, mut second] = in_two(&theirs, first);
            Hello::default().prefer_gcm(&mut second);
            assert_eq!(second, in_two(&theirs, first)[1]);
        }
    }

    #[test]
    fn what_a_checksum_covers_and_what_is_no_hello_stays_as_it_is() {
        let profiles = [0, 1, 0, 7];
        let answered = hello(&[9; 20], &profiles);
        let mut later = hello(NO_COOKIE, &profiles);
        later[RECORD_HEADER + 8] = 1;
        let mut encrypted = hello(NO_COOKIE, &profiles);
        encrypted[4] = 1;
        let mut other = hello(NO_COOKIE, &profiles);
        other[RECORD_HEADER] = 2;
        for packet in [answered, later, encrypted, other] {
            assert_eq!(preferred(packet.clone()), packet);
        }
    }

    #[test]
    fn a_hello_that_ends_anywhere_is_read_as_far_as_it_goes() {
        let whole = hello(NO_COOKIE, &[0, 1, 0, 7]);
        for length in 0..whole.len() {
            let short = whole[..length].to_vec();
            let ordered = preferred(short.clone());
            assert!(ordered == short || ordered == preferred(whole.clone())[..length]);
        }
        // Lengths that point anywhere.
        for place in RECORD_HEADER..whole.len() {
            let mut packet = whole.clone();
            packet[place] = 0xff;
            assert_eq!(preferred(packet).len(), whole.len());
        }
    }
}
