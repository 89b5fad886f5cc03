//! What a session description says, as far as we decide by it, and what we say. Without IO.
//!
//! A description of the viewer is read ([`Reading`]), its sections are chosen ([`Choice`]), and what we take of it is told to the core in the core's
//! words ([`given`]). What the core says to that is made a description of all sections ([`Layout`]).

mod bounds;
mod choice;
mod coding;
mod error;
mod extension;
mod given;
mod layout;
mod microphone;
mod place;
mod profile;
mod reading;
mod section;
#[cfg(test)]
mod tests;
mod transport;
mod whole;

use rtc::{peer_connection::sdp::RTCSessionDescription, shared::error::Error};

use choice::{Choice, Held};
use coding::{distinct, sendable};
use reading::Reading;
use section::Section;
use transport::Transport;

pub(super) use choice::Role;
pub(super) use coding::Coding;
pub(super) use error::DescriptionError;
pub(super) use given::Agreed;
pub(super) use layout::Layout;
pub(super) use microphone::Microphone;
pub(super) use transport::Setup;

/// What a viewer wants, and how it is reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// The DTLS certificate's, which tells one connection of a viewer from its next.
    pub(super) fingerprint: String,
    /// The ICE user name fragment: another one means an ICE restart.
    pub(super) fragment: String,
    pub(super) setup: Setup,
    pub(super) video: Video,
    /// Whether a picture may be sent now: a section that is inactive for a while stays.
    pub(super) shows: bool,
    /// A payload type that no section uses.
    pub(super) free_payload_type: u8,
    /// The codecs in the section for sound, each once: what keeps it acceptable.
    pub(super) audio: Vec<Coding>,
    /// The viewer's microphone, where it has one that may be heard, and in which section.
    pub(super) microphone: Option<(Role, Microphone)>,
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

/// An offer of the viewer, read.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) described: Description,
    reading: Reading,
    choice: Choice,
}

impl Offer {
    /// Reads an offer, as one that begins a session.
    ///
    /// # Errors
    /// It can't be read, nothing can be made of it, or it is larger than anybody needs.
    pub(super) fn read(sdp: String) -> Result<Self, DescriptionError> {
        let reading = Reading::read(&sdp)?;
        let choice = Choice::of(&reading, &Held::default())?;
        let transport = Transport::read(&reading, &choice)?;
        Ok(Self {
            described: Description::of(&reading, &choice, transport),
            reading,
            choice,
        })
    }

    /// Takes it into a session, whose sections it keeps where it still has them. Returns what the core is to be given.
    ///
    /// # Errors
    /// It can't go on from where the session is.
    pub(super) fn given(&mut self, layout: &mut Layout) -> Result<RTCSessionDescription, DescriptionError> {
        let Self {
            described,
            reading,
            choice,
        } = self;
        *choice = Choice::of(reading, &layout.held())?;
        let transport = Transport::read(reading, choice)?;
        let given = layout.take(reading, choice, &transport)?;
        *described = Description::of(reading, choice, transport);
        RTCSessionDescription::offer(given).map_err(syntax)
    }

    /// The candidate lines for the transport that we take, without `a=`.
    pub(super) fn candidates(&self) -> Vec<String> {
        self.reading
            .candidates(&self.choice.bundled, &self.described.fragment)
    }
}

/// The viewer's answer to an offer of ours, read.
#[derive(Debug)]
pub(super) struct Answer {
    reading: Reading,
}

/// What is agreed on by an answer.
#[derive(Debug)]
pub(super) struct Settled {
    /// Whether a picture may be sent.
    pub(super) shows: bool,
    /// What the core is to be given.
    pub(super) description: RTCSessionDescription,
    /// The candidate lines, without `a=`.
    pub(super) candidates: Vec<String>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// It can't be read, or is larger than anybody needs.
    pub(super) fn read(sdp: String) -> Result<Self, DescriptionError> {
        let reading = Reading::read(&sdp)?;
        Ok(Self { reading })
    }

    /// Settles the sections of a session, which has offered.
    ///
    /// # Errors
    /// It does not fit the offer, or has no picture in it.
    pub(super) fn settle(self, layout: &mut Layout) -> Result<Settled, DescriptionError> {
        let Self { reading } = self;
        let choice = layout.answered(&reading)?;
        let transport = Transport::read(&reading, &choice)?;
        let given = layout.settle(&reading, &choice, &transport)?;
        Ok(Settled {
            description: RTCSessionDescription::answer(given).map_err(syntax)?,
            candidates: reading.candidates(&choice.bundled, &transport.fragment),
            shows: Description::of(&reading, &choice, transport).shows,
        })
    }
}

impl Description {
    fn of(reading: &Reading, choice: &Choice, transport: Transport) -> Self {
        let section = |role| choice.section(role).map(|number| &reading.sections[number]);
        let taken: Vec<&str> = reading
            .sections
            .iter()
            .flat_map(|section| &section.line.formats)
            .map(String::as_str)
            .collect();
        let is_free = |number: &u8| !taken.contains(&number.to_string().as_str());
        let picture = choice.picture.map(|number| &reading.sections[number]);
        let microphone = [Role::Voice, Role::Sound]
            .into_iter()
            .find_map(|role| Some((role, Microphone::offered(section(role)?)?)));
        let sound = section(Role::Sound);
        Self {
            fingerprint: transport.fingerprint,
            fragment: transport.fragment,
            setup: transport.setup,
            video: match picture {
                Some(section) => Video::Wanted(sendable(&section.codings)),
                None if choice.has_place => Video::Wanted(Vec::new()),
                None => Video::Absent,
            },
            shows: picture.is_some_and(|section| section.receives),
            // RFC 3551, section 6: the dynamic range.
            free_payload_type: (96..=127).find(is_free).unwrap_or(127),
            audio: sound
                .map(|section| distinct(&section.codings))
                .unwrap_or_default(),
            microphone,
            sound: sound.and_then(Sound::of),
        }
    }
}

impl Sound {
    fn of(section: &Section) -> Option<Self> {
        let mut codings = section.codings.clone();
        codings.retain(|coding| coding.sound().is_some());
        let mut codings = distinct(&codings);
        // The order of the codecs is that of our preference.
        codings.sort_by_key(Coding::sound);
        (!codings.is_empty()).then_some(Self {
            codings,
            wanted: section.receives,
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
