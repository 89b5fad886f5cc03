//! What the header of a packet says, as far as it is STUN (RFC 8489, section 5).

/// What identifies a transaction.
pub(super) type TransactionId = [u8; 12];

pub(super) const HEADER: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// A binding request or an answer to one: all that connectivity checks consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    Request(TransactionId),
    Success(TransactionId),
    Error,
}

impl Binding {
    /// `None` where the packet is something else.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER] = packet.first_chunk()?;
        if header[4..8] != MAGIC_COOKIE {
            return None;
        }
        let id = *header.last_chunk()?;
        match header[..2] {
            [0x00, 0x01] => Some(Self::Request(id)),
            [0x01, 0x01] => Some(Self::Success(id)),
            [0x01, 0x11] => Some(Self::Error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_their_answers_are_told_from_everything_else() {
        let packet = |kind: [u8; 2]| {
            let mut packet = vec![kind[0], kind[1], 0, 0];
            packet.extend(MAGIC_COOKIE);
            packet.extend([7; 12]);
            packet
        };
        assert_eq!(Binding::of(&packet([0, 1])), Some(Binding::Request([7; 12])));
        assert_eq!(Binding::of(&packet([1, 1])), Some(Binding::Success([7; 12])));
        assert_eq!(Binding::of(&packet([1, 0x11])), Some(Binding::Error));
        assert_eq!(Binding::of(&packet([0, 0x11])), None, "an indication");
        assert_eq!(Binding::of(&packet([0, 1])[..19]), None, "cut");
        assert_eq!(Binding::of(&[0; 40]), None, "without the cookie");
        assert_eq!(Binding::of(&[]), None);
    }
}
