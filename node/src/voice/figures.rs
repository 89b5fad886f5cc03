use crate::figures::{Counter, Durations};

/// What became of the packets of all voices, since the start.
#[derive(Debug, Default)]
pub struct Figures {
    /// Packets that came to this room.
    pub packets: Counter,
    /// Packets that were turned away: a talker sent more than a voice has, or the room was behind.
    pub refused: Counter,
    /// Packets that came after their turn.
    pub late: Counter,
    /// Packets that could not be decoded.
    pub damaged: Counter,
    /// Packets that were left out, so that the delay does not grow.
    pub skipped: Counter,
    /// Packets in whose place something was made up.
    pub concealed: Counter,
    /// How often the card had nothing to play while somebody talked.
    pub xruns: Counter,
    /// How often the loudspeaker was lost, or another reason for that found.
    pub faults: Counter,
    /// From the arrival of a packet until its first sample is heard.
    pub mouth_to_ear: Durations,
}
