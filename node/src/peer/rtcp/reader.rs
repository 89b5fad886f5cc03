//! A viewer's RTCP on its way through the core.

use std::{
    any::Any,
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::{
        payload_feedbacks::{
            full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
            receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate,
        },
        receiver_report::ReceiverReport,
        reception_report::ReceptionReport,
        sender_report::SenderReport,
        transport_feedbacks::{
            transport_layer_cc::TransportLayerCc, transport_layer_nack::TransportLayerNack,
        },
    },
    sansio::Protocol,
    shared::error::Error,
};

use crate::peer::congestion::Report;

/// Reports of arrivals that are kept until the session looks: those of more than a second.
const ARRIVALS: usize = 64;

/// What a viewer's reports said.
#[derive(Debug, Default)]
pub(in crate::peer) struct Said {
    /// How often it asked for a keyframe.
    pub(in crate::peer) keyframes: u32,
    /// The sequence numbers that it asked for again, in its order.
    pub(in crate::peer) missing: Vec<u16>,
    /// What it gets of our streams.
    pub(in crate::peer) receptions: Vec<ReceptionReport>,
    /// Which packets have arrived, and when.
    pub(in crate::peer) arrivals: Vec<Report>,
    /// What it believes that its path carries, in bits a second.
    pub(in crate::peer) limit: Option<u64>,
}

/// Where a [`Reader`] leaves what it has read, until the session looks; which it does after each batch of packets.
#[derive(Clone, Debug, Default)]
pub(in crate::peer) struct Inbox(Arc<Mutex<Said>>);

impl Inbox {
    /// What was said since the last call.
    pub(in crate::peer) fn take(&self) -> Said {
        mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the viewer's RTCP, as an interceptor of the core.
///
/// The core hands RTCP to the application only where the first packet of a compound names one of our streams;
/// a keyframe request behind an empty receiver report (RFC 3550, section 6.1) would be lost. Here every packet
/// passes.
pub(in crate::peer) struct Reader {
    inbox: Inbox,
    /// The picture's stream: what is asked for of others does not count.
    picture: u32,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Reader {
    pub(in crate::peer) fn new(inbox: Inbox, picture: u32) -> Self {
        Self {
            inbox,
            picture,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    fn read(&self, packet: &dyn Any) {
        // Who talks back reports as a sender.
        let of_receiver = packet.downcast_ref::<ReceiverReport>();
        let of_sender = packet.downcast_ref::<SenderReport>();
        let reports = of_receiver.map(|report| &report.reports);
        let reports = reports.or(of_sender.map(|report| &report.reports));
        if let Some(reports) = reports {
            self.inbox.lock().receptions.extend_from_slice(reports);
        } else if packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>() {
            // A session sends one picture, so whichever they name is meant.
            self.inbox.lock().keyframes += 1;
        } else if let Some(request) = packet.downcast_ref::<TransportLayerNack>()
            && request.media_ssrc == self.picture
        {
            let missing = request.nacks.iter().flat_map(|pair| pair.packet_list());
            self.inbox.lock().missing.extend(missing);
        } else if let Some(arrivals) = packet.downcast_ref::<TransportLayerCc>() {
            // The numbers are those of all streams, so whichever is named is meant.
            let mut inbox = self.inbox.lock();
            if inbox.arrivals.len() < ARRIVALS {
                inbox.arrivals.push(Report::of(arrivals));
            }
        } else if let Some(estimate) = packet.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
            // What is no number, or negative, becomes 0 here, and is passed over.
            let limit = Some(estimate.bitrate as u64).filter(|limit| *limit > 0);
            let mut inbox = self.inbox.lock();
            inbox.limit = limit.or(inbox.limit);
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Reader {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            packets.iter().for_each(|packet| self.read(packet.as_any()));
        }
        self.reads.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.writes.push_back(packet);
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

impl Interceptor for Reader {
    fn bind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _stream: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _stream: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _stream: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use rtc::{
        interceptor::AttributedPacket, rtcp, rtcp::transport_feedbacks::transport_layer_nack::NackPair, rtp,
        shared::TransportContext,
    };

    use super::*;

    const PICTURE: u32 = 7;

    fn tagged(packet: Packet) -> TaggedPacket {
        TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(packet),
        }
    }

    fn said(packets: Vec<Box<dyn rtcp::Packet>>) -> Said {
        let inbox = Inbox::default();
        let mut reader = Reader::new(inbox.clone(), PICTURE);
        reader
            .handle_read(tagged(Packet::Rtcp(packets)))
            .expect("it is taken");
        assert!(reader.poll_read().is_some(), "it goes on");
        inbox.take()
    }

    fn request(media_ssrc: u32) -> Box<TransportLayerNack> {
        let pair = NackPair {
            packet_id: 65_535,
            lost_packets: 0b101,
        };
        Box::new(TransportLayerNack {
            media_ssrc,
            nacks: vec![pair, NackPair::new(100)],
            ..TransportLayerNack::default()
        })
    }

    #[test]
    fn what_is_asked_for_is_read_wherever_it_stands_in_a_compound() {
        let said = said(vec![
            Box::new(ReceiverReport::default()),
            request(PICTURE),
            Box::new(PictureLossIndication::default()),
            Box::new(FullIntraRequest::default()),
        ]);
        assert_eq!(said.missing, [65_535, 0, 2, 100]);
        assert_eq!(said.keyframes, 2);
    }

    #[test]
    fn packets_of_other_streams_are_not_ours_to_send_again() {
        assert!(said(vec![request(PICTURE + 1)]).missing.is_empty());
    }

    #[test]
    fn both_kinds_of_reports_are_read() {
        let reports = vec![ReceptionReport {
            ssrc: PICTURE,
            fraction_lost: 2,
            ..ReceptionReport::default()
        }];
        let listens = ReceiverReport {
            reports: reports.clone(),
            ..ReceiverReport::default()
        };
        let talks = SenderReport {
            reports: reports.clone(),
            ..SenderReport::default()
        };
        assert_eq!(said(vec![Box::new(listens)]).receptions, reports);
        assert_eq!(said(vec![Box::new(talks)]).receptions, reports);
    }

    #[test]
    fn packets_go_on_in_their_order() {
        let mut reader = Reader::new(Inbox::default(), PICTURE);
        let packet = |sequence_number| {
            let mut packet = rtp::Packet::default();
            packet.header.sequence_number = sequence_number;
            tagged(Packet::Rtp(packet))
        };
        for number in 0..3 {
            reader.handle_read(packet(number)).expect("it is taken");
            reader.handle_write(packet(number)).expect("it is taken");
        }
        let number = |packet: TaggedPacket| match packet.message.packet {
            Packet::Rtp(packet) => packet.header.sequence_number,
            _ => panic!("it was RTP"),
        };
        let reads: Vec<_> = std::iter::from_fn(|| reader.poll_read()).map(number).collect();
        let writes: Vec<_> = std::iter::from_fn(|| reader.poll_write()).map(number).collect();
        assert_eq!((reads, writes), (vec![0, 1, 2], vec![0, 1, 2]));
        assert_eq!(reader.poll_timeout(), None);
    }
}
