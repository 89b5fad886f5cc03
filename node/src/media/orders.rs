use super::Bitrate;

/// What the viewers want of the encoder for the next frame, all their wishes merged into one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// The next frame must be a keyframe.
    pub keyframe: bool,
    /// Encode at this rate from the next frame on; `None`: as before.
    pub bitrate: Option<Bitrate>,
}
