use std::{collections::VecDeque, time::Instant};

use rtc::peer_connection::RTCPeerConnection;

use super::{
    channel::Channel, handshake::Handshake, hello::Hello, inflow::Inflow, io::Event, media::Media,
    numbering::Numbering, outgoing::Outgoing, pace::Pace, probe::Probe, rungs::Rungs, settling::Settling,
    silence::Silence, spread::Spread, stamps::Stamps, watch::Watch,
};
use crate::peer::{
    report::Stage,
    rtcp::{Feedback, Inbox, Reports, ResendLimit},
};

/// The connection of a session, and what goes over it.
pub(super) struct Link {
    /// What the log calls the viewer.
    pub(super) viewer: String,
    pub(super) connection: RTCPeerConnection,
    pub(super) handshake: Handshake,
    pub(super) media: Media,
    pub(super) outgoing: Outgoing,
    /// What its path carries.
    pub(super) numbering: Numbering,
    /// What it is sent, accordingly.
    pub(super) rungs: Rungs,
    /// Whether more could be.
    pub(super) probe: Probe,
    /// What is left of a picture that is more than it carries at once.
    pub(super) spread: Spread,
    pub(super) channel: Channel,
    /// What the viewer wants to see, and how late it does.
    pub(super) watch: Watch,
    /// Where the viewer's reports are read on their way through the core.
    pub(super) inbox: Inbox,
    /// What they came to.
    pub(super) feedback: Feedback,
    /// What we report.
    pub(super) reports: Reports,
    pub(super) resend_limit: ResendLimit,
    /// The packets that are to be sent again, as the viewer numbers them.
    pub(super) missing: Vec<u16>,
    pub(super) stage: Stage,
    /// While a newcomer is sent what was before it came.
    pub(super) catching: Option<Catching>,
    pub(super) hello: Hello,
    /// While a viewer that has just connected is sent nothing yet.
    pub(super) settling: Settling,
    /// Once there was something to send.
    pub(super) begun: Option<Begun>,
    /// Of our connectivity checks.
    pub(super) pace: Pace,
    /// What the viewer may send.
    pub(super) inflow: Inflow,
    /// How long it has sent nothing.
    pub(super) silence: Silence,
    /// What others have to know.
    pub(super) events: VecDeque<Event>,
}

/// How far a newcomer is that is sent what was before it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Catching {
    /// The number of the next packet in the feed's ring.
    pub(super) next: u64,
    pub(super) stamps: Stamps,
}

/// How a viewer's picture has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) first: Instant,
    /// The last time, …
    pub(super) last: Instant,
    /// … and how often.
    pub(super) times: u8,
}
