//! Sound cards that play, by ALSA.

mod convert;
mod open;

use std::time::Duration;

use alsa::{PCM, pcm};

use super::output::{Output, OutputError};
use crate::capture::{
    SoundError,
    alsa::{SampleFormat, failure},
};

/// Opens a device to play on: a PCM of ALSA by its name, a card by its name or a part of it, or `default`.
pub(super) fn open(device: &str) -> Result<Box<dyn Output>, OutputError> {
    let speaker = Speaker::open(device)?;
    Ok(Box::new(speaker))
}

/// Opens a device and closes it again. Returns what it is and what it takes, in words.
///
/// # Errors
/// Nothing can be played on it.
pub fn try_device(device: &str) -> Result<String, OutputError> {
    Speaker::open(device).map(|speaker| speaker.describe())
}

/// A card that is open. It takes the thread that opened it.
struct Speaker {
    pcm: PCM,
    /// As the configuration names it.
    device: String,
    /// As ALSA does.
    name: String,
    rate: u32,
    channels: u32,
    format: SampleFormat,
    bytes: Vec<u8>,
    buffer: pcm::Frames,
    period: Duration,
    goal: Duration,
    /// How often it ran dry in a row.
    dry: u32,
}

/// What is before the card: three periods of 10 ms. Two would do, were the thread never late.
const GOAL: Duration = Duration::from_millis(30);
/// Where the card has run dry all the same, so much more is put before it from then on …
const MORE: Duration = Duration::from_millis(10);
/// … up to this.
const MOST_GOAL: Duration = Duration::from_millis(100);
/// A card that has long periods needs more.
const PERIODS: u32 = 2;
/// A card that runs dry so often without playing in between does not work.
const ALWAYS_DRY: u32 = 50;
/// How long a card may take to wake up after the machine slept.
const RESUME: Duration = Duration::from_secs(1);

impl Output for Speaker {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn describe(&self) -> String {
        let plural = if self.channels == 1 { "" } else { "s" };
        format!(
            "{}, {} Hz, {} channel{plural}, {}",
            self.name,
            self.rate,
            self.channels,
            self.format.name()
        )
    }

    fn queued(&mut self) -> Result<Duration, OutputError> {
        let avail = self.pcm.avail_update().map_err(|error| self.recover(&error))?;
        Ok(self.lasting((self.buffer - avail).max(0)))
    }

    fn goal(&self) -> Duration {
        // Some cards hold very little.
        self.goal.min(self.lasting(self.buffer) * 3 / 4)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), OutputError> {
        self.bytes.clear();
        convert::spread(self.format, samples, self.channels, &mut self.bytes);
        let frame = self.format.bytes() * self.channels as usize;
        let mut from = 0;
        while from < self.bytes.len() {
            let written = self.pcm.io_bytes().writei(&self.bytes[from..]);
            match written {
                Ok(frames) => from += frames * frame,
                // Its buffer is full, although it said otherwise: what does not fit would only be late.
                Err(error) if error.errno() == libc::EAGAIN => break,
                Err(error) => return Err(self.recover(&error)),
            }
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), OutputError> {
        // Where a card wakes nobody, it is looked after all the same.
        let patience = u32::try_from((self.period * 2).as_millis()).unwrap_or(100).max(1);
        if self.pcm.state() == pcm::State::Prepared {
            // Started by hand where less was written than it starts by itself with.
            self.pcm.start().map_err(|error| self.recover(&error))?;
        }
        match self.pcm.wait(Some(patience)) {
            Ok(_) => {
                self.dry = 0;
                Ok(())
            }
            Err(error) => Err(self.recover(&error)),
        }
    }
}

impl Speaker {
    fn lasting(&self, frames: pcm::Frames) -> Duration {
        let frames = u64::try_from(frames).unwrap_or(0);
        Duration::from_nanos(frames.saturating_mul(1_000_000_000) / u64::from(self.rate.max(1)))
    }

    /// Brings the card back where that is possible.
    fn recover(&mut self, error: &alsa::Error) -> OutputError {
        let outcome = match error.errno() {
            libc::EPIPE => self.pcm.prepare(),
            libc::ESTRPIPE => self.resume(),
            _ => return self.failed(error),
        };
        self.dry += 1;
        if error.errno() == libc::EPIPE && self.goal < MOST_GOAL {
            self.goal += MORE;
        }
        match outcome.and_then(|()| self.be_woken()) {
            Err(error) => self.failed(&error),
            Ok(()) if self.dry > ALWAYS_DRY => self.failed(error),
            Ok(()) => OutputError::Dry,
        }
    }

    /// After the machine slept.
    fn resume(&self) -> alsa::Result<()> {
        let start = std::time::Instant::now();
        loop {
            match self.pcm.resume() {
                Ok(()) => return Ok(()),
                Err(error) if error.errno() == libc::EAGAIN && start.elapsed() < RESUME => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                // Many drivers can't; then it begins anew.
                Err(_) => return self.pcm.prepare(),
            }
        }
    }

    fn failed(&self, error: &alsa::Error) -> OutputError {
        told(&self.device, failure(&self.name, "play", *error))
    }
}

/// What a card's fault is for the loudspeaker that the configuration calls `device`.
fn told(device: &str, error: SoundError) -> OutputError {
    let device = device.to_owned();
    match error {
        SoundError::NotFound { .. } => OutputError::Absent { device },
        SoundError::Unplugged { .. } => OutputError::Gone { device },
        SoundError::Busy { .. } => OutputError::Busy { device },
        SoundError::Permission { .. } => OutputError::Denied { device },
        SoundError::NoUsableFormat { usable, .. } => OutputError::NoUsableFormat { device, usable },
        SoundError::Io { action, source, .. } => OutputError::Broken {
            device,
            cause: format!("it failed to {action}: {source}"),
        },
        error @ (SoundError::NoSuchChannel { .. } | SoundError::Silent { .. }) => OutputError::Broken {
            device,
            cause: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_without_a_format_of_ours_is_told_in_words_and_waits_for_a_person() {
        let error = told(
            "porch",
            SoundError::NoUsableFormat {
                device: "hw:CARD=Porch,DEV=0".to_owned(),
                usable: "S16_LE, S32_LE".to_owned(),
            },
        );
        assert_eq!(
            error.to_string(),
            "the loudspeaker `porch` has no usable format; usable are S16_LE, S32_LE, interleaved"
        );
        assert!(!error.is_transient());
    }
}
