//! What a viewer may make us do.

use super::*;
use crate::peer::ending::Ending;

#[test]
fn descriptions_larger_than_anybody_needs_are_refused_with_the_reason() {
    let (head, video) = BROWSER.split_once("m=video").expect("a section for video");
    let section = format!("m=video{}", video.split("m=audio").next().expect("it ends"));
    let sections = format!("{head}{}", section.repeat(1500));
    let types = |count: usize| BROWSER.replacen(" 96 97", &" 96".repeat(count), 1);
    for (sdp, reason) in [
        (sections, "more than 32768 bytes"),
        (
            format!("{head}{}", "m=video 9 UDP/TLS/RTP/SAVPF 96\n".repeat(500)),
            "more than 16 media sections",
        ),
        (types(20_000), "more than 32768 bytes"),
        (types(200), "more than 128 payload types"),
    ] {
        let error = answered(&sdp).err().expect("a refusal").to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// Every packet that a session sends by itself until its end or for ten seconds, with the time in milliseconds.
fn sent_to_silence(session: &mut Session) -> (Vec<(u64, Transmit)>, Option<Ending>) {
    let start = session.now;
    let mut sent = Vec::new();
    while let Some(now) = session
        .deadline()
        .filter(|now| *now < start + Duration::from_secs(10))
    {
        session.handle(Input::Timeout, now);
        while let Some(output) = session.poll() {
            match output {
                Output::Transmit(packet) => {
                    let at = now.saturating_duration_since(start).as_millis();
                    sent.push((u64::try_from(at).expect("soon"), packet));
                }
                Output::Event(Event::Ended(ending)) => return (sent, Some(ending)),
                Output::Event(_) => {}
            }
        }
    }
    (sent, None)
}

fn with_candidates(count: usize) -> String {
    let candidate = |number| {
        format!(
            "a=candidate:1 1 udp 1 198.51.100.7 {} typ host\n",
            10_000 + number
        )
    };
    let candidates: String = (0..count).map(candidate).collect();
    BROWSER.replacen("a=mid:0\n", &format!("a=mid:0\n{candidates}"), 1)
}

#[test]
fn an_offer_with_a_thousand_candidates_has_a_few_of_them_checked_and_slower_and_slower() {
    let (mut session, _) = answered(&with_candidates(480)).expect("an answer");
    for number in 0..1000 {
        let line = format!("candidate:1 1 udp 1 203.0.113.9 {} typ host", 10_000 + number);
        session.handle(Input::Candidate(&line), session.now);
    }
    let (sent, ending) = sent_to_silence(&mut session);
    assert_eq!(ending, Some(Ending::NoPath));
    assert_eq!(sent.len(), 12 * remotes::MOST);
    let last = sent.iter().filter(|(at, _)| *at > 1000).count();
    assert_eq!(last, 6 * remotes::MOST, "from the second second on");
}

#[test]
fn who_names_somebody_elses_address_has_few_packets_sent_there() {
    let (mut session, _) = answered(&with_candidates(1)).expect("an answer");
    let (sent, _) = sent_to_silence(&mut session);
    assert_eq!(sent.len(), 12);
    assert!(sent.iter().all(|(_, packet)| packet.path.peer.port() == 10_000));
    let bytes: usize = sent.iter().map(|(_, packet)| packet.data.len()).sum();
    assert!(bytes < 2000, "{bytes} bytes to somebody who never asked");
}

#[test]
fn who_has_many_interfaces_is_checked_at_its_relay_as_well() {
    let (mut session, _) = answered(&with_candidates(remotes::MOST)).expect("an answer");
    let line = "candidate:1 1 udp 1 203.0.113.9 40000 typ relay raddr 0.0.0.0 rport 0";
    session.handle(Input::Candidate(line), session.now);
    let (sent, _) = sent_to_silence(&mut session);
    let to = |port| {
        sent.iter()
            .filter(|(_, packet)| packet.path.peer.port() == port)
            .count()
    };
    assert!(to(40_000) >= 12, "{}", to(40_000));
    let last = 10_000 + u16::try_from(remotes::MOST - 1).expect("few");
    assert_eq!(to(last), 0, "it has given way");
    assert_eq!(to(last - 1), 12);
    assert_eq!(sent.len(), 12 * remotes::MOST);
}

#[test]
fn names_of_viewers_are_asked_for_nowhere() {
    let name = "a=candidate:1 1 udp 1 5a6e9f0c-3f52-4a57-8d5c-b0b5cf0f3f4e.local 40000 typ host\n";
    let (mut session, _) =
        answered(&BROWSER.replacen("a=mid:0\n", &format!("a=mid:0\n{name}"), 1)).expect("an answer");
    session.handle(Input::Candidate(&name.trim()["a=".len()..]), session.now);
    let (sent, _) = sent_to_silence(&mut session);
    assert!(sent.is_empty(), "{} packets", sent.len());
}

#[test]
fn candidates_add_up_until_an_ice_restart() {
    let (mut session, _) = answered(&with_candidates(remotes::MOST)).expect("an answer");
    let others = with_candidates(remotes::MOST).replace("198.51.100.7", "198.51.100.8");
    let mut checked = |sdp: &str| {
        let now = session.now + Duration::from_secs(1);
        session.handle(Input::Offer(Box::new(offer(sdp).expect("an offer"))), now);
        session.handle(Input::Timeout, now);
        let mut checked = 0;
        while let Some(output) = session.poll() {
            if let Output::Transmit(packet) = output {
                checked += usize::from(packet.path.peer.ip().to_string() == "198.51.100.8");
            }
        }
        checked
    };
    assert_eq!(checked(&others), 0);
    let restarted = others.replace("a=ice-ufrag:", "a=ice-ufrag:x");
    assert_eq!(checked(&restarted), remotes::MOST);
}
