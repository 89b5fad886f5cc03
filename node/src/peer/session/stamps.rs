//! Which time stamps pictures have that are sent after their time.

use std::time::Duration;

use crate::media::Timestamp;

/// Pictures that are sent together follow each other in this part of the time in which they were captured.
const PART: u32 = 32;

/// By which time stamps pictures go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps {
    /// Up to this one they are drawn together.
    newest: Option<Timestamp>,
}

impl Stamps {
    /// Pictures are drawn together up to the newest, whose time stamp is its own: a player that took theirs for times would show the
    /// beginning first and stay behind by as much.
    pub(super) fn drawn_together(newest: Timestamp) -> Self {
        Self { newest: Some(newest) }
    }

    /// The time stamp of a picture that was captured then.
    pub(super) fn of(self, captured_at: Timestamp) -> Timestamp {
        let age = self
            .newest
            .map_or(Duration::ZERO, |newest| newest.since(captured_at));
        let newest = self.newest.filter(|_| !age.is_zero());
        newest.map_or(captured_at, |newest| {
            Timestamp::from_monotonic(newest.as_duration().saturating_sub(age / PART))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_end_where_the_newest_is_and_go_on_as_they_were_captured() {
        let at = |milliseconds| Timestamp::from_monotonic(Duration::from_millis(milliseconds));
        let stamps = Stamps::drawn_together(at(5200));
        let all = [2000, 3600, 5200, 5233].map(|captured_at| stamps.of(at(captured_at)));
        assert_eq!(all, [at(5100), at(5150), at(5200), at(5233)]);
        assert_eq!(Stamps::default().of(at(2000)), at(2000));
    }
}
