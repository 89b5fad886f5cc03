use std::fmt;

use bytes::Bytes;

use super::Timestamp;

/// Samples a second of all sound inside of the node: Opus' own rate (RFC 7587, section 4.1).
pub const SOUND_RATE: u32 = 48_000;

/// Samples of one frame: 20 ms, which every WebRTC endpoint takes (RFC 7874, section 3).
pub const SOUND_FRAME: usize = 960;

/// A sound coding that travels to viewers and from them. One channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SoundCodec {
    /// Opus (RFC 6716).
    Opus,
    /// G.711 with the µ-law.
    Pcmu,
    /// G.711 with the A-law.
    Pcma,
}

impl SoundCodec {
    /// Every codec, the preferred one first.
    pub const ALL: [SoundCodec; 3] = [SoundCodec::Opus, SoundCodec::Pcmu, SoundCodec::Pcma];

    /// Ticks a second of its RTP clock (RFC 7587, section 4.1; RFC 3551, section 4.5.14).
    pub const fn clock_rate(self) -> u32 {
        match self {
            SoundCodec::Opus => SOUND_RATE,
            SoundCodec::Pcmu | SoundCodec::Pcma => 8000,
        }
    }
}

impl fmt::Display for SoundCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SoundCodec::Opus => "Opus",
            SoundCodec::Pcmu => "PCMU",
            SoundCodec::Pcma => "PCMA",
        })
    }
}

/// 20 ms of encoded sound. Each can be decoded without those before it.
#[derive(Clone, Debug)]
pub struct SoundUnit {
    /// The encoded bytes, shared between all viewers.
    pub data: Bytes,
    /// When the first sample that a decoder makes of it was captured.
    pub captured_at: Timestamp,
    /// Whether it is the first after a silence in which nothing was sent (RFC 3551, section 4.1).
    pub after_silence: bool,
}
