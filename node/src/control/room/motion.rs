use std::time::{Duration, Instant};

use crate::config::gpio::Servo;

/// Between two steps of a servo that turns: a servo's own frame.
pub(super) const STEP: Duration = Duration::from_millis(20);

/// Where a servo stands and where it goes: never faster than it may, never beyond its limits. Without clock or IO.
#[derive(Debug)]
pub(super) struct Motion {
    min: f64,
    max: f64,
    speed: f64,
    position: f64,
    going: Going,
    /// When the position was true.
    at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Going {
    Nowhere,
    /// Degrees per second.
    On(f64),
    To(f64),
}

impl Motion {
    pub(super) fn new(servo: &Servo, now: Instant) -> Self {
        Self {
            min: servo.min,
            max: servo.max,
            speed: servo.speed,
            position: servo.centre,
            going: Going::Nowhere,
            at: now,
        }
    }

    /// Degrees.
    pub(super) fn position(&self) -> f64 {
        self.position
    }

    pub(super) fn is_moving(&self) -> bool {
        self.going != Going::Nowhere
    }

    /// Turns at this share of its speed until told otherwise, or until its limit.
    pub(super) fn go(&mut self, velocity: f64, now: Instant) {
        self.advance(now);
        self.going = if velocity == 0.0 {
            Going::Nowhere
        } else {
            Going::On(velocity.clamp(-1.0, 1.0) * self.speed)
        };
    }

    /// Turns to this angle.
    pub(super) fn go_to(&mut self, degrees: f64, now: Instant) {
        self.advance(now);
        self.going = Going::To(degrees.clamp(self.min, self.max));
    }

    pub(super) fn stop(&mut self, now: Instant) {
        self.advance(now);
        self.going = Going::Nowhere;
    }

    /// It stands there, as is known from before.
    pub(super) fn stand(&mut self, degrees: f64, now: Instant) {
        self.position = degrees.clamp(self.min, self.max);
        self.going = Going::Nowhere;
        self.at = now;
    }

    /// Where it is by now.
    pub(super) fn advance(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        match self.going {
            Going::Nowhere => {}
            Going::On(velocity) => {
                let wanted = self.position + velocity * seconds;
                self.position = wanted.clamp(self.min, self.max);
                if self.position != wanted {
                    self.going = Going::Nowhere;
                }
            }
            Going::To(goal) => {
                let most = self.speed * seconds;
                self.position += (goal - self.position).clamp(-most, most);
                if self.position == goal {
                    self.going = Going::Nowhere;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::gpio::{Pin, Pwm};

    fn motion(now: Instant) -> Motion {
        let servo: Servo =
            toml::from_str("name = \"pan\"\npin = 12\nmin = -45\nmax = 90\ncentre = 10\nspeed = 50\n")
                .expect("valid");
        assert_eq!((&servo.pin, servo.pwm), (&Pin::Number(12), Pwm::Auto));
        Motion::new(&servo, now)
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn it_turns_no_faster_than_it_may_and_stops_where_it_was_sent() {
        let start = Instant::now();
        let mut motion = motion(start);
        motion.go_to(60.0, start);
        for (ms, position, moving) in [(500, 35.0, true), (1000, 60.0, false), (9000, 60.0, false)] {
            motion.advance(after(start, ms));
            assert_eq!(
                (motion.position(), motion.is_moving()),
                (position, moving),
                "{ms}"
            );
        }
        motion.go_to(1000.0, after(start, 9000));
        motion.advance(after(start, 99_000));
        assert_eq!(motion.position(), 90.0, "its limit");
    }

    #[test]
    fn a_velocity_lasts_until_it_is_told_otherwise_or_to_the_limit() {
        let start = Instant::now();
        let mut motion = motion(start);
        motion.go(-0.5, start);
        motion.stop(after(start, 1000));
        assert_eq!((motion.position(), motion.is_moving()), (-15.0, false));
        motion.go(-1.0, after(start, 5000));
        motion.advance(after(start, 9000));
        assert_eq!((motion.position(), motion.is_moving()), (-45.0, false));
        motion.go(0.0, after(start, 9000));
        assert!(!motion.is_moving());
    }

    #[test]
    fn time_that_it_stood_still_does_not_count() {
        let start = Instant::now();
        let mut motion = motion(start);
        motion.go(1.0, after(start, 60_000));
        motion.advance(after(start, 60_100));
        assert_eq!(motion.position(), 15.0);
    }
}
