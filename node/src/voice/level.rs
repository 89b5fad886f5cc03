/// The root mean square of samples between -1 and 1.
pub(super) fn rms(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
}

/// In decibels below full scale, where a full square wave is 0; -120 for silence.
pub(super) fn decibels(rms: f32) -> f32 {
    20.0 * rms.max(1e-6).log10()
}

/// Louder than this somebody talks: -50 dBFS. The noise of a room, after a browser's noise suppression, is below -60; a
/// quiet voice is above -40.
pub(super) const AUDIBLE: f32 = 0.003_2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_is_zero_and_silence_has_a_number() {
        assert!(decibels(rms(&[1.0, -1.0])).abs() < 0.01);
        assert!((decibels(rms(&[0.1, -0.1])) + 20.0).abs() < 0.01);
        assert!((decibels(rms(&[])) + 120.0).abs() < 0.01);
        assert!((decibels(AUDIBLE) + 50.0).abs() < 0.2);
    }
}
