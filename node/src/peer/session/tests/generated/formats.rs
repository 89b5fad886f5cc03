//! Formats drawn by a seed: what a section offers.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

pub(super) const RTP: [&str; 4] = [
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "RTP/SAVPF",
    "TCP/DTLS/RTP/SAVPF",
];

const PROFILES: [&str; 14] = [
    "42e01f", "42401f", "42801f", "4de01f", "42001f", "42c00a", "4d001f", "64001f", "640c1f", "6e001f",
    "f4001f", "58e01f", "42", "zzzzzz",
];

pub(super) fn one<T: Copy>(random: &mut StdRng, from: &[T]) -> T {
    *from.choose(random).expect("some")
}

pub(super) fn rtp(random: &mut StdRng) -> &'static str {
    if random.random_bool(0.85) {
        RTP[0]
    } else {
        one(random, &RTP)
    }
}

fn number(random: &mut StdRng, taken: &mut Vec<u8>) -> u8 {
    loop {
        let number = if random.random_bool(0.8) {
            random.random_range(96..128)
        } else {
            random.random_range(35..64)
        };
        if !taken.contains(&number) {
            taken.push(number);
            return number;
        }
    }
}

pub(super) fn video(random: &mut StdRng) -> Vec<(String, Vec<String>)> {
    let mut taken = Vec::new();
    let count = one(random, &[1, 1, 2, 3, 5, 12]);
    let formats = (0..count).map(|_| {
        let number = number(random, &mut taken);
        let name = one(
            random,
            &[
                "VP8", "VP8", "H264", "H264", "H264", "h264", "VP9", "AV1", "rtx", "red", "ulpfec", "H265",
            ],
        );
        let clock = if random.random_bool(0.97) { 90_000 } else { 48_000 };
        let mut lines = vec![format!("a=rtpmap:{number} {name}/{clock}")];
        if random.random_bool(0.02) {
            lines.clear();
        }
        match name {
            "H264" | "h264" => {
                let mut parameters = Vec::new();
                match random.random_range(0..8) {
                    0 => parameters.push("packetization-mode=0".to_owned()),
                    1 => {}
                    _ => parameters.push("packetization-mode=1".to_owned()),
                }
                if random.random_bool(0.9) {
                    parameters.push(format!("profile-level-id={}", one(random, &PROFILES)));
                }
                if random.random_bool(0.5) {
                    parameters.push("level-asymmetry-allowed=1".to_owned());
                }
                if random.random_bool(0.1) {
                    parameters.push("sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==".to_owned());
                }
                let between = one(random, &[";", ";", "; ", " ; "]);
                if !parameters.is_empty() {
                    lines.push(format!("a=fmtp:{number} {}", parameters.join(between)));
                }
            }
            "VP8" if random.random_bool(0.2) => lines.push(format!("a=fmtp:{number} max-fr=30; max-fs=3600")),
            "rtx" => lines.push(format!(
                "a=fmtp:{number} apt={}",
                taken.first().copied().unwrap_or(96)
            )),
            _ => {}
        }
        for feedback in ["nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"] {
            if random.random_bool(0.5) {
                let of = if random.random_bool(0.1) {
                    "*".to_owned()
                } else {
                    number.to_string()
                };
                lines.push(format!("a=rtcp-fb:{of} {feedback}"));
            }
        }
        (number.to_string(), lines)
    });
    formats.collect()
}

pub(super) fn audio(random: &mut StdRng) -> Vec<(String, Vec<String>)> {
    let mut taken = Vec::new();
    let count = one(random, &[1, 1, 2, 4, 8]);
    let mut formats: Vec<(String, Vec<String>)> = Vec::new();
    for _ in 0..count {
        let (name, fixed) = one(
            random,
            &[
                ("opus/48000/2", None),
                ("opus/48000/2", None),
                ("OPUS/48000/2", None),
                ("opus/48000", None),
                ("opus/8000", None),
                ("PCMU/8000", Some(0)),
                ("PCMA/8000", Some(8)),
                ("PCMA/8000/1", Some(8)),
                ("G722/8000", Some(9)),
                ("CN/8000", Some(13)),
                ("red/48000/2", None),
                ("telephone-event/48000", None),
                ("telephone-event/8000", None),
                ("L16/44100/2", None),
            ],
        );
        let number = match fixed {
            Some(fixed) => fixed,
            None => number(random, &mut taken),
        };
        if formats.iter().any(|(other, _)| *other == number.to_string()) {
            continue;
        }
        let mut lines = Vec::new();
        if fixed.is_none() || random.random_bool(0.7) {
            lines.push(format!("a=rtpmap:{number} {name}"));
        }
        if name.starts_with("opus") && random.random_bool(0.7) {
            lines.push(format!("a=fmtp:{number} minptime=10;useinbandfec=1"));
        }
        if name.starts_with("telephone") {
            lines.push(format!("a=fmtp:{number} 0-15"));
        }
        formats.push((number.to_string(), lines));
    }
    formats
}

pub(super) fn data(random: &mut StdRng) -> (&'static str, &'static str, Vec<(String, Vec<String>)>) {
    let line = |line: &str| line.to_owned();
    let standard = |lines: &[&str]| {
        vec![(
            "webrtc-datachannel".to_owned(),
            lines.iter().map(|text| line(text)).collect(),
        )]
    };
    match random.random_range(0..5) {
        0 => (
            "application",
            "DTLS/SCTP",
            vec![(
                "5000".to_owned(),
                vec![line("a=sctpmap:5000 webrtc-datachannel 1024")],
            )],
        ),
        1 => ("application", "DTLS/SCTP", vec![("5000".to_owned(), Vec::new())]),
        2 => (
            "application",
            "UDP/DTLS/SCTP",
            standard(&["a=max-message-size:x"]),
        ),
        _ => (
            "application",
            "UDP/DTLS/SCTP",
            standard(&["a=sctp-port:5000", "a=max-message-size:262144"]),
        ),
    }
}
