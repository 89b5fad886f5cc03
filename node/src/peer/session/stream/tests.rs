use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    media::{AccessUnit, Layer, Rung},
    peer::feed::Packetised,
};

/// The next picture of a feed, of so many packets.
fn picture(ring: &Ring, packets: usize) -> Packetised {
    let captured_at = Timestamp::from_monotonic(Duration::from_secs(1));
    let payloads: Vec<_> = (0..packets)
        .map(|number| Bytes::from(vec![number as u8]))
        .collect();
    let unit = AccessUnit {
        data: Bytes::new(),
        captured_at,
        is_keyframe: true,
        layer: Layer::Base,
    };
    Packetised {
        first: ring.keep(&payloads, &unit),
        unit,
        rung: Rung::TOP,
        has_small: false,
        payloads,
        rates: None,
        ring: ring.clone(),
    }
}

fn send(stream: &mut Stream, packetised: &Packetised, wide: Option<u64>) -> Vec<u16> {
    let last = packetised.payloads.len() - 1;
    let place = |(number, payload): (usize, &Bytes)| {
        let fed = Fed {
            number: packetised.first + number as u64,
            captured_at: packetised.unit.captured_at,
            marker: number == last,
            bytes: payload.len(),
            is_late: false,
        };
        let wide = wide.map(|wide| wide + number as u64);
        stream.place(fed, Stamps::default(), wide).number as u16
    };
    packetised.payloads.iter().enumerate().map(place).collect()
}

#[test]
fn a_packet_that_is_sent_again_is_the_same() {
    let (ring, mut stream) = (Ring::default(), Stream::new(Codec::Vp8, 96));
    // Before the viewer came.
    picture(&ring, 5);
    let (one, other) = (picture(&ring, 3), picture(&ring, 2));
    let numbers = [send(&mut stream, &one, None), send(&mut stream, &other, Some(7))].concat();
    let payloads: Vec<_> = one.payloads.iter().chain(&other.payloads).collect();
    let markers = [false, false, true, false, true];
    let mut wide = Vec::new();
    for ((sequence, payload), marker) in numbers.iter().zip(payloads).zip(markers) {
        let (place, packet) = stream.kept(*sequence, &ring).expect("it is kept");
        assert_eq!((place.number as u16, place.marker), (*sequence, marker));
        wide.push(place.wide);
        assert_eq!(packet.payload.as_ptr(), payload.as_ptr(), "shared, not copied");
    }
    assert!(
        stream.kept(numbers[0].wrapping_sub(1), &ring).is_none(),
        "not this viewer's"
    );
    assert!(
        stream.kept(numbers[4].wrapping_add(1), &ring).is_none(),
        "not sent yet"
    );
    assert_eq!(wide, [None, None, None, Some(7), Some(8)]);
    assert_eq!((stream.units(), stream.packets(), stream.bits()), (2, 5, 40));
}

#[test]
fn what_was_sent_with_another_header_is_not_sent_again() {
    for (payload_type, extension) in [(97, None), (96, Some(3))] {
        let (ring, mut stream) = (Ring::default(), Stream::new(Codec::Vp8, 96));
        let before = send(&mut stream, &picture(&ring, 2), None);
        stream.renumber(96, None);
        assert!(stream.kept(before[0], &ring).is_some(), "nothing has changed");
        stream.renumber(payload_type, extension);
        assert!(stream.kept(before[0], &ring).is_none());
        let after = send(&mut stream, &picture(&ring, 2), None);
        assert!(stream.kept(before[1], &ring).is_none() && stream.kept(after[0], &ring).is_some());
    }
}

#[test]
fn where_something_was_left_out_the_numbers_go_on_and_what_was_before_is_not_mistaken() {
    let (ring, mut stream) = (Ring::default(), Stream::new(Codec::Vp8, 96));
    assert!(
        stream.kept(0, &ring).is_none() && !stream.may_be_kept(0),
        "nothing was sent"
    );
    let before = send(&mut stream, &picture(&ring, 2), Some(0));
    picture(&ring, 4);
    let after = send(&mut stream, &picture(&ring, 2), Some(9));
    assert_eq!(after[0], before[1].wrapping_add(1), "without a gap");
    for (sequence, feed, wide, payload) in [(before[1], 1, 1, 1), (after[0], 6, 9, 0), (after[1], 7, 10, 1)] {
        let run = stream.run(sequence).expect("it was sent");
        assert_eq!((run.feed, run.wide), (feed, Some(wide)));
        assert!(stream.may_be_kept(sequence));
        let (place, packet) = stream.kept(sequence, &ring).expect("it is kept");
        assert_eq!((place.wide, &packet.payload[..]), (Some(wide), &[payload][..]));
    }
    assert!(!stream.may_be_kept(after[1].wrapping_add(1)));
    assert!(!stream.may_be_kept(before[0].wrapping_sub(1)));
}

#[test]
fn few_runs_are_remembered() {
    let (ring, mut stream) = (Ring::default(), Stream::new(Codec::Vp8, 96));
    let numbers: Vec<_> = (0..RUNS as u64 + 10)
        .flat_map(|number| send(&mut stream, &picture(&ring, 1), Some(2 * number)))
        .collect();
    assert_eq!(stream.runs.len(), RUNS);
    assert!(!stream.may_be_kept(numbers[9]) && stream.may_be_kept(numbers[10]));
}
