//! What a viewer's description says of its microphone.

use super::section::Section;
use crate::media::{SoundCodec, TalkBack};

/// The attribute of an audio section by which a viewer's program says that it sends its microphone only while a person wants
/// that (docs/talk-back.md). Programs that don't know it pass over it (RFC 8866, section 5.13).
const MARK: &str = "x-pinhole-talk";

/// What an offer says of the viewer's microphone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Microphone {
    /// The payload types that we can decode.
    pub(in crate::peer) codecs: Vec<(u8, SoundCodec)>,
    /// Whether a person says when it is on.
    pub(in crate::peer) is_asked_for: bool,
}

impl Microphone {
    /// The microphone in an audio section, where a voice that we can decode may come in it.
    pub(super) fn offered(section: &Section) -> Option<Self> {
        let codecs = decodable(section);
        (section.sends && !codecs.is_empty()).then(|| Self {
            codecs,
            is_asked_for: section.has(MARK),
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
pub(super) fn decodable(section: &Section) -> Vec<(u8, SoundCodec)> {
    let channels = |codec| if codec == SoundCodec::Opus { 2 } else { 1 };
    section
        .codings
        .iter()
        .filter_map(|coding| {
            let codec = coding.sound()?;
            (coding.channels.max(1) == channels(codec)).then_some((coding.payload_type, codec))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::sdp::reading::Reading;

    fn offered(section: &str) -> Option<Microphone> {
        let head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        let reading = Reading::read(&format!("{head}{section}")).expect("readable");
        Microphone::offered(&reading.sections[0])
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
        assert!(!microphone.is_asked_for);
        for other in [
            DESKTOP.replace("sendrecv", "recvonly"),
            DESKTOP.replace("sendrecv", "inactive"),
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
