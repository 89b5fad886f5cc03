//! What comes after the first offer of a session.

use super::*;

#[test]
fn what_the_viewer_rejects_stays_so_and_what_only_has_no_port_of_its_own_does_not() {
    let rejected = BROWSER
        .replace("m=audio 9", "m=audio 0")
        .replace("BUNDLE 0 1", "BUNDLE 0");
    let answer = answer_to(&rejected);
    assert!(heads(&answer)[1].starts_with("m=audio 0 "), "{answer}");
    assert!(answer.contains("a=group:BUNDLE 0\r\n"), "{answer}");
    let only = BROWSER
        .replace("m=audio 9", "m=audio 0")
        .replace("a=mid:1\n", "a=mid:1\na=bundle-only\n");
    let (session, answer) = answered_on(&only, with_sound()).expect("an answer");
    assert_eq!(session.hears(), Some(SoundCodec::Opus));
    assert!(heads(&answer)[1].starts_with("m=audio 9 "), "{answer}");
}

#[test]
fn a_picture_that_is_paused_goes_on_when_it_is_wanted_again() {
    let (mut session, _) = answered(NO_BUNDLE).expect("an answer");
    for (theirs, ours) in [
        ("a=inactive", "a=inactive"),
        ("a=recvonly", "a=sendonly"),
        ("a=sendonly", "a=inactive"),
        ("a=sendrecv", "a=sendonly"),
    ] {
        let answer = again(&mut session, &NO_BUNDLE.replace("a=recvonly", theirs));
        assert!(answer.contains(&format!("{ours}\r\n")), "{theirs}: {answer}");
        assert_eq!(session.link.media.shows(), ours == "a=sendonly");
    }
}

#[test]
fn a_later_offer_keeps_what_there_is_and_may_number_it_anew() {
    let (mut session, first) = answered(TEXT).expect("an answer");
    let renumbered = TEXT.replace("SAVPF 96", "SAVPF 100").replace(":96 ", ":100 ");
    let more = format!("{renumbered}{}", AUDIO.replace("a=mid:1", "a=mid:7"));
    let answer = again(&mut session, &more);
    assert_eq!(
        heads(&answer),
        [
            "m=video 9 UDP/TLS/RTP/SAVPF 100",
            "m=text 0 UDP/TLS/RTP/SAVPF 98",
            "m=audio 0 UDP/TLS/RTP/SAVPF 111"
        ]
    );
    assert!(answer.contains("a=rtpmap:100 VP8/90000\r\n"), "{answer}");
    let ssrc = |sdp: &str| {
        let line = sdp.lines().find(|line| line.starts_with("a=ssrc:"));
        line.expect("a stream").to_owned()
    };
    assert_eq!(ssrc(&answer), ssrc(&first), "it is the same stream");
    let other = TEXT.replace("VP8/", "VP9/");
    session.handle(
        Input::Offer(Box::new(offer(&other).expect("readable"))),
        session.now,
    );
    assert!(matches!(event(&mut session), Some(Event::Failed(_))));
}

#[test]
fn our_own_offer_has_all_sections_in_their_places() {
    let text = "m=text 9 UDP/TLS/RTP/SAVPF 98\na=mid:0\na=rtpmap:98 t140/1000\n";
    let audio = without_video();
    let sdp = audio.replacen("m=audio", &format!("{text}m=audio"), 1);
    let (mut session, _) = answered(&sdp).expect("an answer");
    let offer = owed_offer(&mut session).expect("it is owed");
    let heads = heads(&offer);
    assert_eq!(heads.len(), 3, "{offer}");
    assert_eq!(heads[0], "m=text 0 UDP/TLS/RTP/SAVPF 98");
    assert!(
        heads[1].starts_with("m=audio 9 ") && heads[2].starts_with("m=video 9 "),
        "{offer}"
    );
    assert!(offer.contains("a=group:BUNDLE 1 2\r\n"), "{offer}");
}

#[test]
fn an_offer_that_crossed_ours_may_reject_the_sound_and_ours_comes_again_with_the_picture() {
    let (mut session, _) = answered(&without_video()).expect("an answer");
    assert!(owed_offer(&mut session).is_some());
    let channel = with_channel();
    let (_, data) = channel.split_once("m=application").expect("a section for data");
    let crossing = without_video()
        .replace("m=audio 9", "m=audio 0")
        .replace("BUNDLE 1", "BUNDLE 2");
    let crossing = format!("{}\nm=application{data}", crossing.trim_end());
    let answer = again(&mut session, &crossing);
    assert!(heads(&answer)[0].starts_with("m=audio 0 "), "{answer}");
    let offer = owed_offer(&mut session).expect("it is still owed");
    let heads = heads(&offer);
    assert_eq!(heads[1..].len(), 2, "{offer}");
    assert!(
        heads[1].starts_with("m=application 9 ") && heads[2].starts_with("m=video 9 "),
        "{offer}"
    );
    assert!(
        section(&offer, "video").iter().any(|line| line == "a=sendonly"),
        "{offer}"
    );
}

#[test]
fn a_number_that_means_something_else_in_another_section_for_sound_is_not_answered_there() {
    let first =
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\na=mid:1\na=recvonly\na=rtcp-mux\na=rtpmap:111 opus/48000/2\n";
    let grouped = |mids: &str| {
        let group = format!("a=group:BUNDLE {mids}\na=fingerprint");
        NO_BUNDLE.replacen("a=fingerprint", &group, 1)
    };
    let (mut session, answer) =
        answered_on(&format!("{}{first}", grouped("0 1")), with_sound()).expect("an answer");
    assert!(heads(&answer)[1].contains(" 111"), "{answer}");
    let second = first
        .replace("mid:1", "mid:2")
        .replace("opus/48000/2", "red/48000/2");
    let gone = first.replace("audio 9", "audio 0");
    let answer = again(&mut session, &format!("{}{gone}{second}", grouped("0 2")));
    assert_eq!(heads(&answer)[2], "m=audio 9 UDP/TLS/RTP/SAVPF 0", "{answer}");
    assert!(!answer.contains("rtpmap:111"), "{answer}");
}

#[test]
fn what_is_sent_again_is_agreed_on_where_the_viewer_takes_it_and_keeps_its_source() {
    let (mut session, answer) = answered(BROWSER).expect("an answer");
    let told = |answer: &str, key: &str| -> Vec<String> {
        let video = section(answer, "video");
        let told = video.iter().filter_map(|line| line.strip_prefix(key));
        told.map(ToOwned::to_owned).collect()
    };
    let head = heads(&answer)[1 - usize::from(heads(&answer)[0].starts_with("m=video"))].to_owned();
    let formats: Vec<_> = head.split(' ').skip(3).collect();
    let [picture, repair] = formats[..] else {
        panic!("{head}")
    };
    let map = told(&answer, "a=rtpmap:");
    assert!(map.contains(&format!("{repair} rtx/90000")), "{map:?}");
    let parameters = told(&answer, "a=fmtp:");
    assert!(
        parameters.contains(&format!("{repair} apt={picture}")),
        "{parameters:?}"
    );
    let groups = told(&answer, "a=ssrc-group:FID ");
    let sources: Vec<_> = groups[0].split(' ').collect();
    for what in ["cname:pinhole", "msid:pinhole video"] {
        for source in &sources {
            let line = format!("{source} {what}");
            assert!(told(&answer, "a=ssrc:").contains(&line), "{line}: {answer}");
        }
    }
    // Nothing of it is asked for again.
    let deaf: String = BROWSER
        .lines()
        .filter(|line| !line.ends_with(" nack"))
        .collect::<Vec<_>>()
        .join("\n")
        + "\n";
    let without = again(&mut session, &deaf);
    assert!(!without.contains("rtx") && !without.contains("FID"), "{without}");
    let with = again(&mut session, BROWSER);
    assert_eq!(told(&with, "a=ssrc-group:FID "), groups);
}
