//! What a [`Session`](super::session::Session) hears, and what it says.

use pinhole_signaling::{Candidate, Description, Member, Message, PeerId};

use super::ending::Ending;

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// We are a member of the server, for the first time or again, with these others.
    SignedIn(Vec<Member>),
    /// The server can't be reached any more.
    ServerGone(String),
    /// The server is heard of again, and has not forgotten us.
    ServerBack,
    /// Somebody came or went.
    Presence(Member),
    /// Somebody said something.
    Message {
        /// Who.
        from: PeerId,
        /// What.
        message: Message,
    },
    /// The server says that the one a message was for is gone.
    Undelivered(PeerId),
    /// What we could not do with the node's description.
    Unusable(String),
    /// The path to the node.
    Path(Path),
    /// A picture was decoded.
    Picture,
    /// Time went by.
    Tick,
}

/// The state of the path to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// It carries media.
    Up,
    /// Nothing comes through at the moment.
    Interrupted,
    /// It was given up.
    Failed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Say goodbye to this peer.
    HangUp(PeerId),
    /// Listen to the server on another connection.
    RenewWait,
    /// Drop any connection, make a new one, and send this peer an offer.
    Offer(PeerId),
    /// Drop any connection, make a new one, and answer this offer.
    AnswerAnew(PeerId, String),
    /// Answer this offer on the connection there is.
    Answer(PeerId, String),
    /// Take the node's answer.
    Accept(Description),
    /// Take the node's candidate.
    Add(Candidate),
    /// Tell the person.
    Tell(String),
    /// Everything is over.
    End(Ending),
}
