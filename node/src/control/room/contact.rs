use std::time::{Duration, Instant};

/// A contact that bounces: which of its levels count. Without clock or IO.
#[derive(Debug)]
pub(super) struct Contact {
    debounce: Duration,
    /// Closing counts at once, so that what it stops is stopped at once; only opening has to last.
    eager: bool,
    closed: bool,
    /// The other level, and since when it stands.
    candidate: Option<Instant>,
}

impl Contact {
    pub(super) fn new(debounce: Duration, eager: bool) -> Self {
        Self {
            debounce,
            eager,
            closed: false,
            candidate: None,
        }
    }

    /// One that was known before, and was so.
    pub(super) fn known(self, closed: bool) -> Self {
        Self { closed, ..self }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// When its level has to be looked at again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.candidate.map(|since| since + self.debounce)
    }

    /// The level is so now. Tells whether what counts has changed.
    pub(super) fn look(&mut self, closed: bool, now: Instant) -> bool {
        if closed == self.closed {
            self.candidate = None;
            return false;
        }
        let since = *self.candidate.get_or_insert(now);
        let counts = (self.eager && closed) || now.saturating_duration_since(since) >= self.debounce;
        if counts {
            self.closed = closed;
            self.candidate = None;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_level_counts_when_it_has_stood_long_enough() {
        let (mut contact, start) = (Contact::new(30 * MS, false), Instant::now());
        for (at, closed, changed, is) in [
            (0, false, false, false),
            (10, true, false, false),
            (20, false, false, false), // it bounced
            (25, true, false, false),
            (54, true, false, false),
            (55, true, true, true),
            (56, false, false, true),
            (86, false, true, false),
        ] {
            assert_eq!(contact.look(closed, start + at * MS), changed, "at {at} ms");
            assert_eq!(contact.is_closed(), is, "at {at} ms");
        }
    }

    #[test]
    fn an_eager_contact_closes_at_once_and_opens_when_it_rests() {
        let (mut contact, start) = (Contact::new(30 * MS, true), Instant::now());
        assert!(contact.look(true, start));
        assert!(!contact.look(false, start + MS), "it bounces");
        assert_eq!(contact.deadline(), Some(start + 31 * MS));
        assert!(!contact.look(true, start + 2 * MS));
        assert_eq!(contact.deadline(), None);
        assert!(!contact.look(false, start + 40 * MS));
        assert!(contact.look(false, start + 70 * MS));
    }

    #[test]
    fn without_a_debounce_every_look_counts() {
        let (mut contact, now) = (Contact::new(Duration::ZERO, false), Instant::now());
        assert!(contact.look(true, now) && contact.look(false, now));
    }
}
