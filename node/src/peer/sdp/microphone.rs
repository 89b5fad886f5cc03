//! What a viewer's description says of its microphone.

use rtc::sdp::description::media::MediaDescription;

use crate::media::{SoundCodec, TalkBack};

/// The attribute of an audio section by which a viewer's program says that it sends its microphone only while a person wants
/// that (docs/talk-back.md). Programs that don't know it pass over it (RFC 8866, section 5.13).
const MARK: &str = "x-pinhole-talk";

/// What an offer says of the viewer's microphone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Microphone {
    /// The `mid` of its section.
    pub(in crate::peer) mid: String,
    /// The payload types that we can decode.
    pub(in crate::peer) codecs: Vec<(u8, SoundCodec)>,
    /// Whether a person says when it is on.
    pub(in crate::peer) is_asked_for: bool,
}

impl Microphone {
    /// The first section of an offer in which a voice that we can decode may come.
    pub(super) fn offered(media: &[MediaDescription]) -> Option<Self> {
        media.iter().find_map(|media| {
            let is_sent = media.media_name.media == "audio"
                && media.media_name.port.value != 0
                && !media.has_attribute("recvonly")
                && !media.has_attribute("inactive");
            let codecs: Vec<_> = if is_sent { codecs(media) } else { Vec::new() };
            (!codecs.is_empty()).then(|| Self {
                mid: media.attribute("mid").flatten().unwrap_or("0").to_owned(),
                codecs,
                is_asked_for: media.has_attribute(MARK),
            })
        })
    }

    /// Whether this viewer may be heard.
    pub(in crate::peer) fn is_allowed(&self, talk_back: TalkBack) -> bool {
        match talk_back {
            TalkBack::Nobody => false,
            TalkBack::Page => self.is_asked_for,
            TalkBack::All => true,
        }
    }
}

/// The payload types of Opus, PCMU and PCMA in a section.
fn codecs(media: &MediaDescription) -> Vec<(u8, SoundCodec)> {
    let mapped = |number: &str| {
        let prefix = format!("{number} ");
        let mut maps = media
            .attributes
            .iter()
            .filter(|attribute| attribute.key == "rtpmap")
            .filter_map(|attribute| attribute.value.as_deref()?.strip_prefix(prefix.as_str()));
        maps.next().map(str::to_ascii_lowercase)
    };
    media
        .media_name
        .formats
        .iter()
        .filter_map(|number| {
            let payload_type: u8 = number.parse().ok()?;
            let codec = match mapped(number).as_deref().map(str::trim) {
                Some("opus/48000/2") => SoundCodec::Opus,
                Some("pcmu/8000" | "pcmu/8000/1") => SoundCodec::Pcmu,
                Some("pcma/8000" | "pcma/8000/1") => SoundCodec::Pcma,
                // Both have their numbers for good (RFC 3551, table 4).
                None if payload_type == 0 => SoundCodec::Pcmu,
                None if payload_type == 8 => SoundCodec::Pcma,
                _ => return None,
            };
            Some((payload_type, codec))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rtc::peer_connection::sdp::RTCSessionDescription;

    use super::*;

    fn offered(section: &str) -> Option<Microphone> {
        let head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        let offer = RTCSessionDescription::offer(format!("{head}{section}")).expect("an offer");
        let parsed = offer.unmarshal().expect("readable");
        Microphone::offered(&parsed.media_descriptions)
    }

    const DESKTOP: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110\r\na=mid:3\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\n\
        a=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n";

    #[test]
    fn a_microphone_is_what_may_be_sent_and_decoded() {
        let microphone = offered(DESKTOP).expect("one");
        let expected = [
            (111, SoundCodec::Opus),
            (0, SoundCodec::Pcmu),
            (8, SoundCodec::Pcma),
        ];
        assert_eq!(microphone.codecs, expected);
        assert_eq!(microphone.mid, "3");
        assert!(!microphone.is_asked_for);
        for other in [
            DESKTOP.replace("sendrecv", "recvonly"),
            DESKTOP.replace("sendrecv", "inactive"),
            DESKTOP.replace("audio 9", "audio 0"),
            DESKTOP.replace("m=audio", "m=video"),
            "m=audio 9 UDP/TLS/RTP/SAVPF 9\r\na=mid:0\r\na=rtpmap:9 G722/8000\r\n".to_owned(),
        ] {
            assert_eq!(offered(&other), None, "{other}");
        }
    }

    #[test]
    fn who_may_be_heard() {
        let desktop = offered(DESKTOP).expect("one");
        let page = offered(&format!("{DESKTOP}a=x-pinhole-talk\r\n")).expect("one");
        for (talk_back, expected) in [
            (TalkBack::Nobody, (false, false)),
            (TalkBack::Page, (false, true)),
            (TalkBack::All, (true, true)),
        ] {
            let allowed = (desktop.is_allowed(talk_back), page.is_allowed(talk_back));
            assert_eq!(allowed, expected, "{talk_back:?}");
        }
    }
}
