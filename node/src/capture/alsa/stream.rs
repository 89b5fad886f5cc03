use std::{io, thread, time::Duration};

use alsa::{
    PCM,
    pcm::{Frames, TstampType},
};
use rustix::io::Errno;

use super::{
    open::{Agreed, agree, failure, parameters},
    samples::SampleFormat,
};
use crate::{
    capture::{Shape, Sound, SoundError, SoundSource},
    media::{Channels, Timestamp},
};

/// How much a card gives at a time. Shorter ones would wake the processor more often than they save latency.
const PERIOD: u32 = 10_000; // µs

/// What a card may hold: a busy board is allowed to come so late without a sample being lost. It is emptied at once otherwise,
/// so that this is no latency.
const BUFFER: u32 = 500_000; // µs

/// A driver's time stamp that is further away from now than this is of another clock.
const CREDIBLE: Duration = Duration::from_secs(1);

/// The pause after a card that said it had sound and had none: it may say so again at once, for as long as it likes.
const PAUSE: Duration = Duration::from_millis(5);

/// A microphone that delivers.
pub(super) struct Source {
    pcm: PCM,
    device: String,
    shape: Shape,
    format: SampleFormat,
    channels: Channels,
    /// Room for all that the card may hold.
    bytes: Vec<u8>,
    mixed: Vec<f32>,
    overruns: u64,
}

impl Source {
    /// Starts the card.
    pub(super) fn start(pcm: PCM, device: String, wanted: Channels) -> Result<Self, SoundError> {
        let (agreed, buffer) = settle(&pcm, &device, wanted)?;
        let Agreed {
            rate,
            channels,
            format,
        } = agreed;
        pcm.start().map_err(|error| failure(&device, "start", error))?;
        let frames = usize::try_from(buffer).unwrap_or(0);
        Ok(Self {
            pcm,
            device,
            shape: Shape {
                rate,
                channels,
                format: format.name(),
            },
            format,
            channels: wanted,
            bytes: vec![0; frames * channels as usize * format.bytes()],
            mixed: Vec::with_capacity(frames),
            overruns: 0,
        })
    }

    /// Goes on after what the card has told instead of giving sound.
    fn recover(&mut self, error: alsa::Error) -> Result<(), SoundError> {
        thread::sleep(PAUSE);
        let failed = |error| failure(&self.device, "go on", error);
        match Errno::from_raw_os_error(error.errno()) {
            Errno::AGAIN | Errno::INTR => Ok(()),
            // The machine had been suspended. A card that can't resume starts anew.
            Errno::STRPIPE => match self.pcm.resume() {
                Ok(()) => Ok(()),
                Err(error) if error.errno() == Errno::AGAIN.raw_os_error() => Ok(()),
                Err(_) => self.restart().map_err(failed),
            },
            // An overrun: it was not emptied in time.
            Errno::PIPE => {
                self.overruns += 1;
                self.restart().map_err(failed)
            }
            _ => Err(failure(&self.device, "deliver sound", error)),
        }
    }

    fn restart(&self) -> alsa::Result<()> {
        self.pcm.prepare()?;
        self.pcm.start()
    }

    /// When the first of `frames` frames, which were just read, was captured.
    fn captured_at(&self, frames: usize) -> Timestamp {
        let now = Timestamp::now();
        // The driver's position and the time at which it was there, taken together.
        let (stamped_at, held) = match self.pcm.status() {
            Ok(status) => {
                let time = status.get_htstamp();
                let time = Duration::new(
                    u64::try_from(time.tv_sec).unwrap_or(0),
                    u32::try_from(time.tv_nsec).unwrap_or(0).min(999_999_999),
                );
                (Timestamp::from_monotonic(time), status.get_avail())
            }
            Err(_) => (Timestamp::from_monotonic(Duration::ZERO), 0),
        };
        let is_credible = stamped_at.since(now).max(now.since(stamped_at)) < CREDIBLE;
        let at = if is_credible { stamped_at } else { now };
        let before = frames + usize::try_from(held).unwrap_or(0);
        let before = Duration::from_secs_f64(before as f64 / f64::from(self.shape.rate.max(1)));
        Timestamp::from_monotonic(at.as_duration().saturating_sub(before))
    }
}

impl SoundSource for Source {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Sound<'_>>, SoundError> {
        let milliseconds = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX >> 1);
        match self.pcm.wait(Some(milliseconds)) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return self.recover(error).map(|()| None),
        }
        let read = self.pcm.io_bytes().readi(&mut self.bytes);
        let frames = match read {
            Ok(0) => {
                thread::sleep(PAUSE);
                return Ok(None);
            }
            Ok(frames) => frames,
            Err(error) => return self.recover(error).map(|()| None),
        };
        let first_at = self.captured_at(frames);
        let channels = self.shape.channels as usize;
        let length = frames * channels * self.format.bytes();
        let bytes = self.bytes.get(..length).ok_or_else(|| SoundError::Io {
            device: self.device.clone(),
            action: "deliver sound",
            source: io::ErrorKind::InvalidData.into(),
        })?;
        self.mixed.clear();
        self.format.mix(bytes, channels, self.channels, &mut self.mixed);
        Ok(Some(Sound {
            samples: &self.mixed,
            first_at,
        }))
    }

    fn overruns(&self) -> u64 {
        self.overruns
    }
}

/// Has the card deliver what is next to 48 kHz and the fewest channels. Returns how many frames it holds at most as well.
fn settle(pcm: &PCM, device: &str, wanted: Channels) -> Result<(Agreed, Frames), SoundError> {
    let failed = |action| move |error| failure(device, action, error);
    let parameters = parameters(pcm, device)?;
    let agreed = agree(&parameters, device, fewest(wanted))?;
    check(device, wanted, agreed.channels)?;
    parameters
        .set_buffer_time_near(BUFFER, alsa::ValueOr::Nearest)
        .map_err(failed("take a buffer"))?;
    parameters
        .set_period_time_near(PERIOD, alsa::ValueOr::Nearest)
        .map_err(failed("take a period"))?;
    pcm.hw_params(&parameters).map_err(failed("take its settings"))?;
    let buffer = parameters.get_buffer_size().map_err(failed("tell its buffer"))?;
    stamp(pcm).map_err(failed("stamp the time"))?;
    Ok((agreed, buffer))
}

/// How many channels to ask for.
fn fewest(wanted: Channels) -> u32 {
    match wanted {
        Channels::All => 1,
        // Never one where there are more: a plugin would mix it of all of them.
        Channels::Only(channel) => (u32::from(channel) + 1).max(2),
    }
}

fn check(device: &str, wanted: Channels, channels: u32) -> Result<(), SoundError> {
    match wanted {
        Channels::Only(channel) if u32::from(channel) >= channels => Err(SoundError::NoSuchChannel {
            device: device.to_owned(),
            channel,
            channels,
        }),
        _ => Ok(()),
    }
}

/// Has the driver note the time with every position, by the clock that everything else goes by.
fn stamp(pcm: &PCM) -> alsa::Result<()> {
    let parameters = pcm.sw_params_current()?;
    parameters.set_tstamp_mode(true)?;
    // Plugins may know no other clock than theirs; [`Source::captured_at`] notices a time that can't be.
    let _ = parameters.set_tstamp_type(TstampType::Monotonic);
    pcm.sw_params(&parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_channels_are_asked_for_that_the_wanted_one_is_the_cards_own() {
        for (wanted, fewest) in [
            (Channels::All, 1),
            (Channels::Only(0), 2),
            (Channels::Only(1), 2),
            (Channels::Only(5), 6),
            (Channels::Only(63), 64),
        ] {
            assert_eq!(super::fewest(wanted), fewest, "{wanted:?}");
        }
    }

    #[test]
    fn a_channel_that_the_card_does_not_have_is_a_fault_in_words_that_waits_for_a_person() {
        for (wanted, channels) in [
            (Channels::All, 1),
            (Channels::Only(0), 1),
            (Channels::Only(1), 2),
            (Channels::Only(0), 8),
        ] {
            assert!(
                check("hw:1,0", wanted, channels).is_ok(),
                "{wanted:?} of {channels}"
            );
        }
        let error = check("hw:1,0", Channels::Only(2), 2).expect_err("it has 0 and 1");
        let words = error.to_string();
        assert!(
            words.starts_with("hw:1,0 has no channel 2; it has 2, numbered from 0"),
            "{words}"
        );
        assert!(!error.is_transient());
    }
}
