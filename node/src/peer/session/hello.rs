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
const USE_SRTP: u16 = 14;

/// Puts the SRTP profiles of a first ClientHello in our order. Leaves alone whatever else it is given, and a list that isn't in its first fragment.
pub(super) fn prefer_gcm(packet: &mut [u8]) {
    if first_message(packet) == Some(CLIENT_HELLO)
        && let Some(profiles) = profiles(packet)
    {
        let (profiles, _) = profiles.as_chunks_mut::<2>();
        profiles.sort_by_key(|profile| match *profile {
            AES_128_GCM => 0,
            AES_256_GCM => 1,
            _ => 2,
        });
    }
}

fn profiles(packet: &mut [u8]) -> Option<&mut [u8]> {
    let mut rest = Rest(packet.get_mut(RECORD_HEADER..)?);
    let header = rest.take(MESSAGE_HEADER)?;
    let is_first_fragment = header[6..9] == [0; 3];
    rest.take(FIXED)?;
    rest.take_counted(1)?; // session id
    let cookie = rest.take_counted(1)?;
    if !is_first_fragment || !cookie.is_empty() {
        return None;
    }
    rest.take_counted(2)?; // cipher suites
    rest.take_counted(1)?; // compression
    rest.take(2)?; // how long the extensions are
    loop {
        let kind = rest.number(2)?;
        let extension = rest.take_counted(2)?;
        if kind == usize::from(USE_SRTP) {
            return Rest(extension).take_counted(2);
        }
    }
}

/// What has not been read.
struct Rest<'a>(&'a mut [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a mut [u8]> {
        self.0.split_off_mut(..length)
    }

    fn number(&mut self, length: usize) -> Option<usize> {
        let digits = self.take(length)?;
        Some(
            digits
                .iter()
                .fold(0, |number, digit| number << 8 | usize::from(*digit)),
        )
    }

    /// Takes what has its length before it, in a number of so many bytes.
    fn take_counted(&mut self, length: usize) -> Option<&'a mut [u8]> {
        let length = self.number(length)?;
        self.take(length)
    }
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
        prefer_gcm(&mut packet);
        packet
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
