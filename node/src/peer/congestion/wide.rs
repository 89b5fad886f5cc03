//! An estimate by when each packet arrived.

use std::time::{Duration, Instant};

use super::{
    delay::Delay,
    estimator::{Estimator, News, Verdict},
    history::{Departure, History, Told},
    loss::Loss,
    rate::{Rate, Seen},
    received::Received,
    report::Report,
    trend::Signal,
};
use crate::media::Bitrate;

/// Units of a report's reference time, in microseconds, and after how many of them it begins anew.
const REFERENCE: i64 = 64_000;
const ROUND: i64 = 1 << 24;
/// Until a round trip is known, in microseconds; and the longest that is believed.
const ROUND_TRIP: u64 = 100_000;
const LONGEST_TRIP: u64 = 1_000_000;
/// Packets that wait no longer than this, in microseconds, have the path for themselves.
const CLEAR: i64 = 30_000;
/// What a report that speaks for a full path counts, beside one that speaks against it; and how many are counted.
const FOR: u32 = 2;
const MOST_VOTES: u32 = 4;
/// Where nothing is heard for so long though something is sent, less is carried than is believed, in microseconds.
const SILENCE: u64 = 2_000_000;

/// Of one viewer. The viewer's clock is its own: only differences of its times count.
#[derive(Debug)]
pub(super) struct Wide {
    began: Instant,
    history: History,
    delay: Delay,
    received: Received,
    loss: Loss,
    rate: Rate,
    /// Of the last report, with how often it began anew.
    reference: Option<i64>,
    round_trip: u64,
    /// When something was heard last, or the estimate was halved for want of it.
    heard: Option<u64>,
    /// When something was sent for the first time since then.
    sent_since: Option<u64>,
    is_full: bool,
    /// What speaks for a full path, of the last reports.
    votes: u32,
}

impl Wide {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            history: History::default(),
            delay: Delay::default(),
            received: Received::default(),
            loss: Loss::default(),
            rate: Rate::default(),
            reference: None,
            round_trip: ROUND_TRIP,
            heard: None,
            sent_since: None,
            is_full: false,
            votes: 0,
        }
    }

    fn time(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// A report's reference time in microseconds, on the viewer's clock.
    fn reference(&mut self, reference: u32) -> i64 {
        let bits = i64::from(reference);
        let whole = match self.reference {
            None => bits,
            Some(before) => {
                // The nearest that ends in these bits.
                let ahead = (bits - before).rem_euclid(ROUND);
                before + if ahead < ROUND / 2 { ahead } else { ahead - ROUND }
            }
        };
        self.reference = Some(whole);
        whole * REFERENCE
    }

    /// Takes a report's word on whether packets wait for longer and longer. Of a path that was never full a single one is not believed: a machine that
    /// stands still for a moment looks like that.
    fn is_believed(&mut self, waits: bool) -> bool {
        self.votes = if waits {
            (self.votes + FOR).min(MOST_VOTES)
        } else {
            self.votes.saturating_sub(1)
        };
        self.rate.estimate().is_some() || self.votes > FOR
    }

    fn take(&mut self, report: &Report, now: u64) {
        let reference = self.reference(report.reference);
        let mut arrivals = report.arrivals.iter().peekable();
        let mut newest = None;
        for place in 0..report.count {
            let bits = report.first.wrapping_add(place);
            let arrival = arrivals.next_if(|arrival| arrival.number == bits);
            let Some(number) = self.history.number(bits) else {
                continue;
            };
            let told = match arrival {
                Some(_) => self.history.arrived(number),
                None => self.history.missed(number),
            };
            match told {
                None => {}
                Some(Told::Missed) => self.loss.missed(),
                Some(Told::Arrived { bytes, sent }) => {
                    self.loss.arrived();
                    if let Some(after) = arrival.and_then(|arrival| arrival.after) {
                        self.received.add(reference + after, bytes);
                        if let Some(sent) = sent {
                            self.delay.arrived(sent, reference + after);
                            newest = Some(sent);
                        }
                    }
                }
            }
        }
        if let Some(sent) = newest {
            // With the time for which the viewer held its report.
            let took = now.saturating_sub(sent).min(LONGEST_TRIP);
            self.round_trip = (self.round_trip * 7 + took) / 8;
        }
        let is_lossy = self.loss.is_full(self.delay.queue(), now);
        let told = self.delay.signal();
        let is_believed = self.is_believed(told == Signal::Overuse);
        let signal = match told {
            _ if is_lossy => Signal::Overuse,
            Signal::Overuse if !is_believed => Signal::Normal,
            other => other,
        };
        self.is_full = signal == Signal::Overuse;
        let seen = Seen {
            signal,
            received: self.received.rate(),
            peak: self.received.peak(),
            is_clear: self.delay.queue() < CLEAR,
            round_trip: self.round_trip,
        };
        self.rate.update(seen, now);
        (self.heard, self.sent_since) = (Some(now), None);
    }
}

impl Estimator for Wide {
    fn sent(&mut self, departure: Departure, now: Instant) {
        if let Some(number) = departure.number {
            let now = self.time(now);
            self.history.sent(number, departure, now);
            self.sent_since.get_or_insert(now);
        }
    }

    fn sent_again(&mut self, number: u64) {
        self.history.sent_again(number);
    }

    fn hear(&mut self, news: News<'_>, now: Instant) {
        if let News::Arrivals(report) = news {
            let now = self.time(now);
            self.take(report, now);
        }
    }

    fn verdict(&mut self, now: Instant) -> Verdict {
        let now = self.time(now);
        let waits = self.sent_since.filter(|_| self.heard.is_some());
        if waits.is_some_and(|since| now >= since + SILENCE) {
            self.rate.halve(self.received.rate(), now);
            self.is_full = true;
            self.sent_since = Some(now);
        }
        Verdict {
            carries: self.rate.estimate().map(|rate| Bitrate::from_bps(rate as u64)),
            is_full: self.is_full,
            queue: Duration::from_micros(self.delay.queue().try_into().unwrap_or(0)),
            received: self.received.rate().map(|rate| Bitrate::from_bps(rate as u64)),
        }
    }
}
