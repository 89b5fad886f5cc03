//! The nouns of the media path. Every room may use them; they use nothing of ours.

mod access_unit;
mod allowance;
mod bitrate;
mod bucket;
mod channels;
pub mod clock;
mod codec;
mod colour;
mod ducking;
mod format;
mod frame;
pub mod h264;
pub mod jpeg;
mod orders;
mod privacy;
mod rendition;
mod sound;
mod talk_back;
mod timestamp;

pub use access_unit::AccessUnit;
pub use allowance::Allowance;
pub use bitrate::{Bitrate, BitrateError};
pub use bucket::Bucket;
pub use channels::Channels;
pub use codec::Codec;
pub use colour::{Colour, ColourMatrix, ColourRange};
pub use ducking::{Ducked, Ducking};
pub use format::{FrameRate, FrameRateError, FrameSize, PixelFormat, PixelFormatError, VideoFormat};
pub use frame::{Dmabuf, Frame};
pub use orders::Orders;
pub use privacy::{Keeper, Permit, Privacy};
pub use rendition::{Rendition, Rung};
pub use sound::{SOUND_FRAME, SOUND_RATE, SoundCodec, SoundUnit};
pub use talk_back::TalkBack;
pub use timestamp::Timestamp;
