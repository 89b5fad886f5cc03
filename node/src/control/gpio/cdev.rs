//! Lines of the kernel's character device (Linux `userspace-api/gpio/chardev.rst`).

use std::{
    io::{self, PipeWriter},
    os::fd::AsFd,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use gpiocdev::{
    Request,
    line::{Bias, EdgeDetection, Value},
};
use rustix::event::{PollFd, PollFlags, poll};

use super::{
    CONSUMER, FRAME, GpioError, InputLine, Lines, OutputLine, ServoLine, Wake, chips::Place, pulses::Pulses,
};
use crate::config::gpio::{Pin, Pull, Pwm};

/// Pins through the character device.
pub(super) struct CharacterDevice {
    /// Whose lines plain numbers are.
    chip: String,
}

impl CharacterDevice {
    pub(super) fn new(chip: &str) -> Self {
        Self {
            chip: chip.to_owned(),
        }
    }

    fn take(
        &self,
        pin: &Pin,
        build: impl FnOnce(&mut gpiocdev::request::Builder),
    ) -> Result<Line, GpioError> {
        let place = Place::of(pin, &self.chip)?;
        let mut builder = Request::builder();
        builder
            .on_chip(&place.chip)
            .with_consumer(CONSUMER)
            .with_line(place.line);
        build(&mut builder);
        match builder.request() {
            Ok(request) => Ok(Line { request, place }),
            Err(error) => Err(match place.holder() {
                Some(holder) => GpioError::Taken {
                    pin: place.pin,
                    holder,
                },
                None => place.error(&error),
            }),
        }
    }
}

impl Lines for CharacterDevice {
    fn name(&self) -> &'static str {
        "cdev"
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn look(&self, pin: &Pin) -> Result<(), GpioError> {
        let place = Place::of(pin, &self.chip)?;
        match place.holder() {
            Some(holder) => Err(GpioError::Taken {
                pin: place.pin,
                holder,
            }),
            None => Ok(()),
        }
    }

    fn output(&self, pin: &Pin, high: bool) -> Result<Box<dyn OutputLine>, GpioError> {
        let line = self.take(pin, |builder| {
            builder.as_output(value(high));
        })?;
        Ok(Box::new(line))
    }

    fn input(&self, pin: &Pin, pull: Pull, wake: Wake) -> Result<Box<dyn InputLine>, GpioError> {
        let line = self.take(pin, |builder| {
            builder.as_input().with_edge_detection(EdgeDetection::BothEdges);
            // Left as it is where none is asked for: not every chip has resistors.
            match pull {
                Pull::None => {}
                Pull::Up => drop(builder.with_bias(Bias::PullUp)),
                Pull::Down => drop(builder.with_bias(Bias::PullDown)),
            }
        })?;
        Ok(Box::new(Watched::start(line, wake)?))
    }

    fn servo(&self, pin: &Pin, pwm: Pwm) -> Result<Box<dyn ServoLine>, GpioError> {
        if pwm == Pwm::Hardware {
            return Err(GpioError::NoPwm {
                pin: pin.to_string(),
                why: "the character device has none".to_owned(),
            });
        }
        let mut line = self.take(pin, |builder| {
            builder.as_output(Value::Inactive);
        })?;
        let name = pin.to_string();
        let pulses = Pulses::start(FRAME, move |high| line.set(high)).map_err(|error| GpioError::Failed {
            pin: name,
            why: error.to_string(),
        })?;
        Ok(Box::new(pulses))
    }
}

fn value(high: bool) -> Value {
    if high { Value::Active } else { Value::Inactive }
}

/// A line that is ours until this is dropped.
struct Line {
    request: Request,
    place: Place,
}

impl OutputLine for Line {
    fn set(&mut self, high: bool) -> Result<(), GpioError> {
        let outcome = self.request.set_lone_value(value(high));
        outcome.map_err(|error| self.place.error(&error))
    }
}

/// An input whose edges a thread waits for.
struct Watched {
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
    /// Closed, it ends the thread.
    stop: Option<PipeWriter>,
}

impl Watched {
    fn start(line: Line, wake: Wake) -> Result<Self, GpioError> {
        let line = Arc::new(line);
        let failed = |error: io::Error| line.place.error(&error);
        let (stopped, stop) = io::pipe().map_err(failed)?;
        let watched = line.clone();
        let thread = std::thread::Builder::new()
            .name("gpio edges".into())
            .spawn(move || {
                loop {
                    let mut both = [
                        PollFd::from_borrowed_fd(watched.request.as_fd(), PollFlags::IN),
                        PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN),
                    ];
                    match poll(&mut both, None) {
                        Err(rustix::io::Errno::INTR) => continue,
                        Err(_) => return,
                        Ok(_) if !both[1].revents().is_empty() => return,
                        Ok(_) => {}
                    }
                    // The level is read by whoever is woken; the chip is gone where there is no event to read.
                    if watched.request.read_edge_event().is_err() {
                        wake();
                        return;
                    }
                    wake();
                }
            })
            .map_err(failed)?;
        Ok(Self {
            line,
            thread: Some(thread),
            stop: Some(stop),
        })
    }
}

impl InputLine for Watched {
    fn is_high(&mut self) -> Result<bool, GpioError> {
        let level = self.line.request.lone_value();
        level
            .map(|value| value == Value::Active)
            .map_err(|error| self.line.place.error(&error))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl ServoLine for Pulses {
    fn pulse(&mut self, width: Duration) -> Result<(), GpioError> {
        self.set(Some(width))
    }

    fn rest(&mut self) -> Result<(), GpioError> {
        self.set(None)
    }
}
