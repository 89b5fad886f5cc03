//! What the core is given of a viewer's description.
//!
//! The core takes descriptions as browsers make them. Others it misreads: without a group it rejects everything, a section without a
//! direction or of an unknown kind it leaves out of its answer, a rejected one it accepts, and one that it can't read in
//! full (a header extension, a number without a codec) it refuses with all the others; it has one meaning for a codec's name in a session, and ends
//! for good what is still for a while. So it is never given what came, but a description of our own that says the same of the sections which we take,
//! in the core's words. What it answers is made whole again by a [`Layout`](super::layout::Layout).

use std::fmt::{self, Write};

use super::{
    choice::Role,
    coding::{Coding, distinct, sendable},
    section::Section,
    transport::Transport,
};

/// A section for the core.
pub(super) struct Given<'a> {
    pub(super) role: Role,
    /// The core's name of it.
    pub(super) mid: &'a str,
    pub(super) section: &'a Section,
}

/// What both ends mean by their payload types: all that the core knows of codecs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Agreed {
    pub(in crate::peer) picture: Coding,
    pub(in crate::peer) audio: Vec<Coding>,
    /// Whether sound may be sent twice. A section in which a viewer is heard takes nothing that we don't understand.
    pub(in crate::peer) doubles: bool,
}

impl Agreed {
    /// Those payload types of an audio section that mean what they always did.
    pub(super) fn audio_in(&self, section: &Section) -> Vec<Coding> {
        let is_offered = |coding: &&Coding| section.codings.iter().any(|other| other.is(coding));
        self.audio.iter().filter(is_offered).cloned().collect()
    }

    /// The same as formats of the section. Another number may be in both, and mean something else in each.
    pub(super) fn numbers_in(&self, section: &Section) -> Vec<String> {
        let codings = self.audio_in(section);
        codings
            .iter()
            .map(|coding| coding.payload_type.to_string())
            .collect()
    }

    /// The viewer's number for our picture's codec.
    pub(super) fn picture_in(&self, section: &Section) -> Option<Coding> {
        let sendable = sendable(&section.codings);
        let same = sendable.iter().find(|coding| coding.is(&self.picture));
        let codec = self.picture.codec();
        let other = || sendable.iter().find(|coding| coding.codec() == codec);
        same.or_else(other).cloned()
    }
}

/// A description for the core, of these sections. Its order is ours, not that of the viewer: a track goes into the first section of its kind.
pub(super) fn given(transport: &Transport, agreed: &Agreed, mut sections: Vec<Given<'_>>) -> String {
    sections.sort_by_key(|given| match given.role {
        Role::Picture => 0,
        Role::Sound => 1,
        Role::Voice => 2,
        Role::Data => 3,
    });
    let mut text = String::new();
    // A string takes everything.
    let _ = write(&mut text, transport, agreed, &sections);
    text
}

fn write(text: &mut String, transport: &Transport, agreed: &Agreed, sections: &[Given<'_>]) -> fmt::Result {
    let Transport {
        fingerprint,
        fragment,
        password,
        setup,
        is_lite,
    } = transport;
    write!(
        text,
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE"
    )?;
    for Given { mid, .. } in sections {
        write!(text, " {mid}")?;
    }
    write!(text, "\r\na=fingerprint:sha-256 {fingerprint}\r\n")?;
    write!(
        text,
        "a=ice-ufrag:{fragment}\r\na=ice-pwd:{password}\r\na=ice-options:trickle\r\n"
    )?;
    if *is_lite {
        text.push_str("a=ice-lite\r\n");
    }
    for Given { role, mid, section } in sections {
        match role {
            Role::Picture => video(text, agreed, section)?,
            Role::Sound | Role::Voice => audio(text, &agreed.audio_in(section), section)?,
            Role::Data => data(text, section)?,
        }
        write!(text, "a=mid:{mid}\r\na=setup:{}\r\n", setup.as_str())?;
    }
    Ok(())
}

fn media(text: &mut String, kind: &str, codings: &[Coding]) -> fmt::Result {
    write!(text, "m={kind} 9 UDP/TLS/RTP/SAVPF")?;
    for coding in codings {
        write!(text, " {}", coding.payload_type)?;
    }
    text.push_str("\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\n");
    let mut attributes = codings.iter().flat_map(Coding::attributes);
    attributes.try_for_each(|attribute| write!(text, "a={attribute}\r\n"))
}

/// The direction is always the same: what is inactive for once the core would end for good. We say the right one in our answer.
fn video(text: &mut String, agreed: &Agreed, section: &Section) -> fmt::Result {
    let ours = &agreed.picture;
    media(text, "video", std::slice::from_ref(ours))?;
    if let Some(theirs) = agreed.picture_in(section) {
        for what in section.feedback(theirs.payload_type) {
            write!(text, "a=rtcp-fb:{} {what}\r\n", ours.payload_type)?;
        }
    }
    text.push_str("a=recvonly\r\n");
    Ok(())
}

fn audio(text: &mut String, codings: &[Coding], section: &Section) -> fmt::Result {
    media(text, "audio", &distinct(codings))?;
    if !section.sends {
        text.push_str("a=recvonly\r\n");
        return Ok(());
    }
    text.push_str("a=sendrecv\r\n");
    // A stream is known by the number that is told of it. The core takes nothing of one without, and no description either.
    let is_number = |value: &str| {
        value
            .split(' ')
            .next()
            .is_some_and(|word| word.parse::<u32>().is_ok())
    };
    if section.values("ssrc").any(is_number) {
        for key in ["msid", "ssrc-group", "ssrc"] {
            for value in section.values(key) {
                write!(text, "a={key}:{value}\r\n")?;
            }
        }
    }
    Ok(())
}

fn data(text: &mut String, section: &Section) -> fmt::Result {
    text.push_str("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n");
    if let Some(port) = section.sctp_port() {
        write!(text, "a=sctp-port:{port}\r\n")?;
    }
    if let Some(size) = section.values("max-message-size").next() {
        write!(text, "a=max-message-size:{size}\r\n")?;
    }
    Ok(())
}
