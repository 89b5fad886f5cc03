//! How a call can end, in words and as an exit code.

use std::fmt;

/// Why a call is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was watched as long as was asked for.
    TimeUp,
    /// The person (or the system) stopped it.
    Stopped,
    /// The node hung up, perhaps saying why.
    HungUp(Option<String>),
    /// The node left the server, and its pictures stopped.
    Left,
    /// The connection to the node broke and did not come back.
    Lost,
    /// No member of that name came.
    NotThere {
        /// What was looked for.
        wanted: String,
        /// Who is there, for a sentence.
        there: String,
    },
    /// Several members' names start so.
    Ambiguous {
        /// What was looked for.
        wanted: String,
        /// The names, for a sentence.
        matching: String,
    },
    /// The node does not want the call, perhaps saying why.
    Refused(Option<String>),
    /// The node did not answer the offer.
    NoAnswer,
    /// The node's answer can't be used.
    BadAnswer(String),
    /// The node is there, but no network path to it was found.
    NoPath,
    /// Connected, but no picture came.
    NoPicture,
    /// The server can't be reached or refuses us.
    NoServer(String),
    /// The recording failed.
    Recording(String),
    /// Something in this program or on this machine failed.
    Fault(String),
}

impl Ending {
    /// The exit code for a call that ended so after `frames` pictures. Zero, where there were any, unless
    /// something failed that was asked for.
    pub fn exit_code(&self, frames: u64) -> u8 {
        match self {
            Ending::Fault(_) => 1,
            Ending::Recording(_) => 9,
            _ if frames > 0 => 0,
            Ending::NoServer(_) => 3,
            Ending::NotThere { .. } | Ending::Ambiguous { .. } => 4,
            Ending::Refused(_) | Ending::HungUp(_) => 5,
            Ending::NoAnswer | Ending::BadAnswer(_) | Ending::Left => 6,
            Ending::NoPath | Ending::Lost => 7,
            Ending::NoPicture | Ending::TimeUp | Ending::Stopped => 8,
        }
    }

    /// A word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Ending::TimeUp => "time-up",
            Ending::Stopped => "stopped",
            Ending::HungUp(_) => "hung-up",
            Ending::Left => "left",
            Ending::Lost => "lost",
            Ending::NotThere { .. } => "not-there",
            Ending::Ambiguous { .. } => "ambiguous",
            Ending::Refused(_) => "refused",
            Ending::NoAnswer => "no-answer",
            Ending::BadAnswer(_) => "bad-answer",
            Ending::NoPath => "no-path",
            Ending::NoPicture => "no-picture",
            Ending::NoServer(_) => "no-server",
            Ending::Recording(_) => "recording-failed",
            Ending::Fault(_) => "fault",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::TimeUp => f.write_str("the time is up"),
            Ending::Stopped => f.write_str("stopped"),
            Ending::HungUp(None) => f.write_str("the node hung up"),
            Ending::HungUp(Some(reason)) => write!(f, "the node hung up: {reason}"),
            Ending::Left => f.write_str("the node left the server"),
            Ending::Lost => f.write_str("the connection to the node broke"),
            Ending::NotThere { wanted, there } => {
                write!(
                    f,
                    "no member called \"{wanted}\" (nor starting so) is signed in; there is: {there}"
                )
            }
            Ending::Ambiguous { wanted, matching } => {
                write!(
                    f,
                    "\"{wanted}\" is the start of several names, write more of it: {matching}"
                )
            }
            Ending::Refused(None) => f.write_str("the node refused the call without giving a reason"),
            Ending::Refused(Some(reason)) => write!(f, "the node refused the call: {reason}"),
            Ending::NoAnswer => f.write_str("the node did not answer the offer; is it a camera node?"),
            Ending::BadAnswer(what) => write!(f, "the node's answer cannot be used: {what}"),
            Ending::NoPath => f.write_str(
                "no network path to the node was found; is UDP blocked between it and this machine? \
                 Across NAT, give a STUN server with --ice-server",
            ),
            Ending::NoPicture => {
                f.write_str("connected to the node, but no picture came; the node's log should say why")
            }
            Ending::NoServer(what) | Ending::Recording(what) | Ending::Fault(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_make_a_success_unless_something_failed() {
        assert_eq!(Ending::TimeUp.exit_code(1), 0);
        assert_eq!(Ending::Left.exit_code(100), 0);
        assert_eq!(Ending::Recording("disk full".into()).exit_code(100), 9);
        assert_eq!(Ending::TimeUp.exit_code(0), 8);
        assert_eq!(Ending::Refused(None).exit_code(0), 5);
    }
}
