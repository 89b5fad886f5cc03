use std::time::Duration;

/// How the node is, as far as its status light tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It has not been signed in yet.
    #[default]
    Starting,
    /// It is, and nobody watches.
    SignedIn,
    /// Somebody watches.
    Live,
    /// There is no picture though somebody watches, or the server is not to be reached.
    Fault,
}

/// On and off in turn, beginning with on, and from the beginning again.
fn pattern(mood: Mood) -> &'static [u64] {
    match mood {
        Mood::Starting => &[125, 125],
        Mood::SignedIn => &[50, 1950],
        Mood::Live => &[],
        Mood::Fault => &[100, 100, 100, 700],
    }
}

/// Whether the status light is on when the node has been so for `elapsed`, and when that changes.
pub(super) fn status(mood: Mood, elapsed: Duration) -> (bool, Option<Duration>) {
    let pattern = pattern(mood).iter().copied().map(Duration::from_millis);
    let period: Duration = pattern.clone().sum();
    if period.is_zero() {
        return (true, None);
    }
    let whole = elapsed.as_nanos() / period.as_nanos();
    let mut left =
        Duration::from_nanos(u64::try_from(elapsed.as_nanos() - whole * period.as_nanos()).unwrap_or(0));
    for (index, part) in pattern.enumerate() {
        if left < part {
            return (index % 2 == 0, Some(part - left));
        }
        left -= part;
    }
    (true, Some(period))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mood_has_a_pattern_of_its_own() {
        for (mood, at, on, next) in [
            (Mood::Starting, 0, true, Some(125)),
            (Mood::Starting, 130, false, Some(120)),
            (Mood::Starting, 250, true, Some(125)),
            (Mood::SignedIn, 49, true, Some(1)),
            (Mood::SignedIn, 50, false, Some(1950)),
            (Mood::SignedIn, 1_000_000_010, true, Some(40)),
            (Mood::Live, 12_345, true, None),
            (Mood::Fault, 0, true, Some(100)),
            (Mood::Fault, 150, false, Some(50)),
            (Mood::Fault, 250, true, Some(50)),
            (Mood::Fault, 350, false, Some(650)),
        ] {
            let next = next.map(Duration::from_millis);
            assert_eq!(
                status(mood, Duration::from_millis(at)),
                (on, next),
                "{mood:?} at {at}"
            );
        }
    }
}
