use pinhole_signaling::{Message, PeerId};

/// Where a viewer is reached: its id on the server, and the sign-in of ours during which that id was seen. A
/// server that restarts counts ids from 1 again, so an id alone would name somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contact {
    /// Counts our sign-ins.
    pub sign_in: u64,
    /// The viewer's id.
    pub peer: PeerId,
}

/// What the signaling side tells the engine.
#[derive(Debug)]
pub enum Call {
    /// A member is on the server.
    Arrived {
        /// Where to reach it.
        contact: Contact,
        /// What it calls itself.
        name: String,
    },
    /// A member left the server.
    Left {
        /// Where it was reached.
        contact: Contact,
    },
    /// A member sent something.
    Said {
        /// Where to answer.
        contact: Contact,
        /// What it said.
        message: Message,
    },
}

/// What the engine wants delivered.
#[derive(Debug)]
pub struct Letter {
    /// To whom.
    pub to: Contact,
    /// What to say.
    pub message: Message,
}
