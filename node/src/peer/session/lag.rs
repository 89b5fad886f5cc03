//! How far a newcomer is from the present.

use super::stamps::Stamps;

/// A newcomer that is sent what was before it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lag {
    /// The number of the next packet in the feed's ring.
    pub(super) next: u64,
    pub(super) stamps: Stamps,
}
