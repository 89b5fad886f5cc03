//! How often a packet is sent again.

use std::{
    any::Any,
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rtc::{
    interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::{
        receiver_report::ReceiverReport,
        reception_report::ReceptionReport,
        sender_report::SenderReport,
        transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
    },
    sansio::Protocol,
    shared::error::Error,
};

use super::feedback::Feedback;

/// Until a round trip was measured.
const ASSUMED: Duration = Duration::from_millis(100);
/// What is measured counts within these bounds: a report is the viewer's word.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);
/// Sender reports that may be answered yet: some seconds of two streams.
const REPORTS: usize = 8;
/// Packets that are remembered as sent again. At least as many as are kept for it.
const REMEMBERED: usize = 1024;

/// Bytes that are sent again at once, whatever was sent before, and the most that is saved up: a lost keyframe.
const FIRST: usize = 64 * 1024;
const MOST: usize = 256 * 1024;
/// In the long run one byte is sent again for this many that were sent. A path that loses more is helped by a lower rate, not by more
/// packets.
const SHARE: usize = 2;

/// Has a packet sent again at most once in a round trip, and no more than half of the stream in all: a request of a few bytes can
/// name thousands of packets.
///
/// Viewers repeat their requests (RFC 4585, section 6.2.1) until the packet is there, some every 20 ms, and the core answers every one. Where the round
/// trip takes longer, all but the first only ask for what is on its way, and the answers to them fill a narrow path with
/// copies until nothing else gets through.
pub(in crate::peer) struct ResendLimit {
    feedback: Arc<Feedback>,
    /// The middle of the NTP time in sender reports of ours, by which a viewer names them, and when they went.
    reports: VecDeque<(u32, Instant)>,
    round_trip: Duration,
    /// By the last bits of the sequence number: which packet was sent again last, and when.
    resent: Box<[Option<(u16, Instant)>]>,
    /// Bytes that may be sent again.
    budget: usize,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl ResendLimit {
    pub(in crate::peer) fn new(feedback: Arc<Feedback>) -> Self {
        Self {
            feedback,
            reports: VecDeque::new(),
            round_trip: ASSUMED,
            // Without memory until the first request.
            resent: Box::default(),
            budget: FIRST,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    /// Measures the round trip by a report that names one of ours (RFC 3550, section 6.4.1).
    fn measure(&mut self, packet: &dyn Any, now: Instant) {
        let of_receiver = packet.downcast_ref::<ReceiverReport>();
        let of_sender = packet.downcast_ref::<SenderReport>();
        let reports = of_receiver.map(|report| &report.reports);
        let reports = reports.or(of_sender.map(|report| &report.reports));
        let measured = reports
            .into_iter()
            .flatten()
            .find_map(|report| self.round_trip(report, now));
        if let Some(round_trip) = measured {
            self.round_trip = round_trip.clamp(SHORTEST, LONGEST);
        }
    }

    fn round_trip(&self, report: &ReceptionReport, now: Instant) -> Option<Duration> {
        let named = |(name, _): &&(u32, Instant)| *name == report.last_sender_report;
        let (_, sent) = self.reports.iter().find(named)?;
        let held = Duration::from_secs_f64(f64::from(report.delay) / 65_536.0);
        now.saturating_duration_since(*sent).checked_sub(held)
    }

    /// What of a request is to be obeyed.
    fn limited(&mut self, request: &TransportLayerNack, now: Instant) -> TransportLayerNack {
        if self.resent.is_empty() {
            self.resent = vec![None; REMEMBERED].into_boxed_slice();
        }
        let (mut obeyed, mut refused) = (Vec::new(), 0);
        for sequence in request.nacks.iter().flat_map(|pair| pair.packet_list()) {
            let last = &mut self.resent[usize::from(sequence) % REMEMBERED];
            let is_on_its_way = last.is_some_and(|(packet, at)| {
                packet == sequence && now.saturating_duration_since(at) < self.round_trip
            });
            if is_on_its_way {
                refused += 1;
            } else {
                *last = Some((sequence, now));
                obeyed.push(sequence);
            }
        }
        self.feedback.refuses(refused);
        TransportLayerNack {
            nacks: nack_pairs_from_sequence_numbers(&obeyed),
            ..request.clone()
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for ResendLimit {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        let now = message.now;
        if let Packet::Rtcp(packets) = &mut message.message.packet {
            for packet in packets {
                self.measure(packet.as_any(), now);
                let request = packet.as_any().downcast_ref::<TransportLayerNack>();
                let limited = request.map(|request| self.limited(request, now));
                if let Some(limited) = limited {
                    *packet = Box::new(limited);
                }
            }
        }
        self.reads.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        let is_repetition = message.message.has(&Attribute::Retransmission);
        if let Packet::Rtp(packet) = &message.message.packet {
            let bytes = packet.payload.len();
            if !is_repetition {
                self.budget = (self.budget + bytes / SHARE).min(MOST);
            } else if let Some(left) = self.budget.checked_sub(bytes) {
                self.budget = left;
            } else {
                // Whoever still misses it asks again.
                return Ok(());
            }
        }
        if let Packet::Rtcp(packets) = &message.message.packet {
            let ours = packets
                .iter()
                .filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>());
            for report in ours {
                self.reports.truncate(REPORTS - 1);
                self.reports
                    .push_front(((report.ntp_time >> 16) as u32, message.now));
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

impl Interceptor for ResendLimit {
    fn bind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _stream: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::{
        interceptor::AttributedPacket, rtcp, rtcp::transport_feedbacks::transport_layer_nack::NackPair, rtp,
        shared::TransportContext,
    };

    fn tagged(packet: impl rtcp::Packet + 'static, now: Instant) -> TaggedPacket {
        TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(packet)])),
        }
    }

    /// What is left of a request for these packets.
    fn asked(limit: &mut ResendLimit, sequences: &[u16], now: Instant) -> Vec<u16> {
        let request = TransportLayerNack {
            nacks: nack_pairs_from_sequence_numbers(sequences),
            ..TransportLayerNack::default()
        };
        limit.handle_read(tagged(request, now)).expect("it is read");
        let passed = limit.poll_read().expect("it goes on");
        let Packet::Rtcp(packets) = &passed.message.packet else {
            panic!("it was RTCP");
        };
        let request = packets[0].as_any().downcast_ref::<TransportLayerNack>();
        let pairs = &request.expect("it was a request").nacks;
        pairs.iter().flat_map(|pair| pair.packet_list()).collect()
    }

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_packet_is_sent_again_once_in_a_round_trip() {
        let (feedback, now) = (Arc::new(Feedback::default()), Instant::now());
        let mut limit = ResendLimit::new(feedback.clone());
        assert_eq!(asked(&mut limit, &[7, 9, 65_535], now), [7, 9, 65_535]);
        let soon = now + ASSUMED - MILLISECOND;
        assert_eq!(
            asked(&mut limit, &[7, 8, 9], soon),
            [8],
            "the others are on their way"
        );
        assert_eq!(asked(&mut limit, &[7, 8], now + ASSUMED), [7]);
        assert_eq!(feedback.nacked(), 3, "what was refused was asked for as well");
    }

    #[test]
    fn the_round_trip_is_that_of_the_reports() {
        let now = Instant::now();
        let mut limit = ResendLimit::new(Arc::default());
        let report = SenderReport {
            ntp_time: 0x1234_5678_9abc_def0,
            ..SenderReport::default()
        };
        limit.handle_write(tagged(report, now)).expect("it is taken");
        let answer = |last_sender_report, delay| ReceiverReport {
            reports: vec![ReceptionReport {
                last_sender_report,
                delay,
                ..ReceptionReport::default()
            }],
            ..ReceiverReport::default()
        };
        let later = now + Duration::from_millis(800);
        for (name, held, expected) in [
            (0, 0, ASSUMED),
            (0x5678_9abc, 65_536, ASSUMED),
            (0x5678_9abc, 32_768, Duration::from_millis(300)),
            (0x5678_9abc, 52_428, SHORTEST),
        ] {
            limit
                .handle_read(tagged(answer(name, held), later))
                .expect("it is read");
            assert!(limit.poll_read().is_some(), "it goes on");
            assert_eq!(
                limit.round_trip.as_millis(),
                expected.as_millis(),
                "{name:x} {held}"
            );
            let packet = [held as u16 ^ name as u16];
            assert_eq!(asked(&mut limit, &packet, later).len(), 1);
            assert!(asked(&mut limit, &packet, later + expected - MILLISECOND).is_empty());
            assert_eq!(
                asked(&mut limit, &packet, later + expected + MILLISECOND).len(),
                1
            );
        }
    }

    #[test]
    fn whatever_is_asked_for_costs_no_more_memory() {
        let now = Instant::now();
        let mut limit = ResendLimit::new(Arc::default());
        let all: Vec<_> = (0..=u16::MAX).collect();
        for chunk in all.chunks(1000) {
            assert_eq!(asked(&mut limit, chunk, now).len(), chunk.len());
        }
        assert_eq!(limit.resent.len(), REMEMBERED);
        for number in 0..100 {
            let report = SenderReport {
                ntp_time: number << 16,
                ..SenderReport::default()
            };
            limit.handle_write(tagged(report, now)).expect("it is taken");
        }
        assert_eq!(limit.reports.len(), REPORTS);
        assert_eq!(limit.reports[0].0, 99, "the newest are kept");
    }

    /// Has a packet of 1000 bytes pass, and tells whether it goes on.
    fn passes(limit: &mut ResendLimit, is_repetition: bool, now: Instant) -> bool {
        let packet = rtp::Packet {
            payload: vec![0; 1000].into(),
            ..rtp::Packet::default()
        };
        let mut message = AttributedPacket::new(Packet::Rtp(packet));
        if is_repetition {
            message.add(Attribute::Retransmission);
        }
        let tagged = TaggedPacket {
            now,
            transport: TransportContext::default(),
            message,
        };
        limit.handle_write(tagged).expect("it is taken");
        limit.poll_write().is_some()
    }

    #[test]
    fn one_request_that_names_the_same_packets_hundreds_of_times_is_obeyed_once() {
        let now = Instant::now();
        let mut limit = ResendLimit::new(Arc::default());
        let request = TransportLayerNack {
            nacks: vec![
                NackPair {
                    packet_id: 100,
                    lost_packets: u16::MAX
                };
                250
            ],
            ..TransportLayerNack::default()
        };
        limit.handle_read(tagged(request, now)).expect("it is read");
        let passed = limit.poll_read().expect("it goes on");
        let Packet::Rtcp(packets) = &passed.message.packet else {
            panic!("it was RTCP");
        };
        let request = packets[0].as_any().downcast_ref::<TransportLayerNack>();
        let pairs = &request.expect("it was a request").nacks;
        assert_eq!(pairs.iter().flat_map(|pair| pair.packet_list()).count(), 17);
    }

    #[test]
    fn what_is_sent_again_stays_below_half_of_the_stream() {
        let now = Instant::now();
        let mut limit = ResendLimit::new(Arc::default());
        let at_once = (0..10_000).filter(|_| passes(&mut limit, true, now));
        assert_eq!(at_once.count(), FIRST / 1000);
        let mut again = 0;
        for _ in 0..9000 {
            assert!(passes(&mut limit, false, now), "the stream itself is never cut");
            again += (0..10).filter(|_| passes(&mut limit, true, now)).count();
        }
        assert_eq!(again, 9000 / SHARE);
        // A viewer that loses nothing for an hour saves up no more than a keyframe.
        assert!((0..100_000).all(|_| passes(&mut limit, false, now)));
        let saved = (0..10_000).filter(|_| passes(&mut limit, true, now));
        assert_eq!(saved.count(), MOST / 1000);
    }
}
