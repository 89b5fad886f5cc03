use rand::{Rng, rngs::StdRng};

/// Longer than any input that is worth its time.
const LONGEST: usize = 48 * 1024;
/// Bytes that mean something to most parsers.
const ODD: [u8; 12] = [0, 1, 3, 0x7f, 0x80, 0xff, b'\n', b'"', b'=', b' ', b'0', b'-'];
/// Numbers that fit nowhere, or just so.
const NUMBERS: [&str; 9] = [
    "0",
    "-1",
    "1",
    "127",
    "128",
    "65536",
    "4294967296",
    "99999999999999999999",
    "1e9",
];

/// A seed, changed in a few ways.
pub(crate) fn mutate(seeds: &[Vec<u8>], words: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = one_of(seeds, random).to_vec();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=input.len());
        match random.random_range(0..10) {
            0 => flip(&mut input, at, random),
            1 => replace(&mut input, at, random),
            2 => drop(input.drain(range(&input, at, random))),
            3 => repeat(&mut input, at, random),
            4 | 5 => {
                let word = one_of(words, random);
                drop(input.splice(at..at, word.iter().copied()));
            }
            6 => {
                let other = one_of(seeds, random);
                let from = random.random_range(0..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            7 => input.truncate(at),
            8 => lines(&mut input, random),
            _ => number(&mut input, at, random),
        }
        input.truncate(LONGEST);
    }
    input
}

fn one_of<'a>(all: &'a [Vec<u8>], random: &mut StdRng) -> &'a [u8] {
    match all.len() {
        0 => &[],
        count => &all[random.random_range(0..count)],
    }
}

fn flip(input: &mut [u8], at: usize, random: &mut StdRng) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.random_range(0..8);
    }
}

fn replace(input: &mut [u8], at: usize, random: &mut StdRng) {
    if let Some(byte) = input.get_mut(at) {
        *byte = ODD[random.random_range(0..ODD.len())];
    }
}

/// A stretch that begins at `at`: short ones as often as long ones.
fn range(input: &[u8], at: usize, random: &mut StdRng) -> std::ops::Range<usize> {
    let most = 1_usize << random.random_range(0..12);
    at..(at + random.random_range(0..=most)).min(input.len())
}

fn repeat(input: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    let part = input[range(input, at, random)].to_vec();
    let times = 1_usize << random.random_range(0..6);
    let times = times.min(LONGEST / part.len().max(1));
    drop(input.splice(at..at, part.repeat(times)));
}

/// Leaves a line out, writes it twice, or puts it elsewhere.
fn lines(input: &mut Vec<u8>, random: &mut StdRng) {
    let mut lines: Vec<Vec<u8>> = input
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    if lines.is_empty() {
        return;
    }
    let at = random.random_range(0..lines.len());
    let to = random.random_range(0..lines.len());
    match random.random_range(0..3) {
        0 => drop(lines.remove(at)),
        1 => {
            let line = lines[at].clone();
            lines.insert(to, line);
        }
        _ => lines.swap(at, to),
    }
    *input = lines.concat();
}

/// Writes another number in the place of the next one.
fn number(input: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    let Some(start) = input[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = at + start;
    let length = input[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let number = NUMBERS[random.random_range(0..NUMBERS.len())];
    drop(input.splice(start..start + length, number.bytes()));
}
