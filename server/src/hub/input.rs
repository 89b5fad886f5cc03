use std::time::Duration;

use bytes::Bytes;
use pinhole_signaling::{Name, PeerId};

use crate::budget::Source;

/// What happens to a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants to become a member.
    SignIn {
        /// The request.
        request: RequestId,
        /// The name; an empty one becomes `peer_<id>`.
        name: Name,
        /// Who.
        from: Source,
    },
    /// A member asks for its next event.
    Wait {
        /// The request.
        request: RequestId,
        /// The member.
        id: PeerId,
    },
    /// A member sends a message.
    Send {
        /// The request.
        request: RequestId,
        /// The sender.
        from: PeerId,
        /// The receiver; the sender itself gets it as the answer.
        to: PeerId,
        /// What is sent.
        parcel: Parcel,
    },
    /// A member leaves.
    SignOut {
        /// The request.
        request: RequestId,
        /// The member.
        id: PeerId,
    },
    /// The answer to this wait has reached the network.
    Delivered {
        /// The wait.
        request: RequestId,
    },
    /// The connection of this wait has closed, before the answer or before all of the answer was sent.
    Abandoned {
        /// The wait.
        request: RequestId,
    },
    /// Time has passed: [`Hub::next_deadline`] is reached.
    Tick,
    /// Other limits from now on. Who is a member stays one, and what waits already keeps waiting.
    Limit(Limits),
    /// The server stops: every wait is answered, and every later request refused.
    Close,
}

/// What names a request from its input to its answer. Chosen by the caller, never twice the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A message on its way, verbatim. Its bytes hold the memory that is reserved for them ([`crate::budget`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The sender's content type.
    pub content_type: Bytes,
    /// The body.
    pub body: Bytes,
}

impl Parcel {
    /// What it takes besides its bytes, as long as anybody holds it: its place in a queue, which may be half empty, and what
    /// counts the holders of its two parts.
    pub const OVERHEAD: usize = 512;
}

/// What keeps a hub within bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most members at a time.
    pub members: usize,
    /// The most messages that wait for one member.
    pub mailbox_messages: usize,
    /// The most bytes of messages that wait for one member.
    pub mailbox_bytes: usize,
    /// A member without an open wait for this long is dropped.
    pub absent: Duration,
}
