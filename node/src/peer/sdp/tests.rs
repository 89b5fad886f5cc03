use super::*;
use crate::media::{Codec, SoundCodec};

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const TRANSPORT: &str =
    "a=fingerprint:sha-256 AB:CD\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\n";

/// What an offer of these sections is read as. All of them share a port with their RTCP.
fn described(sections: &str) -> Result<Description, DescriptionError> {
    let muxed = sections.replace("a=mid:", "a=rtcp-mux\r\na=mid:");
    Offer::read(format!("{HEAD}{TRANSPORT}a=group:BUNDLE 0 1 2\r\n{muxed}")).map(|offer| offer.described)
}

fn refused(sdp: String) -> DescriptionError {
    Offer::read(sdp).expect_err("a refusal")
}

fn wanted(sections: &str) -> Vec<(Codec, u8)> {
    match described(sections).expect("readable").video {
        Video::Absent => panic!("video is wanted"),
        Video::Wanted(codings) => codings
            .iter()
            .map(|coding| (coding.codec().expect("ours"), coding.payload_type))
            .collect(),
    }
}

const BROWSER: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 106\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
    a=recvonly\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
    a=rtpmap:102 H264/90000\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
    a=rtpmap:103 H264/90000\r\na=fmtp:103 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
    a=rtpmap:104 H264/90000\r\na=fmtp:104 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
    a=rtpmap:106 AV1/90000\r\n";

#[test]
fn constrained_baseline_is_preferred_and_mode_0_is_not_sent() {
    assert_eq!(
        wanted(BROWSER),
        [(Codec::H264, 104), (Codec::H264, 102), (Codec::Vp8, 96)]
    );
}

#[test]
fn without_h264_it_is_vp8() {
    let section = "m=video 9 UDP/TLS/RTP/SAVPF 120\r\na=mid:0\r\na=sendrecv\r\na=rtpmap:120 VP8/90000\r\n";
    assert_eq!(wanted(section), [(Codec::Vp8, 120)]);
}

#[test]
fn video_of_another_kind_is_wanted_but_not_sendable() {
    assert_eq!(
        wanted("m=video 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:0\r\na=rtpmap:98 VP9/90000\r\n"),
        []
    );
}

#[test]
fn a_desktop_without_a_camera_has_no_place_for_video() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 96 0\r\na=mid:0\r\na=sendrecv\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n";
    let offer = described(audio).expect("readable");
    assert_eq!(offer.video, Video::Absent);
    assert_eq!(offer.free_payload_type, 97);
    assert_eq!((offer.audio[0].clock_rate, offer.audio[0].channels), (48000, 2));
    let sendonly = format!(
        "{audio}m=video 9 UDP/TLS/RTP/SAVPF 100\r\na=mid:1\r\na=sendonly\r\na=rtpmap:100 VP8/90000\r\n"
    );
    assert_eq!(described(&sendonly).expect("readable").video, Video::Absent);
}

#[test]
fn sound_is_opus_where_there_is_a_choice_and_telephone_codes_need_no_map() {
    let sound = |section: &str| {
        described(section).expect("readable").sound.map(|sound| {
            let codings = sound.codings.iter();
            let codings: Vec<_> = codings
                .map(|coding| (coding.sound().expect("ours"), coding.payload_type))
                .collect();
            (codings, sound.wanted)
        })
    };
    let all = "m=audio 9 UDP/TLS/RTP/SAVPF 8 0 63 111 9\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\n";
    let expected = vec![
        (SoundCodec::Opus, 111),
        (SoundCodec::Pcmu, 0),
        (SoundCodec::Pcma, 8),
    ];
    for (direction, wanted) in [
        ("", true),
        ("a=recvonly\r\n", true),
        ("a=sendonly\r\n", false),
        ("a=inactive\r\n", false),
    ] {
        assert_eq!(
            sound(&format!("{all}{direction}")),
            Some((expected.clone(), wanted)),
            "{direction}"
        );
    }
    assert_eq!(
        sound("m=audio 9 UDP/TLS/RTP/SAVPF 9\r\na=mid:0\r\na=rtpmap:9 G722/8000\r\n"),
        None
    );
    assert_eq!(
        sound("m=audio 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:0\r\na=rtpmap:97 opus/8000\r\n"),
        None
    );
    assert_eq!(sound(BROWSER), None);
}

#[test]
fn the_first_section_with_a_codec_of_ours_is_taken_for_the_picture() {
    let other = "m=video 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:0\r\na=rtpmap:98 VP9/90000\r\n";
    let camera = BROWSER
        .replace("a=mid:0", "a=mid:1")
        .replace("recvonly", "sendonly");
    let ours = BROWSER.replace("a=mid:0", "a=mid:2");
    assert_eq!(wanted(&format!("{other}{camera}{ours}")), wanted(BROWSER));
}

#[test]
fn profiles_are_counted_as_what_they_are() {
    let section = |format: &str| {
        format!(
            "m=video 9 UDP/TLS/RTP/SAVPF 98 99\r\na=mid:0\r\na=rtpmap:98 VP8/90000\r\na=rtpmap:99 H264/90000\r\na=fmtp:99 {format}\r\n"
        )
    };
    for profile in ["42401f", "42801f", "4de01f", "42E01F", "58c01f", "640c1f"] {
        let format = format!("packetization-mode=1; profile-level-id={profile}");
        assert_eq!(wanted(&section(&format))[0], (Codec::H264, 99), "{profile}");
    }
    for format in [
        "packetization-mode=0;profile-level-id=42e01f",
        "profile-level-id=42e01f",
        "packetization-mode=1;profile-level-id=6e001f",
        "packetization-mode=1;profile-level-id=42",
    ] {
        assert_eq!(wanted(&section(format)), [(Codec::Vp8, 98)], "{format}");
    }
    // RFC 6184, section 8.1: baseline.
    assert_eq!(wanted(&section("packetization-mode=1"))[0], (Codec::H264, 99));
}

#[test]
fn of_the_parameters_of_a_codec_those_of_the_stream_are_agreed_on() {
    let section = "m=video 9 UDP/TLS/RTP/SAVPF 99\r\na=mid:0\r\na=rtpmap:99 H264/90000\r\n\
        a=fmtp:99 sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==; profile-level-id=42e01f; max-fs=3600;packetization-mode=1\r\n";
    let Video::Wanted(codings) = described(section).expect("readable").video else {
        panic!("video is wanted");
    };
    assert_eq!(codings[0].format, "packetization-mode=1;profile-level-id=42e01f");
}

#[test]
fn the_transport_is_what_the_first_section_of_its_group_says() {
    let section = |mid: &str, name: &str, setup: &str| {
        format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\na=ice-ufrag:{name}\r\na=ice-pwd:{name}{name}\r\na=setup:{setup}\r\n\
             a=fingerprint:sha-1 00:11\r\na=fingerprint:SHA-256 ab:{name}\r\n"
        )
    };
    let sections = format!(
        "{}{}",
        section("1", "late", "passive"),
        section("0", "first", "active")
    );
    let described = described(&sections).expect("readable");
    assert_eq!(
        (
            &described.fragment[..],
            &described.fingerprint[..],
            described.setup
        ),
        ("first", "AB:FIRST", Setup::Active)
    );
}

#[test]
fn what_can_not_be_used_is_refused_with_the_reason() {
    use DescriptionError::{
        Empty, NoCredentials, NoFingerprint, NoMux, OtherFingerprint, SameMid, Setup, Syntax, Useless,
    };
    assert_eq!(described(""), Err(Empty));
    assert!(matches!(described("m=\r\n"), Err(Syntax(_))));
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=rtcp-mux\r\n";
    assert_eq!(refused(format!("{HEAD}{audio}")), NoFingerprint);
    let fingerprint = "a=fingerprint:sha-1 00:11\r\n";
    assert_eq!(refused(format!("{HEAD}{fingerprint}{audio}")), OtherFingerprint);
    let fingerprint = "a=fingerprint:sha-256 00:11\r\n";
    assert_eq!(refused(format!("{HEAD}{fingerprint}{audio}")), NoCredentials);
    let whole = |sections: &str| refused(format!("{HEAD}{TRANSPORT}{sections}"));
    assert_eq!(
        whole(&format!("{audio}a=setup:holdconn\r\n")),
        Setup("holdconn".to_owned())
    );
    assert_eq!(whole(&audio.replace("audio 9", "audio 0")), Useless);
    assert_eq!(whole("m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:0\r\n"), Useless);
    assert_eq!(whole(&audio.repeat(2)), SameMid("0".to_owned()));
    assert_eq!(whole(BROWSER), NoMux);
}
