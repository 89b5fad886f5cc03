//! Whether delays grow: a line through the last of them (draft-ietf-rmcat-gcc-02, section 5, with the line instead of the filter, as libwebrtc
//! has it).

use std::collections::VecDeque;

/// Groups that the line goes through, and how many there have to be.
const WINDOW: usize = 20;
const ENOUGH: usize = 8;
/// How much of the old a new delay leaves.
const SMOOTHING: f64 = 0.9;
/// What the slope is multiplied by, for each group up to so many.
const GAIN: f64 = 4.0;
const MOST_GROUPS: u32 = 60;
/// The threshold at first, its bounds (ms), and how fast it follows what is above and below it (each ms).
const THRESHOLD: f64 = 12.5;
const BOUNDS: (f64, f64) = (6.0, 600.0);
const UP: f64 = 0.0087;
const DOWN: f64 = 0.039;
/// What is further above it than this is an event of its own, and no reason to be less alert.
const OUTLIER: f64 = 15.0;
/// The threshold follows no longer a time than this, in milliseconds.
const LONGEST_STEP: f64 = 100.0;
/// For so long, in milliseconds, it has to be above.
const OVER: f64 = 10.0;

/// What the delays say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Signal {
    /// They grow: more is sent than is carried.
    Overuse,
    #[default]
    Normal,
    /// They shrink: a queue empties itself.
    Underuse,
}

/// The line, and its judgement. Times are milliseconds.
#[derive(Debug)]
pub(super) struct Trend {
    /// When a group arrived, and its smoothed delay.
    points: VecDeque<(f64, f64)>,
    groups: u32,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    last: f64,
    slope: f64,
    over_for: Option<f64>,
    times_over: u32,
    signal: Signal,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            points: VecDeque::with_capacity(WINDOW),
            groups: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: THRESHOLD,
            last: 0.0,
            slope: 0.0,
            over_for: None,
            times_over: 0,
            signal: Signal::Normal,
        }
    }
}

impl Trend {
    /// A group arrived then, and was on its way so much longer than the one before it, which was sent so long before.
    pub(super) fn add(&mut self, arrived: f64, longer: f64, after: f64) -> Signal {
        self.groups = (self.groups + 1).min(MOST_GROUPS);
        self.accumulated += longer;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        if self.points.len() == WINDOW {
            self.points.pop_front();
        }
        self.points.push_back((arrived, self.smoothed));
        if self.points.len() >= ENOUGH {
            let slope = slope(&self.points).unwrap_or(self.slope);
            self.judge(slope, after, arrived);
        }
        self.signal
    }

    /// Forgets what was: the path is another one, or stood still.
    pub(super) fn forget(&mut self) {
        let threshold = self.threshold;
        *self = Self {
            threshold,
            ..Self::default()
        };
    }

    fn judge(&mut self, slope: f64, after: f64, now: f64) {
        let trend = f64::from(self.groups) * slope * GAIN;
        if trend > self.threshold {
            let over_for = self.over_for.map_or(after / 2.0, |over_for| over_for + after);
            self.over_for = Some(over_for);
            self.times_over += 1;
            if over_for > OVER && self.times_over > 1 && slope >= self.slope {
                self.over_for = None;
                self.times_over = 0;
                self.signal = Signal::Overuse;
            }
        } else {
            self.over_for = None;
            self.times_over = 0;
            self.signal = if trend < -self.threshold {
                Signal::Underuse
            } else {
                Signal::Normal
            };
        }
        self.slope = slope;
        self.adapt(trend.abs(), now);
    }

    /// A threshold that never moved would let whoever fills queues have the whole path.
    fn adapt(&mut self, trend: f64, now: f64) {
        let step = (now - self.last).clamp(0.0, LONGEST_STEP);
        self.last = now;
        if trend <= self.threshold + OUTLIER {
            let follows = if trend < self.threshold { DOWN } else { UP };
            self.threshold += follows * (trend - self.threshold) * step;
            self.threshold = self.threshold.clamp(BOUNDS.0, BOUNDS.1);
        }
    }
}

/// Of the line with the least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        let beside = point.0 - x;
        (above + beside * (point.1 - y), below + beside * beside)
    });
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups every 33 ms, each so much longer on its way than the one before.
    fn signals(longer: impl Fn(usize) -> f64, groups: usize) -> Vec<Signal> {
        let mut trend = Trend::default();
        let mut arrived = 0.0;
        let each = |number| {
            let longer = longer(number);
            arrived += 33.0 + longer;
            trend.add(arrived, longer, 33.0)
        };
        (0..groups).map(each).collect()
    }

    #[test]
    fn a_queue_that_grows_is_seen_and_so_is_one_that_empties_itself() {
        let grows = signals(|number| if number < 60 { 0.0 } else { 15.0 }, 75);
        assert!(grows[..60].iter().all(|signal| *signal == Signal::Normal));
        assert!(grows[60..70].contains(&Signal::Overuse), "{grows:?}");
        let empties = signals(
            |number| match number {
                0..60 => 0.0,
                60..75 => 15.0,
                75..90 => -15.0,
                _ => 0.0,
            },
            150,
        );
        assert!(empties[75..110].contains(&Signal::Underuse));
        assert_eq!(empties.last(), Some(&Signal::Normal));
    }

    #[test]
    fn what_jitters_does_not_grow() {
        let jitters = signals(|number| if number % 2 == 0 { 8.0 } else { -8.0 }, 300);
        assert!(!jitters.contains(&Signal::Overuse));
    }
}
