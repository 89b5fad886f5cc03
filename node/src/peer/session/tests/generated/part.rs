//! Sections drawn by a seed.

use rand::{Rng, rngs::StdRng};

use super::formats::{RTP, audio, data, one, rtp, video};

/// A section.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) kind: &'static str,
    pub(super) transport: &'static str,
    pub(super) port: u16,
    pub(super) mid: Option<String>,
    pub(super) direction: Option<&'static str>,
    pub(super) formats: Vec<(String, Vec<String>)>,
    pub(super) mux: bool,
    pub(super) bundle_only: bool,
    pub(super) candidates: Vec<&'static str>,
    pub(super) others: Vec<String>,
}

pub(super) const DIRECTIONS: [&str; 4] = ["sendrecv", "sendonly", "recvonly", "inactive"];
const CANDIDATES: [&str; 12] = [
    "1 1 udp 2122260223 192.0.2.9 50000 typ host generation 0",
    "2 1 UDP 1677729535 198.51.100.9 50001 typ srflx raddr 0.0.0.0 rport 0",
    "3 1 udp 2122260223 2001:db8::9 50002 typ host",
    "4 2 udp 2122260222 192.0.2.9 50003 typ host",
    "5 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active",
    "6 1 udp 2122260223 fe80::1%eth0 50000 typ host",
    "7 1 udp 2122260223 my-laptop.fritz.box 50000 typ host",
    "8 1 udp 2122260223 5a6e9f0c-3f52-4a57-8d5c-b0b5cf0f3f4e.local 50000 typ host",
    "9 1 udp 99999999999 192.0.2.10 50000 typ host",
    "10 1 udp 1 192.0.2.11 70000 typ elsewhere",
    "11 1 udp",
    "",
];
const EXTENSIONS: [&str; 8] = [
    "extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "extmap:15 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "extmap:5/sendonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "extmap:4/recvonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid",
    "extmap:x not a number",
    "extmap:300 not:a uri at all",
];
const OTHERS: [&str; 8] = [
    "rtcp-rsize",
    "rtcp:9 IN IP4 0.0.0.0",
    "x-unknown",
    "x-unknown:ü 1",
    "ptime:20",
    "maxptime:x",
    "ice-options:trickle",
    "framerate:30",
];

pub(super) fn candidates(random: &mut StdRng) -> Vec<&'static str> {
    (0..one(random, &[0, 0, 1, 2, 4]))
        .map(|_| one(random, &CANDIDATES))
        .collect()
}

impl Part {
    pub(super) fn draw(random: &mut StdRng) -> Self {
        let (kind, transport, formats) = match random.random_range(0..20) {
            0..9 => ("video", rtp(random), video(random)),
            9..14 => ("audio", rtp(random), audio(random)),
            14..17 => data(random),
            17 => (
                "text",
                RTP[0],
                vec![("98".to_owned(), vec!["a=rtpmap:98 t140/1000".to_owned()])],
            ),
            18 => (
                "haptics",
                RTP[0],
                vec![("98".to_owned(), vec!["a=rtpmap:98 hmpg/1000".to_owned()])],
            ),
            _ => one(
                random,
                &[
                    ("message", "TCP/MSRP"),
                    ("application", "UDP/BFCP"),
                    ("image", "udptl"),
                    ("video", "SOME/THING"),
                ],
            )
            .pipe(|(kind, transport)| (kind, transport, vec![("*".to_owned(), vec![])])),
        };
        let mut part = Self {
            kind,
            transport,
            port: 9,
            mid: None,
            direction: match random.random_range(0..10) {
                0..5 => Some("recvonly"),
                5..7 => Some("sendrecv"),
                7 => None,
                _ => Some(one(random, &DIRECTIONS)),
            },
            formats,
            mux: random.random_bool(0.93),
            bundle_only: false,
            candidates: candidates(random),
            others: Vec::new(),
        };
        match random.random_range(0..20) {
            0 => part.port = 0,
            1 => {
                part.port = 0;
                part.bundle_only = true;
            }
            2 => part.port = 54_321,
            _ => {}
        }
        for other in OTHERS.iter().chain(&EXTENSIONS) {
            if random.random_bool(0.15) {
                part.others.push(format!("a={other}"));
            }
        }
        if random.random_bool(0.3) {
            part.others.push("a=msid:stream track".to_owned());
            if random.random_bool(0.6) {
                part.others
                    .push(format!("a=ssrc:{} cname:x", random.random::<u32>()));
            }
        }
        if random.random_bool(0.1) {
            part.others
                .extend(["a=rid:h send", "a=rid:l send", "a=simulcast:send h;l"].map(str::to_owned));
        }
        part
    }

    pub(super) fn render(&self, lines: &mut Vec<String>) {
        let formats: Vec<_> = self.formats.iter().map(|(format, _)| format.as_str()).collect();
        lines.push(format!(
            "m={} {} {} {}",
            self.kind,
            self.port,
            self.transport,
            formats.join(" ")
        ));
        lines.push("c=IN IP4 0.0.0.0".to_owned());
        lines.extend(
            self.candidates
                .iter()
                .map(|candidate| format!("a=candidate:{candidate}")),
        );
        lines.extend(self.mid.iter().map(|mid| format!("a=mid:{mid}")));
        lines.extend(self.direction.iter().map(|direction| format!("a={direction}")));
        if self.mux {
            lines.push("a=rtcp-mux".to_owned());
        }
        if self.bundle_only {
            lines.push("a=bundle-only".to_owned());
        }
        lines.extend(self.others.iter().cloned());
        lines.extend(self.formats.iter().flat_map(|(_, lines)| lines.iter().cloned()));
    }
}

/// Lets a value be passed on in the order of reading.
trait Pipe: Sized {
    fn pipe<T>(self, then: impl FnOnce(Self) -> T) -> T {
        then(self)
    }
}

impl<T> Pipe for T {}
