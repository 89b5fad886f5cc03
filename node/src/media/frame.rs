use std::os::fd::BorrowedFd;

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
    /// The same memory for other devices, where the driver gives it to them.
    pub dmabuf: Option<Dmabuf<'driver>>,
}

/// Memory of a driver that other devices can be lent (kernel documentation, "Buffer Sharing and Synchronization"). Like the frame it is only
/// borrowed: whoever gets it has to be done with it before the frame is over.
#[derive(Clone, Copy, Debug)]
pub struct Dmabuf<'driver> {
    /// What stands for it.
    pub fd: BorrowedFd<'driver>,
    /// Bytes of it; the frame is at its beginning.
    pub length: usize,
}
