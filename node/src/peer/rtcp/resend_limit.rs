//! How often a packet is sent again.

use std::{
    any::Any,
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rtc::{
    interceptor::{Attribute, Packet, TaggedPacket},
    rtcp::{
        receiver_report::ReceiverReport,
        reception_report::ReceptionReport,
        sender_report::SenderReport,
        transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
    },
};

use super::{feedback::Feedback, tap::Tap};

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

impl Tap for ResendLimit {
    fn read(&mut self, packet: &mut TaggedPacket) {
        let now = packet.now;
        if let Packet::Rtcp(packets) = &mut packet.message.packet {
            for packet in packets {
                self.measure(packet.as_any(), now);
                let request = packet.as_any().downcast_ref::<TransportLayerNack>();
                let limited = request.map(|request| self.limited(request, now));
                if let Some(limited) = limited {
                    *packet = Box::new(limited);
                }
            }
        }
    }

    fn write(&mut self, packet: &mut TaggedPacket) -> bool {
        let is_repetition = packet.message.has(&Attribute::Retransmission);
        match &packet.message.packet {
            Packet::Rtp(packet) => {
                let bytes = packet.payload.len();
                if !is_repetition {
                    self.budget = (self.budget + bytes / SHARE).min(MOST);
                } else if let Some(left) = self.budget.checked_sub(bytes) {
                    self.budget = left;
                } else {
                    // Whoever still misses it asks again.
                    return false;
                }
            }
            Packet::Rtcp(packets) => {
                let ours = packets
                    .iter()
                    .filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>());
                for report in ours {
                    self.reports.truncate(REPORTS - 1);
                    self.reports
                        .push_front(((report.ntp_time >> 16) as u32, packet.now));
                }
            }
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests;
