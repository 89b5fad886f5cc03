use bytes::Bytes;
use pinhole_signaling::{Name, PeerId};

use super::{Parcel, RequestId};
use crate::budget::Spent;

/// What a hub wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Answer a request.
    Answer {
        /// The request.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// For the log: a member came.
    Came {
        /// Its id.
        id: PeerId,
        /// Its name.
        name: Name,
    },
    /// For the log: a member went.
    Went {
        /// Its id.
        id: PeerId,
        /// Its name.
        name: Name,
        /// Why.
        why: Why,
    },
}

/// Why a member went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It signed out.
    SignedOut,
    /// It had no wait open for too long.
    Absent,
    /// It has signed in anew.
    Replaced,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A member now.
    SignedIn {
        /// The new member's id.
        id: PeerId,
        /// The own entry first, then every other member's.
        roster: Bytes,
    },
    /// The next event. To be followed by [`Input::Delivered`] or [`Input::Abandoned`].
    Event(Event),
    /// The message is in the receiver's mailbox.
    Sent,
    /// The message was to the sender itself: here it is.
    Echo(Parcel),
    /// A member no more.
    SignedOut,
    /// No.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The member, or the one that a message is for, is not (or no longer) there.
    Gone,
    /// The same member has sent a newer wait.
    Superseded,
    /// There are as many members as there may be.
    ServerFull,
    /// There are as many members of one client as there may be.
    ClientFull,
    /// The client has signed in too often.
    TooFast,
    /// As many messages wait for the receiver as may.
    MailboxFull,
    /// As much memory is held for all members together as may be.
    MemoryFull,
    /// As much memory is held for one client as may be.
    ShareFull,
    /// The server stops.
    Closing,
}

/// What a wait is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member came or went; the entry with its line end.
    Presence(Bytes),
    /// A message from a member.
    Message {
        /// Who sent it.
        from: PeerId,
        /// What was sent.
        parcel: Parcel,
    },
}

impl From<Spent> for Refusal {
    fn from(spent: Spent) -> Refusal {
        match spent {
            Spent::Whole => Refusal::MemoryFull,
            Spent::Share => Refusal::ShareFull,
        }
    }
}
