//! What a session description says, as far as we decide by it. Without IO.

mod bounds;
mod coding;
mod microphone;
#[cfg(test)]
mod tests;

use rtc::{
    peer_connection::sdp::RTCSessionDescription,
    sdp::description::{media::MediaDescription, session::SessionDescription},
    shared::error::Error,
};

use bounds::{Bounded, TooMuch};
use coding::{codings, rank};

pub(super) use coding::Coding;
pub(super) use microphone::Microphone;

/// A description of the viewer, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// The DTLS certificate's, which tells one connection of a viewer from its next.
    pub(super) fingerprint: String,
    pub(super) video: Video,
    /// Payload types that no section uses.
    pub(super) free_payload_type: u8,
    /// The ICE user name fragment: another one means an ICE restart.
    pub(super) fragment: Option<String>,
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

/// Why a description can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DescriptionError {
    #[error("the session description can't be read: {0}")]
    Syntax(String),
    #[error("the session description has no DTLS fingerprint")]
    NoFingerprint,
    #[error("the session description has no media section")]
    Empty,
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// An offer of the viewer, read.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) described: Description,
    /// As the core takes it, without candidates.
    pub(super) description: RTCSessionDescription,
    /// The candidate lines, without `a=`.
    pub(super) candidates: Vec<String>,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// It can't be read, nothing can be made of it, or it is larger than anybody needs.
    pub(super) fn read(sdp: String) -> Result<Self, DescriptionError> {
        let Bounded { sdp, candidates } = Bounded::read(&sdp)?;
        let description = RTCSessionDescription::offer(sdp).map_err(syntax)?;
        Ok(Self {
            described: read(&description)?,
            description,
            candidates,
        })
    }
}

/// The viewer's answer to an offer of ours, read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) described: Description,
    /// As the core takes it, without candidates.
    pub(super) description: RTCSessionDescription,
    /// The candidate lines, without `a=`.
    pub(super) candidates: Vec<String>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// As of [`Offer::read`].
    pub(super) fn read(sdp: String) -> Result<Self, DescriptionError> {
        let Bounded { sdp, candidates } = Bounded::read(&sdp)?;
        let description = RTCSessionDescription::answer(sdp).map_err(syntax)?;
        Ok(Self {
            described: read(&description)?,
            description,
            candidates,
        })
    }
}

fn syntax(error: Error) -> DescriptionError {
    DescriptionError::Syntax(error.to_string())
}

/// The ICE user name fragment in a description of ours: connectivity checks are addressed to it.
pub(super) fn fragment(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}

/// Reads an offer or an answer.
fn read(description: &RTCSessionDescription) -> Result<Description, DescriptionError> {
    let parsed = description.unmarshal().map_err(syntax)?;
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
        fingerprint: attribute(&parsed, "fingerprint").ok_or(DescriptionError::NoFingerprint)?,
        video: video(media),
        // RFC 3551, section 6: the dynamic range.
        free_payload_type: (96..=127).find(is_free).unwrap_or(127),
        fragment: attribute(&parsed, "ice-ufrag"),
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

/// What is said of the whole, or of the first section that says it.
fn attribute(description: &SessionDescription, key: &str) -> Option<String> {
    let of_media = || {
        let mut media = description.media_descriptions.iter();
        media.find_map(|media| media.attribute(key).flatten().map(ToOwned::to_owned))
    };
    description.attribute(key).cloned().or_else(of_media)
}
