//! The clock of sender reports.

use std::{collections::VecDeque, time::Instant};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::sender_report::SenderReport,
    sansio::Protocol,
    shared::error::Error,
};

use crate::media::Timestamp;

/// What leads from the monotonic clock to the RTP time stamps of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamClock {
    pub(super) ssrc: u32,
    pub(super) rate: u32,
    pub(super) offset: u32,
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
pub(super) struct CaptureClock {
    streams: Vec<StreamClock>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl CaptureClock {
    pub(super) fn new(streams: Vec<StreamClock>) -> Self {
        Self {
            streams,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for CaptureClock {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.reads.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &mut message.message.packet {
            // The wall clock in the report is that of `now`.
            let age = message.now.elapsed();
            let now = Timestamp::from_monotonic(Timestamp::now().as_duration().saturating_sub(age));
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
        self.writes.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), Error> {
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
}

impl Interceptor for CaptureClock {
    fn bind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _stream: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut clock = CaptureClock::new(vec![video, sound]);
        let before = Timestamp::now();
        let report = |ssrc| -> Box<dyn rtc::rtcp::Packet> {
            Box::new(SenderReport {
                ssrc,
                rtp_time: 4711,
                packet_count: 3,
                ..SenderReport::default()
            })
        };
        clock
            .handle_write(TaggedPacket {
                now: Instant::now(),
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(vec![report(1), report(2), report(3)])),
            })
            .expect("it is taken");
        let after = Timestamp::now();
        let written = clock.poll_write().expect("it goes on");
        let Packet::Rtcp(packets) = &written.message.packet else {
            panic!("it was RTCP");
        };
        let told: Vec<_> = packets
            .iter()
            .filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>())
            .collect();
        for (stream, report) in [video, sound].iter().zip(&told) {
            let since = report.rtp_time.wrapping_sub(stream.at(before));
            let most = stream.at(after).wrapping_sub(stream.at(before));
            assert!(since <= most + 1, "{since} of {most}");
            assert_eq!(report.packet_count, 3);
        }
        assert_eq!(told[2].rtp_time, 4711, "not ours");
    }
}
