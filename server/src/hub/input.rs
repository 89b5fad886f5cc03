use std::time::Duration;

use bytes::Bytes;
use pinhole_signaling::{MemberKey, Name, PeerId};

use super::member::BACK;
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
        client: Client,
    },
    /// A member asks for its next event.
    Wait {
        /// The request.
        request: RequestId,
        /// The member.
        id: PeerId,
        /// Who.
        client: Client,
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
        /// Who.
        client: Client,
    },
    /// A member leaves.
    SignOut {
        /// The request.
        request: RequestId,
        /// The member.
        id: PeerId,
        /// Who.
        client: Client,
    },
    /// The answer to this wait has reached the member.
    Delivered {
        /// The wait.
        request: RequestId,
    },
    /// The connection of this wait has closed or is dead, before the answer or before all of the answer had arrived.
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

/// Who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Where it comes from.
    pub source: Source,
    /// What it shows, if it has such.
    pub key: Option<MemberKey>,
}

impl From<Source> for Client {
    /// One without a key.
    fn from(source: Source) -> Client {
        Client { source, key: None }
    }
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
    pub members: Bound,
    /// The most bytes of the entries of all members together.
    pub roster_bytes: usize,
    /// The most messages that wait for one member, in all and, once half of that are there, of one sender's client.
    pub mailbox_messages: Bound,
    /// The most bytes of messages that wait for one member, likewise.
    pub mailbox_bytes: Bound,
    /// How fast one client may sign in.
    pub sign_ins: Pace,
    /// A member without an open wait for this long is dropped.
    pub absent: Duration,
    /// The same for one that has not waited yet.
    pub first_wait: Duration,
    /// Whether a member without a key is only who comes from where it signed in.
    pub is_bound: bool,
}

/// How much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Of all.
    pub all: usize,
    /// Of one client.
    pub each: usize,
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many times at once.
    pub at_once: u32,
    /// And then once in this time.
    pub every: Duration,
}

impl Limits {
    /// What a member takes of the memory: itself, its row on the board, its name in both of them and in the entries, and what
    /// it knows of the others.
    pub fn cost_of_member(&self, name_bytes: usize) -> usize {
        MEMBER + 3 * name_bytes + 2 * self.members.all / 8
    }

    /// No member is dropped for being away for less than this.
    pub fn shortest_absence(&self) -> Duration {
        self.absent.min(self.first_wait).min(BACK)
    }
}

/// A member's structures with those of its requests, places in maps that may be half empty, and what the allocator keeps for
/// itself.
const MEMBER: usize = 1536;
