use crate::figures::{Counter, Durations};

/// What a track tells of itself.
#[derive(Debug, Default)]
pub struct Figures {
    /// From the publishing of a unit until a subscriber took it, for each subscriber.
    pub waited: Durations,
    /// Units that subscribers lost because they lagged.
    pub dropped: Counter,
}
