use super::*;
use crate::media::{Codec, SoundCodec};

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 AB:CD\r\n";

fn described(sections: &str) -> Result<Description, DescriptionError> {
    let offer = RTCSessionDescription::offer(format!("{HEAD}{sections}"))
        .map_err(|error| DescriptionError::Syntax(error.to_string()))?;
    read(&offer)
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
fn what_can_not_be_used_is_refused_with_the_reason() {
    assert_eq!(described(""), Err(DescriptionError::Empty));
    assert!(matches!(described("m=\r\n"), Err(DescriptionError::Syntax(_))));
    let bare = RTCSessionDescription::offer(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
            .into(),
    );
    assert_eq!(
        read(&bare.expect("readable")),
        Err(DescriptionError::NoFingerprint)
    );
}
