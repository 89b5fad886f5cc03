use std::time::{Duration, Instant};

use super::{
    account::Account,
    median::Median,
    mixer::Mixer,
    output::{Output, OutputError},
    resample::Resampler,
    steer::Steer,
};
use crate::media::SOUND_RATE;

/// What is mixed at a time: 10 ms.
pub(super) const MIXED: Duration = Duration::from_millis(10);
/// A card that never has enough must not keep the thread from everything else.
const MOST_AT_ONCE: u32 = 64;
const SAMPLES: usize = (SOUND_RATE / 100) as usize;

/// Keeps an open output supplied with what the mixer has.
pub(super) struct Player {
    output: Box<dyn Output>,
    resampler: Resampler,
    steer: Steer,
    median: Median,
    mixed: [f32; SAMPLES],
    /// How long the converter delays.
    converting: Duration,
}

impl Player {
    /// # Errors
    /// The output's sample rate is none.
    pub(super) fn new(output: Box<dyn Output>) -> Result<Self, OutputError> {
        let rate = output.rate();
        let resampler = Resampler::new(SOUND_RATE, rate, SAMPLES).map_err(|error| OutputError::Broken {
            device: output.describe(),
            cause: error.to_string(),
        })?;
        let delay = f64::from(u32::try_from(resampler.delay()).unwrap_or(0)) / f64::from(rate.max(1));
        Ok(Self {
            converting: Duration::from_secs_f64(delay),
            output,
            resampler,
            steer: Steer::default(),
            median: Median::default(),
            mixed: [0.0; SAMPLES],
        })
    }

    /// Writes until the output has what it wants, and waits for it to want more.
    ///
    /// # Errors
    /// The output is lost.
    pub(super) fn turn(
        &mut self,
        mixer: &mut Mixer,
        volume: f32,
        account: &Account,
    ) -> Result<(), OutputError> {
        for _ in 0..MOST_AT_ONCE {
            let queued = match self.output.queued() {
                Ok(queued) => queued,
                Err(error) => {
                    self.survive(error, mixer, account)?;
                    continue;
                }
            };
            if queued >= self.output.goal() {
                break;
            }
            self.mix(mixer, volume, queued, account);
            let samples = self.resampler.process(&self.mixed);
            match self.output.write(samples) {
                Ok(()) => {}
                Err(error) => self.survive(error, mixer, account)?,
            }
        }
        match self.output.wait() {
            Ok(()) => Ok(()),
            Err(error) => self.survive(error, mixer, account),
        }
    }

    /// The output in words.
    pub(super) fn describe(&self) -> String {
        self.output.describe()
    }

    /// The median time from arrival to being heard.
    pub(super) fn median(&mut self) -> Option<Duration> {
        self.median.get()
    }

    fn mix(&mut self, mixer: &mut Mixer, volume: f32, queued: Duration, account: &Account) {
        let now = Instant::now();
        mixer.mix(&mut self.mixed, now);
        for wait in mixer.waits() {
            let heard = *wait + queued + self.converting;
            account.figures.mouth_to_ear.record(heard);
            self.median.add(heard);
        }
        for sample in &mut self.mixed {
            *sample *= volume;
        }
        let factor = self.steer.factor(mixer.surplus(now), MIXED);
        self.resampler.steer(factor);
    }

    /// A card that has run dry goes on; that nobody talked is its usual reason at the beginning.
    fn survive(&mut self, error: OutputError, mixer: &Mixer, account: &Account) -> Result<(), OutputError> {
        match error {
            OutputError::Dry => {
                if mixer.is_audible(Instant::now()) {
                    account.figures.xruns.one();
                }
                Ok(())
            }
            lost => Err(lost),
        }
    }
}
