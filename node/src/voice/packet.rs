use std::time::Instant;

use bytes::Bytes;

use crate::media::{SOUND_RATE, SoundCodec};

/// Who talks: the number of a viewer's session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Talker(pub u64);

/// One RTP packet of a voice.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Whose.
    pub talker: Talker,
    /// Which stream of theirs.
    pub ssrc: u32,
    /// How it is coded.
    pub codec: SoundCodec,
    /// RTP's sequence number.
    pub sequence: u16,
    /// RTP's time stamp, in ticks of the codec's clock.
    pub timestamp: u32,
    /// What is coded.
    pub payload: Bytes,
    /// When it came.
    pub arrived: Instant,
}

/// Samples at [`SOUND_RATE`] for one tick of a codec's RTP clock.
pub(super) fn samples_per_tick(codec: SoundCodec) -> u64 {
    (SOUND_RATE / codec.clock_rate()).into()
}
