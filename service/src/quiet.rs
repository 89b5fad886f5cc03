//! What is said again and again in the log is said a few times in a minute, with a count of the others.

use std::{
    num::NonZeroU64,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Lines of one kind, whoever causes them: as a rule the `static` beside the place that writes them. Who can cause one at will must
/// not be able to fill the disk, nor to bury what others say.
#[derive(Debug)]
pub struct Quiet {
    most: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the minute began.
    since: Option<Instant>,
    said: u32,
    kept_back: u64,
}

impl Quiet {
    /// At most this many in a minute.
    pub const fn new(most: u32) -> Self {
        let state = State {
            since: None,
            said: 0,
            kept_back: 0,
        };
        Self {
            most,
            state: Mutex::new(state),
        }
    }

    /// Whether to say it this time; then with the number of those that were kept back since the last, where there were any.
    pub fn may_say(&self) -> Option<Option<NonZeroU64>> {
        self.may_say_at(Instant::now())
    }

    fn may_say_at(&self, now: Instant) -> Option<Option<NonZeroU64>> {
        // It is consistent between any two lines.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= MINUTE)
        {
            state.since = Some(now);
            state.said = 0;
        }
        if state.said >= self.most {
            state.kept_back += 1;
            return None;
        }
        state.said += 1;
        Some(NonZeroU64::new(std::mem::take(&mut state.kept_back)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_a_minute_and_a_count() {
        let start = Instant::now();
        let quiet = Quiet::new(5);
        let said: Vec<_> = (0..25_000u64)
            .filter_map(|number| quiet.may_say_at(start + Duration::from_millis(number * 10)))
            .map(|others| others.map_or(0, NonZeroU64::get))
            .collect();
        assert_eq!(said.len(), 5 * 5, "in somewhat more than four minutes");
        let kept_back: u64 = said.iter().sum();
        assert_eq!(kept_back, 4 * 5995, "of the minutes that are over");
        assert_eq!(said[..6], [0, 0, 0, 0, 0, 5995]);
    }

    #[test]
    fn what_is_seldom_is_always_said() {
        let start = Instant::now();
        let quiet = Quiet::new(1);
        assert!((0..100).all(|minute| quiet.may_say_at(start + MINUTE * minute) == Some(None)));
    }
}
