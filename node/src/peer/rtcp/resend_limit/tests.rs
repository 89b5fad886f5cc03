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
    let mut passed = tagged(request, now);
    limit.read(&mut passed);
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
    assert!(limit.write(&mut tagged(report, now)), "it goes on");
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
        limit.read(&mut tagged(answer(name, held), later));
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
        assert!(limit.write(&mut tagged(report, now)), "it goes on");
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
    limit.write(&mut TaggedPacket {
        now,
        transport: TransportContext::default(),
        message,
    })
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
    let mut passed = tagged(request, now);
    limit.read(&mut passed);
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
