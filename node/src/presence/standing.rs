use std::time::Instant;

use super::Settings;

/// How the node stands with its server.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The server's address.
    pub server: String,
    /// The name that the node signs in with.
    pub name: String,
    /// Whether it is signed in.
    pub state: State,
    /// When that became so.
    pub since: Instant,
    /// Sign-ins that succeeded, since the start.
    pub sign_ins: u64,
}

/// Whether the node is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is on its way for the first time.
    SigningIn,
    /// It is a member of the server.
    SignedIn {
        /// Its id there.
        id: String,
    },
    /// It is not, and tries on.
    Away {
        /// What failed last, in words.
        why: String,
    },
    /// It has signed out, because the node stops.
    SignedOut,
}

impl Standing {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            server: settings.server.to_string(),
            name: settings.name.to_string(),
            state: State::SigningIn,
            since: Instant::now(),
            sign_ins: 0,
        }
    }

    /// From now on this server and name are meant. Returns whether they are others than before.
    pub(super) fn aims_at(&mut self, settings: &Settings, now: Instant) -> bool {
        let (server, name) = (settings.server.to_string(), settings.name.to_string());
        if self.server == server && self.name == name {
            return false;
        }
        *self = Self {
            server,
            name,
            state: State::SigningIn,
            since: now,
            sign_ins: self.sign_ins,
        };
        true
    }

    /// It is so from now on. Returns whether that is news; being away for another reason is, but the time away
    /// counts on.
    pub(super) fn becomes(&mut self, state: State, now: Instant) -> bool {
        if self.state == state && !matches!(state, State::SignedIn { .. }) {
            return false;
        }
        let stays_away = matches!((&self.state, &state), (State::Away { .. }, State::Away { .. }));
        if !stays_away {
            self.since = now;
        }
        if matches!(state, State::SignedIn { .. }) {
            self.sign_ins += 1;
        }
        self.state = state;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settings(name: &str) -> Settings {
        Settings {
            server: "http://192.0.2.1".parse().expect("an address"),
            token: None,
            name: name.into(),
        }
    }

    fn away(why: &str) -> State {
        State::Away { why: why.to_owned() }
    }

    fn signed_in(id: &str) -> State {
        State::SignedIn { id: id.to_owned() }
    }

    #[test]
    fn the_time_away_begins_with_the_first_failure() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut standing = Standing::new(&settings("porch"));
        assert!(standing.becomes(away("refused"), at(1)));
        assert!(!standing.becomes(away("refused"), at(2)), "said already");
        assert!(standing.becomes(away("no route"), at(3)));
        assert_eq!(standing.since, at(1));
        assert!(standing.becomes(signed_in("1"), at(4)));
        assert_eq!((standing.since, standing.sign_ins), (at(4), 1));
        assert!(standing.becomes(away("refused"), at(5)));
        assert_eq!(standing.since, at(5));
    }

    #[test]
    fn the_same_id_on_a_server_that_restarted_is_another_sign_in() {
        let mut standing = Standing::new(&settings("porch"));
        assert!(standing.becomes(signed_in("1"), Instant::now()));
        assert!(standing.becomes(signed_in("1"), Instant::now()));
        assert_eq!(standing.sign_ins, 2);
    }

    #[test]
    fn another_name_begins_anew_and_the_count_goes_on() {
        let mut standing = Standing::new(&settings("porch"));
        standing.becomes(signed_in("1"), Instant::now());
        assert!(!standing.aims_at(&settings("porch"), Instant::now()));
        assert!(standing.aims_at(&settings("veranda"), Instant::now()));
        assert_eq!(
            (standing.name.as_str(), &standing.state, standing.sign_ins),
            ("veranda", &State::SigningIn, 1)
        );
    }
}
