//! What a viewer's path carries, found out from what the viewer reports. Without IO and without a clock.
//!
//! | file | what it is |
//! |---|---|
//! | `estimator` | what every estimator is told and tells |
//! | `wide` | by the arrival of each packet (transport-wide feedback) |
//! | `coarse` | by loss, round trip and the viewer's own estimate, where that is all there is |
//! | `either` | which of the two is believed |
//! | `report`, `history` | what arrived when, and what was sent when |
//! | `delay`, `trend`, `received`, `loss`, `rate` | what `wide` is made of |

mod coarse;
mod delay;
mod either;
mod estimator;
mod history;
mod loss;
mod rate;
mod received;
mod report;
#[cfg(test)]
mod tests;
mod trend;
mod wide;

use std::time::Instant;

use either::Either;

pub(super) use estimator::{Estimator, News, Verdict};
pub(super) use history::Departure;
pub(super) use report::Report;

/// What finds out what the path of a viewer carries.
pub(super) fn begin(now: Instant) -> Box<dyn Estimator> {
    Box::new(Either::new(now))
}
