use rubato::{
    Adjustable, Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction, audioadapter_buffers::direct::InterleavedSlice,
};

use super::steer::{MOST, Steer};
use crate::{
    capture::{Shape, Sound},
    media::{SOUND_FRAME, SOUND_RATE, Timestamp},
};

/// How far a card's time stamp may be from what the one before it promised, in seconds. More is a gap: an overrun, a suspend, a
/// device that was away. Cards that count in timer ticks are off by 10 ms at times.
const GAP: f64 = 0.06;
/// Over how many seconds the jitter of a card's time stamps is averaged.
const AVERAGE: f64 = 1.0;
/// Samples on each side that a sample of the output is made of, twice. Less would lose treble; more costs time.
const TAPS: usize = 64;

/// Where in the stream something is: samples at 48 kHz since the zero of the monotonic clock. One of them is a tick of Opus' RTP
/// clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub(super) u64);

impl Position {
    /// The last at or before `at`.
    pub(super) fn at(at: Timestamp) -> Self {
        let samples = at.as_duration().as_nanos() * u128::from(SOUND_RATE) / 1_000_000_000;
        Self(u64::try_from(samples).unwrap_or(u64::MAX))
    }

    /// That of so many samples before.
    pub(super) fn before(self, samples: u64) -> Self {
        Self(self.0.saturating_sub(samples))
    }

    /// Its time, of which [`Timestamp::to_rtp`] makes the same position again.
    pub(super) fn time(self) -> Timestamp {
        let nanoseconds = (u128::from(self.0) * 1_000_000_000).div_ceil(u128::from(SOUND_RATE));
        Timestamp::from_monotonic(std::time::Duration::from_nanos(
            u64::try_from(nanoseconds).unwrap_or(u64::MAX),
        ))
    }
}

/// Makes frames of 20 ms at 48 kHz of whatever a card delivers, each at its place on the machine's clock.
///
/// The card counts its samples by a crystal of its own. Here they are resampled such that they fall on the monotonic clock, by
/// which the pictures are stamped, too: what drifts is taken up here once, instead of by every viewer.
pub(super) struct Align {
    resampler: Async<f32>,
    rate: f64,
    /// What waits to be resampled.
    input: Vec<f32>,
    /// How many samples at the front of `input` are used up.
    used: usize,
    /// When the first sample that waits was captured, in seconds; averaged. `None`: the next sound begins anew.
    front: Option<f64>,
    steer: Steer,
    frame: [f32; SOUND_FRAME],
}

impl Align {
    /// For sound of this shape. `None` where it can't be resampled (a rate of nothing).
    pub(super) fn new(shape: &Shape) -> Option<Self> {
        let parameters = SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2)
            .oversampling_factor(128)
            .interpolation(SincInterpolationType::Linear);
        let ratio = f64::from(SOUND_RATE) / f64::from(shape.rate);
        let resampler = Async::new_sinc(
            ratio,
            1.0 + 2.0 * MOST,
            &parameters,
            SOUND_FRAME,
            1,
            FixedAsync::Output,
        );
        Some(Self {
            resampler: resampler.ok()?,
            rate: f64::from(shape.rate),
            input: Vec::new(),
            used: 0,
            front: None,
            steer: Steer::default(),
            frame: [0.0; SOUND_FRAME],
        })
    }

    /// Takes sound. `next` is the position of the next frame; where the sound begins anew, after a gap or at the start, the
    /// returned position is where it begins, which may be later. What is before `next` is passed over.
    pub(super) fn push(&mut self, sound: &Sound<'_>, next: Option<Position>) -> Option<Position> {
        let first_at = sound.first_at.as_duration().as_secs_f64();
        let waiting = (self.input.len() - self.used) as f64 / self.rate;
        if let Some(front) = &mut self.front {
            let off = first_at - (*front + waiting);
            if off.abs() <= GAP {
                let lasts = sound.samples.len() as f64 / self.rate;
                *front += off * (lasts / AVERAGE).min(1.0);
                self.keep(sound.samples);
                return None;
            }
        }
        self.begin();
        let delay = self.delay();
        let late = next.map_or(0.0, |next| seconds(next) - (first_at - delay));
        // As many samples as are too old.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and cut to what is there"
        )]
        let passed = (late.max(0.0) * self.rate).ceil() as usize;
        let samples = sound
            .samples
            .get(passed..)
            .filter(|samples| !samples.is_empty())?;
        let front = first_at + passed as f64 / self.rate;
        self.front = Some(front);
        self.keep(samples);
        let begins = Position::at(Timestamp::from_monotonic(std::time::Duration::from_secs_f64(
            (front - delay).max(0.0),
        )));
        Some(next.map_or(begins, |next| next.max(begins)))
    }

    /// Forgets what waits: the next sound begins anew.
    pub(super) fn begin(&mut self) {
        self.resampler.reset();
        self.steer = Steer::default();
        self.input.clear();
        self.used = 0;
        self.front = None;
    }

    /// The frame at `next`, where there is enough sound for it.
    pub(super) fn frame(&mut self, next: Position) -> Option<&mut [f32; SOUND_FRAME]> {
        let front = self.front?;
        let needed = self.resampler.input_frames_next();
        let waiting = self.input.len() - self.used;
        if waiting < needed {
            return None;
        }
        let ahead = seconds(next) - (front - self.delay());
        let ratio = self
            .steer
            .ratio(ahead, SOUND_FRAME as f64 / f64::from(SOUND_RATE));
        // It is within what the resampler was made for.
        self.resampler.set_resample_ratio_relative(ratio, true).ok()?;
        let needed = self.resampler.input_frames_next();
        if waiting < needed {
            return None;
        }
        let input = InterleavedSlice::new(&self.input[self.used..], 1, waiting).ok()?;
        let mut output = InterleavedSlice::new_mut(&mut self.frame[..], 1, SOUND_FRAME).ok()?;
        let (used, _) = self
            .resampler
            .process_into_buffer(&input, &mut output, None)
            .ok()?;
        self.used += used;
        self.front = Some(front + used as f64 / self.rate);
        Some(&mut self.frame)
    }

    /// By how many seconds a frame is older than the samples that are used for it.
    fn delay(&self) -> f64 {
        self.resampler.output_delay() as f64 / f64::from(SOUND_RATE)
    }

    fn keep(&mut self, samples: &[f32]) {
        // At most a frame and a period are moved.
        self.input.drain(..self.used);
        self.used = 0;
        self.input.extend_from_slice(samples);
    }
}

fn seconds(position: Position) -> f64 {
    position.0 as f64 / f64::from(SOUND_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A card whose clock runs at `speed` of what it says, and that plays a tone of 1 kHz by the true clock.
    struct Fake {
        rate: u32,
        speed: f64,
        /// Samples given.
        given: u64,
        /// True seconds at the first sample.
        start: f64,
        jitter: fn(u64) -> f64,
    }

    impl Fake {
        fn period(&mut self) -> (Vec<f32>, Timestamp) {
            let length = u64::from(self.rate / 100);
            let true_rate = f64::from(self.rate) * self.speed;
            let at = |sample: u64| self.start + sample as f64 / true_rate;
            let samples = (self.given..self.given + length)
                .map(|sample| (0.5 * (std::f64::consts::TAU * 1000.0 * at(sample)).sin()) as f32)
                .collect();
            let first_at = at(self.given) + (self.jitter)(self.given / length);
            self.given += length;
            (
                samples,
                Timestamp::from_monotonic(Duration::from_secs_f64(first_at)),
            )
        }
    }

    /// The phase of a tone of 1 kHz in a frame at `position`, in seconds off the true clock's, and how loud it is.
    fn tone(frame: &[f32; SOUND_FRAME], position: Position) -> (f64, f64) {
        let (mut re, mut im) = (0.0, 0.0);
        for (number, sample) in frame.iter().enumerate() {
            let phase = std::f64::consts::TAU * 1000.0 * (seconds(position) + number as f64 / 48_000.0);
            re += f64::from(*sample) * phase.sin();
            im += f64::from(*sample) * phase.cos();
        }
        let scale = 2.0 / SOUND_FRAME as f64;
        (
            im.atan2(re) / std::f64::consts::TAU / 1000.0,
            (re * re + im * im).sqrt() * scale,
        )
    }

    /// Runs a card for so many periods; calls `look` with every frame.
    fn run(card: &mut Fake, periods: usize, mut look: impl FnMut(usize, &[f32; SOUND_FRAME], Position)) {
        let shape = Shape {
            rate: card.rate,
            channels: 1,
            format: "S16_LE",
        };
        let mut align = Align::new(&shape).expect("a rate");
        let (mut next, mut frames) = (None, 0);
        for _ in 0..periods {
            let (samples, first_at) = card.period();
            let sound = Sound {
                samples: &samples,
                first_at,
            };
            next = align.push(&sound, next).or(next);
            while let Some(position) = next
                && let Some(frame) = align.frame(position)
            {
                look(frames, frame, position);
                frames += 1;
                next = Some(Position(position.0 + SOUND_FRAME as u64));
            }
        }
    }

    #[test]
    fn every_rate_lands_on_the_clock() {
        for rate in [8_000, 11_025, 16_000, 44_100, 48_000, 96_000] {
            let mut card = Fake {
                rate,
                speed: 1.0,
                given: 0,
                start: 1234.567,
                jitter: |_| 0.0,
            };
            let mut frames = 0;
            run(&mut card, 200, |number, frame, position| {
                frames = number + 1;
                // The first has the beginning in it.
                if number > 1 {
                    let (off, loudness) = tone(frame, position);
                    assert!(off.abs() < 70e-6, "{rate} Hz, frame {number}: off by {off}");
                    assert!(
                        (0.48..0.52).contains(&loudness),
                        "{rate} Hz, frame {number}: {loudness}"
                    );
                }
            });
            assert!((97..=100).contains(&frames), "{rate}: {frames} frames of 2 s");
        }
    }

    #[test]
    fn a_crystal_that_is_wrong_stays_on_the_clock() {
        // Half of a thousandth is much for a crystal; uncorrected it would be 150 ms in these five minutes. The time stamps jump
        // about by a timer's tick.
        let mut card = Fake {
            rate: 16_000,
            speed: 1.0005,
            given: 0,
            start: 77.0,
            jitter: |period| 0.004 * (period.wrapping_mul(2_654_435_761) % 1000) as f64 / 1000.0 - 0.002,
        };
        let (mut worst, mut last) = (0.0f64, None);
        run(&mut card, 30_000, |number, frame, position| {
            assert!(
                last.is_none_or(|last| position.0 == last + SOUND_FRAME as u64),
                "no gap"
            );
            last = Some(position.0);
            // While it settles the tone's phase goes around; a millisecond is one turn.
            if number > 10_000 && number % 50 == 0 {
                worst = worst.max(tone(frame, position).0.abs());
            }
        });
        assert!(worst < 0.000_45, "{worst}");
    }

    #[test]
    fn a_gap_is_a_jump_and_what_is_too_old_is_passed_over() {
        let shape = Shape {
            rate: 48_000,
            channels: 1,
            format: "S16_LE",
        };
        let at = |milliseconds| Timestamp::from_monotonic(Duration::from_millis(milliseconds));
        let samples = [0.1; 480];
        let sound = |milliseconds| Sound {
            samples: &samples,
            first_at: at(milliseconds),
        };
        let mut align = Align::new(&shape).expect("a rate");
        let begins = align.push(&sound(1000), None).expect("it begins");
        assert!(begins <= Position::at(at(1000)) && begins >= Position::at(at(995)));
        assert_eq!(align.push(&sound(1012), Some(begins)), None, "jitter is no gap");
        let after = align.push(&sound(1300), Some(begins)).expect("a gap");
        assert!(after >= Position::at(at(1295)), "{after:?}");
        // Silence was sent up to 1500 meanwhile.
        let next = Position::at(at(1500));
        assert_eq!(align.push(&sound(1400), Some(next)), None, "all of it is too old");
        assert_eq!(align.push(&sound(1495), Some(next)), Some(next), "the half of it");
    }

    #[test]
    fn positions_are_ticks_of_the_rtp_clock() {
        for position in [0, 1, 959, 960, 48_001, 3_600 * 48_000 * 1000 + 7] {
            let time = Position(position).time();
            assert_eq!(Position::at(time), Position(position));
            assert_eq!(time.to_rtp(SOUND_RATE), position as u32);
        }
    }
}
