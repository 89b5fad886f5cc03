/// Of the error in time, the share that is corrected in a second: gently, so that no pitch is heard to move.
const CORRECTS: f64 = 0.05;
/// Of the error's sum. A fourth of the square of the former: it settles without swinging.
const REMEMBERS: f64 = CORRECTS * CORRECTS / 4.0;
/// The most that the rate is bent. A crystal is wrong by a ten-thousandth; a card that lies about its rate, by more.
pub(super) const MOST: f64 = 0.01;

/// Bends the rate of a stream until its samples are where the clock says (a PI controller). Without a clock.
#[derive(Debug, Default)]
pub(super) struct Steer {
    /// The part of the correction that lasts: the drift of the card's clock against ours.
    drift: f64,
}

impl Steer {
    /// The ratio to resample with from now on, against the nominal one. `ahead` is by how many seconds the stream's time stamps are
    /// ahead of the clock; `passed` are the seconds since the last call.
    pub(super) fn ratio(&mut self, ahead: f64, passed: f64) -> f64 {
        self.drift = (self.drift - REMEMBERS * ahead * passed).clamp(-MOST, MOST);
        1.0 + (self.drift - CORRECTS * ahead).clamp(-MOST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a stream is after `seconds`, and the worst on the way, in seconds: a card that is fast by `drift`.
    fn after(seconds: u32, drift: f64, mut ahead: f64) -> (f64, f64) {
        let (mut steer, mut worst) = (Steer::default(), 0.0f64);
        for _ in 0..seconds * 50 {
            let ratio = steer.ratio(ahead, 0.02);
            assert!((1.0 - MOST..=1.0 + MOST).contains(&ratio));
            ahead += 0.02 * (drift + ratio - 1.0);
            worst = worst.max(ahead.abs());
        }
        (ahead, worst)
    }

    #[test]
    fn drift_is_taken_up_and_nothing_remains() {
        for drift in [0.0, 1e-4, -1e-4, 1e-3, -5e-3] {
            let (ahead, worst) = after(600, drift, 0.0);
            assert!(ahead.abs() < 1e-4, "{drift}: {ahead}");
            assert!(worst < drift.abs() * 20.0 + 1e-9, "{drift}: {worst}");
        }
    }

    #[test]
    fn an_error_at_the_start_goes_away_without_a_swing() {
        let (ahead, worst) = after(300, 0.0, 0.02);
        assert!(ahead.abs() < 1e-4 && worst <= 0.02, "{ahead} {worst}");
    }
}
