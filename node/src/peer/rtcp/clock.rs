//! The clock of sender reports.

use std::time::Instant;

use rtc::{
    interceptor::{Packet, TaggedPacket},
    rtcp::sender_report::SenderReport,
};

use super::tap::Tap;
use crate::media::Timestamp;

/// The clock of video in RTP, in ticks a second (RFC 6184, section 8.2.1; RFC 7741, section 6.1).
pub(in crate::peer) const VIDEO_CLOCK: u32 = 90_000;

/// The same moment as an [`Instant`], by which everything here is timed, and as a [`Timestamp`], by which pictures and sound
/// are. Both are of `CLOCK_MONOTONIC`, so one moment leads to all others.
#[derive(Clone, Copy, Debug)]
pub(in crate::peer) struct Anchor {
    pub(in crate::peer) instant: Instant,
    pub(in crate::peer) timestamp: Timestamp,
}

impl Anchor {
    /// This moment, as well as it can be read.
    pub(in crate::peer) fn measure() -> Self {
        // Who is interrupted between the two readings is wrong by as much: the quickest of several is taken.
        let reading = || {
            let anchor = Self {
                instant: Instant::now(),
                timestamp: Timestamp::now(),
            };
            (anchor.instant.elapsed(), anchor)
        };
        let again = (0..8).map(|_| reading());
        let (_, best) = again.fold(
            reading(),
            |best, other| if other.0 < best.0 { other } else { best },
        );
        best
    }

    /// A time stamp for an instant, before the anchor or after it.
    pub(in crate::peer) fn at(self, instant: Instant) -> Timestamp {
        let anchor = self.timestamp.as_duration();
        Timestamp::from_monotonic(match instant.checked_duration_since(self.instant) {
            Some(since) => anchor.saturating_add(since),
            None => anchor.saturating_sub(self.instant.saturating_duration_since(instant)),
        })
    }
}

/// What leads from the monotonic clock to the RTP time stamps of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) struct StreamClock {
    pub(in crate::peer) ssrc: u32,
    pub(in crate::peer) rate: u32,
    pub(in crate::peer) offset: u32,
}

impl StreamClock {
    fn at(self, instant: Timestamp) -> u32 {
        instant.to_rtp(self.rate).wrapping_add(self.offset)
    }
}

/// Has sender reports (RFC 3550, section 6.4.1) tell when things were captured.
///
/// The core pairs the wall clock with the time stamp of what it sent last, so that what a picture takes from the camera to the
/// network would seem to be no time at all, and sound, which takes less, would play too late by the difference. Our time
/// stamps are all of one clock: a report only has to name the same moment on both.
pub(in crate::peer) struct CaptureClock {
    streams: Vec<StreamClock>,
    anchor: Anchor,
}

impl CaptureClock {
    pub(in crate::peer) fn new(streams: Vec<StreamClock>, anchor: Anchor) -> Self {
        Self { streams, anchor }
    }
}

impl Tap for CaptureClock {
    fn write(&mut self, packet: &mut TaggedPacket) -> bool {
        if let Packet::Rtcp(packets) = &mut packet.message.packet {
            // The wall clock in the report is that of `now`.
            let now = self.anchor.at(packet.now);
            for packet in packets {
                let report = packet.as_any().downcast_ref::<SenderReport>();
                if let Some(report) = report
                    && let Some(stream) = self.streams.iter().find(|stream| stream.ssrc == report.ssrc)
                {
                    *packet = Box::new(SenderReport {
                        rtp_time: stream.at(now),
                        ..report.clone()
                    });
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use rtc::{interceptor::AttributedPacket, shared::TransportContext};

    #[test]
    fn all_streams_are_told_the_same_moment() {
        let video = StreamClock {
            ssrc: 1,
            rate: 90_000,
            offset: 7,
        };
        let sound = StreamClock {
            ssrc: 2,
            rate: 48_000,
            offset: u32::MAX - 5,
        };
        let anchor = Anchor {
            instant: Instant::now(),
            timestamp: Timestamp::from_monotonic(Duration::from_secs(100)),
        };
        let mut clock = CaptureClock::new(vec![video, sound], anchor);
        let (now, moment) = (
            anchor.instant + Duration::from_secs(5),
            Timestamp::from_monotonic(Duration::from_secs(105)),
        );
        let report = |ssrc| -> Box<dyn rtc::rtcp::Packet> {
            Box::new(SenderReport {
                ssrc,
                rtp_time: 4711,
                packet_count: 3,
                ..SenderReport::default()
            })
        };
        let mut written = TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtcp(vec![report(1), report(2), report(3)])),
        };
        assert!(clock.write(&mut written), "it goes on");
        let Packet::Rtcp(packets) = &written.message.packet else {
            panic!("it was RTCP");
        };
        let told: Vec<_> = packets
            .iter()
            .filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>())
            .collect();
        for (stream, report) in [video, sound].iter().zip(&told) {
            assert_eq!(report.rtp_time, stream.at(moment));
            assert_eq!(report.packet_count, 3);
        }
        assert_eq!(told[2].rtp_time, 4711, "not ours");
    }

    #[test]
    fn one_moment_on_both_clocks_leads_to_all_others() {
        let anchor = Anchor {
            instant: Instant::now(),
            timestamp: Timestamp::from_monotonic(Duration::from_secs(100)),
        };
        let by = Duration::from_millis(1500);
        let at = |instant| anchor.at(instant).as_duration().as_millis();
        assert_eq!(at(anchor.instant), 100_000);
        assert_eq!(at(anchor.instant + by), 101_500);
        if let Some(before) = anchor.instant.checked_sub(by) {
            assert_eq!(at(before), 98_500);
        }
    }
}
