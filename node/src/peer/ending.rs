use std::fmt;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The viewer said goodbye.
    HungUp,
    /// The viewer closed the connection itself.
    Closed,
    /// The viewer's member left the server.
    Left,
    /// The same viewer began another session.
    CalledAnew,
    /// Nothing came from the viewer any more.
    Silent,
    /// No way to the viewer was found.
    NoPath,
    /// A way was found, but encryption did not come about on it in time.
    Unfinished,
    /// What the viewer sent did not fit the session.
    Negotiation,
    /// All places were taken while it connected.
    Crowded,
    /// The configuration has this camera no more.
    Removed,
    /// The node stops.
    Stopped,
}

impl Ending {
    /// All of them.
    pub const ALL: [Ending; 11] = [
        Ending::HungUp,
        Ending::Closed,
        Ending::Left,
        Ending::CalledAnew,
        Ending::Silent,
        Ending::NoPath,
        Ending::Unfinished,
        Ending::Negotiation,
        Ending::Crowded,
        Ending::Removed,
        Ending::Stopped,
    ];

    /// One word for machines.
    pub fn label(self) -> &'static str {
        match self {
            Ending::HungUp => "hung_up",
            Ending::Closed => "closed",
            Ending::Left => "left",
            Ending::CalledAnew => "called_anew",
            Ending::Silent => "silent",
            Ending::NoPath => "no_path",
            Ending::Unfinished => "unfinished",
            Ending::Negotiation => "negotiation",
            Ending::Crowded => "crowded",
            Ending::Removed => "removed",
            Ending::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ending::HungUp => "the viewer hung up",
            Ending::Closed => "the viewer closed the connection",
            Ending::Left => "the viewer left the server",
            Ending::CalledAnew => "the viewer calls anew",
            Ending::Silent => "the viewer fell silent",
            Ending::NoPath => "no network path was found",
            Ending::Unfinished => "the connection was not completed in time",
            Ending::Negotiation => "negotiation failed",
            Ending::Crowded => "all places were taken meanwhile",
            Ending::Removed => "the camera was removed from the configuration",
            Ending::Stopped => "the camera stops",
        })
    }
}
