use super::{Timestamp, VideoFormat};

/// One picture of a source, not yet encoded.
///
/// It borrows the driver's buffer (or a converter's), so it can't outlive the device, wait in a queue or be
/// copied by accident.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'driver> {
    /// The layout of `data`.
    pub format: VideoFormat,
    /// When the first line was exposed or, where the driver does not know, when the frame was complete.
    pub captured_at: Timestamp,
    /// The driver's count; a jump means frames that never reached us.
    pub sequence: u32,
    /// The samples, all planes one behind the other.
    pub data: &'driver [u8],
}
