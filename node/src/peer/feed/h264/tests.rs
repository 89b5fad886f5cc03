use rtc::rtp::{codec::h264::H264Packet, packetizer::Depacketizer};

use super::*;

mod generated;

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0x8c];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const OTHER_PPS: &[u8] = &[0x48, 0x53, 0x8f];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x21];
const SLICE: &[u8] = &[0x41, 0x9a, 0x22];
const DELIMITER: &[u8] = &[0x09, 0xf0];
const FILLER: &[u8] = &[0x0c, 0xff, 0x80];

fn stream(parts: &[&[u8]]) -> Bytes {
    let with_start = |part: &&[u8]| [&[0, 0, 0, 1], *part].concat();
    parts.iter().flat_map(with_start).collect()
}

/// Puts payloads together again by the core's depacketizer, which is strict about lengths. What it takes for too short to be anything
/// is taken as it is.
fn unpacked(payloads: &[Bytes]) -> Vec<Vec<u8>> {
    let mut depacketizer = H264Packet::default();
    depacketizer.is_avc = true;
    let mut units = Vec::new();
    for payload in payloads {
        if payload.len() <= 2 && (1..24).contains(&(payload[0] & 0x1f)) {
            units.push(payload.to_vec());
            continue;
        }
        let made = depacketizer.depacketize(payload).expect("a whole payload");
        let mut rest = &made[..];
        while let Some((length, more)) = rest.split_first_chunk() {
            let (unit, more) = more.split_at(u32::from_be_bytes(*length) as usize);
            units.push(unit.to_vec());
            rest = more;
        }
    }
    units
}

/// What is to come of a stream, by the slowest way to tell.
fn expected(stream: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = (0..stream.len())
        .filter(|&at| stream[at..].starts_with(&[0, 0, 1]))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends).map(|(&start, end)| {
        let mut unit = stream[start + 3..end].to_vec();
        while unit.last() == Some(&0) {
            unit.pop();
        }
        unit
    });
    let carried = |unit: &Vec<u8>| {
        let kind = unit.first().map_or(0, |header| header & 0x1f);
        !matches!(kind, 0 | 9 | 12 | 24..)
    };
    units.filter(carried).collect()
}

/// That the payloads keep what the cutter promises.
fn check(unit: &Bytes, largest: usize) -> Vec<Bytes> {
    let payloads = payloads(unit, largest);
    let memory = unit.as_ptr_range();
    // A parameter set, or more of them, with room for so many bytes and so many sets.
    let mut before: Option<(usize, usize)> = None;
    let mut fragments = None;
    for payload in &payloads {
        assert!(!payload.is_empty() && payload.len() <= largest, "{payload:?}");
        let kind = payload[0] & 0x1f;
        assert!(matches!(kind, 1..=24 | 28), "{payload:?}");
        let sets = match kind {
            7 | 8 => vec![payload.to_vec()],
            24 => unpacked(std::slice::from_ref(payload)),
            _ => Vec::new(),
        };
        if kind == 24 {
            assert!((2..=10).contains(&sets.len()), "{payload:?}");
            let importance = sets.iter().map(|set| set[0] & 0x60).max();
            assert_eq!(Some(payload[0] & 0x60), importance);
        }
        if let Some(first) = sets.first() {
            assert!(sets.iter().all(|set| matches!(set[0] & 0x1f, 7 | 8)));
            if let Some((length, count)) = before {
                assert!(
                    count == 10 || length + 2 + first.len() > largest,
                    "they fit together"
                );
            }
            let length = 1 + sets.iter().map(|set| 2 + set.len()).sum::<usize>();
            before = Some((length, sets.len()));
        } else {
            before = None;
        }
        if kind == 28 {
            let (first, last) = (payload[1] & 0x80 != 0, payload[1] & 0x40 != 0);
            assert!(!(first && last) && payload.len() > 2, "{payload:?}");
            // The same NAL unit goes on, and all but its last fragment are full.
            let whose = (payload[0], payload[1] & 0x1f);
            assert_eq!(fragments.replace(whose), (!first).then_some(whose));
            assert!(last || payload.len() == largest, "{payload:?}");
            if last {
                fragments = None;
            }
        } else {
            assert_eq!(fragments, None, "a NAL unit without its end");
        }
        if !matches!(kind, 24 | 28) {
            assert!(memory.contains(&payload.as_ptr()), "copied");
        }
    }
    assert_eq!(fragments, None, "a NAL unit without its end");
    // The core's depacketizer forgets that a fragmented one is marked as damaged.
    let comparable = |mut units: Vec<Vec<u8>>| {
        units.iter_mut().for_each(|unit| unit[0] &= 0x7f);
        units
    };
    assert_eq!(
        comparable(unpacked(&payloads)),
        comparable(expected(unit)),
        "{unit:?} by {largest}"
    );
    payloads
}

#[test]
fn a_unit_is_cut_as_the_standard_has_it() {
    let long = [&[0x65][..], &[7; 20]].concat();
    let long_set = [&[0x68][..], &[7; 20]].concat();
    type Pieces<'a> = &'a [&'a [u8]];
    let cases: [(Pieces, usize, Pieces); 9] = [
        // A keyframe: its parameter sets share a payload.
        (
            &[SPS, PPS, IDR],
            20,
            &[
                &[
                    0x78, 0, 5, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0, 4, 0x68, 0xce, 0x3c, 0x80,
                ],
                IDR,
            ],
        ),
        // One more than fit.
        (
            &[SPS, PPS, OTHER_PPS, IDR],
            14,
            &[
                &[
                    0x78, 0, 5, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0, 4, 0x68, 0xce, 0x3c, 0x80,
                ],
                OTHER_PPS,
                IDR,
            ],
        ),
        // No two fit.
        (&[SPS, PPS, OTHER_PPS, IDR], 9, &[SPS, PPS, OTHER_PPS, IDR]),
        // One alone in mid-group.
        (&[OTHER_PPS, SLICE], 20, &[OTHER_PPS, SLICE]),
        // The most important of them is how important all are.
        (
            &[OTHER_PPS, OTHER_PPS],
            20,
            &[&[0x58, 0, 3, 0x48, 0x53, 0x8f, 0, 3, 0x48, 0x53, 0x8f]],
        ),
        // Between slices, where the order is what matters.
        (&[SLICE, PPS, SLICE], 20, &[SLICE, PPS, SLICE]),
        // What carries nothing does not part those that belong together.
        (
            &[DELIMITER, PPS, FILLER, OTHER_PPS, SLICE],
            20,
            &[
                &[0x78, 0, 4, 0x68, 0xce, 0x3c, 0x80, 0, 3, 0x48, 0x53, 0x8f],
                SLICE,
            ],
        ),
        // Longer than a payload.
        (
            &[&long],
            12,
            &[
                &[&[0x7c, 0x85][..], &[7; 10]].concat(),
                &[&[0x7c, 0x45][..], &[7; 10]].concat(),
            ],
        ),
        (
            &[SPS, &long_set],
            20,
            &[SPS, &[&[0x7c, 0x88][..], &[7; 18]].concat(), &[0x7c, 0x48, 7, 7]],
        ),
    ];
    for (parts, largest, expected) in cases {
        assert_eq!(check(&stream(parts), largest), expected, "{parts:02x?}");
    }
}

#[test]
fn an_aggregate_has_no_more_than_receivers_read() {
    let unit = stream(&[PPS; 23]);
    let payloads = check(&unit, 1150);
    let lengths: Vec<_> = payloads.iter().map(Bytes::len).collect();
    assert_eq!(lengths, [61, 61, 19]);
}

#[test]
fn nothing_comes_of_what_is_no_stream() {
    for data in [
        &[][..],
        b"picture",
        &[0; 64],
        &[0, 0, 1],
        &[0, 0, 0, 1, 0, 0, 1],
        &[0, 0, 1, 0x7c, 0x85, 1],
        &[0, 0, 1, 0x78, 0, 1, 0x41],
    ] {
        assert_eq!(check(&Bytes::copy_from_slice(data), 1150), [""; 0], "{data:?}");
    }
}
