//! Frame to access unit.
//!
//! An encoder runs on the thread of its camera and borrows each frame; the only memory that it hands on is the
//! encoded picture. Every frame yields a picture: no encoder here skips frames to hold its bitrate, because a
//! viewer sees a stutter sooner than a coarser picture.

mod convert;
mod error;
pub mod g711;
mod jpeg;
mod level;
pub mod m2m;
mod openh264;
pub mod opus;
mod passthrough;
mod planes;
mod select;
mod vpx;

use std::num::NonZero;

pub use convert::{ConvertError, Converter, Scale, Shrinker};
pub use error::EncodeError;
pub use jpeg::jpeg;
pub use passthrough::Passthrough;
pub use planes::{LayoutError, Planes};
pub use select::{Chosen, Selection, Way};

use crate::media::{AccessUnit, Bitrate, Codec, Frame, FrameSize, Orders, VideoFormat};

/// Turns pictures into a stream of one codec.
pub trait VideoEncoder: Send {
    /// What encodes, as people know it.
    fn name(&self) -> &str;

    /// How it gets at the samples of its frames.
    fn intake(&self) -> Intake {
        Intake::InPlace
    }

    /// Encodes one frame, obeying `orders` for it. `None` where the encoder kept the frame back or left it out.
    ///
    /// # Errors
    ///
    /// The encoder failed, or the frame is not of the format that it was made for.
    fn encode(&mut self, frame: &Frame<'_>, orders: Orders) -> Result<Option<AccessUnit>, EncodeError>;

    /// A further picture that came with that of the last frame, from an encoder that was late before.
    fn further(&mut self) -> Option<AccessUnit> {
        None
    }

    /// Ends the stream: what the encoder kept back. It is of no further use then.
    fn finish(&mut self) -> Vec<AccessUnit> {
        Vec::new()
    }
}

/// How an encoder gets at the samples of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// A program reads them where they lie.
    InPlace,
    /// A device reads them where they lie.
    Imported,
    /// They are copied to where a device reads them.
    Copied,
}

/// An encoder of `codec` in software, for frames of `format`, which must be YU12 (see [`Converter`]). Frames that come less often say
/// so, and it goes on with them.
///
/// # Errors
///
/// `format` is nothing that the codec can encode: not YU12, too small or too large.
pub fn software(
    codec: Codec,
    format: VideoFormat,
    bitrate: Bitrate,
) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    Ok(match codec {
        Codec::H264 => Box::new(openh264::Encoder::new(format, bitrate)?),
        Codec::Vp8 => Box::new(vpx::Encoder::new(format, bitrate)?),
    })
}

/// The encoders there are: what each is called, and its codec.
pub const SOFTWARE: [(&str, Codec); 2] = [(openh264::NAME, Codec::H264), (vpx::NAME, Codec::Vp8)];

/// How many threads to encode pictures of `size` with: all processors but one, which captures and sends; fewer
/// for small pictures, where threads would spend their time waiting for one another.
fn threads(size: FrameSize) -> u16 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let useful = match size.width * size.height {
        0..=230_400 => 1,       // up to 640x360
        230_401..=921_600 => 2, // up to 1280x720
        _ => 4,
    };
    u16::try_from(processors.saturating_sub(1).clamp(1, useful)).unwrap_or(1)
}

#[cfg(test)]
mod tests;
