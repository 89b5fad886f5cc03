use std::time::{Duration, Instant};

use rtc::{peer_connection::RTCPeerConnection, statistics::StatsSelector};

use super::{link::Link, meter::Meter, stream::Stream};
use crate::{
    media::Layer,
    peer::{id::CameraId, report::Viewer, rtcp::Feedback},
};

/// What a session has sent.
pub(super) struct Account {
    pub(super) started: Instant,
    /// Datagrams, whatever was in them.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    meter: Meter,
}

/// What a session came to.
#[derive(Debug)]
pub(in crate::peer) struct Summary {
    lasted: Duration,
    pub(in crate::peer) packets: u64,
    pub(in crate::peer) kbps: f64,
    loss: f64,
}

impl Account {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            packets: 0,
            bytes: 0,
            meter: Meter::new(now),
        }
    }

    /// A datagram goes out.
    pub(super) fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    /// The rate of what goes out. To be called more often than once a second.
    pub(super) fn bits_per_second(&mut self, now: Instant) -> Option<f64> {
        self.meter.look(now, self.bytes)
    }

    /// How the session goes.
    pub(super) fn report(&mut self, link: &mut Link, session: u64, camera: CameraId, now: Instant) -> Viewer {
        Viewer {
            session,
            camera,
            name: link.viewer.clone(),
            codec: link.media.codec(),
            sound: link.media.hears(),
            sound_packets: link.media.sound_packets(),
            stage: link.stage,
            lasts: now.saturating_duration_since(self.started),
            units: link.media.stream.units(),
            packets: self.packets,
            bytes: self.bytes,
            bits_per_second: self.bits_per_second(now),
            keyframe_requests: link.feedback.keyframe_requests,
            nacked: link.feedback.nacked,
            estimate: link.rungs.carries().map(|rate| rate.bps() as f64),
            thinned: link.rungs.is_thinned(),
            latency: link.watch.latency(),
            rung: link.rungs.rung(),
            halved: !link.rungs.takes(Layer::Upper),
            reception: link.feedback.reception,
            round_trip: round_trip(&mut link.connection, now),
        }
    }

    /// All in all.
    pub(super) fn summary(&self, stream: &Stream, feedback: &Feedback, now: Instant) -> Summary {
        let lasted = now.saturating_duration_since(self.started);
        Summary {
            lasted,
            packets: stream.packets(),
            kbps: stream.bits() as f64 / 1000.0 / lasted.as_secs_f64().max(0.001),
            loss: feedback.reception.map_or(0.0, |reception| reception.loss),
        }
    }
}

impl Summary {
    /// How long it lasted, as a person reads it.
    pub(in crate::peer) fn lasted(&self) -> String {
        format!("{:.1?}", self.lasted)
    }

    /// The share of packets that the viewer's last report calls lost.
    pub(in crate::peer) fn loss(&self) -> String {
        format!("{:.1}%", self.loss * 100.0)
    }
}

/// The round-trip time of the last connectivity check. Checks of consent go over the pair in use only, one a second.
fn round_trip(connection: &mut RTCPeerConnection, now: Instant) -> Option<Duration> {
    let report = connection.get_stats(now, StatsSelector::None);
    let answered = report
        .candidate_pairs()
        .filter(|pair| pair.responses_received > 0);
    let pair = answered.max_by_key(|pair| pair.consent_requests_sent)?;
    Duration::try_from_secs_f64(pair.current_round_trip_time).ok()
}
