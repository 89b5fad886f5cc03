//! What was sent of a rendition, for those who missed some of it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use crate::media::{AccessUnit, Keeper, Privacy, Timestamp};

/// Packets that are kept: two seconds at 4 Mbit/s. What is older comes too late for a picture.
pub(super) const KEPT: usize = 1024;

/// A keyframe is fresh for so long. Sooner hardly any other one is made, whoever asks (`fanout`'s desk), and what follows it meanwhile is not much more.
const FRESH: Duration = Duration::from_millis(400);
/// From a source that makes no keyframe when it is asked for one, a newcomer is given what came since the last, if that was no longer ago.
const LONGEST: Duration = Duration::from_secs(4);

/// One packet as all viewers get it: what differs between them is its header.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) payload: Bytes,
    /// When its picture was captured.
    pub(super) captured_at: Timestamp,
    /// Whether a picture ends with it.
    pub(super) marker: bool,
}

/// The last packets of one rendition, numbered from its beginning on. A [`Keeper`]: the privacy switch empties it.
///
/// Payloads are not copied. Cheap to clone; every clone is the same ring.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    kept: Arc<Kept>,
    privacy: Privacy,
}

#[derive(Debug, Default)]
struct Kept(Mutex<Packets>);

#[derive(Debug, Default)]
struct Packets {
    kept: VecDeque<Packet>,
    /// The number of the next one.
    next: u64,
    /// The number with which the last keyframe begins.
    keyframe: Option<u64>,
}

/// A keyframe and what has followed it until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The number with which it begins.
    pub(super) first: u64,
    /// When the newest picture was captured.
    pub(super) newest: Timestamp,
    /// Whether no other keyframe can be had by asking for it.
    pub(super) is_the_only: bool,
}

impl Ring {
    /// One that is emptied by this switch.
    pub(super) fn new(privacy: &Privacy) -> Self {
        let kept = Arc::<Kept>::default();
        let keeper: Arc<dyn Keeper> = kept.clone();
        privacy.watch_over(Arc::downgrade(&keeper));
        Self {
            kept,
            privacy: privacy.clone(),
        }
    }

    /// Keeps the packets of a picture. Returns the number of the first.
    pub(super) fn keep(&self, payloads: &[Bytes], unit: &AccessUnit) -> u64 {
        let AccessUnit {
            captured_at,
            is_keyframe,
            ..
        } = *unit;
        let mut packets = self.kept.lock();
        let first = packets.next;
        packets.next += payloads.len() as u64;
        // Asked behind the lock: whoever throws the switch now empties the ring after this.
        if self.privacy.blocks(captured_at) {
            packets.kept.clear();
            return first;
        }
        if is_keyframe {
            packets.keyframe = Some(first);
        }
        let last = payloads.len().saturating_sub(1);
        let all = payloads.iter().enumerate().map(|(number, payload)| Packet {
            payload: payload.clone(),
            captured_at,
            marker: number == last,
        });
        // A picture that is longer than the ring leaves its end there.
        packets.kept.extend(all.skip(payloads.len().saturating_sub(KEPT)));
        let over = packets.kept.len().saturating_sub(KEPT);
        packets.kept.drain(..over);
        first
    }

    /// The number of the next packet.
    pub(super) fn next(&self) -> u64 {
        self.kept.lock().next
    }

    /// The packet of this number, while it is kept.
    pub(super) fn get(&self, number: u64) -> Option<Packet> {
        let packets = self.kept.lock();
        let packet = packets.kept.get(packets.index(number)?);
        packet.filter(|packet| self.may_leave(packet)).cloned()
    }

    /// The last keyframe and all that follows it, where all is kept, and the keyframe is fresh or none can be had by asking for it.
    pub(super) fn group(&self, on_request: bool) -> Option<Group> {
        let packets = self.kept.lock();
        let first = packets.keyframe?;
        let (keyframe, newest) = (packets.kept.get(packets.index(first)?)?, packets.kept.back()?);
        let newest = newest.captured_at;
        let lasts = if on_request { FRESH } else { LONGEST };
        let is_of_use = newest.since(keyframe.captured_at) < lasts && self.may_leave(keyframe);
        is_of_use.then_some(Group {
            first,
            newest,
            is_the_only: !on_request,
        })
    }

    fn may_leave(&self, packet: &Packet) -> bool {
        !self.privacy.blocks(packet.captured_at)
    }

    /// Forgets all of them, and goes on with their numbers.
    pub(super) fn clear(&self) {
        self.kept.forget();
    }
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Packets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Packets {
    /// Where the packet of this number is, while it is kept.
    fn index(&self, number: u64) -> Option<usize> {
        let behind = usize::try_from(self.next.checked_sub(number)?).ok()?;
        self.kept.len().checked_sub(behind)
    }
}

impl Keeper for Kept {
    fn forget(&self) {
        // Not emptied only: nobody may watch any more, and then nobody needs the room.
        self.lock().kept = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::Layer;

    /// Keeps a picture that is no keyframe.
    fn keep(ring: &Ring, payloads: &[Bytes], captured_at: Timestamp) -> u64 {
        ring.keep(payloads, &unit(captured_at, false))
    }

    fn unit(captured_at: Timestamp, is_keyframe: bool) -> AccessUnit {
        AccessUnit {
            data: Bytes::new(),
            captured_at,
            is_keyframe,
            layer: Layer::Base,
        }
    }

    fn picture(length: usize, byte: u8) -> Vec<Bytes> {
        (0..length).map(|_| Bytes::from(vec![byte; 3])).collect()
    }

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_monotonic(Duration::from_millis(milliseconds))
    }

    #[test]
    fn the_newest_are_kept_by_their_numbers() {
        let ring = Ring::default();
        assert!(ring.get(0).is_none());
        assert_eq!(keep(&ring, &picture(2, 1), at(100)), 0);
        assert_eq!(keep(&ring, &picture(KEPT - 2, 2), at(200)), 2);
        let (first, second) = (ring.get(0).expect("kept"), ring.get(1).expect("kept"));
        assert_eq!((first.marker, second.marker), (false, true));
        assert_eq!(
            (first.captured_at, ring.get(2).expect("kept").captured_at),
            (at(100), at(200))
        );
        assert!(ring.get(KEPT as u64).is_none() && ring.get(u64::MAX).is_none());
        assert_eq!(keep(&ring, &picture(1, 3), at(300)), KEPT as u64);
        assert!(ring.get(0).is_none());
        assert_eq!(ring.get(1).expect("kept").payload[0], 1);
        // Longer than all that is kept.
        let first = keep(&ring, &picture(KEPT + 5, 4), at(400));
        assert!(ring.get(first + 4).is_none() && ring.get(first + 5).is_some());
        assert!(ring.get(first + KEPT as u64 + 4).expect("kept").marker);
    }

    #[test]
    fn the_privacy_switch_empties_it_and_its_numbers_go_on() {
        let privacy = Privacy::default();
        let ring = Ring::new(&privacy);
        keep(&ring, &picture(5, 1), Timestamp::now());
        privacy.set(true);
        assert!((0..5).all(|number| ring.get(number).is_none()));
        privacy.set(false);
        assert_eq!(keep(&ring, &picture(1, 2), at(200)), 5, "it was on its way");
        assert_eq!(keep(&ring, &picture(1, 2), Timestamp::now()), 6);
        assert!(ring.get(4).is_none() && ring.get(5).is_none() && ring.get(6).is_some());
    }

    #[test]
    fn payloads_are_shared() {
        let (ring, payloads) = (Ring::default(), picture(1, 1));
        keep(&ring, &payloads, at(0));
        assert_eq!(ring.get(0).expect("kept").payload.as_ptr(), payloads[0].as_ptr());
        ring.clear();
        assert!(payloads[0].is_unique());
    }

    #[test]
    fn a_newcomer_is_given_what_follows_a_fresh_keyframe() {
        let ring = Ring::default();
        assert_eq!(ring.group(true), None);
        keep(&ring, &picture(2, 1), at(0));
        assert_eq!(ring.group(true), None, "there was no keyframe");
        ring.keep(&picture(3, 2), &unit(at(33), true));
        keep(&ring, &picture(1, 3), at(66));
        let group = Group {
            first: 2,
            newest: at(66),
            is_the_only: false,
        };
        assert_eq!((ring.group(true), ring.next()), (Some(group), 6));
        keep(&ring, &picture(1, 4), at(432));
        assert!(ring.group(true).is_some());
        keep(&ring, &picture(1, 5), at(433));
        assert_eq!(ring.group(true), None, "another one may be made by now");
        assert!(ring.group(false).is_some(), "unless none is made for the asking");
        keep(&ring, &picture(1, 5), at(4033));
        assert_eq!(ring.group(false), None, "that was long ago");
        ring.keep(&picture(KEPT + 1, 6), &unit(at(4066), true));
        assert_eq!(ring.group(false), None, "its beginning is not kept");
        ring.keep(&picture(1, 7), &unit(at(4100), true));
        ring.clear();
        assert_eq!(ring.group(false), None);
        keep(&ring, &picture(1, 8), at(4133));
        assert_eq!(ring.group(false), None, "nor after that");
    }
}
