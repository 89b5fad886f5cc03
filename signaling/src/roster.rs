//! Entries: one line per member, `name,id,connected`.
//!
//! The body of a sign-in's answer is a roster (the own entry first); the body of a presence event is one entry.

use crate::name::Name;
use crate::peer::{PeerId, PeerIdError};

/// One entry of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What the member calls itself.
    pub name: Name,
    /// The id by which messages reach it.
    pub id: PeerId,
    /// Whether it is there (`1`) or has gone (`0`).
    pub connected: bool,
}

/// Why a line is not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// There are fewer than the two commas of `name,id,connected`.
    #[error("an entry needs name, id and connected, with commas between them; got {0:?}")]
    TooFewFields(String),
    /// The second field is not an id.
    #[error("the id of an entry is wrong: {0}")]
    Id(#[from] PeerIdError),
    /// The third field is neither `0` nor `1`.
    #[error("\"connected\" of an entry is 0 or 1; got {0:?}")]
    Connected(String),
}

impl Member {
    /// Reads one entry, with or without its line end.
    ///
    /// The fields are taken from the right: a server that leaves commas or line ends in a name is understood, and
    /// the name is mended and cut as [`Name::new`] does.
    pub fn parse(entry: &[u8]) -> Result<Member, EntryError> {
        let entry = entry.strip_suffix(b"\n").unwrap_or(entry);
        let entry = entry.strip_suffix(b"\r").unwrap_or(entry);
        let mut fields = entry.rsplitn(3, |&byte| byte == b',');
        let (Some(connected), Some(id), Some(name)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(EntryError::TooFewFields(excerpt(entry)));
        };
        let connected = match connected {
            b"1" => true,
            b"0" => false,
            _ => return Err(EntryError::Connected(excerpt(connected))),
        };
        Ok(Member {
            name: Name::new(name),
            id: PeerId::parse(id)?,
            connected,
        })
    }

    /// Appends the entry with its line end.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(format!(",{},{}\n", self.id, u8::from(self.connected)).as_bytes());
    }

    /// The entry with its line end.
    pub fn to_entry(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.name.as_bytes().len() + 24);
        self.write(&mut out);
        out
    }
}

/// Reads many entries, one per line; empty lines are passed over.
///
/// Each line has its own result: a server that lets one member's name break a line must not keep everybody else
/// from being seen.
pub fn parse(roster: &[u8]) -> impl Iterator<Item = Result<Member, EntryError>> {
    roster
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty() && *line != b"\r")
        .map(Member::parse)
}

/// Writes many entries, one per line.
pub fn write<'a>(members: impl IntoIterator<Item = &'a Member>) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        member.write(&mut out);
    }
    out
}

/// The start of what was sent, for an error that stays short.
fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, id: u64, connected: bool) -> Member {
        Member {
            name: name.into(),
            id: PeerId::new(id).unwrap(),
            connected,
        }
    }

    #[test]
    fn a_recorded_roster_reads_and_writes_the_same() {
        let recorded = b"bob_x,2,1\nalice@host,1,1\n";
        let members: Vec<Member> = parse(recorded).collect::<Result<_, _>>().unwrap();
        assert_eq!(members, [member("bob_x", 2, true), member("alice@host", 1, true)]);
        assert_eq!(write(&members), recorded);
    }

    #[test]
    fn one_entry_reads_with_and_without_its_line_end() {
        for entry in ["a,1,0", "a,1,0\n", "a,1,0\r\n"] {
            assert_eq!(Member::parse(entry.as_bytes()), Ok(member("a", 1, false)));
        }
    }

    #[test]
    fn a_name_with_commas_or_line_ends_is_understood() {
        assert_eq!(Member::parse(b"a,b,7,1\n"), Ok(member("a_b", 7, true)));
        assert_eq!(Member::parse(b"a\nb,7,1\n"), Ok(member("a_b", 7, true)));
    }

    #[test]
    fn a_broken_line_does_not_hide_the_others() {
        let read: Vec<_> = parse(b"torn\nname,1,1\n\nb,2,1").collect();
        assert!(matches!(read[0], Err(EntryError::TooFewFields(_))));
        assert_eq!(read[1], Ok(member("name", 1, true)));
        assert_eq!(read[2], Ok(member("b", 2, true)));
        assert_eq!(read.len(), 3);
    }

    #[test]
    fn an_error_names_the_field() {
        for (entry, says) in [
            ("", "name, id and connected"),
            ("a,1", "name, id and connected"),
            ("a,x,1", "the id of an entry"),
            ("a,1,2", "\"connected\""),
            ("a,1,", "\"connected\""),
        ] {
            let error = Member::parse(entry.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{entry:?}: {error}");
        }
    }
}
