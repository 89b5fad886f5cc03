use super::{
    variants::{Dice, essence, in_a_buffer, without_zeros},
    *,
};

/// Two parts in one scan each, with a restart marker and a stuffed byte.
const IMAGE: [u8; 62] = [
    0xff, 0xd8, // start
    0xff, 0xdb, 0, 5, 0, 1, 2, // a table
    0xff, 0xc0, 0, 14, 8, 0x02, 0xd0, 0x05, 0x00, 2, 1, 0x11, 0, 2, 0x11, 0, // 1280x720, parts 1 and 2
    0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd3, 0x56, // part 1
    0xff, 0xc4, 0, 4, 7, 8, // a table
    0xff, 0xda, 0, 8, 1, 2, 0, 0, 63, 0, 0x77, 0x88, // part 2
    0xff, 0xd9, // end
];

fn mended(bytes: &[u8]) -> Result<Vec<u8>, Flaw> {
    let mut mended = vec![1, 2, 3];
    mend(bytes, &mut mended).map(|_| mended)
}

fn parts(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> Vec<Part> {
    let (mut walk, mut found) = (Walk::default(), Vec::new());
    for end in cuts {
        while let Some(part) = walk.next(&bytes[..end], false) {
            let is_over = matches!(part, Part::End(_) | Part::Cut(_));
            found.push(part);
            if is_over {
                return found;
            }
        }
    }
    found
}

#[test]
fn an_image_is_parts_however_little_by_little_it_comes() {
    let at_once = parts(&IMAGE, [IMAGE.len()]);
    let codes: Vec<_> = at_once
        .iter()
        .map(|part| match part {
            Part::Segment(code, _) => *code,
            Part::Scan(_) => 0,
            Part::End(at) => u8::try_from(*at).unwrap(),
            Part::Cut(_) => 1,
        })
        .collect();
    assert_eq!(codes, [0xdb, 0xc0, 0xda, 0, 0xc4, 0xda, 0, 62]);
    assert_eq!(parts(&IMAGE, 0..=IMAGE.len()), at_once);
    let Some(Part::Segment(code, header)) = at_once.get(1) else {
        panic!("no header in {at_once:?}");
    };
    assert_eq!(
        size(*code, &IMAGE[header.clone()]),
        Some("1280x720".parse().unwrap())
    );
}

#[test]
fn a_whole_image_is_mended_to_itself() {
    assert_eq!(mended(&IMAGE).as_deref(), Ok(&IMAGE[..]));
    assert_eq!(mended(&IMAGE[..60]).as_deref(), Ok(&IMAGE[..]), "without its end");
    assert_eq!(mended(&IMAGE[..61]).as_deref(), Ok(&IMAGE[..]), "with half of it");
}

#[test]
fn what_has_no_picture_is_no_image() {
    assert_eq!(mended(&[]), Err(Flaw::NoStart));
    assert_eq!(mended(&[0; 500]), Err(Flaw::NoStart));
    for length in 3..IMAGE.len() - 4 {
        assert_eq!(mended(&IMAGE[..length]), Err(Flaw::CutShort), "{length}");
    }
    // One that was only begun is passed over for the one behind it.
    for length in 0..26 {
        let two = [&IMAGE[..length], &IMAGE].concat();
        let found = mended(&two).expect("the second is whole");
        // By chance a segment that was cut short goes on where one of the second begins.
        assert!(found.ends_with(&IMAGE[2..]), "{length}: {found:02x?}");
    }
}

#[test]
fn what_fills_a_buffer_is_no_data_but_what_is_stuffed_is() {
    for (scan, kept) in [
        (&[1, 2, 3][..], 3),
        (&[1, 2, 3, 0, 0], 5),
        (&[1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7),
        (&[1, 2, 0xff, 0], 4),
        (&[1, 2, 0xff, 0, 0, 0, 0, 0], 4),
        (&[1, 2, 0xff, 0xff, 0xff], 2),
        (&[0, 0], 2),
        (&[], 0),
    ] {
        assert_eq!(without_filling(scan), kept, "{scan:?}");
    }
}

#[test]
fn however_a_camera_writes_it_it_is_the_same_image() {
    for seed in 0..5_000 {
        let mut dice = Dice::new(seed);
        let written = in_a_buffer(&IMAGE, &mut dice);
        let found = mended(&written).unwrap_or_else(|flaw| panic!("seed {seed}: {flaw} in {written:02x?}"));
        assert_eq!(
            without_zeros(&found),
            essence(&IMAGE),
            "seed {seed}: {written:02x?}"
        );
    }
}

#[test]
fn nothing_that_comes_does_harm() {
    const LIKELY: [u8; 16] = [
        0xff, 0xff, 0xff, 0xd8, 0xd8, 0xd9, 0xda, 0xda, 0xc0, 0xc4, 0xe0, 0xe1, 0x00, 0x00, 0x08, 0x01,
    ];
    let mut room = Vec::new();
    for seed in 0..2_000 {
        let mut dice = Dice::new(seed);
        let length = dice.below(400);
        let mut bytes = dice.bytes(length);
        bytes
            .iter_mut()
            .for_each(|byte| *byte = LIKELY[usize::from(*byte) % 16]);
        let mut spoilt = in_a_buffer(&IMAGE, &mut dice);
        for _ in 0..3 {
            let at = dice.below(spoilt.len());
            spoilt[at] = dice.bytes(1)[0];
        }
        for bytes in [bytes, spoilt] {
            if mend(&bytes, &mut room).is_ok() {
                assert!(room.len() <= bytes.len() + 4, "seed {seed}");
                assert!(room.starts_with(&[0xff, 0xd8]) && room.ends_with(&[0xff, 0xd9]));
            }
        }
    }
}
