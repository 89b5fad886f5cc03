//! One grid for the timers of all sessions that are connected.

use std::time::{Duration, Instant};

/// Its width. What is due meanwhile, checks of consent and reports, of which there is one a second, can wait for so long: a wake of the
/// process costs more than what is done then.
const WIDTH: Duration = Duration::from_millis(250);

/// The first line of the grid that is not before `deadline`. One of its lines is `origin`.
pub(super) fn after(deadline: Instant, origin: Instant) -> Instant {
    let since = deadline.saturating_duration_since(origin);
    let lines = since.as_nanos().div_ceil(WIDTH.as_nanos());
    origin + WIDTH * u32::try_from(lines).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_meet_on_the_grid_and_none_is_early() {
        let origin = Instant::now();
        let after =
            |milliseconds| (after(origin + Duration::from_millis(milliseconds), origin) - origin).as_millis();
        for (deadline, line) in [
            (0, 0),
            (1, 250),
            (249, 250),
            (250, 250),
            (251, 500),
            (86_400_001, 86_400_250),
        ] {
            assert_eq!(after(deadline), line, "{deadline}");
        }
        let years = origin + Duration::from_secs(86_400 * 3650);
        assert!(super::after(years, origin) >= years);
    }
}
