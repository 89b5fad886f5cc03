//! What an estimator is told, and what it tells.

use std::time::{Duration, Instant};

use super::{history::Departure, report::Report};
use crate::media::Bitrate;

/// Something that a viewer has said of what it gets.
#[derive(Clone, Copy, Debug)]
pub(in crate::peer) enum News<'a> {
    /// Which packets have arrived, and when.
    Arrivals(&'a Report),
    /// The share of packets that were lost lately, 0 to 1, and the round trip, where it is known (RFC 3550, section 6.4.1).
    Reception { loss: f64, round_trip: Option<Duration> },
    /// What the viewer believes that its path carries, in bits a second (draft-alvestrand-rmcat-remb-03).
    Limit(u64),
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::peer) struct Verdict {
    /// What it carries; `None` while it was never found full.
    pub(in crate::peer) carries: Option<Bitrate>,
    /// Whether more is sent now than it carries.
    pub(in crate::peer) is_full: bool,
    /// What has arrived lately; `None` where nobody tells of each packet.
    pub(in crate::peer) received: Option<Bitrate>,
    /// How long packets wait on their way, as far as that is known.
    pub(in crate::peer) queue: Duration,
}

/// Finds out what a path carries.
pub(in crate::peer) trait Estimator: Send {
    /// A packet leaves. Numbers rise.
    fn sent(&mut self, departure: Departure, now: Instant);

    /// The packet of this number leaves once more.
    fn sent_again(&mut self, number: u64);

    /// The viewer has said something.
    fn hear(&mut self, news: News<'_>, now: Instant);

    /// What is known by now.
    fn verdict(&mut self, now: Instant) -> Verdict;
}
