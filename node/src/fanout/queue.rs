use std::{collections::VecDeque, time::Instant};

use super::{
    depth::{Depth, MOST_UNITS},
    unit::{Loss, Unit},
};

/// What waits for one subscriber. Without clock or IO.
#[derive(Debug)]
pub(super) struct Queue<U> {
    depth: Depth,
    /// Each with when it was published.
    units: VecDeque<(Instant, U)>,
    bytes: usize,
    /// Something was lost: nothing is of use before the next entry.
    has_gap: bool,
    /// An entry was lost, too: another has to be asked for as soon as there is room for it.
    owes_request: bool,
}

/// What became of a unit that was put into a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Put {
    /// Units that were lost by it.
    pub(super) lost: u64,
    /// Whether there is a gap that was not there before.
    pub(super) is_gap: bool,
}

impl<U: Unit> Queue<U> {
    pub(super) fn new(depth: Depth) -> Self {
        Self {
            depth,
            units: VecDeque::new(),
            bytes: 0,
            // Nothing can be decoded before the first entry.
            has_gap: U::LOSES == Loss::UpToEntry,
            owes_request: false,
        }
    }

    /// Has `unit` wait, from a source that makes keyframes on request or does not.
    pub(super) fn put(&mut self, now: Instant, unit: U, on_request: bool) -> Put {
        let mut put = Put::default();
        match U::LOSES {
            Loss::Oldest => {
                while self.is_full_for(&unit, on_request) {
                    self.pop();
                    put.lost += 1;
                }
            }
            Loss::UpToEntry if self.has_gap && !unit.is_entry() => {
                put.lost = 1;
                return put;
            }
            Loss::UpToEntry if self.is_full_for(&unit, on_request) => {
                put.lost = 1;
                put.is_gap = !self.has_gap;
                // Who takes nothing at all must not cost everybody one keyframe after the other.
                self.owes_request |= self.has_gap;
                self.has_gap = true;
                return put;
            }
            Loss::UpToEntry => {
                self.has_gap = false;
                self.owes_request = false;
            }
        }
        self.bytes += unit.size();
        self.units.push_back((now, unit));
        put
    }

    /// The unit that has waited longest, and when it was published.
    pub(super) fn pop(&mut self) -> Option<(Instant, U)> {
        let (published, unit) = self.units.pop_front()?;
        self.bytes -= unit.size();
        Some((published, unit))
    }

    /// Whether an entry has to be asked for now.
    pub(super) fn take_request(&mut self) -> bool {
        std::mem::take(&mut self.owes_request)
    }

    /// Forgets what waits, and what is to come up to the next entry.
    pub(super) fn forget(&mut self) {
        // With the memory: nothing of it is left.
        self.units = VecDeque::new();
        self.bytes = 0;
        self.has_gap = U::LOSES == Loss::UpToEntry;
    }

    fn is_full_for(&self, unit: &U, on_request: bool) -> bool {
        let Some((_, oldest)) = self.units.front() else {
            return false;
        };
        self.units.len() >= MOST_UNITS
            || self.bytes.saturating_add(unit.size()) > self.depth.bytes
            || unit.captured_at().since(oldest.captured_at()) >= self.depth.duration(on_request)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::{AccessUnit, Layer, SoundUnit, Timestamp};
    use bytes::Bytes;

    const DEPTH: Depth = Depth {
        lasting: Duration::from_millis(100),
        lasting_unasked: Duration::from_millis(300),
        bytes: 1000,
    };
    const FITS: Put = Put {
        lost: 0,
        is_gap: false,
    };
    const LOST: Put = Put {
        lost: 1,
        is_gap: false,
    };
    const GAP: Put = Put {
        lost: 1,
        is_gap: true,
    };

    fn picture(milliseconds: u64, size: usize, is_keyframe: bool) -> AccessUnit {
        AccessUnit {
            data: Bytes::from(vec![0; size]),
            captured_at: Timestamp::from_monotonic(Duration::from_millis(milliseconds)),
            is_keyframe,
            layer: Layer::Base,
        }
    }

    fn sound(milliseconds: u64, size: usize) -> SoundUnit {
        SoundUnit {
            data: Bytes::from(vec![0; size]),
            captured_at: Timestamp::from_monotonic(Duration::from_millis(milliseconds)),
            after_silence: false,
        }
    }

    /// Puts pictures so many milliseconds apart until one does not fit, and tells how many did.
    fn fitting(apart: u64, size: usize, on_request: bool) -> u64 {
        let mut queue = Queue::new(DEPTH);
        let mut put = |number: u64| {
            let unit = picture(10_000 + number * apart, size, number == 0);
            queue.put(Instant::now(), unit, on_request)
        };
        (0..).find(|number| put(*number) != FITS).expect("an end")
    }

    #[test]
    fn as_much_waits_as_lasts_no_longer_than_it_may() {
        // At 30, 100 and 5 frames a second.
        assert_eq!([33, 10, 200].map(|apart| fitting(apart, 1, true)), [4, 10, 1]);
        assert_eq!([33, 10, 200].map(|apart| fitting(apart, 1, false)), [10, 30, 2]);
    }

    #[test]
    fn bytes_are_bounded_as_well_and_so_is_the_number() {
        assert_eq!(fitting(1, 300, true), 3);
        assert_eq!(fitting(1, 5000, true), 1, "one may always wait");
        assert_eq!(fitting(0, 0, true), MOST_UNITS as u64, "time stands still");
        let mut queue = Queue::new(DEPTH);
        for number in 0..2 * MOST_UNITS as u64 {
            // Backwards.
            queue.put(Instant::now(), picture(100_000 - number, 0, true), true);
        }
        assert_eq!(queue.units.len(), MOST_UNITS);
    }

    #[test]
    fn what_was_taken_makes_room_for_as_many_bytes() {
        let mut queue = Queue::new(DEPTH);
        let now = Instant::now();
        for number in 0..10 {
            assert_eq!(queue.put(now, picture(number, 400, number == 0), true), FITS);
            assert_eq!(queue.put(now, picture(number, 600, false), true), FITS);
            assert!(queue.pop().is_some() && queue.pop().is_some());
        }
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn pictures_go_on_at_a_keyframe_and_what_waits_is_kept() {
        let mut queue = Queue::new(DEPTH);
        let now = Instant::now();
        assert_eq!(
            queue.put(now, picture(0, 1, false), true),
            LOST,
            "none before the first"
        );
        assert_eq!(queue.put(now, picture(10, 2, true), true), FITS);
        assert_eq!(queue.put(now, picture(110, 3, false), true), GAP);
        assert_eq!(queue.put(now, picture(120, 3, false), true), LOST);
        assert_eq!(queue.pop().map(|(_, unit)| unit.size()), Some(2));
        assert_eq!(
            queue.put(now, picture(130, 3, false), true),
            LOST,
            "although there is room"
        );
        assert_eq!(queue.put(now, picture(140, 4, true), true), FITS);
        assert_eq!(queue.put(now, picture(150, 5, false), true), FITS);
        assert_eq!(
            [(); 2].map(|()| queue.pop().map(|(_, unit)| unit.size())),
            [Some(4), Some(5)]
        );
        assert!(!queue.take_request(), "it has come");
    }

    #[test]
    fn who_takes_nothing_asks_for_a_keyframe_only_when_there_is_room_again() {
        let mut queue = Queue::new(DEPTH);
        let now = Instant::now();
        queue.put(now, picture(0, 1, true), true);
        assert_eq!(queue.put(now, picture(100, 1, false), true), GAP);
        for milliseconds in 2..100 {
            assert_eq!(queue.put(now, picture(100 * milliseconds, 1, true), true), LOST);
        }
        assert!(queue.pop().is_some());
        assert!(queue.take_request() && !queue.take_request());
    }

    #[test]
    fn sound_loses_what_has_waited_longest() {
        let mut queue = Queue::new(DEPTH);
        let now = Instant::now();
        for milliseconds in [0, 20, 40, 60, 80] {
            assert_eq!(queue.put(now, sound(milliseconds, 10), true), FITS);
        }
        assert_eq!(queue.put(now, sound(100, 10), true), LOST);
        let waits = |queue: &mut Queue<SoundUnit>| {
            let unit = queue.pop().map(|(_, unit)| unit.captured_at.as_duration());
            unit.map(|time| time.as_millis())
        };
        assert_eq!(waits(&mut queue), Some(20));
        assert_eq!(queue.put(now, sound(101, 970), true), LOST, "by its bytes");
        assert_eq!(waits(&mut queue), Some(60));
        assert_eq!(
            queue.put(now, sound(5000, 10), true),
            Put {
                lost: 3,
                is_gap: false
            },
            "after a pause"
        );
        assert_eq!((waits(&mut queue), waits(&mut queue)), (Some(5000), None));
    }

    #[test]
    fn what_is_forgotten_is_followed_by_a_keyframe_of_pictures_and_by_anything_of_sound() {
        let mut pictures = Queue::new(DEPTH);
        let now = Instant::now();
        pictures.put(now, picture(0, 1, true), true);
        pictures.forget();
        assert!(pictures.pop().is_none() && pictures.units.capacity() == 0);
        assert_eq!(pictures.put(now, picture(10, 1, false), true), LOST);
        assert_eq!(pictures.put(now, picture(20, 1, true), true), FITS);
        let mut sounds = Queue::new(DEPTH);
        sounds.put(now, sound(0, 1), true);
        sounds.forget();
        assert!(sounds.pop().is_none());
        assert_eq!(sounds.put(now, sound(20, 1), true), FITS);
    }
}
