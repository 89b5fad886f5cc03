//! How much gets lost.

/// It is judged over so many packets at least, and over so many microseconds.
const PACKETS: u32 = 20;
const SPAN: u64 = 200_000;

/// The share of packets that got lost, by spans.
#[derive(Debug, Default)]
pub(super) struct Loss {
    arrived: u32,
    missed: u32,
    began: u64,
    /// Of the last full span.
    share: f64,
    /// Spans in a row in which more was lost than chance does.
    heavy: u32,
}

/// A share of lost packets that a queue which is full anyway explains.
const WITH_QUEUE: f64 = 0.05;
/// A share above which it does not matter whether there is a queue: so much is no chance, but a path without one that is full.
const WITHOUT: f64 = 0.25;
/// A queue as long as this agrees with loss, in microseconds.
const QUEUE: i64 = 50_000;

impl Loss {
    pub(super) fn arrived(&mut self) {
        self.arrived += 1;
    }

    pub(super) fn missed(&mut self) {
        self.missed += 1;
    }

    /// Whether so much is lost that the path must be full, where packets wait for so long (µs). Loss alone says nothing: on a radio link a tenth may
    /// get lost however little is sent.
    pub(super) fn is_full(&mut self, queue: i64, now: u64) -> bool {
        let all = self.arrived + self.missed;
        if all < PACKETS || now < self.began + SPAN {
            return false;
        }
        self.share = f64::from(self.missed) / f64::from(all);
        (self.arrived, self.missed, self.began) = (0, 0, now);
        self.heavy = if self.share > WITHOUT { self.heavy + 1 } else { 0 };
        self.heavy > 1 || (self.share > WITH_QUEUE && queue > QUEUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_full(missed: u32, queue: i64) -> bool {
        let mut loss = Loss::default();
        let spans = (1..=4).map(|span| {
            for number in 0..100 {
                if number < missed {
                    loss.missed();
                } else {
                    loss.arrived();
                }
            }
            loss.is_full(queue, span * SPAN)
        });
        spans.fold(false, |any, one| any | one)
    }

    #[test]
    fn it_counts_only_with_a_queue_or_where_it_is_heavy() {
        assert!(!is_full(10, 0) && !is_full(20, 5000), "chance");
        assert!(is_full(10, 60_000), "the queue is full");
        assert!(is_full(40, 0), "there is no queue");
        assert!(!is_full(3, 60_000));
    }
}
