use std::{f32::consts::TAU, thread, time::Duration};

use super::sound::{Microphone, Shape, Sound, SoundError, SoundSource};
use crate::media::{SOUND_RATE, Timestamp};

/// Hertz.
const PITCH: u32 = 1000;
/// Well below what hurts in headphones: -20 dB of full scale.
const LOUDNESS: f32 = 0.1;
/// Samples that it gives at a time: 10 ms, as a sound card's period. A whole number of the tone's waves.
const PERIOD: u32 = SOUND_RATE / 100;
/// Periods after which what was not fetched is given up, as a sound card would.
const KEPT: u64 = 20;

/// A tone of 1 kHz as a microphone: always there, for trying without one.
pub struct Tone;

impl Microphone for Tone {
    fn open(&self) -> Result<Box<dyn SoundSource>, SoundError> {
        Ok(Box::new(Source::new(Timestamp::now())))
    }

    fn describe(&self) -> String {
        "the tone".to_owned()
    }
}

struct Source {
    shape: Shape,
    samples: Vec<f32>,
    start: Timestamp,
    /// Periods that were given.
    given: u64,
    overruns: u64,
}

impl Source {
    fn new(start: Timestamp) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
        let sample = |number: u32| LOUDNESS * (number as f32 / SOUND_RATE as f32 * PITCH as f32 * TAU).sin();
        Self {
            shape: Shape {
                rate: SOUND_RATE,
                channels: 1,
                format: "FLOAT_LE",
            },
            samples: (0..PERIOD).map(sample).collect(),
            start,
            given: 0,
            overruns: 0,
        }
    }

    fn begins(&self, period: u64) -> Timestamp {
        let after = Duration::from_millis(10 * period);
        Timestamp::from_monotonic(self.start.as_duration() + after)
    }
}

impl SoundSource for Source {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Sound<'_>>, SoundError> {
        // A period is there when it is over.
        let wait = self.begins(self.given + 1).since(Timestamp::now());
        if wait > patience {
            thread::sleep(patience);
            return Ok(None);
        }
        thread::sleep(wait);
        let late = Timestamp::now().since(self.begins(self.given + 1)).as_millis() / 10;
        let late = u64::try_from(late).unwrap_or(u64::MAX);
        if late > KEPT {
            self.given += late;
            self.overruns += 1;
        }
        let first_at = self.begins(self.given);
        self.given += 1;
        Ok(Some(Sound {
            samples: &self.samples,
            first_at,
        }))
    }

    fn overruns(&self) -> u64 {
        self.overruns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_follow_one_another_by_the_clock() {
        let mut source = Tone.open().expect("it is always there");
        let mut times = Vec::new();
        while times.len() < 4 {
            if let Some(sound) = source.next(Duration::from_secs(1)).expect("a tone") {
                assert_eq!(sound.samples.len(), 480);
                times.push(sound.first_at);
            }
        }
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1].since(pair[0]).as_millis() % 10 == 0 && pair[1] > pair[0]),
            "{times:?}"
        );
    }

    #[test]
    fn what_was_not_fetched_for_long_is_lost_and_counted() {
        let now = Timestamp::now().as_duration();
        let mut source = Source::new(Timestamp::from_monotonic(now - Duration::from_secs(5)));
        let sound = source.next(Duration::ZERO).expect("a tone").expect("it is late");
        assert!(Timestamp::now().since(sound.first_at) < Duration::from_secs(1));
        assert_eq!(source.overruns(), 1);
    }
}
