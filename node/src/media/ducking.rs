use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether the loudspeaker plays somebody's voice. While it does, the microphone lowers itself, so that nobody hears
/// themselves come back.
#[derive(Debug, Default)]
pub struct Ducking(AtomicBool);

impl Ducking {
    /// Says whether a voice is played now, or will be within the next tenths of a second.
    pub fn set(&self, is_playing: bool) {
        self.0.store(is_playing, Relaxed);
    }

    /// Whether the microphone shall be low.
    pub fn is_on(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The microphone's volume while there is [`Ducking`]: down at once, up again gently, never with a click.
#[derive(Debug)]
pub struct Ducked {
    gain: f32,
}

impl Ducked {
    /// How much is left while a voice is played: -30 dB. What the loudspeaker brings into a microphone beside it is then no
    /// louder than the noise of a room, and a shout still gets through.
    const LOW: f32 = 0.031_6;
    /// Samples of 48 kHz from full to low: 5 ms.
    const DOWN: f32 = 240.0;
    /// Samples from low to full: 150 ms.
    const UP: f32 = 7_200.0;

    /// Lowers these samples, at 48 kHz, as far as they have to be.
    pub fn apply(&mut self, ducking: &Ducking, samples: &mut [f32]) {
        let (goal, step) = if ducking.is_on() {
            (Self::LOW, (Self::LOW - 1.0) / Self::DOWN)
        } else {
            (1.0, (1.0 - Self::LOW) / Self::UP)
        };
        if self.gain == goal && goal == 1.0 {
            return;
        }
        for sample in samples {
            self.gain = (self.gain + step).clamp(Self::LOW, 1.0);
            *sample *= self.gain;
        }
    }
}

impl Default for Ducked {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_microphone_is_low_while_a_voice_is_played_and_full_otherwise() {
        let (ducking, mut ducked) = (Ducking::default(), Ducked::default());
        let mut frame = |on: bool| {
            ducking.set(on);
            let mut samples = [0.5; 960];
            ducked.apply(&ducking, &mut samples);
            samples
        };
        assert_eq!(frame(false), [0.5; 960], "untouched");
        let down = frame(true);
        assert!(down.is_sorted_by(|one, next| one >= next));
        assert!(
            down[240..].iter().all(|sample| *sample < 0.017),
            "{:?}",
            &down[236..244]
        );
        let jump = down.windows(2).map(|pair| pair[0] - pair[1]).fold(0.0, f32::max);
        assert!(jump < 0.01, "a click of {jump}");
        assert!(frame(true)[0] < 0.017);
        for _ in 0..7 {
            assert!(frame(false)[959] < 0.5);
        }
        frame(false);
        assert_eq!(frame(false), [0.5; 960]);
    }
}
