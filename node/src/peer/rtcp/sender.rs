//! Sender reports (RFC 3550, section 6.4.1).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rtc::rtcp::{Packet, reception_report::ReceptionReport, sender_report::SenderReport};

use super::clock::{Anchor, StreamClock};
use crate::media::Timestamp;

/// How often viewers are told.
const INTERVAL: Duration = Duration::from_secs(1);
/// How soon again, where there is another reason to send something.
const SOONEST: Duration = Duration::from_millis(20);
/// Reports that a viewer may still answer: some seconds of them.
const REMEMBERED: usize = 8;

/// What a report tells of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Sent {
    pub(in crate::peer) clock: StreamClock,
    pub(in crate::peer) packets: u64,
    /// Of payload.
    pub(in crate::peer) bytes: u64,
}

/// The sender reports of one viewer.
///
/// A report names one moment on the wall's clock and on that of each stream. All time stamps are of one clock, that of capture, so a viewer can tell when
/// things were captured, and play together what belongs together. The wall's clock is read once for each viewer: where it is set meanwhile, that must not
/// move the sound away from the picture.
#[derive(Debug)]
pub(in crate::peer) struct Reports {
    anchor: Anchor,
    /// When the next is due, once the viewer is connected.
    next: Option<Instant>,
    /// The middle of the NTP time in those before, by which a viewer names them, and when they went. The newest is the first.
    sent: VecDeque<(u32, Instant)>,
}

impl Reports {
    pub(in crate::peer) fn new(anchor: Anchor) -> Self {
        Self {
            anchor,
            next: None,
            sent: VecDeque::new(),
        }
    }

    /// An instant, on the clock of capture.
    pub(in crate::peer) fn moment(&self, instant: Instant) -> Timestamp {
        self.anchor.at(instant)
    }

    /// The viewer is connected.
    pub(in crate::peer) fn start(&mut self, now: Instant) {
        self.next = Some(now + INTERVAL);
    }

    /// There is a reason to send one before its time.
    pub(in crate::peer) fn hasten(&mut self, now: Instant) {
        let last = self.sent.front().map(|(_, sent)| *sent);
        let soonest = last.map_or(now, |last| now.max(last + SOONEST));
        self.next = self.next.map(|next| next.min(soonest));
    }

    /// When the next is due.
    pub(in crate::peer) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// What is to be sent, where it is due: a report of each stream.
    pub(in crate::peer) fn due(
        &mut self,
        streams: impl Iterator<Item = Sent>,
        now: Instant,
    ) -> Vec<Box<dyn Packet>> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        self.next = Some(now + INTERVAL);
        let (ntp_time, captured) = (self.anchor.ntp(now), self.anchor.at(now));
        let report = |sent: Sent| -> Box<dyn Packet> {
            Box::new(SenderReport {
                ssrc: sent.clock.ssrc,
                ntp_time,
                rtp_time: sent.clock.at(captured),
                // Both counts begin anew after 2^32.
                packet_count: sent.packets as u32,
                octet_count: sent.bytes as u32,
                ..SenderReport::default()
            })
        };
        let reports: Vec<_> = streams.map(report).collect();
        if !reports.is_empty() {
            self.sent.truncate(REMEMBERED - 1);
            self.sent.push_front(((ntp_time >> 16) as u32, now));
        }
        reports
    }

    /// The round trip that a viewer's report tells, where it names one of ours.
    pub(in crate::peer) fn round_trip(&self, report: &ReceptionReport, now: Instant) -> Option<Duration> {
        let named = |(name, _): &&(u32, Instant)| *name == report.last_sender_report;
        let (_, sent) = self.sent.iter().find(named)?;
        let held = Duration::from_secs_f64(f64::from(report.delay) / 65_536.0);
        now.saturating_duration_since(*sent).checked_sub(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor() -> Anchor {
        Anchor {
            instant: Instant::now(),
            timestamp: Timestamp::from_monotonic(Duration::from_secs(100)),
            wall: Duration::from_secs(1_000_000),
        }
    }

    fn sent(ssrc: u32, rate: u32, offset: u32) -> Sent {
        Sent {
            clock: StreamClock { ssrc, rate, offset },
            packets: (1 << 32) + 3,
            bytes: 700,
        }
    }

    fn read(packets: &[Box<dyn Packet>]) -> Vec<&SenderReport> {
        let reports = packets.iter().map(|packet| packet.as_any().downcast_ref());
        reports.map(|report| report.expect("a sender report")).collect()
    }

    #[test]
    fn all_streams_are_told_the_same_moment() {
        let (anchor, streams) = (anchor(), [sent(1, 90_000, 7), sent(2, 48_000, u32::MAX - 5)]);
        let mut reports = Reports::new(anchor);
        let connected = anchor.instant + Duration::from_secs(4);
        reports.start(connected);
        assert!(reports.due(streams.into_iter(), connected).is_empty(), "not yet");
        let now = connected + INTERVAL;
        assert_eq!(reports.next(), Some(now));
        let packets = reports.due(streams.into_iter(), now);
        let moment = Timestamp::from_monotonic(Duration::from_secs(105));
        for (sent, report) in streams.iter().zip(read(&packets)) {
            assert_eq!(
                (report.ssrc, report.rtp_time),
                (sent.clock.ssrc, sent.clock.at(moment))
            );
            assert_eq!(report.ntp_time >> 32, 2_208_988_800 + 1_000_005);
            assert_eq!((report.packet_count, report.octet_count), (3, 700));
        }
        assert_eq!(packets.len(), 2);
        assert_eq!(reports.next(), Some(now + INTERVAL));
    }

    #[test]
    fn one_that_is_hastened_is_not_hastened_for_ever() {
        let mut reports = Reports::new(anchor());
        let start = Instant::now();
        reports.hasten(start);
        assert_eq!(reports.next(), None, "nobody is connected");
        reports.start(start);
        let streams = || [sent(1, 90_000, 0)].into_iter();
        let mut count = 0;
        for millisecond in 0..1000 {
            let now = start + Duration::from_millis(millisecond);
            reports.hasten(now);
            count += reports.due(streams(), now).len();
        }
        assert_eq!(count, 50);
    }

    #[test]
    fn a_round_trip_is_what_a_report_took_less_what_it_was_held() {
        let anchor = anchor();
        let mut reports = Reports::new(anchor);
        let now = anchor.instant;
        reports.start(now);
        let sent_at = now + INTERVAL;
        let packets = reports.due([sent(1, 90_000, 0)].into_iter(), sent_at);
        let name = (read(&packets)[0].ntp_time >> 16) as u32;
        let later = sent_at + Duration::from_millis(800);
        let round_trip = |last_sender_report, delay| {
            let report = ReceptionReport {
                last_sender_report,
                delay,
                ..ReceptionReport::default()
            };
            reports.round_trip(&report, later)
        };
        assert_eq!(round_trip(name, 32_768), Some(Duration::from_millis(300)));
        assert_eq!(round_trip(name, 65_536), None, "held for longer than it took");
        assert_eq!(round_trip(name.wrapping_add(1), 0), None, "not ours");
    }

    #[test]
    fn few_reports_are_remembered() {
        let mut reports = Reports::new(anchor());
        let start = Instant::now();
        reports.start(start);
        for second in 1..100 {
            let now = start + Duration::from_secs(second);
            assert_eq!(reports.due([sent(1, 90_000, 0)].into_iter(), now).len(), 1);
        }
        assert_eq!(reports.sent.len(), REMEMBERED);
        assert!(reports.sent[0].1 > reports.sent[1].1);
    }
}
