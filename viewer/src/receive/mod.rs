//! RTP packets in, decoded pictures out.
//!
//! ```text
//! track -> reception (count) -> assembler (order) -> h264, vp8 (access units) -> decode (a thread) -> clock
//!                                                                            `-> record (a thread)
//! ```
//!
//! After any hole nothing is decoded or recorded up to the next keyframe, which is asked for at once: a
//! picture that is shown or stored is a picture as it was sent.

pub mod assembler;
pub mod clock;
pub mod decode;
pub mod h264;
pub mod intake;
pub mod reception;
pub mod stream;
mod unwrap;
pub mod vp8;

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

/// A video coding that can be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264, constrained baseline.
    H264,
    /// VP8.
    Vp8,
}

impl Codec {
    /// The codec with that MIME type, if it is one of ours.
    pub fn from_mime(mime: &str) -> Option<Self> {
        [Codec::H264, Codec::Vp8]
            .into_iter()
            .find(|codec| codec.mime().eq_ignore_ascii_case(mime))
    }

    /// Its MIME type as SDP has it (RFC 6184, RFC 7741).
    pub const fn mime(self) -> &'static str {
        match self {
            Codec::H264 => "video/H264",
            Codec::Vp8 => "video/VP8",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::H264 => "H.264",
            Codec::Vp8 => "VP8",
        })
    }
}

/// One encoded picture: for H.264 an Annex B byte stream of all its NAL units, for VP8 a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// How it is encoded.
    pub codec: Codec,
    /// The encoded bytes.
    pub data: Bytes,
    /// Whether decoding may start here.
    pub is_keyframe: bool,
    /// RTP timestamp (90 kHz), continued beyond 32 bits.
    pub timestamp: u64,
}

/// The brightness plane of a decoded picture.
#[derive(Clone, Copy, Debug)]
pub struct Luma<'a> {
    /// The samples, line by line.
    pub samples: &'a [u8],
    /// Samples from the start of a line to the start of the next.
    pub stride: usize,
    /// Samples in a line that belong to the picture.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// Why the RTP payloads of a picture could not be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// A payload ends before its own headers and lengths do.
    #[error("an RTP payload is shorter than its header says")]
    Short,
    /// A later piece without the first one.
    #[error("a picture in RTP payloads lacks its start")]
    NoStart,
    /// A first piece without the last one.
    #[error("a picture in RTP payloads lacks its end")]
    Unfinished,
    /// A structure of a packetization mode that was not negotiated (RFC 6184, section 5.4).
    #[error("the RTP payload structure {0} is not of packetization mode 1")]
    Unsupported(u8),
}
