use std::time::Duration;

/// The median of the last measurements.
#[derive(Debug, Default)]
pub(super) struct Median {
    last: Vec<Duration>,
    next: usize,
    sorted: Vec<Duration>,
}

/// Ten seconds of one talker.
const WINDOW: usize = 512;

impl Median {
    pub(super) fn add(&mut self, one: Duration) {
        if self.last.len() < WINDOW {
            self.last.push(one);
        } else {
            self.last[self.next] = one;
            self.next = (self.next + 1) % WINDOW;
        }
    }

    /// `None` before the first.
    pub(super) fn get(&mut self) -> Option<Duration> {
        self.sorted.clone_from(&self.last);
        let middle = self.sorted.len() / 2;
        if self.sorted.is_empty() {
            return None;
        }
        Some(*self.sorted.select_nth_unstable(middle).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_middle_of_what_was_last() {
        let mut median = Median::default();
        assert_eq!(median.get(), None);
        for ms in [9, 1, 5] {
            median.add(Duration::from_millis(ms));
        }
        assert_eq!(median.get(), Some(Duration::from_millis(5)));
        for _ in 0..WINDOW {
            median.add(Duration::from_millis(7));
        }
        assert_eq!(median.get(), Some(Duration::from_millis(7)));
        assert_eq!(median.last.len(), WINDOW);
    }
}
