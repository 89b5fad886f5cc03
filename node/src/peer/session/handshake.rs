//! Repeated ClientHellos of a DTLS handshake.
//!
//! A viewer that misses part of our ServerHello's flight repeats its ClientHello. Whatever comes stops the core's timer for that flight, also what
//! it has answered already, so that it would never be repeated and the handshake be over. Where the core doesn't see the repetition, its timer
//! does what RFC 6347, section 4.2.4 wants.

/// Types of content and of handshake messages (RFC 5246, sections 6.2.1 and 7.4).
const HANDSHAKE: u8 = 22;
pub(super) const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// The header of a DTLS record, behind which a handshake message begins with its type (RFC 6347, sections 4.1 and 4.2.2).
pub(super) const RECORD_HEADER: usize = 13;

/// How far the handshake is.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    /// Whether our ServerHello is out.
    hello_answered: bool,
}

impl Handshake {
    /// Looks at a packet that goes out.
    pub(super) fn sent(&mut self, packet: &[u8]) {
        if first_message(packet) == Some(SERVER_HELLO) {
            self.hello_answered = true;
        }
    }

    /// Whether a packet of the viewer asks for what was answered.
    pub(super) fn is_repetition(&self, packet: &[u8]) -> bool {
        self.hello_answered && first_message(packet) == Some(CLIENT_HELLO)
    }
}

/// The type of the handshake message with which a packet begins, where it does and is not encrypted.
pub(in crate::peer) fn first_message(packet: &[u8]) -> Option<u8> {
    let is_plain = packet.first() == Some(&HANDSHAKE) && packet.get(3..5) == Some(&[0, 0]);
    is_plain.then(|| packet.get(RECORD_HEADER).copied())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of this content, epoch and handshake type.
    fn record(content: u8, epoch: u8, message: u8) -> Vec<u8> {
        vec![content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0, 0, 1, message]
    }

    #[test]
    fn a_hello_is_a_repetition_once_it_is_answered() {
        let mut handshake = Handshake::default();
        let hello = record(HANDSHAKE, 0, CLIENT_HELLO);
        assert!(!handshake.is_repetition(&hello));
        // A cookie (HelloVerifyRequest) is no answer: the next hello brings it back.
        handshake.sent(&record(HANDSHAKE, 0, 3));
        handshake.sent(&record(23, 1, SERVER_HELLO));
        handshake.sent(&[]);
        assert!(!handshake.is_repetition(&hello));
        handshake.sent(&record(HANDSHAKE, 0, SERVER_HELLO));
        assert!(handshake.is_repetition(&hello));
    }

    #[test]
    fn nothing_else_is_kept_from_the_core() {
        let mut handshake = Handshake::default();
        handshake.sent(&record(HANDSHAKE, 0, SERVER_HELLO));
        let certificate = record(HANDSHAKE, 0, 11);
        let encrypted = record(HANDSHAKE, 1, CLIENT_HELLO);
        let data = record(23, 0, CLIENT_HELLO);
        let cut_short = &record(HANDSHAKE, 0, CLIENT_HELLO)[..RECORD_HEADER];
        for packet in [&certificate[..], &encrypted, &data, cut_short, &[]] {
            assert!(!handshake.is_repetition(packet), "{packet:?}");
        }
    }
}
