//! One section of a session, as its last description had it.

use super::{
    choice::{Part, Role},
    coding::Coding,
    extension::Congestion,
    given::Agreed,
    section::{Dialect, Kind, Line, Section},
};
use crate::media::SoundCodec;

/// A section of a session.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) line: Line,
    pub(super) dialect: Dialect,
    pub(super) mid: Option<String>,
    pub(super) part: Part,
    /// Where it is for the picture, the codec in the viewer's words; where it is kept, what is told of its format.
    pub(super) coding: Option<Coding>,
    /// The feedback that the viewer takes there, where it has said so.
    pub(super) feedback: Option<Vec<String>>,
    /// Where it is for the picture, by what lost packets of it are sent again, `None`: as they were; where it is for sound, by what that is sent twice.
    pub(super) repair: Option<Coding>,
    /// How the viewer tells there what its path carries.
    pub(super) congestion: Congestion,
    pub(super) has_mux: bool,
    pub(super) has_reduced_size: bool,
}

impl Place {
    /// A section of the viewer's offer, of which this becomes, where both ends mean this by their numbers.
    pub(super) fn of(agreed: &Agreed, section: &Section, part: Part) -> Self {
        let coding = match part {
            Part::Taken(Role::Picture) => agreed.picture_in(section),
            Part::Kept => section.codings.first().cloned(),
            _ => None,
        };
        let number = coding.as_ref().map(|coding| coding.payload_type);
        let sent = match part {
            Part::Taken(Role::Picture) => number,
            Part::Taken(Role::Sound) => agreed.audio.first().map(|coding| coding.payload_type),
            _ => None,
        };
        let repair = match part {
            Part::Taken(Role::Picture) => number.and_then(|number| section.repair(number)),
            Part::Taken(Role::Sound) if agreed.doubles => agreed
                .audio
                .first()
                .filter(|coding| coding.sound() == Some(SoundCodec::Opus))
                .and_then(|coding| section.redundancy(coding)),
            _ => None,
        };
        let mut line = section.line.clone();
        if let Part::Taken(Role::Sound | Role::Voice) = part {
            line.formats = agreed.numbers_in(section);
        }
        let feedback = number.map(|number| section.feedback(number).map(ToOwned::to_owned).collect());
        Self {
            line,
            dialect: match section.kind {
                Kind::Data(dialect) => dialect,
                _ => Dialect::Standard,
            },
            mid: section.mid.clone(),
            part,
            coding,
            repair,
            feedback,
            congestion: sent.map_or(Congestion::Plain, |number| Congestion::of(section, number)),
            has_mux: section.has("rtcp-mux"),
            has_reduced_size: section.has("rtcp-rsize"),
        }
    }

    /// The section for the picture that we offer.
    pub(super) fn offered(picture: &Coding, mid: String) -> Self {
        Self {
            line: Line {
                kind: "video".to_owned(),
                transport: "UDP/TLS/RTP/SAVPF".to_owned(),
                formats: vec![picture.payload_type.to_string()],
            },
            dialect: Dialect::Standard,
            mid: Some(mid),
            part: Part::Taken(Role::Picture),
            coding: Some(picture.clone()),
            feedback: None,
            repair: None,
            congestion: Congestion::Plain,
            has_mux: true,
            has_reduced_size: true,
        }
    }
}
