//! When a viewer that has just connected can decrypt what it is sent.

use std::time::{Duration, Instant};

/// What a viewer that exchanges messages has to itself after the handshake, unless it shows before that it has the keys, which it does where it is quick:
/// opening its channel is the first thing it does. What comes right behind our last word may be read together with it, by a viewer that has no
/// keys yet: ours lost its first keyframe so.
const LONGEST: Duration = Duration::from_millis(20);

/// Of a DTLS record (RFC 6347, 4.1) that is encrypted.
const APPLICATION_DATA: u8 = 23;

pub(super) struct Settling {
    has_messages: bool,
    until: Option<Instant>,
    has_keys: bool,
}

impl Settling {
    pub(super) fn new(has_messages: bool) -> Self {
        Self {
            has_messages,
            until: None,
            has_keys: false,
        }
    }

    /// Looks at a packet of the viewer: RTP, RTCP and messages come from somebody who has the keys (RFC 7983, 7, tells them apart).
    pub(super) fn hear(&mut self, data: &[u8]) {
        self.has_keys |= matches!(data.first(), Some(&APPLICATION_DATA | 128..=191));
    }

    /// The handshake is over for us.
    pub(super) fn start(&mut self, now: Instant) {
        let lasts = if self.has_keys || !self.has_messages {
            Duration::ZERO
        } else {
            LONGEST
        };
        self.until = Some(now + lasts);
    }

    /// Whether it ends now; said once.
    pub(super) fn ends(&mut self, now: Instant) -> bool {
        self.until
            .take_if(|until| self.has_keys || *until <= now)
            .is_some()
    }

    pub(super) fn lasts(&self) -> bool {
        self.until.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_that_says_nothing_has_20_ms_to_itself() {
        let (mut settling, start) = (Settling::new(true), Instant::now());
        assert!(!settling.lasts() && !settling.ends(start));
        settling.start(start);
        settling.hear(&[0x00, 0x01]);
        settling.hear(&[22, 0xfe, 0xfd]);
        assert!(settling.lasts() && !settling.ends(start + Duration::from_millis(19)));
        assert_eq!(settling.deadline(), Some(start + LONGEST));
        assert!(settling.ends(start + LONGEST) && !settling.lasts());
        assert!(!settling.ends(start + 2 * LONGEST));
    }

    #[test]
    fn a_viewer_without_messages_is_sent_pictures_at_once() {
        let (mut settling, start) = (Settling::new(false), Instant::now());
        settling.start(start);
        assert!(settling.ends(start) && !settling.lasts());
    }

    #[test]
    fn what_only_a_holder_of_the_keys_can_send_ends_it() {
        for first in [APPLICATION_DATA, 0x80, 0x81, 191] {
            let (mut settling, start) = (Settling::new(true), Instant::now());
            settling.start(start);
            settling.hear(&[first]);
            assert!(settling.ends(start), "{first}");
            // Read before our own end of the handshake was noticed.
            let mut settling = Settling::new(true);
            settling.hear(&[first]);
            settling.start(start);
            assert!(settling.ends(start), "{first}");
        }
    }
}
