use std::time::Duration;

/// The pauses between tries, and what was already said. Without clock or IO.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    tries: u32,
    fault: Option<String>,
    news: bool,
}

impl Retry {
    const FIRST: Duration = Duration::from_millis(500);
    /// What passes by itself (a busy device, one that is plugged in again) is tried this often …
    const TRANSIENT: Duration = Duration::from_secs(3);
    /// … and what a person has to mend this often, so that mending it is enough.
    const LASTING: Duration = Duration::from_secs(30);
    /// A picture that has come for so long is back. What fails again sooner is tried ever less often, and said once.
    const HOLDS: Duration = Duration::from_secs(3);

    /// The pause after one more failure.
    pub(crate) fn after(&mut self, is_transient: bool, fault: &str) -> Duration {
        self.news = self.fault.as_deref() != Some(fault);
        self.fault = Some(fault.to_owned());
        let pause = Self::FIRST * 2u32.saturating_pow(self.tries.min(10));
        self.tries += 1;
        pause.min(if is_transient {
            Self::TRANSIENT
        } else {
            Self::LASTING
        })
    }

    /// The last fault, where it is not the one before it.
    pub(crate) fn news(&self) -> Option<&str> {
        self.fault.as_deref().filter(|_| self.news)
    }

    pub(crate) fn is_faulted(&self) -> bool {
        self.fault.is_some()
    }

    /// Something may have changed for the better: try often again.
    pub(crate) fn hurry(&mut self) {
        self.tries = 0;
    }

    /// There has been a picture for `shown`: whether that ends a fault.
    pub(crate) fn is_over(&mut self, shown: Duration) -> bool {
        let is_over = self.is_faulted() && shown >= Self::HOLDS;
        if is_over {
            self.forget();
        }
        is_over
    }

    /// All is well again.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut retry = Retry::default();
        let pauses: Vec<_> = (0..40).map(|_| retry.after(true, "gone")).collect();
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&Retry::TRANSIENT));
    }

    #[test]
    fn a_hurry_shortens_the_pauses_and_is_no_news() {
        let mut retry = Retry::default();
        let first = retry.after(true, "gone");
        retry.after(true, "gone");
        retry.hurry();
        assert_eq!(retry.after(true, "gone"), first);
        assert_eq!(retry.news(), None);
    }

    #[test]
    fn a_picture_that_does_not_hold_ends_no_fault() {
        let mut retry = Retry::default();
        assert!(!retry.is_over(Retry::HOLDS), "there was none");
        let first = retry.after(true, "ended");
        assert!(!retry.is_over(Retry::HOLDS / 2));
        assert!(retry.after(true, "ended") > first);
        assert_eq!(retry.news(), None);
        assert!(retry.is_over(Retry::HOLDS));
        assert!(!retry.is_over(Retry::HOLDS), "it is over already");
        assert_eq!(retry.after(true, "ended"), first);
        assert_eq!(retry.news(), Some("ended"));
    }

    #[test]
    fn a_fault_is_news_once() {
        let mut retry = Retry::default();
        retry.after(true, "gone");
        assert_eq!(retry.news(), Some("gone"));
        retry.after(true, "gone");
        assert_eq!(retry.news(), None);
        retry.after(true, "busy");
        assert_eq!(retry.news(), Some("busy"));
        retry.forget();
        retry.after(true, "busy");
        assert_eq!(retry.news(), Some("busy"));
    }
}
