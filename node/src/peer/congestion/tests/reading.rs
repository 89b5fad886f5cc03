use rtc::{rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc, shared::marshal::Unmarshal};

use crate::peer::congestion::report::{Arrival, Report};

fn read(words: &[u8]) -> Option<Report> {
    let length = (words.len() / 4 + 1) as u16;
    let [high, low] = length.to_be_bytes();
    // RFC 4585, section 6.1: the length is in words, less one.
    let whole = [&[0x8f, 205, high, low][..], &[0, 0, 0, 1], words].concat();
    TransportLayerCc::unmarshal(&mut &whole[..])
        .ok()
        .map(|packet| Report::of(&packet))
}

#[test]
fn runs_and_vectors_are_read_in_their_order() {
    let words = [
        0,
        0,
        0,
        2, // the source
        0xff,
        0xff,
        0,
        18, // the first number, and how many
        0,
        1,
        0,
        9, // 256 times 64 ms, and the number of the report
        0x20,
        2, // a run of two that arrived
        0b1010_0000,
        0b0000_0001, // one bit each: the first and the last of 14
        0b1110_0000,
        0, // two bits each: one with a long delta
        4,
        8,
        12,
        16,
        0xff,
        0xfe,
        0,
        0, // deltas
    ];
    let report = read(&words).expect("it is read");
    let arrival = |number, after| Arrival {
        number,
        after: Some(after),
    };
    assert_eq!((report.first, report.count, report.reference), (65_535, 18, 256));
    assert_eq!(
        report.arrivals,
        [
            arrival(65_535, 1000),
            arrival(0, 3000),
            arrival(1, 6000),
            arrival(14, 10_000),
            arrival(15, 9500)
        ]
    );
}

#[test]
fn whatever_stands_there_a_report_is_bounded() {
    use rand::{RngCore, SeedableRng, rngs::StdRng};
    let mut random = StdRng::seed_from_u64(1);
    for length in (0..300).map(|words| words * 4) {
        for _ in 0..20 {
            let mut words = vec![0; length];
            random.fill_bytes(&mut words);
            if let Some(report) = read(&words) {
                assert!(report.arrivals.len() <= usize::from(report.count) && report.count <= 1024);
            }
        }
    }
    // A run of all there can be, of which nothing arrived.
    let words = [0, 0, 0, 2, 0, 0, 0xff, 0xff, 0, 0, 0, 0]
        .into_iter()
        .chain([0x1f, 0xff].repeat(9))
        .chain([0, 0])
        .collect::<Vec<_>>();
    assert!(read(&words).is_some_and(|report| report.arrivals.is_empty()));
}
