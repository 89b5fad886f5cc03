use serde::Serialize;

/// Whether the node is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// In one word.
    pub status: Verdict,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

/// How well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything works.
    Ok,
    /// The node runs, but something that it needs from outside is missing: the server, or the camera. It goes on
    /// by itself when that is back; a restart would not help.
    Degraded,
    /// An essential part of the node does not move. Only a restart helps.
    Failing,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 3] = [Verdict::Ok, Verdict::Degraded, Verdict::Failing];

    /// One word for machines.
    pub fn label(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Degraded => "degraded",
            Verdict::Failing => "failing",
        }
    }
}

impl Health {
    /// From what is missing outside, and from what does not move inside.
    pub(super) fn of(missing: Vec<String>, stuck: Vec<String>) -> Self {
        let status = match (stuck.is_empty(), missing.is_empty()) {
            (false, _) => Verdict::Failing,
            (true, false) => Verdict::Degraded,
            (true, true) => Verdict::Ok,
        };
        Self {
            status,
            problems: stuck.into_iter().chain(missing).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_worse_than_what_is_missing() {
        let health = |missing: &[&str], stuck: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
            Health::of(owned(missing), owned(stuck))
        };
        assert_eq!(health(&[], &[]).status, Verdict::Ok);
        assert_eq!(health(&["no camera"], &[]).status, Verdict::Degraded);
        let failing = health(&["no camera"], &["the camera thread is stuck"]);
        assert_eq!(failing.status, Verdict::Failing);
        assert_eq!(failing.problems, ["the camera thread is stuck", "no camera"]);
    }
}
