//! When a session wants to be called.

use std::time::{Duration, Instant};

/// The width of the grid on which the timers of all connected sessions meet. What is due meanwhile, checks of consent and reports, of which there
/// is one a second, can wait for so long: a wake of the process costs more than what is done then.
const WIDTH: Duration = Duration::from_millis(250);
/// After a message nothing waits for the grid for so long: it is to be acknowledged within 200 ms (RFC 9260, section 6.2).
const HURRY: Duration = Duration::from_millis(300);

/// The timer of one session, for the core's timers and for its own.
#[derive(Debug)]
pub(super) struct Timer {
    /// A line of the grid, the same for all sessions.
    origin: Instant,
    /// When the core's timers are to run.
    core: Option<Instant>,
    /// When the session is to be called.
    deadline: Option<Instant>,
    hurries_until: Option<Instant>,
}

impl Timer {
    /// One that is due.
    pub(super) fn new(origin: Instant, now: Instant) -> Self {
        Self {
            origin,
            core: Some(now),
            deadline: Some(now),
            hurries_until: None,
        }
    }

    /// The core is to be called at once.
    pub(super) fn call_at_once(&mut self, now: Instant) {
        (self.core, self.deadline) = (Some(now), Some(now));
    }

    /// A message was sent, or heard.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.hurries_until = Some(now + HURRY);
    }

    /// When the session is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the session is to be called by now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether the core's timers are to run by now.
    pub(super) fn is_core_due(&self, now: Instant) -> bool {
        self.core.is_some_and(|core| core <= now)
    }

    /// Is set for the core's timers and for the session's own: on the grid, unless they are to be `exact`; and for media, which never wait for it.
    pub(super) fn set(
        &mut self,
        core: Option<Instant>,
        own: Option<Instant>,
        media: Option<Instant>,
        exact: bool,
        now: Instant,
    ) {
        self.core = core;
        let hurries = self.hurries_until.is_some_and(|until| now < until);
        let next = [core, own].into_iter().flatten().min();
        let next = if exact || hurries {
            next
        } else {
            next.map(|next| on_the_grid(next, self.origin))
        };
        self.deadline = [next, media].into_iter().flatten().min();
    }

    /// Is never due again.
    pub(super) fn stop(&mut self) {
        (self.core, self.deadline) = (None, None);
    }
}

/// The first line of the grid that is not before `deadline`. One of its lines is `origin`.
fn on_the_grid(deadline: Instant, origin: Instant) -> Instant {
    let since = deadline.saturating_duration_since(origin);
    let lines = since.as_nanos().div_ceil(WIDTH.as_nanos());
    origin + WIDTH * u32::try_from(lines).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn deadlines_meet_on_the_grid_and_none_is_early() {
        let origin = Instant::now();
        let line =
            |milliseconds| (on_the_grid(origin + milliseconds * MILLISECOND, origin) - origin).as_millis();
        for (deadline, expected) in [
            (0, 0),
            (1, 250),
            (249, 250),
            (250, 250),
            (251, 500),
            (86_400_001, 86_400_250),
        ] {
            assert_eq!(line(deadline), expected, "{deadline}");
        }
        let years = origin + Duration::from_secs(86_400 * 3650);
        assert!(on_the_grid(years, origin) >= years);
    }

    #[test]
    fn the_core_is_called_for_its_own_timers_only() {
        let origin = Instant::now();
        let at = |milliseconds| origin + milliseconds * MILLISECOND;
        let mut timer = Timer::new(origin, origin);
        assert!(timer.is_due(origin) && timer.is_core_due(origin));
        timer.set(Some(at(600)), Some(at(10)), None, false, origin);
        assert_eq!(timer.deadline(), Some(at(250)));
        assert!(timer.is_due(at(250)) && !timer.is_core_due(at(250)));
        timer.set(Some(at(600)), Some(at(1010)), None, false, at(250));
        assert!(!timer.is_due(at(749)) && timer.is_due(at(750)) && timer.is_core_due(at(750)));
        timer.set(Some(at(955)), None, None, true, at(750));
        assert_eq!(timer.deadline(), Some(at(955)), "exactly");
        timer.set(Some(at(955)), None, Some(at(753)), false, at(750));
        assert_eq!(timer.deadline(), Some(at(753)), "media");
        timer.stop();
        assert!(!timer.is_due(at(10_000)) && !timer.is_core_due(at(10_000)));
        timer.call_at_once(at(10_000));
        assert!(timer.is_due(at(10_000)) && timer.is_core_due(at(10_000)));
    }

    #[test]
    fn after_a_message_it_hurries_for_a_while() {
        let origin = Instant::now();
        let mut timer = Timer::new(origin, origin);
        timer.hurry(origin);
        timer.set(Some(origin + 201 * MILLISECOND), None, None, false, origin);
        assert_eq!(timer.deadline(), Some(origin + 201 * MILLISECOND));
        let later = origin + HURRY;
        timer.set(Some(later + MILLISECOND), None, None, false, later);
        assert_eq!(timer.deadline(), Some(origin + 2 * WIDTH));
    }
}
