//! Groups that begin with a section which is of no use here (RFC 9143, sections 7.3.1 and 7.3.3).

use super::*;

/// What the section for sound says of its own transport.
const OWN: &str = "a=ice-ufrag:other\na=ice-pwd:asd88fgpdd777uzjYhagZg13\n";

/// An offer whose group begins with a section of no use, and in which each section has a transport of its own, as before anything is agreed on.
fn led_by(line: &str, attributes: &str) -> String {
    let useless = format!(
        "m={line}\nc=IN IP4 0.0.0.0\na=ice-ufrag:useless\na=ice-pwd:asd88fgpdd777uzjYhagZg14\na=setup:passive\na=mid:9\n{attributes}\
         a=candidate:1 1 udp 1 198.51.100.9 40001 typ host\n"
    );
    let sdp = NO_BUNDLE
        .replacen("a=fingerprint", "a=group:BUNDLE 9 1 0\na=fingerprint", 1)
        .replacen("m=video", &format!("{useless}{AUDIO}m=video"), 1);
    assert!(sdp.contains("a=setup:actpass"), "{sdp}");
    sdp
}

#[test]
fn the_next_section_leads_a_group_that_begins_with_what_is_no_rtp_and_of_no_use() {
    for line in [
        "application 9 UDP/BFCP *",
        "application 9 DTLS/SCTP 5000",
        "message 9 TCP/MSRP *",
        "image 9 udptl t38",
        "video 9 SOME/THING 96",
    ] {
        let sdp = led_by(line, "");
        let (session, answer) = answered_on(&sdp, with_sound()).expect("an answer");
        assert_eq!(
            heads(&answer),
            [
                &format!("m={}", line.replace(" 9 ", " 0 ")),
                "m=audio 9 UDP/TLS/RTP/SAVPF 111",
                "m=video 9 UDP/TLS/RTP/SAVPF 96"
            ]
        );
        assert!(answer.contains("a=group:BUNDLE 1 0\r\n"), "{answer}");
        let (audio, video) = (section(&answer, "audio"), section(&answer, "video 9"));
        let told = |section: &[String]| section.iter().any(|line| line.contains("typ host"));
        assert_eq!((told(&audio), told(&video)), (true, false), "{answer}");
        // It speaks for all of them: its transport is the one that is used.
        assert_eq!(session.negotiation.fragment, "other");
        assert!(answer.contains("a=setup:passive"), "{answer}");
        assert_eq!(checked(session), ["198.51.100.8:40000"]);
    }
}

#[test]
fn what_leads_a_group_is_kept_still_where_no_other_section_can_lead_it() {
    let useless = "application 9 UDP/BFCP *";
    let without_ports = led_by(useless, "")
        .replace("m=audio 9", "m=audio 0")
        .replace("m=video 9", "m=video 0")
        .replace("a=rtcp-mux", "a=bundle-only\na=rtcp-mux");
    let without_transport = led_by(useless, "").replace(OWN, "");
    let without_mux = led_by(useless, "a=rtcp-mux\n").replacen("a=sendrecv\na=rtcp-mux", "a=sendrecv", 1);
    for sdp in [without_ports, without_transport, without_mux] {
        let (session, answer) = answered_on(&sdp, with_sound()).expect("an answer");
        assert_eq!(heads(&answer)[0], "m=application 9 UDP/BFCP *", "{sdp}");
        assert!(answer.contains("a=group:BUNDLE 9 1 0\r\n"), "{answer}");
        let kept = section(&answer, "application");
        for part in ["a=inactive", "a=ice-ufrag:", "a=setup:active", "typ host"] {
            assert!(
                kept.iter().any(|line| line.contains(part)),
                "{part} is not in {kept:#?}"
            );
        }
        assert_eq!(session.negotiation.fragment, "useless");
    }
}

#[test]
fn a_section_that_was_kept_goes_on_to_lead_its_group() {
    let useless = "application 9 UDP/BFCP *";
    let before = led_by(useless, "").replace(OWN, "");
    let (mut session, _) = answered_on(&before, with_sound()).expect("an answer");
    // As browsers repeat what they agreed on in each section.
    let agreed = led_by(useless, "").replace("ufrag:other", "ufrag:useless");
    let answer = again(&mut session, &agreed.replace("Zg13", "Zg14"));
    assert!(answer.contains("a=group:BUNDLE 9 1 0\r\n"), "{answer}");
}
