//! Sound twice: beside each 20 ms those before, where a viewer takes that and loses packets (RFC 2198).
//!
//! Opus has a rough copy of the frame before in each packet by itself, which costs all viewers the same. This one is exact, and costs only who needs it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::media::{SOUND_RATE, SoundUnit, Timestamp};

/// A viewer that loses more than this share has its sound twice, …
const LOSES: f64 = 0.01;
/// … until it has not for so long.
const LASTS: Duration = Duration::from_secs(30);
/// Of a block before the last: how much earlier its time stamp is, in ticks, and its length.
const EARLIEST: u64 = 1 << 14;
const LONGEST: usize = 1 << 10;
/// In the first byte of a header: another one follows.
const MORE: u8 = 0x80;
/// The headers of two blocks.
const HEADERS: usize = 5;

/// What goes before a unit: the headers, and the unit before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before {
    /// The payload type of the packet.
    pub(super) payload_type: u8,
    pub(super) headers: [u8; HEADERS],
    pub(super) data: Bytes,
}

impl Before {
    pub(super) fn bytes(&self) -> usize {
        HEADERS + self.data.len()
    }
}

/// Whether, and how.
#[derive(Debug, Default)]
pub(super) struct Redundancy {
    /// The payload type that the viewer takes it by, where it does.
    agreed: Option<u8>,
    until: Option<Instant>,
    last: Option<(Timestamp, Bytes)>,
}

impl Redundancy {
    /// Takes what was agreed on.
    pub(super) fn agree(&mut self, payload_type: Option<u8>) {
        self.agreed = payload_type;
    }

    /// The viewer has reported that it lost this share lately.
    pub(super) fn reported(&mut self, loss: f64, now: Instant) {
        if loss > LOSES {
            self.until = Some(now + LASTS);
        }
    }

    /// What goes before this unit of that payload type, if anything does.
    pub(super) fn before(&mut self, unit: &SoundUnit, payload_type: u8, now: Instant) -> Option<Before> {
        let agreed = self.agreed?;
        let last = self.last.replace((unit.captured_at, unit.data.clone()));
        self.until.filter(|until| now < *until)?;
        let (stamp, data) = last?;
        let since = unit.captured_at.since(stamp);
        let earlier = since.as_nanos() * u128::from(SOUND_RATE) / 1_000_000_000;
        let earlier = u64::try_from(earlier).ok().filter(|ticks| *ticks < EARLIEST)?;
        let length = Some(data.len()).filter(|length| *length < LONGEST)?;
        let [.., high, middle, low] = (earlier << 10 | length as u64).to_be_bytes();
        Some(Before {
            payload_type: agreed,
            headers: [MORE | payload_type, high, middle, low, payload_type],
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(milliseconds: u64, data: &'static [u8]) -> SoundUnit {
        SoundUnit {
            data: Bytes::from_static(data),
            captured_at: Timestamp::from_monotonic(Duration::from_millis(milliseconds)),
            after_silence: false,
        }
    }

    #[test]
    fn who_loses_packets_has_its_sound_twice_for_a_while() {
        let (mut redundancy, now) = (Redundancy::default(), Instant::now());
        assert_eq!(
            redundancy.before(&unit(0, b"one"), 111, now),
            None,
            "not agreed on"
        );
        redundancy.agree(Some(63));
        redundancy.reported(0.005, now);
        assert_eq!(
            redundancy.before(&unit(20, b"two"), 111, now),
            None,
            "nothing is lost"
        );
        redundancy.reported(0.05, now);
        let before = redundancy.before(&unit(40, b"three"), 111, now);
        // RFC 2198, section 3: 960 ticks in 14 bits, 3 bytes in 10.
        assert_eq!(
            before,
            Some(Before {
                payload_type: 63,
                headers: [0xef, 0x0f, 0x00, 0x03, 111],
                data: Bytes::from_static(b"two"),
            })
        );
        let later = now + LASTS;
        assert_eq!(redundancy.before(&unit(60, b"four"), 111, later), None);
    }

    #[test]
    fn what_does_not_fit_its_header_is_left_out() {
        static LONG: [u8; LONGEST] = [0; LONGEST];
        let (mut redundancy, now) = (Redundancy::default(), Instant::now());
        redundancy.agree(Some(63));
        redundancy.reported(0.05, now);
        assert_eq!(
            redundancy.before(&unit(0, &LONG), 111, now),
            None,
            "it is the first"
        );
        assert_eq!(
            redundancy.before(&unit(20, b"two"), 111, now),
            None,
            "it is too long"
        );
        assert!(redundancy.before(&unit(361, b"three"), 111, now).is_some());
        assert_eq!(
            redundancy.before(&unit(703, b"four"), 111, now),
            None,
            "after a silence"
        );
    }
}
