use std::{collections::VecDeque, sync::Arc};

use rtc::peer_connection::RTCPeerConnection;

use super::{channel::Channel, handshake::Handshake, inflow::Inflow, io::Event, media::Media, pace::Pace};
use crate::peer::{report::Stage, rtcp::Feedback};

/// The connection of a session, and what goes over it.
pub(super) struct Link {
    /// What the log calls the viewer.
    pub(super) viewer: String,
    pub(super) connection: RTCPeerConnection,
    pub(super) handshake: Handshake,
    pub(super) media: Media,
    pub(super) channel: Channel,
    /// What the viewer says of what it gets.
    pub(super) feedback: Arc<Feedback>,
    pub(super) stage: Stage,
    /// Of our connectivity checks.
    pub(super) pace: Pace,
    /// What the viewer may send.
    pub(super) inflow: Inflow,
    /// What others have to know.
    pub(super) events: VecDeque<Event>,
}
