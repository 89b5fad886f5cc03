//! What a session description says, as far as we decide by it. Without IO.

use rtc::{
    peer_connection::sdp::RTCSessionDescription,
    sdp::description::{media::MediaDescription, session::SessionDescription},
};

use super::voice::Microphone;
use crate::media::{Codec, SoundCodec};

/// A description of the viewer, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// The DTLS certificate's, which tells one connection of a viewer from its next.
    pub(super) fingerprint: String,
    pub(super) video: Video,
    /// Payload types that no section uses.
    pub(super) free_payload_type: u8,
    /// The `mid` of the first section.
    pub(super) first_mid: String,
    /// The audio codecs: what keeps an audio section acceptable.
    pub(super) audio: Vec<Coding>,
    /// The viewer's microphone, where it has one that may be heard.
    pub(super) microphone: Option<Microphone>,
    /// What it wants of our sound; `None` where there is no section for sound, or no codec of ours in it.
    pub(super) sound: Option<Sound>,
}

/// What a viewer wants of our sound.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sound {
    /// The codings that we could send, the best first; never empty.
    pub(super) codings: Vec<Coding>,
    /// Whether we may send now. A page that is muted has a section for sound, in which nothing is sent until it asks again.
    pub(super) wanted: bool,
}

/// What a viewer wants of our picture.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Video {
    /// No section in which we could send: a desktop without a camera offers audio only.
    Absent,
    /// The codings that we could send, the best first. Empty: the viewer wants video, but none of ours.
    Wanted(Vec<Coding>),
}

/// One payload type of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) name: String,
    pub(super) payload_type: u8,
    pub(super) clock_rate: u32,
    pub(super) channels: u16,
    pub(super) format: String,
}

/// Why a description can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DescriptionError {
    #[error("the session description can't be read: {0}")]
    Syntax(String),
    #[error("the session description has no DTLS fingerprint")]
    NoFingerprint,
    #[error("the session description has no media section")]
    Empty,
}

/// Reads an offer or an answer.
pub(super) fn read(description: &RTCSessionDescription) -> Result<Description, DescriptionError> {
    let parsed = description
        .unmarshal()
        .map_err(|error| DescriptionError::Syntax(error.to_string()))?;
    let media = &parsed.media_descriptions;
    if media.is_empty() {
        return Err(DescriptionError::Empty);
    }
    let taken: Vec<&str> = media
        .iter()
        .flat_map(|media| &media.media_name.formats)
        .map(String::as_str)
        .collect();
    let is_free = |number: &u8| !taken.contains(&number.to_string().as_str());
    let audio = media
        .iter()
        .filter(|media| is(media, "audio"))
        .flat_map(codings)
        .collect();
    let sound = media.iter().find(|media| is(media, "audio")).and_then(sound);
    Ok(Description {
        fingerprint: fingerprint(&parsed).ok_or(DescriptionError::NoFingerprint)?,
        video: video(media),
        // RFC 3551, section 6: the dynamic range.
        free_payload_type: (96..=127).find(is_free).unwrap_or(127),
        first_mid: media[0].attribute("mid").flatten().unwrap_or("0").to_owned(),
        audio,
        microphone: Microphone::offered(media),
        sound,
    })
}

fn sound(media: &MediaDescription) -> Option<Sound> {
    let mut codings: Vec<_> = codings(media)
        .into_iter()
        .filter(|coding| coding.sound().is_some())
        .collect();
    // The order of the codecs is that of our preference.
    codings.sort_by_key(Coding::sound);
    (!codings.is_empty()).then_some(Sound {
        codings,
        wanted: media.media_name.port.value != 0
            && !media.has_attribute("sendonly")
            && !media.has_attribute("inactive"),
    })
}

fn video(media: &[MediaDescription]) -> Video {
    let mut receiving = media
        .iter()
        .filter(|media| is(media, "video"))
        .filter(|media| media.media_name.port.value != 0)
        .filter(|media| !media.has_attribute("sendonly") && !media.has_attribute("inactive"))
        .peekable();
    if receiving.peek().is_none() {
        return Video::Absent;
    }
    let mut sendable: Vec<_> = receiving
        .flat_map(codings)
        .filter_map(|coding| Some((rank(&coding)?, coding)))
        .collect();
    sendable.sort_by_key(|(rank, _)| *rank);
    Video::Wanted(sendable.into_iter().map(|(_, coding)| coding).collect())
}

fn is(media: &MediaDescription, kind: &str) -> bool {
    media.media_name.media == kind
}

fn fingerprint(description: &SessionDescription) -> Option<String> {
    let of_media = || {
        description
            .media_descriptions
            .iter()
            .find_map(|media| media.attribute("fingerprint").flatten().map(ToOwned::to_owned))
    };
    description.attribute("fingerprint").cloned().or_else(of_media)
}

/// The payload types of a section with what `rtpmap` and `fmtp` say of each.
fn codings(media: &MediaDescription) -> Vec<Coding> {
    let values = |key: &'static str, number: &str| {
        let prefix = format!("{number} ");
        media.attributes.iter().find_map(move |attribute| {
            (attribute.key == key).then_some(attribute.value.as_deref()?.strip_prefix(prefix.as_str())?)
        })
    };
    media
        .media_name
        .formats
        .iter()
        .filter_map(|number| {
            let map = values("rtpmap", number).or(match number.as_str() {
                // RFC 3551, section 6: they need no map.
                "0" => Some("PCMU/8000"),
                "8" => Some("PCMA/8000"),
                _ => None,
            });
            let mut map = map?.split('/');
            Some(Coding {
                name: map.next()?.to_owned(),
                payload_type: number.parse().ok()?,
                clock_rate: map.next()?.trim().parse().ok()?,
                channels: map
                    .next()
                    .and_then(|channels| channels.trim().parse().ok())
                    .unwrap_or(0),
                format: values("fmtp", number).unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

impl Coding {
    /// The codec of ours that this is.
    pub(super) fn codec(&self) -> Option<Codec> {
        match self.name.to_ascii_uppercase().as_str() {
            "H264" => Some(Codec::H264),
            "VP8" => Some(Codec::Vp8),
            _ => None,
        }
    }

    /// The sound codec of ours that this is.
    pub(super) fn sound(&self) -> Option<SoundCodec> {
        let codec = match self.name.to_ascii_uppercase().as_str() {
            "OPUS" => SoundCodec::Opus,
            "PCMU" => SoundCodec::Pcmu,
            "PCMA" => SoundCodec::Pcma,
            _ => return None,
        };
        (self.clock_rate == codec.clock_rate()).then_some(codec)
    }

    fn parameter(&self, key: &str) -> Option<&str> {
        self.format.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case(key).then_some(value.trim())
        })
    }
}

/// How gladly we send a coding, lower is better; `None`: we can't.
fn rank(coding: &Coding) -> Option<u8> {
    match coding.codec()? {
        Codec::H264 => {
            // We always split pictures into fragments, which mode 0 forbids (RFC 6184, section 6.2).
            if coding.parameter("packetization-mode") != Some("1") {
                return None;
            }
            let profile = coding
                .parameter("profile-level-id")?
                .get(..4)?
                .to_ascii_lowercase();
            // What our encoders send is constrained baseline (RFC 6184, table 5); every decoder of a higher profile reads
            // it too, as long as the description names that profile. A camera's own H.264 may be of a higher one, and is
            // answered for in the same way: the camera may not be open yet, so its profile is not known, and decoders go
            // by the stream's parameter set, not by the description.
            Some(match profile.as_str() {
                "42e0" => 0,
                "42c0" | "4200" => 1,
                "4d00" | "4d40" => 2,
                "6400" | "640c" => 3,
                _ => return None,
            })
        }
        Codec::Vp8 => Some(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let section =
            "m=video 9 UDP/TLS/RTP/SAVPF 120\r\na=mid:0\r\na=sendrecv\r\na=rtpmap:120 VP8/90000\r\n";
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
}
