use super::{Cutter, Look};
use crate::media::{
    FrameSize,
    h264::{Kind, START_CODE, Sps, find_start_code, nal_units},
};

/// More than any access unit of a live stream; the largest level allows 240 Mbit/s.
const LARGEST: usize = 8 * 1024 * 1024;

/// So many units in a row have to end where the stream paused, before a pause counts as the end of one.
const FIRST_PROOF: u32 = 8;
/// A program that has broken its habit has to prove it for longer each time, up to this.
const LONGEST_PROOF: u32 = 1024;

/// H.264 as an Annex B byte stream, cut into access units.
///
/// A unit has no length: only the next one shows where it ends, a whole frame interval later. But most programs write a unit at
/// once and pause then. So the pauses are watched, and when enough of them were ends of units, a pause is taken for one. A program
/// that keeps the tail of each unit in a buffer (`rpicam-vid` without `--flush`) never gets there, and costs that interval.
pub struct H264 {
    /// No start code begins before this that was not looked at.
    looked: usize,
    place: Place,
    /// Whether a slice is among what was looked at.
    has_slice: bool,
    /// Where the stream paused within these bytes.
    pause: Pause,
    /// Pauses in a row that were ends of units.
    streak: u32,
    /// How long a streak is proof.
    proof: u32,
    size: Option<FrameSize>,
}

/// What the bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not looked at yet, or nothing known.
    Unknown,
    /// An access unit.
    Unit,
    /// The unit before was cut at a pause: an access unit, if that was right.
    Trusted,
    /// The rest of a unit that was cut too early.
    Broken,
}

/// The pauses within one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    None,
    At(usize),
    Several,
}

impl Default for H264 {
    fn default() -> Self {
        Self {
            looked: 0,
            place: Place::Unknown,
            has_slice: false,
            pause: Pause::None,
            streak: 0,
            proof: FIRST_PROOF,
            size: None,
        }
    }
}

impl H264 {
    fn start_at(&mut self, place: Place) {
        (self.looked, self.place, self.has_slice, self.pause) = (0, place, false, Pause::None);
    }

    fn discard(&mut self, length: usize) -> Look {
        self.start_at(Place::Unknown);
        Look::Garbage(length)
    }

    /// Cuts, and goes on with `next` behind it.
    fn cut(&mut self, bytes: &[u8], length: usize, next: Place) -> Look {
        self.start_at(next);
        let mut sets = nal_units(&bytes[..length]).take_while(|unit| !unit.kind().is_slice());
        if let Some(set) = sets.find(|unit| unit.kind() == Kind::SequenceParameters) {
            self.size = Sps::read(set.bytes).map(|sps| sps.size).or(self.size);
        }
        Look::Frame(length)
    }

    /// A pause was taken for the end of a unit, and it was none.
    fn lose_trust(&mut self) {
        self.place = Place::Broken;
        self.streak = 0;
        self.proof = (self.proof * 2).min(LONGEST_PROOF);
    }

    fn judge_pause(&mut self, end: usize) {
        match self.pause {
            Pause::None => {}
            Pause::At(at) if at == end => self.streak = self.streak.saturating_add(1),
            Pause::At(_) | Pause::Several => self.streak = 0,
        }
    }
}

impl Cutter for H264 {
    fn look(&mut self, bytes: &[u8]) -> Look {
        while let Some(at) = find_start_code(bytes, self.looked) {
            // The kind of a slice shows in its second byte.
            let Some(&[header, first]) = bytes.get(at + START_CODE.len()..at + START_CODE.len() + 2) else {
                self.looked = at;
                return Look::More;
            };
            // The zero before a start code belongs to it (`zero_byte`).
            let start = at - usize::from(at > 0 && bytes[at - 1] == 0);
            let kind = Kind::of(header);
            let begins = kind.begins_access_unit(first);
            match self.place {
                Place::Unknown if start > 0 => return self.discard(start),
                Place::Trusted if start > 0 || !begins => self.lose_trust(),
                Place::Unknown | Place::Trusted => self.place = Place::Unit,
                Place::Unit | Place::Broken => {}
            }
            match self.place {
                Place::Broken if begins && start > 0 => return self.discard(start),
                Place::Unit if begins && self.has_slice => {
                    self.judge_pause(start);
                    return self.cut(bytes, start, Place::Unknown);
                }
                _ => {}
            }
            self.has_slice |= kind.is_slice();
            self.looked = at + START_CODE.len();
        }
        // The start of a start code may be at the end, with its zero.
        let tail = START_CODE.len();
        if self.place == Place::Unknown && bytes.len() > tail {
            return self.discard(bytes.len() - tail);
        }
        self.looked = self.looked.max(bytes.len().saturating_sub(tail - 1));
        Look::More
    }

    fn look_after_silence(&mut self, bytes: &[u8]) -> Look {
        if !self.has_slice || self.place != Place::Unit {
            return Look::More;
        }
        if self.streak >= self.proof {
            return self.cut(bytes, bytes.len(), Place::Trusted);
        }
        self.pause = match self.pause {
            Pause::None => Pause::At(bytes.len()),
            Pause::At(at) if at == bytes.len() => self.pause,
            Pause::At(_) | Pause::Several => Pause::Several,
        };
        Look::More
    }

    fn is_in_order(&self) -> bool {
        true
    }

    fn largest(&self) -> usize {
        LARGEST
    }

    fn size(&self) -> Option<FrameSize> {
        self.size
    }
}

#[cfg(test)]
mod tests;
