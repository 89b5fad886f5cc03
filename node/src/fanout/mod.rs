//! One encoded stream to many subscribers: the only seam between the capture threads and tokio.
//!
//! A source is a [`Broadcast`], with a track for each rendition of it. Pictures and sound go through the same track; what differs
//! is what becomes of a subscriber that lags ([`Unit::LOSES`]).
//!
//! Publishing never blocks: a subscriber that lags loses whole units, of pictures up to the next keyframe, and
//! nobody else notices. Wishes travel the other way as merged state, not as messages: the keyframe requests of
//! a hundred viewers make one keyframe. What was captured before the privacy switch was thrown is neither taken in nor given out.

mod broadcast;
mod demand;
mod depth;
mod desk;
mod figures;
mod publisher;
mod queue;
mod subscriber;
mod track;
mod unit;

pub use broadcast::{Broadcast, broadcast};
pub use demand::Demand;
pub use depth::Depth;
pub use figures::Figures;
pub use publisher::Publisher;
pub use subscriber::Subscriber;
pub use unit::{Loss, Unit};

#[cfg(test)]
mod tests;
