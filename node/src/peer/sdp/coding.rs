//! Payload types and what they stand for.

use rtc::sdp::description::media::MediaDescription;

use crate::media::{Codec, SoundCodec};

/// One payload type of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Coding {
    pub(in crate::peer) name: String,
    pub(in crate::peer) payload_type: u8,
    pub(in crate::peer) clock_rate: u32,
    pub(in crate::peer) channels: u16,
    pub(in crate::peer) format: String,
}

/// The payload types of a section with what `rtpmap` and `fmtp` say of each.
pub(super) fn codings(media: &MediaDescription) -> Vec<Coding> {
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
    pub(in crate::peer) fn codec(&self) -> Option<Codec> {
        match self.name.to_ascii_uppercase().as_str() {
            "H264" => Some(Codec::H264),
            "VP8" => Some(Codec::Vp8),
            _ => None,
        }
    }

    /// The sound codec of ours that this is.
    pub(in crate::peer) fn sound(&self) -> Option<SoundCodec> {
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
pub(super) fn rank(coding: &Coding) -> Option<u8> {
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
