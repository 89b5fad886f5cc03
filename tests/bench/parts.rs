//! What callgrind counted, by the parts of a packet's way. `dev/profile` runs this.
//!
//! An instruction belongs to a part by the source file that it comes from, also where that was inlined elsewhere; by the function, where the file
//! tells nothing. Copying and allocating, and what else is everybody's, belongs to whoever had it done.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, bail};

use crate::print;

/// The parts, and by what in a file's or a function's name they are known: the first one counts.
const PARTS: [(&str, &[&str]); 14] = [
    (
        "cipher",
        &["/ring-0.", "ring_core", "aes_gcm", "gcm_", "/aes-0.", "/sha1-0."],
    ),
    ("core: SRTP around the cipher", &["/rtc-srtp-", "rtc_srtp::"]),
    ("core: interceptors", &["/rtc-interceptor-", "rtc_interceptor::"]),
    (
        "core: ICE, STUN",
        &["/rtc-ice-", "rtc_ice::", "/rtc-stun-", "rtc_stun::"],
    ),
    (
        "core: DTLS, SCTP",
        &["/rtc-dtls-", "rtc_dtls::", "/rtc-sctp-", "rtc_sctp::"],
    ),
    (
        "RTCP",
        &[
            "/rtc-rtcp-",
            "rtc_rtcp::",
            "/peer/rtcp/",
            "peer::rtcp::",
            "/peer/clock.rs",
            "/peer/feedback.rs",
        ],
    ),
    (
        "core: its pipeline",
        &[
            "/rtc-0.",
            "rtc::peer_connection",
            "/rtc-shared-",
            "rtc_shared::",
            "/rtc-rtp-",
            "rtc_rtp::",
        ],
    ),
    (
        "timers",
        &[
            "/session/timer.rs",
            "/session/pace.rs",
            "session::timer::",
            "session::pace::",
        ],
    ),
    (
        "packetising",
        &["/peer/feed", "peer::feed::", "/memchr-2.", "memchr::"],
    ),
    (
        "header and seal",
        &[
            "/peer/session/send.rs",
            "/peer/session/rtp.rs",
            "/peer/session/stream.rs",
            "/peer/srtp/",
            "/peer/stream.rs",
            "/peer/ring.rs",
            "peer::srtp::",
        ],
    ),
    ("session, else", &["/peer/session", "peer::session::"]),
    (
        "outbox, sockets",
        &[
            "/transport/outbox.rs",
            "/transport/udp.rs",
            "/peer/outbox.rs",
            "/peer/socket.rs",
            "/quinn-udp-",
            "quinn_udp::",
            "sendmsg",
            "recvmmsg",
            "/socket2-",
        ],
    ),
    (
        "engine, runtime",
        &[
            "/peer/",
            "pinhole_node::peer::",
            "/tokio-",
            "tokio::",
            "/mio-",
            "mio::",
            "epoll_",
        ],
    ),
    (
        "player, fan-out",
        &[
            "/bench/feed.rs",
            "viewers::feed::",
            "/fanout/",
            "pinhole_node::fanout::",
        ],
    ),
];
const ELSE: usize = PARTS.len();
/// Each pass takes what is nobody's one caller further up.
const PASSES: usize = 16;

/// How much of something belongs to each part, and to none.
type Shares = [f64; ELSE + 1];

/// Prints the table of one profile, or of two beside each other: of each its file and the packets that were sent.
pub fn run(words: &[&str]) -> anyhow::Result<()> {
    let profiles = match words {
        [file, packets] => vec![("here", read(file, packets)?)],
        [here, here_packets, there, there_packets] => vec![
            ("here", read(here, here_packets)?),
            ("there", read(there, there_packets)?),
        ],
        _ => bail!("a profile and its packets, once or twice"),
    };
    let names: Vec<_> = profiles.iter().map(|(name, _)| *name).collect();
    let mut rows = vec![
        format!("| part | {} |", names.join(" | ")),
        format!("|---|{}", "--:|".repeat(names.len())),
    ];
    let mut row = |name: &str, of: &dyn Fn(&Shares) -> f64| {
        let cells: Vec<_> = profiles
            .iter()
            .map(|(_, shares)| format!("{:.0}", of(shares)))
            .collect();
        rows.push(format!("| {name} | {} |", cells.join(" | ")));
    };
    for (part, (name, _)) in PARTS.iter().enumerate() {
        row(name, &|shares| shares[part]);
    }
    row("what is nobody's", &|shares| shares[ELSE]);
    row("all", &|shares| shares.iter().sum());
    print(&rows.join("\n"))
}

/// The instructions that a packet takes in each part.
fn read(file: &str, packets: &str) -> anyhow::Result<Shares> {
    let packets: f64 = packets.parse().context("the number of packets")?;
    let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
    let profile = Profile::parse(&text)?;
    Ok(profile.parts().map(|instructions| instructions / packets))
}

#[derive(Default)]
struct Profile<'a> {
    /// Of each part.
    own: Shares,
    /// Of functions that belong to none.
    common: HashMap<&'a str, f64>,
    /// Who had them run, and what was executed within.
    callers: HashMap<&'a str, HashMap<Caller<'a>, f64>>,
}

/// A function, or the part that the calling line belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Caller<'a> {
    Part(usize),
    Function(&'a str),
}

impl<'a> Profile<'a> {
    /// Reads callgrind's format, with neither names nor numbers compressed.
    fn parse(text: &'a str) -> anyhow::Result<Self> {
        let mut profile = Self::default();
        let (mut home, mut file, mut function) = ("", "", "");
        let (mut callee, mut calls) = ("", false);
        for line in text.lines() {
            if let Some((key, value)) = line.split_once('=')
                && key.bytes().all(|letter| letter.is_ascii_lowercase())
            {
                match key {
                    "fl" => (home, file) = (value, value),
                    "fi" | "fe" => file = value,
                    "fn" => (file, function) = (home, name(value)),
                    "cfn" => callee = name(value),
                    "calls" => calls = true,
                    _ => {}
                }
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                let cost = line.split(' ').nth(1).unwrap_or("0");
                let cost: f64 = cost.parse().with_context(|| line.to_owned())?;
                let part = part(&[file, home, function]);
                if std::mem::take(&mut calls) {
                    let caller = part.map_or(Caller::Function(function), Caller::Part);
                    let callers = profile.callers.entry(callee).or_default();
                    *callers.entry(caller).or_default() += cost;
                } else if let Some(part) = part {
                    profile.own[part] += cost;
                } else {
                    *profile.common.entry(function).or_default() += cost;
                }
            }
        }
        if profile.own.iter().sum::<f64>() == 0.0 {
            bail!("there is nothing of ours in it");
        }
        Ok(profile)
    }

    /// All of it, by part.
    fn parts(&self) -> Shares {
        let mut shares: HashMap<&str, Shares> = HashMap::new();
        for _ in 0..PASSES {
            let passed = self.common.keys().chain(self.callers.keys());
            let next = passed.map(|function| (*function, self.shares(function, &shares)));
            shares = next.collect();
        }
        let mut parts = self.own;
        for (function, cost) in &self.common {
            let shares = shares.get(function).copied().unwrap_or_default();
            let known: f64 = shares.iter().sum();
            for (part, share) in parts.iter_mut().zip(shares) {
                *part += cost * share;
            }
            parts[ELSE] += cost * (1.0 - known);
        }
        parts
    }

    /// For whom a function worked, as far as is known of its callers.
    fn shares(&self, function: &str, known: &HashMap<&str, Shares>) -> Shares {
        let mut shares = Shares::default();
        let Some(callers) = self.callers.get(function) else {
            return shares;
        };
        let all: f64 = callers.values().sum();
        for (caller, cost) in callers {
            match caller {
                Caller::Part(part) => shares[*part] += cost / all.max(1.0),
                Caller::Function(caller) => {
                    let of_caller = known.get(caller).copied().unwrap_or_default();
                    for (share, of_caller) in shares.iter_mut().zip(of_caller) {
                        *share += of_caller * cost / all.max(1.0);
                    }
                }
            }
        }
        shares
    }
}

/// A function without the mark of a recursion.
fn name(function: &str) -> &str {
    let stem = function.trim_end_matches(|last: char| last.is_ascii_digit());
    stem.strip_suffix('\'').unwrap_or(function)
}

/// The part that the first of these names tells.
fn part(names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| {
        PARTS
            .iter()
            .position(|(_, marks)| marks.iter().any(|mark| name.contains(mark)))
    })
}
