//! A whole image as one camera or another might write it: variants by a seed, for the tests of all who read images.

use super::{MARK, mend};

/// Numbers that are the same for the same seed (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `sides`, which is not zero.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        (self.next() % sides as u64) as usize
    }

    pub(crate) fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Among which none marks anything.
    fn calm_bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() % 255) as u8).collect()
    }
}

/// The segments in front of the first scan, each with its marker, and all from there on but the end.
fn taken_apart(image: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let image = image.strip_suffix(&[MARK, 0xd9]).expect("it is whole");
    let (mut at, mut segments) = (2, Vec::new());
    loop {
        match (image[at], image[at + 1]) {
            (MARK, MARK) => at += 1,
            (MARK, 0xda) => return (segments, &image[at..]),
            _ => {
                let end = at + 2 + usize::from(u16::from_be_bytes([image[at + 2], image[at + 3]]));
                segments.push(image[at..end].to_vec());
                at = end;
            }
        }
    }
}

fn segment(code: u8, length: usize, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(length).expect("small").to_be_bytes();
    [&[MARK, code, high, low], content].concat()
}

/// The start of the image and its header, with all that may be in there, and its scans.
fn body(image: &[u8], dice: &mut Dice) -> Vec<u8> {
    const THUMBNAIL: [u8; 24] = [
        MARK, 0xd8, MARK, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0, MARK, 0xda, 0, 2, 7, MARK, 0xd9, MARK,
        0xd8,
    ];
    let (segments, scans) = taken_apart(image);
    // From the end, so that it is known what comes behind a segment.
    let mut behind = scans.to_vec();
    for segment in segments.iter().rev().map(Some).chain([None]) {
        let fill = vec![MARK; if dice.one_in(4) { dice.below(4) } else { 0 }];
        behind = [fill, behind].concat();
        while dice.one_in(2) {
            behind = [foreign(&THUMBNAIL, &behind, dice), behind].concat();
        }
        if let Some(segment) = segment {
            behind = [segment, &behind[..]].concat();
        }
    }
    [&[MARK, 0xd8], &behind[..]].concat()
}

/// A segment that is none of the picture's business, in front of `behind`.
fn foreign(thumbnail: &[u8], behind: &[u8], dice: &mut Dice) -> Vec<u8> {
    let code = [0xe1, 0xe2, 0xe4, 0xed, 0xef, 0xfe][dice.below(6)];
    if dice.one_in(3) {
        let content = [&dice.bytes(9)[..], thumbnail, &dice.bytes(5)[..]].concat();
        return segment(code, 2 + content.len(), &content);
    }
    let length = 30 + dice.below(60);
    let content = dice.calm_bytes(length);
    let told = match dice.below(4) {
        0 => 2 + content.len() - 1 - dice.below(20),
        1 => {
            // Where by chance a marker is there, nothing shows that the length is wrong.
            let by = 1 + dice.below(20);
            let is_seen = behind.get(by).is_some_and(|byte| *byte != MARK);
            2 + content.len() + if is_seen { by } else { 0 }
        }
        2 => dice.below(2),
        _ => 2 + content.len(),
    };
    segment(code, told, &content)
}

/// As a driver's buffer may hold it.
pub(crate) fn in_a_buffer(image: &[u8], dice: &mut Dice) -> Vec<u8> {
    let in_front = dice.below(3) * dice.below(40);
    let in_front = dice.calm_bytes(in_front);
    let body = body(image, dice);
    let zeros = |dice: &mut Dice, most| vec![0; dice.below(most)];
    let end = match dice.below(7) {
        0 => vec![],
        1 => zeros(dice, 3000),
        // The buffer is older than the image.
        2 => [&[MARK, 0xd8][..], &image[2..image.len() / 2]].concat(),
        3 => [&zeros(dice, 8)[..], &[MARK, 0xd9], &zeros(dice, 3000)].concat(),
        4 => [&[MARK, 0xd9][..], &dice.bytes(300)].concat(),
        5 => vec![MARK; dice.below(50)],
        _ => vec![MARK, 0xd9],
    };
    [in_front, body, end].concat()
}

/// As it may be one of many in a stream: without an end only where the next one follows.
pub(crate) fn in_a_stream(image: &[u8], dice: &mut Dice) -> Vec<u8> {
    let body = body(image, dice);
    let zeros = vec![0; dice.below(2) * dice.below(50)];
    let end: &[u8] = if dice.one_in(2) { &[MARK, 0xd9] } else { &[] };
    [&body[..], end, &zeros].concat()
}

/// The same image cut short within its first scan, as a buffer or a stream may hold it.
pub(crate) fn cut_short(image: &[u8], dice: &mut Dice) -> Vec<u8> {
    let (_, scans) = taken_apart(image);
    let parameters = 2 + usize::from(u16::from_be_bytes([scans[2], scans[3]]));
    let data = &scans[parameters..];
    let is_end = |pair: &[u8]| pair[0] == MARK && !matches!(pair[1], 0 | 0xd0..=0xd7);
    let length = data.windows(2).position(is_end).unwrap_or(data.len());
    let kept = length / 10 + dice.below(length / 2);
    let lost = scans.len() - parameters - kept;
    let body = body(image, dice);
    let mut cut = body[..body.len() - lost].to_vec();
    match dice.below(4) {
        0 => cut.extend([0; 2000]),
        1 => cut.extend([MARK, 0xd9]),
        2 => cut.extend_from_slice(image),
        _ => {}
    }
    cut
}

/// What of a whole image is left when it is mended.
pub(crate) fn essence(image: &[u8]) -> Vec<u8> {
    let mut mended = Vec::new();
    mend(image, &mut mended).expect("it is whole");
    mended
}

/// A mended image without the zeros that may be left in front of its end.
pub(crate) fn without_zeros(mended: &[u8]) -> Vec<u8> {
    let scan = mended.strip_suffix(&[MARK, 0xd9]).expect("it has an end");
    let last = scan
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    [&scan[..last], &[MARK, 0xd9]].concat()
}
