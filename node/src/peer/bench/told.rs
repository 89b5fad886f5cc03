use std::time::Instant;

use bytes::Bytes;

use crate::peer::{ending::Ending, transport::Path};

/// What a session told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// To what the viewer's connectivity checks are to be addressed: our ICE user name fragment.
    pub(super) fragment: String,
    pub(super) connected: Option<Instant>,
    pub(super) watching: Option<Instant>,
    pub(super) keyframes_wanted: u32,
    /// When its viewer fell silent, and when it was back.
    pub(super) silent: Vec<Instant>,
    pub(super) back: Vec<Instant>,
    /// Its own offer.
    pub(super) offer: Option<String>,
    pub(super) ended: Option<(Ending, Instant)>,
    /// Packets that it sent to somebody else than the viewer.
    pub(super) strays: Vec<(Path, Bytes)>,
}
