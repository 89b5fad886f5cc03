use std::fmt;

use super::Edid;

/// How a capture device is to be set before it can have a picture: which of its connectors, and what the source at it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inlet {
    /// The connector; `None` leaves the one that is selected.
    pub input: Option<VideoInput>,
    /// What the source is told of us, where the connector is one for HDMI or the like.
    pub edid: EdidPolicy,
}

/// One of a capture device's inputs (`VIDIOC_S_INPUT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoInput {
    /// By its number, counted from 0.
    Number(u32),
    /// By its name or a part of it, in which upper and lower case are alike.
    Name(String),
}

/// When a device is given an EDID (`VIDIOC_S_EDID`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EdidPolicy {
    /// Ours, where it has none: without one no source sends.
    #[default]
    WhereMissing,
    /// This one, whatever it has.
    Always(Edid),
    /// Never: whoever set it up knows better.
    Never,
}

impl fmt::Display for VideoInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}
