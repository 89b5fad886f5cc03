//! A camera's picture in the sizes of its rungs.

use super::ladder::Ladder;
use crate::{
    encode::{LayoutError, Scale, Shrinker},
    media::{Frame, Rung, VideoFormat},
};

/// Makes each size once for all codecs, and only those that somebody watches. Buffers are as large as what was made last.
#[derive(Default)]
pub(super) struct Shrinkers {
    full: Shrinker,
    small: Shrinker,
}

/// A frame in the sizes that its rungs have, as YU12.
pub(super) struct Pictures<'a> {
    pub(super) full: Frame<'a>,
    small: Option<Frame<'a>>,
}

impl Shrinkers {
    /// What the rungs have of `whole`, a camera's frame as YU12; of the small one only where it `is_small_wanted`.
    pub(super) fn make<'a>(
        &'a mut self,
        whole: &Frame<'a>,
        ladder: &Ladder,
        is_small_wanted: bool,
    ) -> Result<Pictures<'a>, LayoutError> {
        let quality = ladder.top();
        let shrunk = self.full.shrink(whole, quality.scale)?;
        let full = Frame {
            // The encoders divide their bits among as many frames as there are.
            format: VideoFormat {
                rate: quality.rate,
                ..shrunk.format
            },
            ..shrunk
        };
        let small = match ladder.quality(Rung::SMALL).filter(|_| is_small_wanted) {
            Some(quality) => Some(self.small.shrink(&full, quality.then)?),
            None => None,
        };
        Ok(Pictures { full, small })
    }

    /// A picture that is as large as the top rung has it, as another rung has it.
    pub(super) fn smaller<'a>(&'a mut self, full: &Frame<'a>, then: Scale) -> Result<Frame<'a>, LayoutError> {
        self.small.shrink(full, then)
    }
}

impl<'a> Pictures<'a> {
    /// That of a rung.
    pub(super) fn of(&self, rung: Rung) -> Option<Frame<'a>> {
        match rung {
            Rung::TOP => Some(self.full),
            _ => self.small,
        }
    }
}
