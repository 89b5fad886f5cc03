//! The numbers that all packets of a session have in common, and what follows from the viewer's word on them.

use std::time::Instant;

use super::rtp::Rtp;
use crate::peer::congestion::{self, Departure, Estimator, News, Verdict};

/// Numbers packets in the order in which they leave, whatever they are of, and finds out what their path carries.
pub(super) struct Numbering {
    next: u64,
    estimator: Box<dyn Estimator>,
}

impl Numbering {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: 0,
            estimator: congestion::begin(now),
        }
    }

    /// The number of the next packet, which is of this stream, where its packets have such numbers.
    pub(super) fn next(&mut self, rtp: &Rtp) -> Option<u64> {
        rtp.is_numbered().then(|| {
            let number = self.next;
            self.next += 1;
            number
        })
    }

    /// A packet has left for the first time.
    pub(super) fn sent(&mut self, departure: Departure, now: Instant) {
        self.estimator.sent(departure, now);
    }

    /// A packet leaves again, as it was, its number included: another one would make another packet of it, for the same nonce.
    pub(super) fn again(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.estimator.sent_again(number);
        }
    }

    /// The viewer has said something of what it gets.
    pub(super) fn hear(&mut self, news: News<'_>, now: Instant) {
        self.estimator.hear(news, now);
    }

    /// Nothing is known of the path any more.
    pub(super) fn forget(&mut self, now: Instant) {
        self.estimator = congestion::begin(now);
    }

    /// What is known of the path.
    pub(super) fn verdict(&mut self, now: Instant) -> Verdict {
        self.estimator.verdict(now)
    }
}
