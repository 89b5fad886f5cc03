//! Units that are drawn by a seed, whole and damaged.

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::check;

/// A NAL unit of a random kind and size, as an encoder would write it: nothing in it is a start code, and it ends with no zero.
fn nal(random: &mut StdRng) -> Vec<u8> {
    const HEADERS: [u8; 16] = [
        0x67, 0x47, 0x68, 0x48, 0x28, 0x65, 0x41, 0x01, 0x06, 0x09, 0x0c, 0x0a, 0x0d, 0x6e, 0x1e, 0x00,
    ];
    let header = HEADERS[random.random_range(0..HEADERS.len())];
    let length = match random.random_range(0..10) {
        0 => 0,
        1..=4 => random.random_range(1..30),
        5..=7 => random.random_range(1..600),
        _ => random.random_range(1..5000),
    };
    let mut nal = vec![header];
    for _ in 0..length {
        let byte = if random.random_bool(0.2) {
            0
        } else {
            random.random()
        };
        if byte <= 3 && nal.ends_with(&[0, 0]) {
            nal.push(3);
        }
        nal.push(byte);
    }
    while nal.len() > 1 && nal.last() == Some(&0) {
        nal.pop();
    }
    nal
}

#[test]
fn whatever_an_encoder_writes_is_the_same_again_at_the_viewer() {
    let mut payloads = 0;
    for seed in 0..6000 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut unit = Vec::new();
        if random.random_bool(0.1) {
            unit.extend_from_slice(&[9, 9, 1]);
        }
        for _ in 0..random.random_range(1..8) {
            if random.random_bool(0.5) {
                unit.push(0);
            }
            unit.extend_from_slice(&[0, 0, 1]);
            unit.extend_from_slice(&nal(&mut random));
            if random.random_bool(0.1) {
                unit.resize(unit.len() + random.random_range(1..5), 0);
            }
        }
        let largest = match random.random_range(0..3) {
            0 => 1150,
            1 => random.random_range(100..2000),
            _ => random.random_range(3..100),
        };
        payloads += check(&unit.into(), largest).len();
    }
    assert!(payloads > 50_000, "{payloads}");
}

#[test]
fn whatever_is_damaged_promises_are_kept() {
    for seed in 0..6000 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut unit = Vec::new();
        if random.random_bool(0.5) {
            // Little but what start codes and headers consist of.
            const BYTES: [u8; 12] = [0, 0, 0, 0, 1, 1, 0x67, 0x68, 0x65, 0x7c, 0x09, 0xff];
            let length = random.random_range(0..200);
            unit.resize_with(length, || BYTES[random.random_range(0..BYTES.len())]);
        } else {
            for _ in 0..random.random_range(1..5) {
                unit.extend_from_slice(&[0, 0, 1]);
                unit.extend_from_slice(&nal(&mut random));
            }
            for _ in 0..random.random_range(1..20) {
                let at = random.random_range(0..unit.len());
                unit[at] = if random.random_bool(0.5) {
                    random.random()
                } else {
                    0
                };
            }
            let length = random.random_range(0..=unit.len());
            unit.truncate(length);
        }
        check(&unit.into(), random.random_range(3..1200));
    }
}
