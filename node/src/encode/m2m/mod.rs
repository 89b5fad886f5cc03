//! Encoders in hardware, behind the kernel's V4L2 ("Memory-to-Memory Stateful Video Encoder Interface").
//!
//! They are found by what they can do, never by a path or the name of a board. A frame that lies in memory as the encoder wants it
//! is lent to it as a DMABUF and not copied; any other is copied once. No call waits longer than two seconds for a device, and what
//! fails ends in an error: whoever uses it makes another encoder.

mod buffers;
mod controls;
mod discover;
mod encoder;
mod error;
mod flags;
mod flight;
mod ioctl;
mod place;
mod setup;
mod stream;
mod way;

pub use discover::{Description, Found, discover};
pub use encoder::Encoder;
pub use error::M2mError;

/// What an encoder makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodedFormat {
    /// H.264, which viewers get.
    H264,
    /// The Fast Walsh Hadamard Transform codec of the kernel's virtual encoder, which the tests have in the place of hardware.
    Fwht,
}

impl CodedFormat {
    /// The kernel's four-character code.
    pub const fn fourcc(self) -> &'static [u8; 4] {
        match self {
            CodedFormat::H264 => b"H264",
            CodedFormat::Fwht => b"FWHT",
        }
    }
}
