use std::fmt;

use super::{ending::Ending, session::Candidate};

/// The way back to whoever calls. It comes with each offer; the newest of a session is the one that is told.
///
/// Dropped without a last word, [`Reply::Refused`] or [`Reply::Ended`], where another offer of the same call took its place, or
/// where the camera has been removed before it was called.
pub trait Caller: Send {
    /// Tells who calls. Called by the engine: this must neither block nor grow.
    fn tell(&mut self, reply: Reply);
}

/// What the engine has to say to a caller.
#[derive(Debug)]
pub enum Reply {
    /// Our answer to its offer, in SDP.
    Answer(String),
    /// An offer of our own, in SDP, for one whose offer had no place for video.
    Offer(String),
    /// An address of ours that no description has.
    Candidate(Candidate),
    /// Its offer is not taken.
    Refused(Refused),
    /// Its session is over.
    Ended(Ending),
}

/// Why an offer is not taken. Displayed as a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There are this many places, and all are taken.
    Busy(usize),
    /// Too many call at once.
    Flooded,
    /// It can't be read, or nothing can be made of it. A session that there is goes on.
    Offer(String),
    /// It, or the answer to ours, does not fit the session, which is over.
    Negotiation(String),
    /// It wants to do without encryption.
    Loopback,
}

impl Refused {
    pub(super) fn offer(error: &impl fmt::Display) -> Self {
        Refused::Offer(quoted(error))
    }

    pub(super) fn negotiation(error: &impl fmt::Display) -> Self {
        Refused::Negotiation(quoted(error))
    }

    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Busy(_) | Refused::Flooded => "busy",
            Refused::Offer(_) => "offer",
            Refused::Negotiation(_) => "negotiation",
            Refused::Loopback => "loopback",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Busy(places) => {
                write!(
                    f,
                    "all {places} places here are taken (max_viewers); try again later"
                )
            }
            Refused::Flooded => f.write_str("too many call at once; try again in a moment"),
            Refused::Offer(reason) | Refused::Negotiation(reason) => f.write_str(reason),
            Refused::Loopback => f.write_str("loopback calls are not supported: they are not encrypted"),
        }
    }
}

/// An error as text for a log and for the viewer: parsers quote what they could not read, and that may be long
/// and hold anything.
fn quoted(error: &impl fmt::Display) -> String {
    const MOST: usize = 300;
    let text = error.to_string();
    // Apostrophes and quotation marks stand in our own words as well, and do no harm.
    let words = text.split_inclusive(['\'', '"']).flat_map(|part| {
        let (part, mark) = match part.strip_suffix(['\'', '"']) {
            Some(rest) => (rest, part.chars().next_back()),
            None => (part, None),
        };
        part.escape_debug().chain(mark)
    });
    let text: String = words.take(MOST + 1).collect();
    if text.chars().count() > MOST {
        text.chars().take(MOST).chain(['…']).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::sdp::DescriptionError;

    #[test]
    fn what_could_not_be_read_is_quoted_harmlessly() {
        let quoted = |text: &str| Refused::offer(&DescriptionError::Syntax(text.to_owned())).to_string();
        assert!(quoted("\0\u{1b}[2J").ends_with("\\0\\u{1b}[2J"));
        assert!(quoted(&"x".repeat(1_000_000)).len() < 400);
    }
}
