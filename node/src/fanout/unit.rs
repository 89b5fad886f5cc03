use std::fmt;

use crate::media::{AccessUnit, Rendition, SoundCodec, SoundUnit, Timestamp};

/// What a track carries, the bytes of which are shared by all who get it.
pub trait Unit: Clone + Send + Sync + 'static {
    /// What tells the tracks of a broadcast apart.
    type Rendition: Copy + Eq + fmt::Debug + Send + Sync;

    /// What becomes of one who lags.
    const LOSES: Loss;

    /// When it was captured.
    fn captured_at(&self) -> Timestamp;

    /// Its bytes.
    fn size(&self) -> usize;

    /// Whether it can be decoded without those before it.
    fn is_entry(&self) -> bool;
}

/// What a subscriber loses that has no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// What is new, up to the next unit that can be decoded by itself, for which it asks.
    UpToEntry,
    /// What has waited longest. It goes on with the rest.
    Oldest,
}

impl Unit for AccessUnit {
    type Rendition = Rendition;

    const LOSES: Loss = Loss::UpToEntry;

    fn captured_at(&self) -> Timestamp {
        self.captured_at
    }

    fn size(&self) -> usize {
        self.data.len()
    }

    fn is_entry(&self) -> bool {
        self.is_keyframe
    }
}

impl Unit for SoundUnit {
    type Rendition = SoundCodec;

    const LOSES: Loss = Loss::Oldest;

    fn captured_at(&self) -> Timestamp {
        self.captured_at
    }

    fn size(&self) -> usize {
        self.data.len()
    }

    fn is_entry(&self) -> bool {
        true
    }
}
