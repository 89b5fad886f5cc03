//! Feeds a camera and a microphone together: `flash-and-beep CAMERA PLAYBACK [LATE]`. Every two seconds a white spell of the
//! picture and a tone begin at one moment, as one who claps the hands does it before a camera.
//!
//! `CAMERA` is a v4l2loopback device, `PLAYBACK` an ALSA device whose far end is captured (snd-aloop), `LATE` by how many milliseconds the
//! picture is to be late. What it did is told in a line of JSON for each pair: `pair`, counted from 1, and `off`, by how many
//! milliseconds the tone was captured after the white picture, by the driver's own clock of samples and that of the machine. It never ends
//! by itself.
//!
//! Sound is written half a second ahead, and pictures wait for it: each has its sample, and is written when the card is there. So
//! nothing depends on how soon this program is woken but the moment at which a picture is written, which it tells.

use std::collections::VecDeque;
use std::error::Error;
use std::f64::consts::TAU;
use std::io::{self, Write};

use alsa::pcm::{Access, Format, HwParams, PCM, State, TstampType};
use alsa::{Direction, ValueOr};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde_json::json;
use v4l::video::Output;
use v4l::{Device, FourCC, video::output::Parameters};

const RATE: u32 = 48_000;
const FPS: u32 = 30;
const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
/// Samples for each picture.
const STEP: u32 = RATE / FPS;
/// Pictures from one pair to the next, and how many of them are white.
const EVERY: u32 = 2 * FPS;
const WHITE: u32 = 3;
/// By how many pictures sound is written ahead.
const AHEAD: u32 = FPS / 2;
/// Room in the card, in µs.
const BUFFER: u32 = 1_000_000;
/// How often the card is asked for its position while a picture waits. Its driver counts in ticks of 10 ms, which these must not
/// stay in step with.
const LOOKS: u32 = 4;
/// So many of its answers are kept: those of some seconds.
const ANSWERS: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [camera, playback, rest @ ..] = arguments.as_slice() else {
        return Err("usage: flash-and-beep CAMERA PLAYBACK [LATE]".into());
    };
    let late = match rest.first() {
        Some(late) => late.parse::<f64>()? / 1000.0,
        None => 0.0,
    };
    let mut camera = open_camera(camera)?;
    let mut card = Card::open(playback)?;
    let [black, white] = [16, 235].map(|luma| [luma, 128].repeat((WIDTH * HEIGHT) as usize));
    card.start(0)?;
    for step in 0u32.. {
        let mut at = 0.0;
        for look in (0..LOOKS).rev() {
            card.look()?;
            let wait = f64::from(look) / f64::from(LOOKS * FPS);
            at = card.when(step).ok_or("the card tells no time")?;
            sleep_until(at + late - wait)?;
        }
        let is_white = step % EVERY < WHITE;
        let before = now();
        camera.write_all(if is_white { &white } else { &black })?;
        let after = now();
        // The driver stamps a picture while it takes it.
        if step % EVERY == 0 {
            let off = at - f64::midpoint(before, after);
            let line = json!({"pair": step / EVERY + 1, "off": (off * 1e5).round() / 100.0});
            writeln!(io::stdout(), "{line}")?;
        }
        if !card.play(step + AHEAD)? {
            card.start(step + 1)?;
        }
    }
    Ok(())
}

fn open_camera(path: &str) -> Result<Device, Box<dyn Error>> {
    let failed = |error| format!("{path}: {error}");
    let device = Device::with_path(path).map_err(failed)?;
    let format = v4l::Format::new(WIDTH, HEIGHT, FourCC::new(b"YUYV"));
    let taken = device.set_format(&format).map_err(failed)?;
    device.set_params(&Parameters::with_fps(FPS)).map_err(failed)?;
    if taken.size != WIDTH * HEIGHT * 2 {
        return Err(format!("{path} takes something else: {taken}").into());
    }
    Ok(device)
}

/// A sound card that plays, of which it is known when it plays what.
struct Card {
    pcm: PCM,
    buffer: i64,
    /// The picture with which it was started.
    first: u32,
    /// Samples written since.
    written: i64,
    /// At which time the first of them was played, by each of the card's last answers, in seconds. The driver moves its position on in
    /// steps, and is asked a while after one: the least is the truest.
    starts: VecDeque<f64>,
}

impl Card {
    fn open(name: &str) -> Result<Self, Box<dyn Error>> {
        let pcm = PCM::new(name, Direction::Playback, false).map_err(|error| format!("{name}: {error}"))?;
        let parameters = HwParams::any(&pcm)?;
        parameters.set_access(Access::RWInterleaved)?;
        parameters.set_format(Format::S16LE)?;
        parameters.set_channels(1)?;
        parameters.set_rate(RATE, ValueOr::Nearest)?;
        parameters.set_buffer_time_near(BUFFER, ValueOr::Nearest)?;
        pcm.hw_params(&parameters)?;
        let buffer = parameters.get_buffer_size()?;
        drop(parameters);
        let parameters = pcm.sw_params_current()?;
        parameters.set_start_threshold(buffer * 2)?; // it is started, once it is full enough
        parameters.set_tstamp_mode(true)?;
        parameters.set_tstamp_type(TstampType::Monotonic)?;
        pcm.sw_params(&parameters)?;
        drop(parameters);
        Ok(Self {
            pcm,
            buffer,
            first: 0,
            written: 0,
            starts: VecDeque::new(),
        })
    }

    /// Starts it, anew where it has run dry, with the sound that belongs to this picture; it is known then when that is played.
    fn start(&mut self, first: u32) -> Result<(), Box<dyn Error>> {
        self.pcm.prepare()?;
        (self.first, self.written) = (first, 0);
        self.starts.clear();
        for step in first..first + AHEAD {
            self.play(step)?;
        }
        self.pcm.start()?;
        while self.starts.is_empty() {
            sleep_until(now() + 0.005)?;
            self.look()?;
        }
        Ok(())
    }

    /// Writes the sound that belongs to a picture. `false`: it has run dry, because this machine was too busy for half a second.
    fn play(&mut self, step: u32) -> Result<bool, Box<dyn Error>> {
        let is_loud = step % EVERY < WHITE;
        let sample = |at: u32| {
            let at = step % EVERY * STEP + at;
            let phase = TAU * 1000.0 * f64::from(at) / f64::from(RATE);
            #[allow(clippy::cast_possible_truncation, reason = "half of full scale")]
            let loud = (16_000.0 * phase.sin()) as i16;
            if is_loud { loud } else { 0 }
        };
        let samples: Vec<i16> = (0..STEP).map(sample).collect();
        match self.pcm.io_i16()?.writei(&samples) {
            Ok(written) => self.written += i64::try_from(written)?,
            Err(error) if error.errno() == rustix::io::Errno::PIPE.raw_os_error() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Asks the card where it is.
    fn look(&mut self) -> Result<(), Box<dyn Error>> {
        let status = self.pcm.status()?;
        let stamp = status.get_htstamp();
        let at = stamp.tv_sec as f64 + stamp.tv_nsec as f64 / 1e9;
        let played = self.written - (self.buffer - status.get_avail());
        if status.get_state() != State::Running || played == 0 {
            return Ok(()); // Its time stamp is none, or none yet.
        }
        self.starts.push_back(at - played as f64 / f64::from(RATE));
        if self.starts.len() > ANSWERS {
            self.starts.pop_front();
        }
        Ok(())
    }

    /// When the first sample that belongs to a picture is played, in seconds of the monotonic clock.
    fn when(&self, step: u32) -> Option<f64> {
        let start = self.starts.iter().copied().min_by(f64::total_cmp)?;
        Some(start + (f64::from(step) - f64::from(self.first)) * f64::from(STEP) / f64::from(RATE))
    }
}

/// The monotonic clock, in seconds.
fn now() -> f64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn sleep_until(at: f64) -> Result<(), Box<dyn Error>> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the clock counts from the start of the machine"
    )]
    let (tv_sec, tv_nsec) = (at as i64, (at.fract() * 1e9) as i64);
    match clock_nanosleep_absolute(ClockId::Monotonic, &Timespec { tv_sec, tv_nsec }) {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("cannot wait: {error}").into()),
    }
}
