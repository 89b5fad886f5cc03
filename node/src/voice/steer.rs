use std::time::Duration;

/// How far the rate is bent at most: 0.1 %, which is a fiftieth of a semitone, and five times what two clocks
/// differ by.
const MOST: f64 = 0.001;
/// The time over which the level is averaged.
const SMOOTH: f64 = 2.0;
/// How much the rate is bent for each second of surplus.
const FIRMNESS: f64 = 0.05;

/// Takes up that a talker's clock and the card's run differently: makes a little fewer samples where more and more sound
/// waits, and a little more where it becomes less. Without a clock.
#[derive(Debug, Default)]
pub(super) struct Steer {
    surplus: Option<f64>,
}

impl Steer {
    /// The factor by which to stretch what is played, from the surplus of waiting sound in seconds, over the last `period`.
    /// While nobody talks there is nothing to learn.
    pub(super) fn factor(&mut self, surplus: Option<f64>, period: Duration) -> f64 {
        let Some(now) = surplus else {
            self.surplus = None;
            return 1.0;
        };
        let smooth = self.surplus.get_or_insert(now);
        *smooth += (now - *smooth) * (period.as_secs_f64() / SMOOTH).min(1.0);
        1.0 - (*smooth * FIRMNESS).clamp(-MOST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    /// Where the surplus is after `seconds`, in seconds, with a card whose clock is off by so much.
    fn settled(drift: f64, seconds: u32) -> f64 {
        let mut steer = Steer::default();
        let mut surplus = 0.0;
        for _ in 0..seconds * 100 {
            let factor = steer.factor(Some(surplus), PERIOD);
            // So much is taken for each period, where a period's worth comes in.
            surplus += PERIOD.as_secs_f64() * (1.0 - (1.0 + drift) / factor);
        }
        surplus
    }

    #[test]
    fn a_clock_that_is_off_makes_a_small_constant_surplus() {
        for drift in [-300e-6, -100e-6, 0.0, 100e-6, 300e-6] {
            let (soon, late) = (settled(drift, 120), settled(drift, 3600));
            assert!(late.abs() < 0.010, "{drift}: {late}");
            assert!((late - soon).abs() < 0.003, "{drift}: {soon}, then {late}");
        }
    }

    #[test]
    fn the_pitch_is_never_bent_audibly() {
        let mut steer = Steer::default();
        for surplus in [10.0, -10.0, 0.2, -0.1] {
            for _ in 0..1000 {
                let factor = steer.factor(Some(surplus), PERIOD);
                assert!((factor - 1.0).abs() <= MOST + f64::EPSILON, "{factor}");
            }
        }
    }

    #[test]
    fn nobody_is_nothing_to_go_by() {
        let mut steer = Steer::default();
        steer.factor(Some(0.1), PERIOD);
        assert!((steer.factor(None, PERIOD) - 1.0).abs() < f64::EPSILON);
        assert!(
            (steer.factor(Some(0.0), PERIOD) - 1.0).abs() < f64::EPSILON,
            "it is forgotten"
        );
    }
}
