use super::{super::frames, *};

const SPS: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03,
    0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc9, 0x20,
];
const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xcb, 0x83, 0xcb, 0x20];
const SEI: &[u8] = &[0, 0, 1, 6, 5, 1, 0, 0x80];
const DELIMITER: &[u8] = &[0, 0, 0, 1, 9, 0xf0];
const IDR: &[u8] = &[0, 0, 1, 0x65, 0x88, 0x84, 0, 0, 3, 1];
const SECOND_IDR_SLICE: &[u8] = &[0, 0, 1, 0x65, 0x08, 0x84];
const FILLER: &[u8] = &[0, 0, 1, 12, 0xff, 0x80];
const SLICE: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a, 0x22, 7];
const SECOND_SLICE: &[u8] = &[0, 0, 1, 0x41, 0x1a, 0x22];

/// Units of every composition, and what begins the one after them.
fn units() -> Vec<Vec<u8>> {
    vec![
        [SPS, PPS, SEI, IDR, SECOND_IDR_SLICE].concat(),
        [SLICE, SECOND_SLICE, FILLER].concat(),
        [DELIMITER, SEI, SLICE].concat(),
        [DELIMITER, SLICE].concat(),
        [SLICE].concat(),
        [SPS, PPS, IDR].concat(),
        [SLICE].concat(),
    ]
}

#[test]
fn units_are_cut_wherever_the_reads_end() {
    let units = units();
    let stream = [b"noise".to_vec(), units.concat(), SLICE.to_vec()].concat();
    for cut in 0..stream.len() {
        assert_eq!(frames(&mut H264::default(), &stream, [cut]), units, "{cut}");
    }
    let mut cutter = H264::default();
    assert_eq!(
        frames(&mut cutter, &stream, 0..stream.len()),
        units,
        "byte by byte"
    );
    assert_eq!(cutter.size(), Some("1920x1080".parse().unwrap()));
}

/// A program that writes `parts`, pausing after each; how many bytes came out as frames after each part.
fn write(cutter: &mut H264, parts: &[&[u8]]) -> Vec<Vec<usize>> {
    let mut bytes = Vec::new();
    let mut came_out = |part: &&[u8]| {
        bytes.extend_from_slice(part);
        let mut lengths = Vec::new();
        let mut look = |look: Look, bytes: &mut Vec<u8>| match look {
            Look::More => false,
            Look::Frame(length) => {
                lengths.push(length);
                bytes.drain(..length);
                true
            }
            Look::Garbage(length) => {
                bytes.drain(..length);
                true
            }
        };
        while look(cutter.look(&bytes), &mut bytes) {}
        look(cutter.look_after_silence(&bytes), &mut bytes);
        lengths
    };
    parts.iter().map(&mut came_out).collect()
}

#[test]
fn a_program_that_pauses_after_each_unit_is_soon_taken_at_its_word() {
    let mut cutter = H264::default();
    let came_out = write(&mut cutter, &[SLICE; 12]);
    let one = vec![SLICE.len()];
    assert!(came_out[0].is_empty(), "nothing is known of it");
    assert_eq!(came_out[1..8], vec![one.clone(); 7], "one unit late");
    assert_eq!(came_out[8], [SLICE.len(); 2], "the one before, and this one");
    assert_eq!(came_out[9..], vec![one; 3], "at once");
}

#[test]
fn a_program_that_keeps_the_tail_of_a_unit_back_is_not() {
    let (head, tail) = SLICE.split_at(6);
    let next = [tail, head].concat();
    let parts: Vec<&[u8]> = std::iter::once(head)
        .chain(std::iter::repeat_n(next.as_slice(), 30))
        .collect();
    let came_out = write(&mut H264::default(), &parts);
    assert_eq!(came_out[1..], vec![vec![SLICE.len()]; 30], "whole units, late");
}

#[test]
fn a_unit_that_was_cut_too_early_costs_itself_only() {
    let mut cutter = H264::default();
    write(&mut cutter, &[SLICE; 9]);
    // From here on a pause is an end: the second slice of this picture comes too late.
    let came_out = write(&mut cutter, &[SLICE, SECOND_SLICE, SLICE, SLICE, SLICE]);
    let one = vec![SLICE.len()];
    assert_eq!(came_out, [one.clone(), vec![], vec![], one.clone(), one]);
    assert_eq!(cutter.proof, 2 * FIRST_PROOF, "it has to prove itself for longer");
}

#[test]
fn garbage_is_passed_over_without_a_panic() {
    let mut random = 1_u32;
    let mut next = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 24) as usize
    };
    let interesting = [0, 0, 0, 1, 0x65, 0x41, 9, 0x80, 0x67, 0xff];
    let stream: Vec<u8> = (0..20_000)
        .map(|_| interesting[next() % interesting.len()])
        .collect();
    frames(&mut H264::default(), &stream, (0..stream.len()).step_by(7));
    let mut cutter = H264::default();
    let parts: Vec<&[u8]> = stream.chunks(5).collect();
    write(&mut cutter, &parts);
}
