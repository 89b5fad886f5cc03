//! What goes into a session and what comes out of it.

use std::net::SocketAddr;

use bytes::BytesMut;

use super::{channel, error::SessionError};
use crate::{
    media::{Rung, TalkBack},
    peer::{ending::Ending, sdp::Offer, transport::Path},
    voice,
};

/// What happens to a session.
pub(in crate::peer) enum Input<'a> {
    /// A packet of the viewer has come.
    Packet { path: Path, data: &'a [u8] },
    /// Time has passed. Only of use at the deadline and after it.
    Timeout,
    /// Another offer within the session, for example an ICE restart, or sound that is switched on or off.
    Offer(Box<Offer>),
    /// The answer to our offer, in SDP.
    Answer(String),
    /// A candidate line of the viewer.
    Candidate(&'a str),
    /// Our address as the far side of a NAT sees it.
    Reflexive(SocketAddr),
    /// A message for the channel of this number.
    Message { channel: u32, text: String },
    /// Nobody listens to the channel of this number.
    CloseChannel(u32),
    /// Who may be heard from now on.
    TalkBack(TalkBack),
    /// The rendition that it is sent is not made any more.
    RenditionGone,
    /// The session is to end: what is left to send is the goodbye on the media path.
    Close,
}

/// What a session wants done.
pub(in crate::peer) enum Output {
    Transmit(Transmit),
    Event(Event),
}

/// A packet to send. The buffer is the core's own.
pub(in crate::peer) struct Transmit {
    pub(in crate::peer) path: Path,
    pub(in crate::peer) data: BytesMut,
}

/// Where a session's media go.
pub(in crate::peer) trait Out {
    /// Room for a packet of this length, to be written there. All of it is zero. None where nothing may be sent (RFC 7675).
    fn room(&mut self, path: Path, length: usize) -> Option<&mut [u8]>;

    /// A packet that the core has written.
    fn packet(&mut self, packet: Transmit);
}

/// Something that others have to know.
#[derive(Debug)]
pub(in crate::peer) enum Event {
    /// Our answer to an offer, in SDP.
    Answer(String),
    /// An offer of our own, in SDP, where the viewer's had no place for video.
    Offer(String),
    /// An address of ours that no description has.
    Candidate(Candidate),
    /// It can send from now on.
    Connected,
    /// The viewer can't decode anything before a keyframe.
    KeyframeWanted,
    /// Packets of the past are to be sent, by [`Session::again`](super::Session::again): the viewer has missed some, its path is probed, or a picture
    /// is sent bit by bit.
    PacketsWanted,
    /// The pictures of this rung are to come as well, a keyframe first.
    RungWanted(Rung),
    /// Those of this one are not needed any more.
    RungLeft(Rung),
    /// The viewer is not heard any more, and needs nothing until it is back.
    Silent,
    /// It is heard again.
    Back,
    /// The viewer wants no pictures for now.
    Paused,
    /// It wants them again.
    Resumed,
    /// The first picture was sent.
    Watching,
    /// Something happened to the control channel.
    Channel(channel::Event),
    /// A packet of the viewer's voice.
    Voice(voice::Packet),
    /// The viewer's voice comes faster than any voice does: a packet was dropped.
    VoiceRefused,
    /// What the viewer sent does not fit the session, which is over.
    Failed(SessionError),
    /// It is over, and why.
    Ended(Ending),
}

/// A candidate of ours for trickle (RFC 8838).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The `mid` of the section that it is told with; it is for all of them.
    pub mid: String,
    /// The number of that section in the descriptions, counted from 0.
    pub section: u16,
    /// The candidate line, without `a=`.
    pub line: String,
}

/// What the core has not been asked since the last input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToDo {
    /// What it makes of what came in, and all that follows.
    Look,
    /// When it wants to be called next.
    Deadline,
    Nothing,
}
