use rubato::{
    Adjustable, Async, FixedAsync, Resampler as _, ResamplerConstructionError, SincInterpolationParameters,
    SincInterpolationType, WindowFunction, audioadapter_buffers::direct::InterleavedSlice,
};

/// How far the ratio may be steered away: twice what it is ever steered by.
const ROOM: f64 = 1.01;
/// The length of the filter. It lets a voice pass unchanged, and delays it by half of this: 0.7 ms at 48 kHz.
const FILTER: usize = 64;

/// Brings one channel from one sample rate to another.
pub(super) struct Resampler {
    inner: Async<f32>,
    output: Vec<f32>,
}

impl Resampler {
    /// One that takes `chunk` samples at a time.
    ///
    /// # Errors
    /// A rate is zero, or far beyond any card's.
    pub(super) fn new(from: u32, to: u32, chunk: usize) -> Result<Self, ResamplerConstructionError> {
        let parameters = SincInterpolationParameters::new(FILTER, WindowFunction::BlackmanHarris2)
            .oversampling_factor(128)
            .interpolation(SincInterpolationType::Linear);
        let ratio = f64::from(to) / f64::from(from);
        let inner = Async::new_sinc(ratio, ROOM, &parameters, chunk, 1, FixedAsync::Input)?;
        let output = vec![0.0; inner.output_frames_max()];
        Ok(Self { inner, output })
    }

    /// The next samples at the other rate for the next `chunk` of them.
    pub(super) fn process(&mut self, input: &[f32]) -> &[f32] {
        let room = self.output.len();
        let (Ok(input), Ok(mut output)) = (
            InterleavedSlice::new(input, 1, input.len()),
            InterleavedSlice::new_mut(&mut self.output, 1, room),
        ) else {
            return &[];
        };
        // It fails for buffers that are too short only.
        match self.inner.process_into_buffer(&input, &mut output, None) {
            Ok((_, count)) => &self.output[..count],
            Err(_) => &[],
        }
    }

    /// Makes so much more of everything, gradually: 1.001 makes 1001 samples where there were 1000.
    pub(super) fn steer(&mut self, factor: f64) {
        // Out of bounds it stays as it is; nobody steers so far.
        let _ = self.inner.set_resample_ratio_relative(factor, true);
    }

    /// By how much it delays, in samples of its output.
    pub(super) fn delay(&self) -> usize {
        self.inner.output_delay()
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tone, *};

    fn resampled(from: u32, to: u32, factor: f64) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to, 80).expect("rates of cards");
        resampler.steer(factor);
        let input = tone::sine(440.0, from, from as usize);
        input
            .chunks_exact(80)
            .flat_map(|chunk| resampler.process(chunk).to_vec())
            .collect()
    }

    #[test]
    fn a_tone_keeps_its_pitch_at_every_rate() {
        for (from, to) in [
            (8000, 48_000),
            (48_000, 8000),
            (48_000, 16_000),
            (48_000, 44_100),
            (48_000, 48_000),
            (48_000, 96_000),
            (48_000, 192_000),
        ] {
            let output = resampled(from, to, 1.0);
            assert!(
                output.len().abs_diff(to as usize) < to as usize / 50,
                "{from} {to}: {}",
                output.len()
            );
            let (frequency, share) = tone::dominant(&output[to as usize / 10..], to);
            assert!((frequency - 440.0).abs() < 1.0, "{from} {to}: {frequency}");
            assert!(share > 0.98, "{from} {to}: {share}");
        }
    }

    #[test]
    fn steering_makes_more_or_less() {
        let (less, more) = (resampled(48_000, 48_000, 0.998), resampled(48_000, 48_000, 1.002));
        assert!(
            (150..250).contains(&(more.len() - less.len())),
            "{} and {}",
            less.len(),
            more.len()
        );
    }
}
