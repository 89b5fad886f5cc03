//! The better of two estimates.

use std::time::Instant;

use super::{
    coarse::Coarse,
    estimator::{Estimator, News, Verdict},
    history::Departure,
    wide::Wide,
};

/// By the arrival of each packet, once a viewer has told any; before, and where it never does, by what every viewer reports. A viewer that tells
/// nothing of all that is never found to have a full path.
#[derive(Debug)]
pub(super) struct Either {
    wide: Wide,
    coarse: Coarse,
    is_wide: bool,
}

impl Either {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            wide: Wide::new(now),
            coarse: Coarse::default(),
            is_wide: false,
        }
    }
}

impl Estimator for Either {
    fn sent(&mut self, departure: Departure, now: Instant) {
        self.wide.sent(departure, now);
        if !self.is_wide {
            self.coarse.sent(departure, now);
        }
    }

    fn sent_again(&mut self, number: u64) {
        self.wide.sent_again(number);
    }

    fn hear(&mut self, news: News<'_>, now: Instant) {
        match news {
            News::Arrivals(_) => {
                self.is_wide = true;
                self.wide.hear(news, now);
            }
            News::Reception { .. } | News::Limit(_) => self.coarse.hear(news, now),
        }
    }

    fn verdict(&mut self, now: Instant) -> Verdict {
        if self.is_wide {
            self.wide.verdict(now)
        } else {
            self.coarse.verdict(now)
        }
    }
}
