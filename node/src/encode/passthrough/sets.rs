use crate::media::h264::{Sps, first_number};

/// More than any camera's; a set with scaling lists has 500 bytes.
const LARGEST: usize = 1024;
/// Sets of each kind. The standard allows 32 and 256; cameras have one or two.
const MOST: usize = 16;

/// The parameter sets that hold at this point of a stream.
#[derive(Default)]
pub(super) struct ParameterSets {
    sequence: Vec<Set>,
    picture: Vec<Set>,
}

struct Set {
    id: u32,
    bytes: Vec<u8>,
    /// Whether viewers don't have it yet.
    is_new: bool,
}

impl ParameterSets {
    /// Remembers a sequence parameter set, and tells what it promises where that is news.
    pub(super) fn put_sequence(&mut self, unit: &[u8]) -> Result<Option<Sps>, &'static str> {
        // Most cameras repeat themselves at every keyframe.
        if self.sequence.iter().any(|set| set.bytes == unit) {
            return Ok(None);
        }
        let sps = Sps::read(unit).ok_or("its sequence parameter set is damaged")?;
        Ok(put(&mut self.sequence, sps.id, unit)?.then_some(sps))
    }

    /// Remembers a picture parameter set.
    pub(super) fn put_picture(&mut self, unit: &[u8]) -> Result<(), &'static str> {
        let id = first_number(unit).filter(|id| *id < 256);
        put(
            &mut self.picture,
            id.ok_or("its picture parameter set is damaged")?,
            unit,
        )
        .map(drop)
    }

    /// Whether a picture can be decoded with what is there.
    pub(super) fn are_complete(&self) -> bool {
        !self.sequence.is_empty() && !self.picture.is_empty()
    }

    /// What viewers need before the next picture: all sets before a keyframe, else the new ones. They are not new after that.
    pub(super) fn take(&mut self, is_keyframe: bool) -> impl Iterator<Item = &[u8]> + Clone {
        let due = |set: &Set| is_keyframe || set.is_new;
        let (sequence, picture) = (
            count_first(&mut self.sequence, due),
            count_first(&mut self.picture, due),
        );
        let sets = self.sequence[..sequence].iter().chain(&self.picture[..picture]);
        sets.map(|set| set.bytes.as_slice())
    }
}

/// Moves the sets that are due to the front, marks them as known, and tells how many they are.
fn count_first(sets: &mut [Set], due: impl Fn(&Set) -> bool) -> usize {
    sets.sort_by_key(|set| (!due(set), set.id));
    let count = sets.iter().take_while(|set| due(set)).count();
    for set in &mut sets[..count] {
        set.is_new = false;
    }
    count
}

/// Puts a set in the place of the one with its number; `false` where it is the same.
fn put(sets: &mut Vec<Set>, id: u32, unit: &[u8]) -> Result<bool, &'static str> {
    if unit.len() > LARGEST {
        return Err("a parameter set of it is too large");
    }
    let is_full = sets.len() >= MOST;
    match sets.iter_mut().find(|set| set.id == id) {
        Some(set) if set.bytes == unit => return Ok(false),
        Some(set) => {
            set.bytes.clear();
            set.bytes.extend_from_slice(unit);
            set.is_new = true;
        }
        None if is_full => return Err("it has too many parameter sets"),
        None => sets.push(Set {
            id,
            bytes: unit.to_vec(),
            is_new: true,
        }),
    }
    Ok(true)
}
