use bytes::Bytes;

use super::{Layer, Timestamp};

/// One encoded picture, whole: for H.264 all NAL units of it as an Annex B byte stream, parameter sets
/// included where it is a keyframe; for VP8 one frame.
#[derive(Clone, Debug)]
pub struct AccessUnit {
    /// The encoded bytes, shared between all viewers.
    pub data: Bytes,
    /// When the picture in it was captured.
    pub captured_at: Timestamp,
    /// Whether decoding may start here.
    pub is_keyframe: bool,
    /// Whether others build upon it. A keyframe is always of the base.
    pub layer: Layer,
}
