use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::{
        payload_feedbacks::{
            full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
        },
        receiver_report::ReceiverReport,
    },
    sansio::Protocol,
    shared::error::Error,
};

/// What a viewer reports, as the session reads it.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    keyframe: AtomicBool,
    /// In 1/256, as in the receiver report.
    loss: AtomicU32,
}

impl Feedback {
    /// Whether the viewer asked for a keyframe since the last call.
    pub(super) fn take_keyframe_request(&self) -> bool {
        self.keyframe.swap(false, Ordering::Relaxed)
    }

    /// The share of packets lost according to the last receiver report, 0 to 1.
    pub(super) fn loss(&self) -> f32 {
        self.loss.load(Ordering::Relaxed) as f32 / 256.0
    }
}

/// Reads the viewer's RTCP on its way in.
///
/// The core hands RTCP to the application only where the first packet of a compound names one of our streams;
/// a keyframe request behind an empty receiver report (RFC 3550, section 6.1) would be lost. Here every packet
/// passes.
pub(super) struct FeedbackReader {
    feedback: Arc<Feedback>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl FeedbackReader {
    pub(super) fn new(feedback: Arc<Feedback>) -> Self {
        Self {
            feedback,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for FeedbackReader {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            for packet in packets {
                let packet = packet.as_any();
                // A session sends one stream, so whichever it names is meant.
                if packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>() {
                    self.feedback.keyframe.store(true, Ordering::Relaxed);
                } else if let Some(report) = packet
                    .downcast_ref::<ReceiverReport>()
                    .and_then(|report| report.reports.first())
                {
                    self.feedback
                        .loss
                        .store(report.fraction_lost.into(), Ordering::Relaxed);
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

impl Interceptor for FeedbackReader {
    fn bind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _stream: &StreamInfo) {}
}
