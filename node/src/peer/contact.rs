use pinhole_signaling::{Message, PeerId};
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

use crate::{fanout::Broadcast, media::AccessUnit};

/// One of the node's cameras, each of which is a member of its own on the server. Never used again for another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraId(pub u64);

/// Where a viewer is reached: its id on the server, and the member and the sign-in of ours during which that id was seen. A
/// server that restarts counts ids from 1 again, so an id alone would name somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contact {
    /// Which of our members it is that the viewer knows.
    pub camera: CameraId,
    /// Counts the sign-ins of that member.
    pub sign_in: u64,
    /// The viewer's id.
    pub peer: PeerId,
}

/// What the signaling side tells the engine, and which cameras there are to be called.
#[derive(Debug)]
pub enum Call {
    /// There is a camera more.
    Opened {
        /// It, from now on.
        camera: CameraId,
        /// What its viewers are fed from.
        broadcast: Broadcast<AccessUnit>,
        /// Where what is for them leaves.
        letters: mpsc::Sender<Letter>,
        /// What the log says in front of what happens to them.
        span: Span,
    },
    /// There is a camera less: its viewers are told.
    Closed {
        /// It, until now.
        camera: CameraId,
        /// Told when the last letter is on its way.
        done: oneshot::Sender<()>,
    },
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
