use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rtc::{
    interceptor::{Packet, TaggedPacket},
    rtcp::{
        payload_feedbacks::{
            full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
        },
        receiver_report::ReceiverReport,
        reception_report::ReceptionReport,
        sender_report::SenderReport,
        transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack},
    },
};

use super::{clock::VIDEO_CLOCK, tap::Tap};
use crate::peer::report::Reception;

/// What a viewer reports, as the session reads it.
#[derive(Debug, Default)]
pub(in crate::peer) struct Feedback {
    keyframe: AtomicBool,
    keyframe_requests: AtomicU64,
    /// Packets asked for again.
    nacked: AtomicU64,
    /// Whether there was a receiver report.
    reported: AtomicBool,
    /// In 1/256, as in the receiver report.
    loss: AtomicU32,
    lost: AtomicU32,
    /// In ticks of the RTP clock.
    jitter: AtomicU32,
}

impl Feedback {
    /// Whether the viewer asked for a keyframe since the last call.
    pub(in crate::peer) fn take_keyframe_request(&self) -> bool {
        self.keyframe.swap(false, Relaxed)
    }

    /// Keyframe requests so far.
    pub(in crate::peer) fn keyframe_requests(&self) -> u64 {
        self.keyframe_requests.load(Relaxed)
    }

    /// Packets asked for again so far.
    pub(in crate::peer) fn nacked(&self) -> u64 {
        self.nacked.load(Relaxed)
    }

    /// The last receiver report, where there was one.
    pub(in crate::peer) fn reception(&self) -> Option<Reception> {
        self.reported.load(Relaxed).then(|| Reception {
            loss: f64::from(self.loss.load(Relaxed)) / 256.0,
            lost: self.lost.load(Relaxed).into(),
            jitter: Duration::from_secs_f64(f64::from(self.jitter.load(Relaxed)) / f64::from(VIDEO_CLOCK)),
        })
    }

    /// So many packets were asked for while they were on their way already.
    pub(super) fn refuses(&self, packets: u64) {
        self.nacked.fetch_add(packets, Relaxed);
    }

    fn wants_keyframe(&self) {
        self.keyframe.store(true, Relaxed);
        self.keyframe_requests.fetch_add(1, Relaxed);
    }

    fn reports(&self, report: &ReceptionReport) {
        self.loss.store(report.fraction_lost.into(), Relaxed);
        // Signed, in 24 bits: a viewer that counts packets twice has lost fewer than none.
        let lost = report.total_lost & 0xff_ffff;
        if lost < 0x80_0000 {
            self.lost.fetch_max(lost, Relaxed);
        }
        self.jitter.store(report.jitter, Relaxed);
        self.reported.store(true, Relaxed);
    }
}

/// Reads the viewer's RTCP on its way in.
///
/// The core hands RTCP to the application only where the first packet of a compound names one of our streams;
/// a keyframe request behind an empty receiver report (RFC 3550, section 6.1) would be lost. Here every packet
/// passes.
pub(in crate::peer) struct FeedbackReader {
    feedback: Arc<Feedback>,
    /// The picture's stream: what is said of others does not count.
    ssrc: u32,
}

impl FeedbackReader {
    pub(in crate::peer) fn new(feedback: Arc<Feedback>, ssrc: u32) -> Self {
        Self { feedback, ssrc }
    }

    /// What a report says of the picture. Who talks back reports as a sender.
    fn reception<'p>(&self, packet: &'p dyn Any) -> Option<&'p ReceptionReport> {
        let of_receiver = packet
            .downcast_ref::<ReceiverReport>()
            .map(|report| &report.reports);
        let of_sender = || {
            packet
                .downcast_ref::<SenderReport>()
                .map(|report| &report.reports)
        };
        let reports = of_receiver.or_else(of_sender)?;
        reports.iter().find(|report| report.ssrc == self.ssrc)
    }
}

impl Tap for FeedbackReader {
    fn read(&mut self, packet: &mut TaggedPacket) {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            for packet in packets {
                let packet = packet.as_any();
                // A session sends one picture, so whichever they name is meant.
                if packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>() {
                    self.feedback.wants_keyframe();
                } else if let Some(report) = self.reception(packet) {
                    self.feedback.reports(report);
                } else if let Some(request) = packet.downcast_ref::<TransportLayerNack>() {
                    let asked = |pair: &NackPair| 1 + u64::from(pair.lost_packets.count_ones());
                    let asked = request.nacks.iter().map(asked).sum();
                    self.feedback.nacked.fetch_add(asked, Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rtc::{interceptor::AttributedPacket, shared::TransportContext};

    use super::*;

    fn reception(total_lost: u32) -> Option<Reception> {
        let feedback = Feedback::default();
        assert_eq!(feedback.reception(), None, "nothing was reported yet");
        feedback.reports(&ReceptionReport {
            fraction_lost: 64,
            total_lost,
            jitter: 900,
            ..ReceptionReport::default()
        });
        feedback.reception()
    }

    #[test]
    fn a_report_is_read_in_its_units() {
        let expected = Reception {
            loss: 0.25,
            lost: 7,
            jitter: Duration::from_millis(10),
        };
        assert_eq!(reception(7), Some(expected));
    }

    #[test]
    fn duplicates_are_no_losses() {
        let minus_two = 0xff_fffe;
        assert_eq!(reception(minus_two).expect("a report").lost, 0);
    }

    #[test]
    fn what_is_said_of_the_sound_is_not_said_of_the_picture() {
        let report = |ssrc, fraction_lost| ReceptionReport {
            ssrc,
            fraction_lost,
            ..ReceptionReport::default()
        };
        let reader = FeedbackReader::new(Arc::default(), 7);
        let reports = vec![report(8, 1), report(7, 2)];
        let listens = ReceiverReport {
            reports: reports.clone(),
            ..ReceiverReport::default()
        };
        let talks = SenderReport {
            reports,
            ..SenderReport::default()
        };
        for packet in [&listens as &dyn Any, &talks] {
            assert_eq!(
                reader.reception(packet).map(|report| report.fraction_lost),
                Some(2)
            );
        }
        assert_eq!(reader.reception(&ReceiverReport::default()), None);
    }

    #[test]
    fn what_is_asked_for_is_counted_wherever_it_stands_in_a_compound() {
        let feedback = Arc::new(Feedback::default());
        let mut reader = FeedbackReader::new(feedback.clone(), 7);
        let request = TransportLayerNack {
            nacks: vec![
                NackPair {
                    packet_id: 7,
                    lost_packets: 0b101,
                },
                NackPair::new(100),
            ],
            ..TransportLayerNack::default()
        };
        let packets: Vec<Box<dyn rtc::rtcp::Packet>> = vec![
            Box::new(ReceiverReport::default()),
            Box::new(request),
            Box::new(PictureLossIndication::default()),
        ];
        let mut compound = TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtcp(packets)),
        };
        reader.read(&mut compound);
        assert_eq!(feedback.nacked(), 4, "three and one");
        assert_eq!(feedback.keyframe_requests(), 1);
        assert!(feedback.take_keyframe_request() && !feedback.take_keyframe_request());
    }
}
