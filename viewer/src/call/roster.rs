//! Who of the members is meant.

use pinhole_signaling::Member;

use crate::printable::printable;

/// What a name that a person typed comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Match<'a> {
    /// This member.
    One(&'a Member),
    /// Nobody.
    Nobody,
    /// The start of several names.
    Several(Vec<&'a Member>),
}

/// Finds the member called `wanted`, or else the only one whose name starts so. Of several with exactly that
/// name the newest is meant: an old entry of a node that came back stays for up to 30 s.
pub fn find<'a>(wanted: &str, members: &'a [Member]) -> Match<'a> {
    let wanted = wanted.as_bytes();
    let exact = members.iter().filter(|member| member.name.as_bytes() == wanted);
    if let Some(member) = exact.max_by_key(|member| member.id) {
        return Match::One(member);
    }
    let mut starting: Vec<&Member> = members
        .iter()
        .filter(|member| member.name.as_bytes().starts_with(wanted))
        .collect();
    starting.sort_by_key(|member| (member.name.as_bytes(), std::cmp::Reverse(member.id)));
    starting.dedup_by_key(|member| member.name.as_bytes());
    match starting[..] {
        [] => Match::Nobody,
        [member] => Match::One(member),
        _ => Match::Several(starting),
    }
}

/// The names of members for a sentence: `"desk", "porch"`, or `nobody`.
pub fn names<'a>(members: impl IntoIterator<Item = &'a Member>) -> String {
    let mut names: Vec<_> = members
        .into_iter()
        .map(|member| format!("\"{}\"", printable(&member.name.to_string())))
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use pinhole_signaling::{Name, PeerId};

    use super::*;

    fn members(names: &[&str]) -> Vec<Member> {
        let member = |(index, name): (usize, &&str)| Member {
            name: Name::from(*name),
            id: PeerId::new(index as u64 + 1).expect("not zero"),
            connected: true,
        };
        names.iter().enumerate().map(member).collect()
    }

    #[test]
    fn an_exact_name_wins_over_longer_ones_and_the_newest_over_older_ones() {
        let members = members(&["porch", "porch-2", "porch"]);
        assert_eq!(find("porch", &members), Match::One(&members[2]));
    }

    #[test]
    fn a_start_must_be_of_one_name_only() {
        let members = members(&["porch", "pond", "desk", "desk"]);
        assert_eq!(
            find("po", &members),
            Match::Several(vec![&members[1], &members[0]])
        );
        assert_eq!(find("pon", &members), Match::One(&members[1]));
        assert_eq!(find("d", &members), Match::One(&members[3]));
        assert_eq!(find("x", &members), Match::Nobody);
    }

    #[test]
    fn names_are_listed_once_in_order() {
        assert_eq!(names(&members(&["b", "a", "b"])), "\"a\", \"b\"");
        assert_eq!(names(&[]), "nobody");
    }
}
