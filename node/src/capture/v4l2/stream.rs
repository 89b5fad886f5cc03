use std::{
    io, thread,
    time::{Duration, Instant},
};

use pinhole_service::quiet::Quiet;
use rustix::io::Errno;
use v4l::Device;

use super::{
    DeviceName, controls,
    encoder::Encoder,
    flags::{BUF_FLAG_ERROR, BUF_FLAG_TIMESTAMP_MASK, BUF_FLAG_TIMESTAMP_MONOTONIC},
    inlet,
    queue::{Buffer, Queue},
    receiver,
    signal::Signal,
};
use crate::{
    capture::{CaptureError, Controls, VideoSource},
    media::{Bitrate, Frame, PixelFormat, Timestamp, VideoFormat, jpeg},
};

/// The longest single `poll`: not every driver wakes those who wait when its device goes.
const LONGEST_POLL: Duration = Duration::from_millis(200);

/// A camera that we have waited for so long in vain (and at least ten frames' time) has stalled.
const STALLED: Duration = Duration::from_secs(5);

/// The oldest that a frame can be; a time stamp further back is of another clock or broken.
const OLDEST: Duration = Duration::from_secs(5);

/// A streaming camera.
pub struct Source {
    device: Device,
    name: DeviceName,
    format: VideoFormat,
    queue: Queue,
    /// The camera's own, where it encodes.
    encoder: Encoder,
    count: Count,
    /// The controls that were set.
    controls: Controls,
    /// What it is set up for, where it does not make its pictures itself.
    signal: Option<Signal>,
    /// The buffer that the caller's frame lies in.
    held: Option<Buffer>,
    health: Health,
}

/// How often damaged frames are reported at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// What was of no use.
#[derive(Default)]
struct Health {
    /// Time spent waiting since the last good frame; time that the caller spent elsewhere is not the camera's fault.
    waited: Duration,
    /// Damaged frames not reported yet.
    damaged: u64,
    reported: Option<Instant>,
    /// Whether there was a good frame yet.
    delivered: bool,
}

impl Health {
    /// After a good frame.
    fn good(&mut self, name: &DeviceName) {
        self.waited = Duration::ZERO;
        // Cameras often start with a damaged frame or two; later ones mean a bad cable or too little power.
        if !std::mem::replace(&mut self.delivered, true) {
            self.damaged = 0;
        }
        let due = self
            .reported
            .is_none_or(|reported| reported.elapsed() >= REPORT_INTERVAL);
        // A camera is opened as often as somebody comes.
        static DAMAGED: Quiet = Quiet::new(5);
        if self.damaged > 0
            && due
            && let Some(others) = DAMAGED.may_say()
        {
            tracing::warn!(device = %name, frames = self.damaged, others, "the camera delivers damaged frames; they are skipped");
            self.damaged = 0;
            self.reported = Some(Instant::now());
        }
    }
}

impl Source {
    pub fn new(
        device: Device,
        name: DeviceName,
        format: VideoFormat,
        queue: Queue,
        encoder: Encoder,
        controls: Controls,
    ) -> Self {
        Self {
            device,
            name,
            format,
            queue,
            encoder,
            count: Count::default(),
            controls,
            signal: None,
            held: None,
            health: Health::default(),
        }
    }

    /// The same, set up for what the source at its input sends; it fails when that changes.
    pub fn of_signal(self, signal: Option<Signal>) -> Self {
        Self { signal, ..self }
    }

    /// What was captured of one signal is nothing of another: the device is opened anew for that.
    fn check_signal(&self) -> Result<(), CaptureError> {
        match &self.signal {
            Some(signal) if receiver::has_changed(&self.device) => {
                inlet::check(&self.device, &self.name, signal)
            }
            _ => Ok(()),
        }
    }

    /// Waits for a good frame and holds it. `false` where there was none in time.
    fn fetch(&mut self, patience: Duration) -> Result<bool, CaptureError> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let ready = self
                .queue
                .wait(left.min(LONGEST_POLL))
                .map_err(|error| self.error("wait", error))?;
            self.check_signal()?;
            if ready && self.take_good()? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            if ready {
                // Either the frame was damaged, or the driver says that it is ready and is not: don't spin.
                thread::sleep(Duration::from_millis(1).min(left));
            }
        }
    }

    /// Empties the queue into `held`, the newest good frame winning; of an encoded stream it takes the oldest only.
    fn take_good(&mut self) -> Result<bool, CaptureError> {
        // No more rounds than there are buffers: a driver may be faster than this loop.
        for _ in 0..self.queue.len() {
            let Some(buffer) = self.queue.take().map_err(|error| self.error("deliver", error))? else {
                break;
            };
            self.count.see(buffer.sequence);
            let superseded = if self.is_damaged(&buffer) {
                self.health.damaged += 1;
                Some(buffer)
            } else {
                self.held.replace(buffer)
            };
            if let Some(buffer) = superseded {
                self.give_back(buffer)?;
            }
            if self.format.pixel == PixelFormat::H264 && self.held.is_some() {
                break;
            }
        }
        Ok(self.held.is_some())
    }

    fn give_back(&mut self, buffer: Buffer) -> Result<(), CaptureError> {
        self.queue
            .give_back(buffer)
            .map_err(|error| self.error("take a buffer back", error))
    }

    /// Flagged by the driver, empty, cut short, or (the first buffer of a loopback device) never written to.
    fn is_damaged(&self, buffer: &Buffer) -> bool {
        if buffer.flags & BUF_FLAG_ERROR != 0 {
            return true;
        }
        match self.format.pixel {
            PixelFormat::Mjpeg => jpeg::start(self.queue.bytes(buffer)).is_none(),
            PixelFormat::H264 => {
                let bytes = self.queue.bytes(buffer);
                !(bytes.starts_with(&[0, 0, 1]) || bytes.starts_with(&[0, 0, 0, 1]))
            }
            _ => buffer.used < self.format.least_bytes(),
        }
    }

    /// What an error of the driver means. A device that has just gone fails in many ways before it says so.
    fn error(&self, action: &'static str, error: io::Error) -> CaptureError {
        let gone = Errno::from_io_error(&error) == Some(Errno::IO) && !self.queue.is_present();
        if gone {
            return CaptureError::Unplugged {
                device: self.name.to_string(),
            };
        }
        self.name.error(action, error)
    }

    fn check_stall(&mut self, waited: Duration) -> Result<(), CaptureError> {
        self.health.waited += waited;
        if self.health.waited < STALLED.max(10 * self.format.rate.interval()) {
            return Ok(());
        }
        Err(CaptureError::Stalled {
            device: self.name.to_string(),
            seconds: self.health.waited.as_secs_f64(),
        })
    }
}

impl VideoSource for Source {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn signal(&self) -> Option<String> {
        self.signal.map(|signal| signal.to_string())
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Frame<'_>>, CaptureError> {
        if let Some(buffer) = self.held.take() {
            self.give_back(buffer)?;
        }
        let start = Instant::now();
        if !self.fetch(patience)? {
            self.check_stall(start.elapsed())?;
            return Ok(None);
        }
        self.health.good(&self.name);
        Ok(self.held.as_ref().map(|buffer| Frame {
            format: self.format,
            captured_at: captured_at(buffer.time, buffer.flags, Timestamp::now()),
            sequence: self.count.0,
            data: self.queue.bytes(buffer),
            dmabuf: self.queue.dmabuf(buffer),
        }))
    }

    fn makes_keyframes_on_request(&self) -> bool {
        self.encoder.makes_keyframes_on_request()
    }

    fn request_keyframe(&mut self) -> bool {
        self.encoder.request_keyframe(&self.device)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> bool {
        self.encoder.set_bitrate(&self.device, bitrate, &self.controls)
    }

    fn set_controls(&mut self, controls: &Controls) -> Result<(), CaptureError> {
        let before = std::mem::replace(&mut self.controls, controls.clone());
        let outcome = controls::set(&self.device, &self.name, controls, &before);
        self.encoder.set_again(&self.device, controls);
        outcome
    }

    fn controls(&mut self) -> Vec<super::Control> {
        controls::describe(&self.device, &self.name).unwrap_or_default()
    }
}

/// The number of the last frame: the driver's count, which not every driver keeps. Without it a damaged frame that was left
/// out would leave no gap.
#[derive(Debug, Default)]
struct Count(u32, Option<u32>);

impl Count {
    fn see(&mut self, driver: u32) {
        let step = match self.1.replace(driver) {
            Some(before) => driver.wrapping_sub(before),
            None => 1,
        };
        // Anything else is a driver that does not count, or starts anew.
        const CREDIBLE: u32 = 10_000;
        self.0 = self
            .0
            .wrapping_add(if step <= CREDIBLE { step.max(1) } else { 1 });
    }
}

/// The driver's time stamp where it is one of our clock and can be true, else the time of its arrival.
fn captured_at(stamp: Duration, flags: u32, now: Timestamp) -> Timestamp {
    let stamp = Timestamp::from_monotonic(stamp);
    let is_monotonic = flags & BUF_FLAG_TIMESTAMP_MASK == BUF_FLAG_TIMESTAMP_MONOTONIC;
    if is_monotonic && stamp <= now && now.since(stamp) < OLDEST {
        stamp
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_credible_time_stamps_are_believed() {
        let now = Timestamp::from_monotonic(Duration::from_secs(100));
        let at = |milliseconds, flags| captured_at(Duration::from_millis(milliseconds), flags, now);
        let stamped = Timestamp::from_monotonic(Duration::from_millis(99_900));
        assert_eq!(at(99_900, BUF_FLAG_TIMESTAMP_MONOTONIC), stamped);
        assert_eq!(at(99_900, BUF_FLAG_TIMESTAMP_MONOTONIC | BUF_FLAG_ERROR), stamped);
        assert_eq!(at(99_900, 0), now, "of an unknown clock");
        assert_eq!(at(0, BUF_FLAG_TIMESTAMP_MONOTONIC), now, "never stamped");
        assert_eq!(at(100_001, BUF_FLAG_TIMESTAMP_MONOTONIC), now, "in the future");
    }

    #[test]
    fn frames_are_counted_as_the_driver_does_or_else_one_by_one() {
        let numbers = |driver: &[u32]| {
            let mut count = Count::default();
            let see = |&driver: &u32| {
                count.see(driver);
                count.0
            };
            driver.iter().map(see).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&[7, 8, 11, 12]), [1, 2, 5, 6]);
        assert_eq!(numbers(&[0, 0, 0]), [1, 2, 3], "it does not count");
        assert_eq!(numbers(&[900_000, 0, 1]), [1, 2, 3], "it starts anew");
        assert_eq!(numbers(&[u32::MAX, 1]), [1, 3], "it wraps");
    }
}
