//! One member as the hub sees it.

use std::time::Instant;

use pinhole_signaling::Name;

use super::mailbox::Mailbox;
use super::{Event, RequestId};

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: Name,
    pub(super) line: Line,
    pub(super) mailbox: Mailbox,
}

/// How a member can be reached at the moment.
#[derive(Debug)]
pub(super) enum Line {
    /// It has no wait open: between two waits, or gone without a word.
    Absent { since: Instant },
    /// This wait of it is open, and there is nothing for it.
    Waiting { request: RequestId },
    /// This wait was answered with this event, and it isn't known yet whether the answer got through.
    Delivering {
        request: RequestId,
        event: Event,
        /// The next wait, should it come this soon.
        standing_by: Option<RequestId>,
    },
}

impl Peer {
    pub(super) fn new(name: Name, mailbox: Mailbox, now: Instant) -> Peer {
        Peer {
            name,
            line: Line::Absent { since: now },
            mailbox,
        }
    }

    pub(super) fn absent_since(&self) -> Option<Instant> {
        match self.line {
            Line::Absent { since } => Some(since),
            Line::Waiting { .. } | Line::Delivering { .. } => None,
        }
    }
}
