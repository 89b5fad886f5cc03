use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use pinhole_service::quiet::Quiet;

use super::{
    CodedFormat, Found, M2mError,
    buffers::{Buffers, Done},
    controls::Controls,
    flags,
    ioctl::{Device, Layout},
    place::{Copying, is_the_same},
    setup::{Setup, queue_all},
    stream::Stream,
    way::Way,
};
use crate::{
    encode::{EncodeError, Intake, VideoEncoder},
    media::{AccessUnit, Bitrate, Dmabuf, Frame, Orders, PixelFormat, VideoFormat},
};

/// An encoder that does nothing for so long hangs. One at its limit takes a frame interval; a camera is given as long.
const HANGS: Duration = Duration::from_secs(5);
/// One that takes pictures and gives none for so long hangs as well.
const SILENT: Duration = Duration::from_secs(2);
/// What is waited for at most when as many pictures are under way as any encoder keeps.
const KEEPS: Duration = Duration::from_millis(250);
/// The longest single `poll`: not every driver wakes those who wait when its device goes.
const LONGEST_POLL: Duration = Duration::from_millis(200);

/// That frames are copied, and why: as often in a minute, for encoders are opened as often as somebody comes.
static COPIES: Quiet = Quiet::new(10);

/// A running encoder. One for each format of frames.
pub struct Encoder {
    name: String,
    device: Arc<Device>,
    format: VideoFormat,
    /// What goes into the device, and how it has to lie there.
    pixel: PixelFormat,
    layout: Layout,
    controls: Controls,
    way: Way,
    output: Buffers,
    stream: Stream,
    /// Coded and not handed over yet.
    ready: VecDeque<AccessUnit>,
    /// Since when nothing has come that was waited for.
    silent_since: Option<Instant>,
}

impl Encoder {
    /// Sets `found` up for frames of `format`, which it takes as they are ([`Found::takes`]) or which are YU12.
    ///
    /// # Errors
    /// It is in use, gone, or can't encode such pictures after all.
    pub fn open(
        found: &Found,
        coded: CodedFormat,
        format: VideoFormat,
        bitrate: Bitrate,
    ) -> Result<Self, M2mError> {
        let Setup {
            name,
            device,
            pixel,
            layout,
            controls,
            output,
        } = Setup::of(found, coded, format, bitrate)?;
        Ok(Self {
            name,
            device,
            format,
            pixel,
            layout,
            controls,
            way: Way::Open,
            output,
            stream: Stream::new(coded, format),
            ready: VecDeque::new(),
            silent_since: None,
        })
    }

    /// Encodes one frame; see [`VideoEncoder::encode`].
    fn encode_frame(&mut self, frame: &Frame<'_>, orders: Orders) -> Result<(), M2mError> {
        if frame.format != self.format {
            return Err(M2mError::FormatChanged {
                device: self.name.clone(),
            });
        }
        self.reclaim()?;
        self.collect()?;
        self.stream.flight.settle();
        if let Some(bitrate) = orders.bitrate
            && !self.controls.set_bitrate(&self.device, bitrate)
        {
            tracing::debug!(encoder = self.name, "its bitrate can't be set");
        }
        if orders.keyframe && !self.controls.force_keyframe(&self.device) {
            self.begin_anew()?;
        }
        self.send(frame)?;
        self.stream.flight.sent(frame.captured_at);
        self.wait()
    }

    /// Hands a frame to the device.
    fn send(&mut self, frame: &Frame<'_>) -> Result<(), M2mError> {
        let stamp = frame.captured_at.as_duration();
        if matches!(self.way, Way::Open) {
            if let Some(dmabuf) = self.importable(frame) {
                match Way::lending(self.device.clone(), dmabuf, &self.layout, stamp) {
                    Ok(way) => {
                        self.way = way;
                        return Ok(());
                    }
                    Err(error) if is_gone(&error) => return Err(self.failed("take a frame", error)),
                    // Memory that the device can't reach, in most cases: that of a USB camera is in pieces.
                    Err(error) => {
                        if let Some(others) = COPIES.may_say() {
                            tracing::info!(
                                encoder = self.name,
                                others,
                                "frames are copied: it can't import them ({error})"
                            );
                        }
                    }
                }
            }
            let copying = Copying::new(&self.format, self.pixel, &self.layout);
            self.way = Way::copying(self.device.clone(), copying)
                .map_err(|error| self.failed("make room for frames", error))?;
        }
        let start = Instant::now();
        loop {
            match &mut self.way {
                Way::Open => {}
                Way::Lent(lent) => {
                    let Some(dmabuf) = frame.dmabuf else {
                        return Err(M2mError::FormatChanged {
                            device: self.name.clone(),
                        });
                    };
                    return lent
                        .send(dmabuf, &self.layout, stamp)
                        .map_err(|error| failed(&self.name, "take a frame", error));
                }
                Way::Copied(copies, copying) => {
                    if let Some(free) = (0..copies.len()).find(|&index| !copies.is_queued(index)) {
                        let used = copying.copy(frame, copies.bytes_mut(free)).map_err(|source| {
                            M2mError::Layout {
                                device: self.name.clone(),
                                source,
                            }
                        })?;
                        return copies
                            .queue(free, used, stamp)
                            .map_err(|error| failed(&self.name, "take a frame", error));
                    }
                }
            }
            self.rest_until(start + HANGS, start)?;
            self.reclaim()?;
            self.collect()?;
        }
    }

    /// The frame's memory, where it may do for the device.
    fn importable<'a>(&self, frame: &Frame<'a>) -> Option<Dmabuf<'a>> {
        let dmabuf = frame.dmabuf?;
        let lies_well =
            self.pixel == self.format.pixel && is_the_same(&self.format, &self.layout, dmabuf.length);
        if !lies_well && let Some(others) = COPIES.may_say() {
            tracing::info!(
                encoder = self.name,
                others,
                "frames are copied: it wants {}x{} in lines of {} bytes, the camera gives {} in lines of {}",
                self.layout.width,
                self.layout.height,
                self.layout.stride,
                self.format.size,
                self.format.stride
            );
        }
        lies_well.then_some(dmabuf)
    }

    /// Waits until a lent frame is back, and for the coded pictures that are due.
    fn wait(&mut self) -> Result<(), M2mError> {
        let start = Instant::now();
        let mut back_at = None;
        loop {
            self.reclaim()?;
            self.collect()?;
            // A copy may stay as long as it likes.
            let is_back = self.way.is_back();
            if is_back && !self.stream.flight.is_awaited() {
                return Ok(());
            }
            let deadline = if is_back {
                // The next frame is due by then. An encoder that takes longer for a picture works on that one meanwhile.
                let patience = if self.stream.flight.is_full() {
                    KEEPS
                } else {
                    self.format.rate.interval().min(KEEPS)
                };
                *back_at.get_or_insert_with(Instant::now) + patience
            } else {
                start + HANGS
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && !is_back {
                return Err(self.silent(start));
            }
            if left.is_zero() {
                self.stream.flight.in_vain();
                let since = *self.silent_since.get_or_insert(start);
                tracing::debug!(
                    encoder = self.name,
                    pictures = self.stream.flight.kept(),
                    "the encoder keeps pictures back"
                );
                if since.elapsed() >= SILENT {
                    return Err(self.silent(since));
                }
                return Ok(());
            }
            self.rest(left)?;
        }
    }

    fn rest_until(&self, deadline: Instant, since: Instant) -> Result<(), M2mError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.silent(since));
        }
        self.rest(left)
    }

    /// Until something happens, for so long at most.
    fn rest(&self, longest: Duration) -> Result<(), M2mError> {
        self.device
            .wait(longest.min(LONGEST_POLL))
            .map_err(|error| self.failed("wait", error))
    }

    /// Takes back the raw pictures that the device has done with.
    fn reclaim(&mut self) -> Result<(), M2mError> {
        match self.way.reclaim() {
            Ok(true) => Ok(()),
            Ok(false) => Err(M2mError::Failed {
                device: self.name.clone(),
            }),
            Err(error) => Err(self.failed("give a frame back", error)),
        }
    }

    /// Takes the coded pictures that are there; whether the last of a drain was among them.
    fn collect(&mut self) -> Result<bool, M2mError> {
        loop {
            let done = match self.output.take() {
                Ok(Some(done)) => done,
                Ok(None) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
                Err(error) => return Err(self.failed("give a coded picture", error)),
            };
            let is_last = done.flags & flags::BUF_FLAG_LAST != 0;
            if done.flags & flags::BUF_FLAG_ERROR != 0 {
                return Err(M2mError::Failed {
                    device: self.name.clone(),
                });
            }
            if let Some(unit) = self.unit(&done)? {
                self.silent_since = None;
                self.ready.push_back(unit);
            }
            if is_last {
                return Ok(true);
            }
            self.output
                .queue(done.index, 0, Duration::ZERO)
                .map_err(|error| self.failed("take a buffer", error))?;
        }
    }

    /// The picture in a buffer; `None` where it holds something else.
    fn unit(&mut self, done: &Done) -> Result<Option<AccessUnit>, M2mError> {
        let data = self.output.bytes(done.index, done.used);
        self.stream
            .unit(data, done.stamp)
            .map_err(|source| M2mError::Stream {
                device: self.name.clone(),
                source,
            })
    }

    /// The next picture refers to none before it (kernel documentation, "Reset"): the way to a keyframe for drivers that have no control
    /// to force one.
    fn begin_anew(&mut self) -> Result<(), M2mError> {
        if matches!(self.way, Way::Open) {
            // The first is one anyway.
            return Ok(());
        }
        self.drain()?;
        self.output.stop().map_err(|error| self.failed("stop", error))?;
        self.stream.flight.clear();
        queue_all(&mut self.output).map_err(|error| self.failed("take a buffer", error))?;
        self.output
            .start()
            .map_err(|error| self.failed("start again", error))
    }

    /// Has the device finish all that it has (kernel documentation, "Drain").
    fn drain(&mut self) -> Result<(), M2mError> {
        let start = Instant::now();
        let marks_the_last = match self.device.begin_drain() {
            Ok(()) => true,
            // Old drivers know no such command: then what is under way is waited for.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL)) => false,
            Err(error) => return Err(self.failed("finish", error)),
        };
        loop {
            self.reclaim()?;
            if self.collect()? || (!marks_the_last && self.stream.flight.len() == 0) {
                return Ok(());
            }
            self.rest_until(start + HANGS, start)?;
        }
    }

    fn silent(&self, since: Instant) -> M2mError {
        M2mError::Silent {
            device: self.name.clone(),
            seconds: since.elapsed().as_secs_f64(),
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> M2mError {
        failed(&self.name, action, source)
    }
}

/// What an error of the driver means while it tries to `action`.
pub fn failed(encoder: &str, action: &'static str, source: io::Error) -> M2mError {
    M2mError::Device {
        device: encoder.to_owned(),
        action,
        source,
    }
}

impl VideoEncoder for Encoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn intake(&self) -> Intake {
        match self.way {
            Way::Open | Way::Copied(..) => Intake::Copied,
            Way::Lent(_) => Intake::Imported,
        }
    }

    fn encode(&mut self, frame: &Frame<'_>, orders: Orders) -> Result<Option<AccessUnit>, EncodeError> {
        self.encode_frame(frame, orders)?;
        Ok(self.ready.pop_front())
    }

    fn further(&mut self) -> Option<AccessUnit> {
        self.ready.pop_front()
    }

    fn finish(&mut self) -> Vec<AccessUnit> {
        if !matches!(self.way, Way::Open)
            && let Err(error) = self.drain()
        {
            tracing::debug!(encoder = self.name, "it was not finished in order: {error}");
        }
        self.ready.drain(..).collect()
    }
}

/// The device has gone, so that nothing else is worth a try.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EIO))
}
