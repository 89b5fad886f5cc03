//! The header extension that numbers packets for congestion control (RFC 8285; draft-holmer-rmcat-transport-wide-cc-extensions-01).

use super::section::Section;

const URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// The feedback that belongs to it.
const FEEDBACK: &str = "transport-cc";
/// The viewer's own estimate, for who has no other feedback (draft-alvestrand-rmcat-remb-03).
const ESTIMATE: &str = "goog-remb";

/// How the viewer tells what its path carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Congestion {
    /// By the arrival of each packet.
    Numbered {
        /// Of the extension, as the viewer has it: 1 to 14 (RFC 8285, section 4.2).
        id: u8,
        /// What our answer says of it.
        map: String,
        /// The payload types for which it reports.
        types: Vec<u8>,
    },
    /// By its estimate, for this payload type.
    Estimated(u8),
    /// By what every viewer reports.
    #[default]
    Plain,
}

impl Congestion {
    /// What can be agreed on with a section in which we send by this payload type.
    pub(super) fn of(section: &Section, payload_type: u8) -> Self {
        let reports = |number: u8, what: &str| section.feedback(number).any(|offered| offered == what);
        let numbers = section.codings.iter().map(|coding| coding.payload_type);
        let types: Vec<_> = numbers.filter(|number| reports(*number, FEEDBACK)).collect();
        let extension = section.values("extmap").find_map(extension);
        match extension.filter(|_| types.contains(&payload_type)) {
            Some((id, map)) => Self::Numbered { id, map, types },
            None if reports(payload_type, ESTIMATE) => Self::Estimated(payload_type),
            None => Self::Plain,
        }
    }

    /// The number of the extension, where packets have one.
    pub(super) fn id(&self) -> Option<u8> {
        match self {
            Self::Numbered { id, .. } => Some(*id),
            Self::Estimated(_) | Self::Plain => None,
        }
    }

    /// What our answer says of it, where the section is answered with these formats: keys and values.
    pub(super) fn attributes(&self, formats: &[String]) -> Vec<(&'static str, String)> {
        let feedback = |number: &u8, what: &str| {
            let is_there = formats.iter().any(|format| *format == number.to_string());
            is_there.then(|| ("rtcp-fb", format!("{number} {what}")))
        };
        match self {
            Self::Numbered { map, types, .. } => types
                .iter()
                .filter_map(|number| feedback(number, FEEDBACK))
                .chain([("extmap", map.clone())])
                .collect(),
            Self::Estimated(number) => feedback(number, ESTIMATE).into_iter().collect(),
            Self::Plain => Vec::new(),
        }
    }
}

/// The number of the extension, and our word on it, where an `extmap` is of this one and lets us send it.
fn extension(value: &str) -> Option<(u8, String)> {
    let mut words = value.split_whitespace();
    let (number, uri) = (words.next()?, words.next()?);
    if uri != URI {
        return None;
    }
    let (id, direction) = number
        .split_once('/')
        .map_or((number, None), |(id, direction)| (id, Some(direction)));
    // Others need a header of another kind (RFC 8285, section 4.3), and 15 means none.
    let id = id.parse().ok().filter(|id| (1..=14).contains(id))?;
    let map = match direction {
        None | Some("sendrecv") => format!("{number} {URI}"),
        Some("recvonly") => format!("{id}/sendonly {URI}"),
        Some(_) => return None,
    };
    Some((id, map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_with_the_viewers_number_where_the_viewer_would_read_it() {
        let taken = |number: &str| extension(&format!("{number} {URI}"));
        let answer = |number: &str| format!("{number} {URI}");
        assert_eq!(taken("3"), Some((3, answer("3"))));
        assert_eq!(taken("14/sendrecv"), Some((14, answer("14/sendrecv"))));
        assert_eq!(taken("5/recvonly"), Some((5, answer("5/sendonly"))));
        for refused in ["0", "15", "16", "256", "x", "3/sendonly", "3/inactive", ""] {
            assert_eq!(taken(refused), None, "{refused}");
        }
        assert_eq!(extension("3 urn:ietf:params:rtp-hdrext:sdes:mid"), None);
    }
}
