//! Offers of other shapes than a browser's.

mod later;
mod leading;

use super::*;

const NO_BUNDLE: &str = include_str!("../../../../../tests/offers/no-bundle.sdp");
const WEBRTCBIN: &str = include_str!("../../../../../tests/offers/webrtcbin.sdp");
const ZONE: &str = include_str!("../../../../../tests/offers/zone-candidate.sdp");
const HOST_NAME: &str = include_str!("../../../../../tests/offers/host-name-candidate.sdp");
const PASSIVE: &str = include_str!("../../../../../tests/offers/setup-passive.sdp");
const TEXT: &str = include_str!("../../../../../tests/offers/text-section.sdp");
const PROFILE: &str = include_str!("../../../../../tests/offers/profile-42401f.sdp");

const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 0.0.0.0\na=ice-ufrag:other\na=ice-pwd:asd88fgpdd777uzjYhagZg13\n\
    a=setup:actpass\na=mid:1\na=sendrecv\na=rtcp-mux\na=rtpmap:111 opus/48000/2\na=candidate:1 1 udp 1 198.51.100.8 40000 typ host\n";
const OLD_DATA: &str = "m=application 9 DTLS/SCTP 5000\nc=IN IP4 0.0.0.0\na=setup:actpass\na=mid:2\na=sctpmap:5000 webrtc-datachannel 1024\n";

fn answer_to(sdp: &str) -> String {
    answered(sdp).expect("an answer").1
}

fn refusal(sdp: &str) -> String {
    answered(sdp).err().expect("a refusal").to_string()
}

/// The first lines of the sections.
fn heads(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| line.starts_with("m=")).collect()
}

/// The answer to another offer within the session.
fn again(session: &mut Session, sdp: &str) -> String {
    session.handle(Input::Offer(Box::new(offer(sdp).expect("readable"))), session.now);
    match event(session) {
        Some(Event::Answer(answer)) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

/// The addresses that are checked in the first seconds.
fn checked(mut session: Session) -> Vec<String> {
    let mut checked = Vec::new();
    for _ in 0..50 {
        let Some(now) = session.deadline() else { break };
        session.handle(Input::Timeout, now);
        while let Some(output) = session.poll() {
            if let Output::Transmit(packet) = output {
                checked.push(packet.path.peer.to_string());
            }
        }
    }
    checked.sort();
    checked.dedup();
    checked
}

#[test]
fn one_section_needs_no_group_and_gets_none() {
    for (sdp, mid) in [(NO_BUNDLE, "a=mid:0"), (WEBRTCBIN, "a=mid:video0")] {
        let answer = answer_to(sdp);
        assert_eq!(heads(&answer), ["m=video 9 UDP/TLS/RTP/SAVPF 96"], "{answer}");
        assert!(!answer.contains("a=group"), "{answer}");
        let video = section(&answer, "video");
        for line in [mid, "a=sendonly", "a=setup:passive", "a=rtcp-mux"] {
            assert!(
                video.iter().any(|other| other == line),
                "{line} is not in {video:#?}"
            );
        }
        assert!(answer.contains("192.0.2.1 5000 typ host"), "{answer}");
        let nameless = sdp.replace(&format!("{mid}\n"), "");
        assert!(!answer_to(&nameless).contains("a=mid"), "{nameless}");
    }
}

#[test]
fn of_several_transports_that_of_the_picture_is_taken() {
    let sdp = format!(
        "{}{OLD_DATA}",
        NO_BUNDLE.replacen("m=video", &format!("{AUDIO}m=video"), 1)
    );
    let (session, answer) = answered_on(&sdp, with_sound()).expect("an answer");
    assert_eq!(
        heads(&answer),
        [
            "m=audio 0 UDP/TLS/RTP/SAVPF 111",
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "m=application 0 DTLS/SCTP 5000"
        ]
    );
    assert_eq!((session.hears(), answer.contains("a=group")), (None, false));
    assert_eq!(
        checked(session),
        Vec::<String>::new(),
        "the candidate is of another transport"
    );
    let grouped = sdp.replacen("a=fingerprint", "a=group:BUNDLE 1 2\na=fingerprint", 1);
    let answer = answer_to(&grouped);
    assert!(
        heads(&answer)[0].contains(" 0 ") && !answer.contains("a=group"),
        "{answer}"
    );
    let together = sdp.replacen(
        "a=fingerprint",
        "a=group:BUNDLE 0 1\na=group:LS 0 1\na=fingerprint",
        1,
    );
    let answer = answer_to(&together);
    assert!(answer.contains("a=group:BUNDLE 0 1\r\n"), "{answer}");
    assert!(
        section(&answer, "video")
            .iter()
            .any(|line| line.contains("typ host")),
        "{answer}"
    );
    assert!(
        heads(&answer)[0].contains(" 9 ") && heads(&answer)[2].contains(" 0 "),
        "{answer}"
    );
}

#[test]
fn a_candidate_of_ours_names_the_section_that_speaks_for_all_by_its_place_too() {
    let behind_sound = NO_BUNDLE
        .replacen("m=video", &format!("{AUDIO}m=video"), 1)
        .replacen("a=fingerprint", "a=group:BUNDLE 0 1\na=fingerprint", 1);
    for (sdp, expected) in [(NO_BUNDLE, ("0", 0)), (&behind_sound, ("0", 1))] {
        let (mut session, answer) = answered_on(sdp, with_sound()).expect("an answer");
        let address = "203.0.113.7:5000".parse().expect("an address");
        session.handle(Input::Reflexive(address), session.now);
        let told = std::iter::from_fn(|| event(&mut session)).find_map(|event| match event {
            Event::Candidate(candidate) => Some(candidate),
            _ => None,
        });
        let told = told.expect("a candidate");
        assert_eq!((told.mid.as_str(), told.section), expected, "{answer}");
        let head = heads(&answer)[usize::from(told.section)];
        assert!(head.starts_with("m=video 9"), "{head}");
    }
}

#[test]
fn candidates_that_can_not_be_used_are_passed_over() {
    let (session, _) = answered(ZONE).expect("an answer");
    assert_eq!(checked(session), ["10.9.0.2:50001"]);
    let (session, _) = answered(HOST_NAME).expect("an answer");
    assert_eq!(checked(session), Vec::<String>::new());
    let odd = [
        "1 1 tcp 1 10.9.0.3 9 typ host tcptype active",
        "1 1 udp 1 [::1] 50000 typ host",
        "1 1 udp -1 10.9.0.4 50000 typ host",
        "1 1 udp 1 10.9.0.5 500000 typ host",
        "1 1 udp 99999999999 10.9.0.6 50000 typ host",
        "1 1 udp 1 10.9.0.7 50000 typ elsewhere",
        "1 1 udp 1 10.9.0.8 50000",
        "1 1",
        "",
        "ü",
    ];
    let odd: String = odd.iter().map(|line| format!("a=candidate:{line}\n")).collect();
    let (session, _) =
        answered(&ZONE.replacen("a=candidate", &format!("{odd}a=candidate"), 1)).expect("an answer");
    assert!(checked(session).contains(&"10.9.0.2:50001".to_owned()));
}

#[test]
fn who_is_passive_is_answered_by_an_active_end_and_the_other_way_round() {
    for (setup, ours) in [
        ("passive", "active"),
        ("active", "passive"),
        ("actpass", "passive"),
    ] {
        let sdp = PASSIVE.replace("setup:passive", &format!("setup:{setup}"));
        let (mut session, answer) = answered(&sdp).expect("an answer");
        assert!(answer.contains(&format!("a=setup:{ours}\r\n")), "{answer}");
        let answer = again(&mut session, &PASSIVE.replace("setup:passive", "setup:actpass"));
        assert!(answer.contains(&format!("a=setup:{ours}\r\n")), "{answer}");
        let reversed = PASSIVE.replace("setup:passive", &format!("setup:{ours}"));
        session.handle(
            Input::Offer(Box::new(offer(&reversed).expect("readable"))),
            session.now,
        );
        match event(&mut session) {
            Some(Event::Failed(error)) => assert!(error.to_string().contains("client of DTLS"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    let held = refusal(&PASSIVE.replace("setup:passive", "setup:holdconn"));
    assert!(held.contains("a=setup:holdconn"), "{held}");
}

#[test]
fn what_we_have_no_use_for_is_rejected_in_its_place() {
    let answer = answer_to(TEXT);
    assert_eq!(
        heads(&answer),
        ["m=video 9 UDP/TLS/RTP/SAVPF 96", "m=text 0 UDP/TLS/RTP/SAVPF 98"]
    );
    assert!(answer.contains("a=group:BUNDLE 0\r\n"), "{answer}");
    assert_eq!(section(&answer, "text")[2], "a=mid:5", "{answer}");
    for line in [
        "haptics 9 UDP/TLS/RTP/SAVPF 98",
        "message 9 TCP/MSRP *",
        "image 9 udptl t38",
    ] {
        let (first, second) = (
            format!("m={line}\n"),
            format!("m={}\n", line.replace(" 9 ", " 0 ")),
        );
        let before = NO_BUNDLE.replacen("m=video", &format!("{first}m=video"), 1);
        assert_eq!(heads(&answer_to(&before))[0], second.trim_end(), "{before}");
    }
    // The first of a group can't be rejected alone: it is kept, and nothing comes in it.
    let (head, text) = TEXT.split_once("m=text").expect("the section");
    let first = head
        .replacen("m=video", &format!("m=text{text}m=video"), 1)
        .replace("BUNDLE 0 5", "BUNDLE 5 0");
    let answer = answer_to(&first);
    assert_eq!(heads(&answer)[0], "m=text 9 UDP/TLS/RTP/SAVPF 98");
    let kept = section(&answer, "text");
    for part in [
        "a=inactive",
        "a=mid:5",
        "a=ice-ufrag:",
        "a=setup:passive",
        "typ host",
    ] {
        assert!(
            kept.iter().any(|line| line.contains(part)),
            "{part} is not in {kept:#?}"
        );
    }
    assert!(answer.contains("a=group:BUNDLE 5 0\r\n"), "{answer}");
}

#[test]
fn h264_that_can_not_be_sent_is_vp8_or_a_refusal_with_the_reason() {
    assert_eq!(answered(PROFILE).expect("an answer").0.codec(), Codec::H264);
    assert!(answer_to(PROFILE).contains("a=fmtp:102 packetization-mode=1;profile-level-id=42401f\r\n"));
    let whole_pictures = PROFILE.replace("packetization-mode=1", "packetization-mode=0");
    let reason = refusal(&whole_pictures);
    assert!(reason.contains("packetization-mode 1"), "{reason}");
    let both = whole_pictures
        .replace("SAVPF 102", "SAVPF 102 96")
        .replace("a=rtpmap:102", "a=rtpmap:96 VP8/90000\na=rtpmap:102");
    assert_eq!(answered(&both).expect("an answer").0.codec(), Codec::Vp8);
    assert_eq!(heads(&answer_to(&both)), ["m=video 9 UDP/TLS/RTP/SAVPF 96"]);
}

#[test]
fn old_data_sections_are_answered_in_their_own_words() {
    let sdp = format!("{}{OLD_DATA}", PASSIVE.replace("BUNDLE 0", "BUNDLE 0 2"));
    let sdp = sdp.replace("setup:actpass", "setup:passive");
    let answer = answer_to(&sdp);
    assert_eq!(heads(&answer)[1], "m=application 9 DTLS/SCTP 5000");
    let data = section(&answer, "application");
    assert!(
        data.iter()
            .any(|line| line == "a=sctpmap:5000 webrtc-datachannel 65535"),
        "{data:#?}"
    );
    assert!(
        !data.iter().any(|line| line.starts_with("a=sctp-port")),
        "{data:#?}"
    );
    let unmapped = sdp.replace("a=sctpmap:5000 webrtc-datachannel 1024\n", "");
    assert_eq!(heads(&answer_to(&unmapped))[1], "m=application 0 DTLS/SCTP 5000");
}
