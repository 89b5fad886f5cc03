use std::time::Duration;

use super::id::CameraId;
use crate::media::{Codec, Rung, SoundCodec};

/// Who watches at this moment.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every session, the oldest first; also those that are still connecting.
    pub viewers: Vec<Viewer>,
    /// Packets that the kernel did not take, since the start.
    pub unsent: u64,
}

/// One session.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Its number; none is used twice.
    pub session: u64,
    /// What it watches.
    pub camera: CameraId,
    /// What the viewer calls itself.
    pub name: String,
    /// What it gets.
    pub codec: Codec,
    /// In which codec it hears us, while it does.
    pub sound: Option<SoundCodec>,
    /// Packets of sound sent.
    pub sound_packets: u64,
    /// How far it is.
    pub stage: Stage,
    /// Since its offer.
    pub lasts: Duration,
    /// Pictures sent.
    pub units: u64,
    /// Datagrams sent, with everything in them: pictures, repetitions, reports, connectivity checks.
    pub packets: u64,
    /// The bytes of them, without IP's and UDP's headers.
    pub bytes: u64,
    /// The rate of these bytes, over the last second or a little more. `None` in the first second.
    pub bits_per_second: Option<f64>,
    /// Keyframes that it asked for.
    pub keyframe_requests: u64,
    /// Packets that it asked for again (RFC 4585, section 6.2.1).
    pub nacked: u64,
    /// What its path carries, in bits a second; `None` while it was never found to be full.
    pub estimate: Option<f64>,
    /// Whether it is sent less than there is, because its path carries no more.
    pub thinned: bool,
    /// From the capture of a picture to the viewer's screen, where the viewer tells it.
    pub latency: Option<Duration>,
    /// Of which size its pictures are now.
    pub rung: Rung,
    /// Whether those that no other builds upon are left out.
    pub halved: bool,
    /// What it reported last; `None` before its first report.
    pub reception: Option<Reception>,
    /// The round-trip time of the last connectivity check (RFC 7675), one a second.
    pub round_trip: Option<Duration>,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// ICE and DTLS are under way.
    Connecting,
    /// Connected, but nothing can be decoded before a keyframe.
    AwaitingKeyframe,
    /// Pictures are sent.
    Watching,
    /// It is connected and can't be heard: nothing is sent until it is back.
    Silent,
}

/// What a viewer says of its reception (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reception {
    /// The share of packets lost since the report before, 0 to 1.
    pub loss: f64,
    /// Packets lost since the beginning.
    pub lost: u64,
    /// How unevenly packets arrive.
    pub jitter: Duration,
}
