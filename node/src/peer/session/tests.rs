mod attack;
mod damage;
mod generated;
mod shapes;

use std::time::Duration;

use super::*;
use crate::media::{SoundCodec, TalkBack, Timestamp};

/// What Debian's Chromium offers from the viewer page.
const BROWSER: &str = include_str!("browser-offer.sdp");

fn addresses() -> [SocketAddr; 1] {
    [SocketAddr::from(([192, 0, 2, 1], 5000))]
}

fn answered(sdp: &str) -> Result<(Session, String), SessionError> {
    answered_on(sdp, Terms::default())
}

fn answered_on(sdp: &str, terms: Terms) -> Result<(Session, String), SessionError> {
    let now = Instant::now();
    let anchor = Anchor {
        instant: now,
        timestamp: Timestamp::now(),
        wall: Duration::ZERO,
    };
    let mut session = Session::new("viewer".into(), offer(sdp)?, &addresses(), &terms, anchor, now)?;
    match session.poll() {
        Some(Output::Event(Event::Answer(answer))) => Ok((session, answer)),
        _ => panic!("the answer is the first event"),
    }
}

/// The next event, where there is one.
fn event(session: &mut Session) -> Option<Event> {
    loop {
        match session.poll()? {
            Output::Transmit(_) => {}
            Output::Event(event) => return Some(event),
        }
    }
}

/// The offer of our own that follows the answer.
fn owed_offer(session: &mut Session) -> Option<String> {
    match event(session)? {
        Event::Offer(offer) => Some(offer),
        other => panic!("no offer: {other:?}"),
    }
}

fn hearing(talk_back: TalkBack) -> Terms {
    Terms {
        talk_back,
        loudspeaker: true,
        ..Terms::default()
    }
}

/// The direction of the audio section in the answer to this offer.
fn sound(sdp: &str, terms: Terms) -> String {
    let (_, answer) = answered_on(sdp, terms).expect("an answer");
    let directions = ["a=inactive", "a=recvonly", "a=sendonly", "a=sendrecv"];
    section(&answer, "audio")
        .into_iter()
        .find(|line| directions.contains(&line.as_str()))
        .expect("a direction")
}

#[test]
fn a_microphone_is_asked_for_only_where_it_may_be_heard() {
    let (head, audio) = BROWSER.split_once("m=audio").expect("an audio section");
    let desktop = format!("{head}m=audio{}", audio.replace("a=recvonly", "a=sendrecv"));
    let page = format!(
        "{}a=x-pinhole-talk\n",
        desktop.trim_end_matches('\n').to_owned() + "\n"
    );
    for (offer, talk_back, expected) in [
        (BROWSER, TalkBack::All, "a=inactive"),
        (&desktop, TalkBack::Nobody, "a=inactive"),
        (&desktop, TalkBack::Page, "a=inactive"),
        (&desktop, TalkBack::All, "a=recvonly"),
        (&page, TalkBack::Nobody, "a=inactive"),
        (&page, TalkBack::Page, "a=recvonly"),
        (&page, TalkBack::All, "a=recvonly"),
    ] {
        assert_eq!(
            sound(offer, hearing(talk_back)),
            expected,
            "{talk_back:?}: {offer}"
        );
        let nowhere = Terms {
            loudspeaker: false,
            ..hearing(talk_back)
        };
        assert_eq!(sound(offer, nowhere), "a=inactive", "without a loudspeaker");
    }
}

fn offer(sdp: &str) -> Result<Offer, SessionError> {
    Ok(Offer::read(sdp.replace('\n', "\r\n"))?)
}

/// The lines of the section of this kind.
fn section(sdp: &str, kind: &str) -> Vec<String> {
    let mut sections = sdp.split("\r\nm=").skip(1);
    let found = sections
        .find(|section| section.starts_with(kind))
        .expect("the section");
    found.lines().map(ToOwned::to_owned).collect()
}

fn without_video() -> String {
    let head = BROWSER
        .split("m=video")
        .next()
        .expect("a head")
        .replace("BUNDLE 0 1", "BUNDLE 1");
    format!(
        "{head}m=audio{}",
        BROWSER.split("m=audio").nth(1).expect("an audio section")
    )
}

#[test]
fn a_browser_gets_h264_and_sends_us_nothing() {
    let (session, answer) = answered(BROWSER).expect("an answer");
    assert_eq!(session.codec(), Codec::H264);
    let video = section(&answer, "video");
    for line in ["a=sendonly", "a=setup:passive", "a=rtcp-mux"] {
        assert!(
            video.iter().any(|other| other == line),
            "{line} is not in {video:#?}"
        );
    }
    assert!(
        video
            .iter()
            .any(|line| line.contains("packetization-mode=1") && line.contains("42e01f")),
        "{video:#?}"
    );
    assert!(answer.contains("192.0.2.1 5000 typ host"), "{answer}");
    let audio = section(&answer, "audio");
    assert!(audio.iter().any(|line| line == "a=inactive"), "{audio:#?}");
}

fn with_sound() -> Terms {
    Terms {
        sound: true,
        ..Terms::default()
    }
}

#[test]
fn a_browser_that_wants_sound_gets_opus_and_both_play_together() {
    let (session, answer) = answered_on(BROWSER, with_sound()).expect("an answer");
    assert_eq!(session.hears(), Some(SoundCodec::Opus));
    let (audio, video) = (section(&answer, "audio"), section(&answer, "video"));
    for line in ["a=sendonly", "a=rtpmap:111 opus/48000/2", "a=msid:pinhole audio"] {
        assert!(
            audio.iter().any(|other| other == line),
            "{line} is not in {audio:#?}"
        );
    }
    assert!(!audio.iter().any(|line| line.contains("G722")), "{audio:#?}");
    assert!(
        video.iter().any(|line| line == "a=msid:pinhole video"),
        "{video:#?}"
    );
    assert!(answer.contains("\r\na=x-pinhole-sound\r\nm=video"), "{answer}");
}

#[test]
fn a_muted_page_is_told_of_the_sound_and_gets_it_when_it_asks_again() {
    let (before, audio) = BROWSER.split_once("m=audio").expect("a section for sound");
    let muted = format!("{before}m=audio{}", audio.replacen("a=recvonly", "a=inactive", 1));
    let (mut session, answer) = answered_on(&muted, with_sound()).expect("an answer");
    assert_eq!(session.hears(), None);
    assert!(answer.contains("a=x-pinhole-sound"), "{answer}");
    assert!(
        section(&answer, "audio").iter().any(|line| line == "a=inactive"),
        "{answer}"
    );
    let mut ask = |sdp: &str| {
        let offer = offer(sdp).expect("an offer");
        session.handle(Input::Offer(Box::new(offer)), Instant::now());
        match event(&mut session) {
            Some(Event::Answer(answer)) => (session.hears(), section(&answer, "audio")),
            other => panic!("no answer: {other:?}"),
        }
    };
    let (hears, audio) = ask(BROWSER);
    assert_eq!(hears, Some(SoundCodec::Opus));
    assert!(audio.iter().any(|line| line == "a=sendonly"), "{audio:#?}");
    let (hears, audio) = ask(&muted);
    assert_eq!(hears, None);
    assert!(audio.iter().any(|line| line == "a=inactive"), "{audio:#?}");
}

#[test]
fn a_desktop_without_a_camera_hears_us_before_it_sees_us() {
    let (mut session, answer) = answered_on(&without_video(), with_sound()).expect("an answer");
    assert_eq!(session.hears(), Some(SoundCodec::Opus));
    assert!(
        section(&answer, "audio").iter().any(|line| line == "a=sendonly"),
        "{answer}"
    );
    let offer = owed_offer(&mut session).expect("it is owed");
    for kind in ["audio", "video"] {
        let section = section(&offer, kind);
        assert!(section.iter().any(|line| line == "a=sendonly"), "{section:#?}");
    }
}

#[test]
fn a_desktop_without_a_camera_is_offered_video() {
    let (mut session, answer) = answered(&without_video()).expect("an answer");
    assert!(!answer.contains("m=video"), "{answer}");
    let offer = owed_offer(&mut session).expect("it is owed");
    let video = section(&offer, "video");
    assert!(video.iter().any(|line| line.contains("VP8/90000")), "{video:#?}");
    assert!(video.iter().any(|line| line == "a=sendonly"), "{video:#?}");
    assert!(session.negotiation.awaits_answer());
    assert!(owed_offer(&mut session).is_none(), "only once");
}

/// What the page's control channel adds to its offer.
fn with_channel() -> String {
    let shared = BROWSER.lines().filter(|line| {
        ["a=ice-", "a=fingerprint", "a=setup"]
            .iter()
            .any(|start| line.starts_with(start))
    });
    let mut shared: Vec<_> = shared.collect();
    shared.dedup();
    let half = shared.len().div_ceil(2).max(1);
    let shared = shared[..half].join("\n");
    let offer = BROWSER.trim_end().replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    format!(
        "{offer}\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\n{shared}\na=mid:2\na=sctp-port:5000\na=max-message-size:262144\n"
    )
}

#[test]
fn a_page_may_open_a_channel_for_messages_of_a_bounded_size() {
    let (_, answer) = answered(&with_channel()).expect("an answer");
    let channel = section(&answer, "application");
    assert!(!channel[0].starts_with("application 0 "), "refused: {channel:#?}");
    let bound = format!("a=max-message-size:{}", LONGEST);
    assert!(channel.contains(&bound), "{channel:#?}");
    assert!(answer.contains("BUNDLE 0 1 2"), "{answer}");
}

#[test]
fn each_address_of_ours_has_a_priority_of_its_own_and_the_first_the_highest() {
    let addresses = ["192.0.2.1:5000", "[2001:db8::1]:5000", "198.51.100.1:5000"];
    let addresses = addresses.map(|address| address.parse().expect("an address"));
    let now = Instant::now();
    let anchor = Anchor {
        instant: now,
        timestamp: Timestamp::now(),
        wall: Duration::ZERO,
    };
    let offer = offer(BROWSER).expect("readable");
    let mut session =
        Session::new("viewer".into(), offer, &addresses, &Terms::default(), anchor, now).expect("a session");
    let Some(Event::Answer(answer)) = event(&mut session) else {
        panic!("the answer is the first event")
    };
    let told = answer
        .lines()
        .filter_map(|line| line.strip_prefix("a=candidate:"));
    let told = told.map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        (words[4].to_owned(), words[3].parse().expect("a number"))
    });
    let mut told: Vec<(String, u32)> = told.collect();
    told.sort_by_key(|(_, priority)| std::cmp::Reverse(*priority));
    // RFC 8445, section 5.1.2.1.
    let expected = [
        ("192.0.2.1", 2_130_706_431),
        ("2001:db8::1", 2_130_706_175),
        ("198.51.100.1", 2_130_705_919),
    ];
    assert_eq!(
        told,
        expected.map(|(address, priority)| (address.to_owned(), priority))
    );
}

#[test]
fn one_without_a_codec_of_ours_is_told_so() {
    let foreign = BROWSER.replace("VP8/", "VP7/").replace("H264/", "H265/");
    let error = answered(&foreign).err().expect("a refusal");
    assert!(error.to_string().contains("no common video codec"), "{error}");
}
