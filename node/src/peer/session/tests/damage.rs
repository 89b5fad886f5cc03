//! What broken and hostile programs send.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::peer::transport::{Path, Protocol};

/// Damages a description as a broken or hostile program might.
fn damage(sdp: &str, random: &mut StdRng) -> String {
    let mut lines: Vec<String> = sdp.lines().map(ToOwned::to_owned).collect();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..lines.len());
        match random.random_range(0..6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[random.random_range(0..lines.len())].clone()),
            2 => {
                let line = &mut lines[at];
                line.truncate(
                    line.char_indices()
                        .nth(random.random_range(0..12))
                        .map_or(line.len(), |(end, _)| end),
                );
            }
            3 => {
                let odd = [
                    "",
                    " ",
                    "99999999999999999999",
                    "-1",
                    ":",
                    "=",
                    "/",
                    "\u{0}",
                    "ü",
                    "a=mid:",
                    "0",
                ];
                lines[at].push_str(odd[random.random_range(0..odd.len())]);
            }
            4 => {
                let other = random.random_range(0..lines.len());
                lines.swap(at, other);
            }
            _ => {
                let digits: String = lines[at]
                    .chars()
                    .map(|c| if c.is_ascii_digit() { '9' } else { c })
                    .collect();
                lines[at] = digits;
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

#[test]
fn damaged_descriptions_end_in_words() {
    let mut taken = 0;
    for seed in 0..1500 {
        let mut random = StdRng::seed_from_u64(seed);
        let base = if seed % 3 == 0 {
            without_video()
        } else if seed % 3 == 1 {
            with_channel()
        } else {
            BROWSER.to_owned()
        };
        let sdp = damage(&base, &mut random);
        let run = || {
            let terms = Terms {
                sound: seed % 2 == 0,
                ..hearing(TalkBack::All)
            };
            let (mut session, _) = answered_on(&sdp, terms).ok()?;
            let now = Instant::now();
            let owed = event(&mut session);
            // Then the same description again, damaged otherwise, as offer or as answer.
            let again = damage(&base, &mut random).replace('\n', "\r\n");
            if matches!(owed, Some(Event::Offer(_))) {
                session.handle(Input::Answer(again), now);
            } else if let Ok(offer) = Offer::read(again) {
                session.handle(Input::Offer(Box::new(offer)), now);
            }
            session.handle(Input::Candidate("candidate:1 1 udp 1 192.0.2.9 9 typ host"), now);
            session.handle(Input::Timeout, now);
            while session.poll().is_some() {}
            Some(())
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(outcome) => taken += usize::from(outcome.is_some()),
            Err(_) => panic!("seed {seed} panics with {sdp}"),
        }
    }
    assert!(
        taken > 100,
        "only {taken} descriptions were harmless: the test tests little"
    );
}

#[test]
fn whatever_a_description_is_it_is_read_or_refused_in_no_time() {
    let pieces = [
        BROWSER,
        "m=video 9 UDP/TLS/RTP/SAVPF",
        " 96",
        "a=candidate:",
        "a=ice-ufrag:",
        "\r",
        "\n",
        "\r\n",
        "=",
        "\u{0}",
        "ü",
        "m=",
        "v=0\r\n",
        "a=rtpmap:96 H264/90000\r\n",
        "a=mid:",
        "99999999999",
    ];
    let mut random = StdRng::seed_from_u64(7);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..2000 {
        let count = random.random_range(1..=8);
        let mut sdp = String::new();
        for _ in 0..count {
            let piece = pieces[random.random_range(0..pieces.len())];
            let times = if random.random_bool(0.2) {
                1 << random.random_range(0..12)
            } else {
                1
            };
            sdp.push_str(&piece.repeat(times));
        }
        match Offer::read(sdp) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(read > 20 && refused > 20, "{read} read, {refused} refused");
}

#[test]
fn damaged_candidates_and_packets_are_survived() {
    let (mut session, _) = answered(BROWSER).expect("an answer");
    let mut random = StdRng::seed_from_u64(1);
    let now = Instant::now();
    let good =
        "candidate:842163049 1 udp 1677729535 192.0.2.9 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0";
    for _ in 0..2000 {
        let words: Vec<_> = good.split(' ').collect();
        let words: Vec<_> = words
            .iter()
            .map(|word| if random.random_bool(0.8) { *word } else { "-1" })
            .collect();
        let candidate = words[..random.random_range(0..=words.len())].join(" ");
        session.handle(Input::Candidate(&candidate), now);
    }
    for _ in 0..20_000 {
        let mut packet = vec![0; random.random_range(0..120)];
        random.fill(&mut packet[..]);
        // STUN, DTLS, RTP and RTCP by their first bytes (RFC 7983).
        if let Some(first) = packet.first_mut() {
            *first = [0, 1, 20, 22, 23, 128, 129, 144][random.random_range(0..8)];
        }
        if packet.len() > 8 && packet[0] < 2 {
            packet[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        let path = Path {
            local: addresses()[0],
            peer: SocketAddr::from(([192, 0, 2, 9], 9)),
            protocol: Protocol::Udp,
        };
        let data = &packet;
        session.handle(Input::Packet { path, data }, now);
        session.handle(Input::Timeout, now);
        while session.poll().is_some() {}
    }
}
