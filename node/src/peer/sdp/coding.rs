//! Payload types and what they stand for.

use rtc::sdp::description::{common::Attribute, media::MediaDescription};

use super::profile::Profile;
use crate::media::{Codec, SoundCodec};

const PROFILE: &str = "profile-level-id";

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
                payload_type: number.parse().ok().filter(|number| *number < 128)?,
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

    /// Whether both mean the same, whatever their parameters: the numbers of a session keep their meaning (RFC 3264, section 8.3.2).
    pub(super) fn is(&self, other: &Self) -> bool {
        self.payload_type == other.payload_type
            && self.name.eq_ignore_ascii_case(&other.name)
            && self.clock_rate == other.clock_rate
            && self.channels.max(1) == other.channels.max(1)
    }

    /// What both ends have agreed on when we send it: of the parameters those of the stream, and none that tell what the viewer
    /// itself could send or take (RFC 6184, section 8.2.2; RFC 7741, section 6.2).
    pub(super) fn agreed(&self) -> Self {
        let kept: &[&str] = match self.codec() {
            Some(Codec::H264) => &["level-asymmetry-allowed", "packetization-mode", PROFILE],
            _ => &[],
        };
        let kept = kept
            .iter()
            .filter_map(|key| Some(format!("{key}={}", self.parameter(key)?)));
        Self {
            format: kept.collect::<Vec<_>>().join(";"),
            ..self.clone()
        }
    }

    /// What a description says of it.
    pub(super) fn attributes(&self) -> impl Iterator<Item = Attribute> {
        let Self {
            name,
            payload_type,
            clock_rate,
            channels,
            format,
        } = self;
        let channels = Some(*channels).filter(|channels| *channels > 0);
        let channels = channels.map_or_else(String::new, |channels| format!("/{channels}"));
        let map = format!("{payload_type} {name}/{clock_rate}{channels}");
        // The core takes the parameters as one word.
        let format = format.split(';').map(str::trim).collect::<Vec<_>>().join(";");
        let format = (!format.is_empty()).then(|| format!("{payload_type} {format}"));
        [("rtpmap", Some(map)), ("fmtp", format)]
            .into_iter()
            .filter_map(|(key, value)| Some(Attribute::new(key.to_owned(), Some(value?))))
    }

    /// The payload type whose packets are sent again by this one, where it is for that (RFC 4588, section 8.1).
    pub(super) fn repairs(&self) -> Option<u8> {
        let is_for_that = self.name.eq_ignore_ascii_case("rtx") && self.clock_rate == 90_000;
        self.parameter("apt")
            .filter(|_| is_for_that)
            .and_then(|number| number.parse().ok())
    }

    /// Whether by this one sound of that payload type is sent twice (RFC 2198).
    pub(super) fn doubles(&self, payload_type: u8) -> bool {
        let mut numbers = self.format.split('/').map(|number| number.trim().parse());
        self.name.eq_ignore_ascii_case("red")
            && numbers.next() == Some(Ok(payload_type))
            && numbers.next() == Some(Ok(payload_type))
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
    // RFC 6184, section 8.2.1, and RFC 7741, section 6.1: the clock is no choice.
    if coding.clock_rate != 90_000 {
        return None;
    }
    match coding.codec()? {
        Codec::H264 => {
            // We always split pictures into fragments, which mode 0 forbids (RFC 6184, section 6.2).
            if coding.parameter("packetization-mode") != Some("1") {
                return None;
            }
            // What our encoders send is constrained baseline; every decoder of a higher profile reads it too, as long as the
            // description names that profile. A camera's own H.264 may be of a higher one, and is answered for in the same
            // way: the camera may not be open yet, so its profile is not known, and decoders go by the stream's parameter
            // set, not by the description.
            let profile = match coding.parameter(PROFILE) {
                Some(profile) => Profile::read(profile)?,
                // RFC 6184, section 8.1: it is inferred.
                None => Profile::Baseline,
            };
            Some(profile as u8)
        }
        Codec::Vp8 => Some(10),
    }
}

/// The codings that we can send, the best first.
pub(super) fn sendable(codings: &[Coding]) -> Vec<Coding> {
    let mut sendable: Vec<_> = codings
        .iter()
        .filter_map(|coding| Some((rank(coding)?, coding)))
        .collect();
    sendable.sort_by_key(|(rank, _)| *rank);
    sendable.into_iter().map(|(_, coding)| coding.agreed()).collect()
}

/// Each codec once: the core tells codecs apart by their names, and would give one the number of the other.
pub(super) fn distinct(codings: &[Coding]) -> Vec<Coding> {
    let mut distinct: Vec<Coding> = Vec::new();
    for coding in codings {
        let is_same = |other: &Coding| {
            other.name.eq_ignore_ascii_case(&coding.name) || other.payload_type == coding.payload_type
        };
        if !distinct.iter().any(is_same) {
            distinct.push(coding.clone());
        }
    }
    distinct
}
