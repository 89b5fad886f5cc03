//! What a session tells of itself.

use std::time::{Duration, Instant};

use rtc::statistics::StatsSelector;

use super::{Session, Stage};
use crate::peer::report::Viewer;

impl Session {
    /// How this session goes. Not for every frame: the core gathers its statistics for it.
    pub(in crate::peer) fn report(&mut self, session: u64, now: Instant) -> Viewer {
        Viewer {
            session,
            camera: self.contact.camera,
            name: self.name.clone(),
            codec: self.stream.codec(),
            sound: self.hears(),
            sound_packets: self.sound_packets(),
            stage: self.stage,
            lasts: now.saturating_duration_since(self.started),
            units: self.stream.units(),
            packets: self.sent.packets,
            bytes: self.sent.bytes,
            bits_per_second: self.meter.look(now, self.sent.bytes),
            keyframe_requests: self.feedback.keyframe_requests(),
            nacked: self.feedback.nacked(),
            reception: self.feedback.reception(),
            round_trip: self.round_trip(now),
        }
    }

    /// Whether it can send.
    pub(in crate::peer) fn is_connected(&self) -> bool {
        self.stage != Stage::Connecting
    }

    /// Whether pictures are sent.
    pub(in crate::peer) fn is_watching(&self) -> bool {
        self.stage == Stage::Watching
    }

    /// Checks of consent go over the pair in use only, one a second.
    fn round_trip(&mut self, now: Instant) -> Option<Duration> {
        let report = self.connection.get_stats(now, StatsSelector::None);
        let answered = report
            .candidate_pairs()
            .filter(|pair| pair.responses_received > 0);
        let pair = answered.max_by_key(|pair| pair.consent_requests_sent)?;
        Duration::try_from_secs_f64(pair.current_round_trip_time).ok()
    }
}
