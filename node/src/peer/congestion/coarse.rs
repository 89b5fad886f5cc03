//! An estimate by what every viewer reports: loss and round trip, and by its own estimate, where it sends one.

use std::time::{Duration, Instant};

use super::{
    estimator::{Estimator, News, Verdict},
    history::Departure,
};
use crate::media::Bitrate;

/// The shortest round trip is that of the last one or two spans of this.
const SPAN: Duration = Duration::from_secs(10);
/// A round trip that is longer than the shortest by so much agrees with loss.
const QUEUE: Duration = Duration::from_millis(80);
/// Shares of lost packets: with such a round trip, and without.
const WITH_QUEUE: f64 = 0.05;
const WITHOUT: f64 = 0.25;
/// Without loss, a queue as long as this says that the path is full.
const STANDS: Duration = Duration::from_millis(400);
/// What is left after a report of a full path, and what each other report adds.
const DECREASE: f64 = 0.8;
const GROWTH: f64 = 1.05;
const CAP: f64 = 1.5;
const FLOOR: f64 = 50_000.0;
/// A viewer's own estimate counts for so long.
const LIMIT_HOLDS: Duration = Duration::from_secs(5);
/// Over which what is sent is measured.
const MEASURED: Duration = Duration::from_millis(500);

/// Of one viewer.
#[derive(Debug, Default)]
pub(super) struct Coarse {
    estimate: Option<f64>,
    limit: Option<(u64, Instant)>,
    shortest: Option<(Duration, Duration)>,
    span_began: Option<Instant>,
    is_full: bool,
    /// Reports in a row that tell of heavy loss, or of a long queue: one may be of a hole that is over, or of a machine that stood still.
    heavy: u32,
    sent: Measure,
}

/// What is sent, in bits a second.
#[derive(Debug, Default)]
struct Measure {
    began: Option<Instant>,
    bytes: u64,
    rate: Option<f64>,
}

impl Measure {
    fn add(&mut self, bytes: usize, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let passed = now.saturating_duration_since(began);
        if passed >= MEASURED {
            self.rate = Some(self.bytes as f64 * 8.0 / passed.as_secs_f64());
            (self.began, self.bytes) = (Some(now), 0);
        }
        self.bytes += bytes as u64;
    }
}

impl Coarse {
    /// How much longer than the shortest the round trip is.
    fn queue(&mut self, round_trip: Option<Duration>, now: Instant) -> Duration {
        let Some(round_trip) = round_trip else {
            return Duration::ZERO;
        };
        let began = *self.span_began.get_or_insert(now);
        let (this, before) = match self.shortest {
            None => (round_trip, round_trip),
            Some((this, _)) if now.saturating_duration_since(began) > SPAN => {
                self.span_began = Some(now);
                (round_trip, this)
            }
            Some((this, before)) => (this.min(round_trip), before),
        };
        self.shortest = Some((this, before));
        round_trip.saturating_sub(this.min(before))
    }
}

impl Estimator for Coarse {
    fn sent(&mut self, departure: Departure, now: Instant) {
        self.sent.add(departure.bytes, now);
    }

    fn sent_again(&mut self, _number: u64) {}

    fn hear(&mut self, news: News<'_>, now: Instant) {
        match news {
            News::Arrivals(_) => {}
            News::Limit(limit) => self.limit = Some((limit, now)),
            News::Reception { loss, round_trip } => {
                let queue = self.queue(round_trip, now);
                self.heavy = if loss > WITHOUT || queue > STANDS {
                    self.heavy + 1
                } else {
                    0
                };
                self.is_full = self.heavy > 1 || (loss > WITH_QUEUE && queue > QUEUE);
                let Some(sent) = self.sent.rate else { return };
                if self.is_full {
                    let before = self.estimate.unwrap_or(sent).min(sent);
                    self.estimate = Some((before * DECREASE.min(1.0 - loss / 2.0)).max(FLOOR));
                } else if let Some(before) = &mut self.estimate {
                    // What is sent and arrives is carried.
                    let grown = (*before * GROWTH).min((sent * CAP).max(*before));
                    *before = if loss < WITH_QUEUE { grown.max(sent) } else { grown };
                }
            }
        }
    }

    fn verdict(&mut self, now: Instant) -> Verdict {
        let holds = |at: Instant| now.saturating_duration_since(at) < LIMIT_HOLDS;
        let limit = self.limit.filter(|(_, at)| holds(*at)).map(|(limit, _)| limit);
        let estimate = self.estimate.map(|estimate| estimate as u64);
        let carries = [limit, estimate].into_iter().flatten().min();
        Verdict {
            carries: carries.map(Bitrate::from_bps),
            is_full: self.is_full,
            received: None,
            queue: Duration::ZERO,
        }
    }
}
