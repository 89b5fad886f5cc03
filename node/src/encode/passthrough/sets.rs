use super::START_CODE;
use crate::media::h264::{Kind, Sps, picture_parameter_ids};

/// More than any camera's; a set with scaling lists has 500 bytes.
const LARGEST: usize = 1024;
/// Bytes of all sets. The standard allows 32 and 256 of them (which is as many as have numbers); a camera's have a few dozen bytes, and
/// all of them are before each keyframe.
const MOST: usize = 16 * 1024;

/// The parameter sets that hold at this point of a stream.
#[derive(Default)]
pub(super) struct ParameterSets {
    sequence: Vec<Set>,
    picture: Vec<Set>,
    /// Counts the sets that came.
    came: u64,
}

struct Set {
    id: u32,
    /// The sequence parameter set that it builds upon; of such a set itself, its own number.
    upon: u32,
    bytes: Vec<u8>,
    /// Whether viewers don't have it yet.
    is_new: bool,
    /// When it came last.
    came: u64,
}

impl ParameterSets {
    /// Remembers a parameter set, in the place of the one with its number. Tells what a sequence parameter set promises, where that is
    /// news.
    ///
    /// # Errors
    /// It is damaged, or too large to be one.
    pub(super) fn put(&mut self, unit: &[u8]) -> Result<Option<Sps>, &'static str> {
        let is_sequence = Kind::of(unit.first().copied().unwrap_or(0)) == Kind::SequenceParameters;
        let sets = if is_sequence {
            &mut self.sequence
        } else {
            &mut self.picture
        };
        self.came += 1;
        // Most cameras repeat themselves at every keyframe.
        if let Some(set) = sets.iter_mut().find(|set| set.bytes == unit) {
            set.came = self.came;
            return Ok(None);
        }
        if unit.len() > LARGEST {
            return Err("a parameter set of it is too large");
        }
        let (sps, (id, upon)) = if is_sequence {
            let sps = Sps::read(unit).ok_or("its sequence parameter set is damaged")?;
            (Some(sps), (sps.id, sps.id))
        } else {
            let ids = picture_parameter_ids(unit).ok_or("its picture parameter set is damaged")?;
            (None, ids)
        };
        sets.retain(|set| set.id != id);
        let place = sets.partition_point(|set| set.id < id);
        let set = Set {
            id,
            upon,
            bytes: unit.to_vec(),
            is_new: true,
            came: self.came,
        };
        sets.insert(place, set);
        if is_sequence {
            // Decoders forget what builds upon a set that has changed.
            let theirs = self.picture.iter_mut().filter(|set| set.upon == id);
            theirs.for_each(|set| set.is_new = true);
        }
        self.make_room();
        Ok(sps)
    }

    /// Forgets what has not come for the longest time, where there is more than anybody needs: what a damaged stream left behind.
    fn make_room(&mut self) {
        let size = |sets: &[Set]| sets.iter().map(|set| set.bytes.len()).sum::<usize>();
        while size(&self.sequence) + size(&self.picture) > MOST {
            let all = self.sequence.iter().chain(&self.picture);
            let Some(oldest) = all.map(|set| set.came).min() else {
                return;
            };
            self.sequence.retain(|set| set.came != oldest);
            self.picture.retain(|set| set.came != oldest);
        }
    }

    /// Whether there is any of both kinds.
    pub(super) fn are_complete(&self) -> bool {
        !self.sequence.is_empty() && !self.picture.is_empty()
    }

    /// Whether a picture can be decoded that is coded by this picture parameter set.
    pub(super) fn are_there_for(&self, id: u32) -> bool {
        let set = self.picture.iter().find(|set| set.id == id);
        set.is_some_and(|set| self.sequence.iter().any(|sequence| sequence.id == set.upon))
    }

    /// What viewers need before the next slice: all sets before a keyframe, else the new ones.
    fn due(&self, is_keyframe: bool) -> impl Iterator<Item = &Set> {
        let all = self.sequence.iter().chain(&self.picture);
        all.filter(move |set| is_keyframe || set.is_new)
    }

    /// Bytes that [`write`](Self::write) would add.
    pub(super) fn length(&self, is_keyframe: bool) -> usize {
        let length = |set: &Set| START_CODE.len() + set.bytes.len();
        self.due(is_keyframe).map(length).sum()
    }

    /// Adds what viewers need before the next slice, in the order of their numbers. It is not new after that.
    pub(super) fn write(&mut self, is_keyframe: bool, unit: &mut Vec<u8>) {
        for set in self.due(is_keyframe) {
            unit.extend_from_slice(&START_CODE);
            unit.extend_from_slice(&set.bytes);
        }
        for set in self.sequence.iter_mut().chain(&mut self.picture) {
            set.is_new = false;
        }
    }
}
