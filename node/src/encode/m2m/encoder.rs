use std::{
    collections::VecDeque,
    io,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    CodedFormat, Found, M2mError,
    buffers::{Buffers, Done},
    controls::Controls,
    discover::visible,
    flags,
    flight::{Flight, MOST_KEPT},
    ioctl::{Device, Layout, Side},
    place::{Copying, is_the_same},
};
use crate::{
    encode::{EncodeError, Intake, Passthrough, VideoEncoder},
    media::{
        AccessUnit, Bitrate, Colour, Dmabuf, Frame, Orders, PixelFormat, Timestamp, VideoFormat,
        h264::nal_units,
    },
};

/// Coded pictures: one being filled, one in our hands, the others for an encoder that writes parameter sets apart.
const CODED_BUFFERS: u32 = 4;
/// Copies of raw pictures: as many as an encoder may keep back, and the one at hand.
const COPIES: u32 = MOST_KEPT as u32 + 1;
/// Pictures in the camera's memory: a place for each buffer that a camera may have, so that the driver need not map one anew.
const IMPORTS: u32 = 8;

/// An encoder that does nothing for so long hangs. One at its limit takes a frame interval.
const HANGS: Duration = Duration::from_secs(2);
/// One that has done with a raw picture and gives no coded one for so long keeps it back.
const KEEPS: Duration = Duration::from_millis(250);
/// The longest single `poll`: not every driver wakes those who wait when its device goes.
const LONGEST_POLL: Duration = Duration::from_millis(200);

/// A running encoder. One for each format of frames.
pub struct Encoder {
    name: String,
    device: Arc<Device>,
    coded: CodedFormat,
    format: VideoFormat,
    /// What goes into the device, and how it has to lie there.
    pixel: PixelFormat,
    layout: Layout,
    controls: Controls,
    way: Way,
    output: Buffers,
    flight: Flight,
    /// Coded and not handed over yet.
    ready: VecDeque<AccessUnit>,
    headers: Passthrough,
    pictures: u32,
}

/// How frames get into the device.
enum Way {
    /// The first frame will tell.
    Open,
    /// They are lent, each in the place that its memory had the last time.
    Lent(Buffers, Vec<RawFd>),
    /// They are copied.
    Copied(Buffers, Copying),
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
        let name = format!("{} ({})", found.driver, found.path.display());
        let failed = |action| {
            let name = name.clone();
            move |error| failed(&name, action, error)
        };
        let unsupported = |reason: String| M2mError::Unsupported {
            device: name.clone(),
            reason,
        };
        let pixel = match format.pixel {
            pixel if found.inputs.contains(&pixel) => pixel,
            PixelFormat::Yu12 if found.inputs.contains(&PixelFormat::Nv12) => PixelFormat::Nv12,
            pixel => return Err(unsupported(format!("it does not take {pixel}"))),
        };
        if !found.takes_size(format.size) {
            let (least, most) = (found.least, found.most);
            return Err(unsupported(format!(
                "it takes {least} to {most}, not {}",
                format.size
            )));
        }
        let device = Device::open(&found.path)
            .map_err(failed("open"))?
            .ok_or_else(|| unsupported("it is no codec any more".to_owned()))?;
        let device = Arc::new(device);

        // The order is that of the kernel's documentation, "Initialization".
        let picture = visible(format.size);
        let wanted = Layout {
            fourcc: *coded.fourcc(),
            width: picture.width,
            height: picture.height,
            stride: 0,
            // Half of what a raw picture takes: a keyframe never needs as much. A driver that knows better says so.
            image: picture.width * picture.height * 3 / 4,
        };
        let given = device
            .set_format(Side::Coded, wanted)
            .map_err(failed("take the coded format"))?;
        if given.fourcc != wanted.fourcc {
            return Err(unsupported("it does not make this codec".to_owned()));
        }
        let wanted = Layout {
            fourcc: *pixel.fourcc(),
            stride: if pixel == format.pixel { format.stride } else { 0 },
            image: 0,
            ..wanted
        };
        let layout = device
            .set_format(Side::Raw, wanted)
            .map_err(failed("take the raw format"))?;
        let fits = layout.width >= picture.width
            && layout.height >= picture.height
            && layout.stride >= pixel.least_stride(picture.width);
        if layout.fourcc != wanted.fourcc || !fits {
            return Err(unsupported(format!("it does not take {picture} {pixel}")));
        }
        if let Err(error) = device.set_rate(format.rate) {
            tracing::debug!(encoder = name, "it can't be told a frame rate: {error}");
        }
        if (layout.width, layout.height) != (picture.width, picture.height) {
            match device.crop(picture) {
                Ok(cropped) if cropped == picture => {}
                other => tracing::debug!(
                    encoder = name,
                    "it shows {}x{} of {picture}: {other:?}",
                    layout.width,
                    layout.height
                ),
            }
        }
        let controls = Controls::set_up(&device, coded, picture, format.rate, bitrate);
        let mut output = Buffers::mapped(device.clone(), Side::Coded, CODED_BUFFERS)
            .map_err(failed("make room for coded pictures"))?;
        queue_all(&mut output).map_err(failed("take a buffer"))?;
        output.start().map_err(failed("start"))?;
        Ok(Self {
            name,
            device,
            coded,
            format,
            pixel,
            layout,
            controls,
            way: Way::Open,
            output,
            flight: Flight::default(),
            ready: VecDeque::new(),
            headers: Passthrough::of("the hardware encoder"),
            pictures: 0,
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
        self.flight.settle();
        if let Some(bitrate) = orders.bitrate
            && !self.controls.set_bitrate(&self.device, bitrate)
        {
            tracing::debug!(encoder = self.name, "its bitrate can't be set");
        }
        if orders.keyframe && !self.controls.force_keyframe(&self.device) {
            self.begin_anew()?;
        }
        self.send(frame)?;
        self.flight.sent(frame.captured_at);
        self.wait()
    }

    /// Hands a frame to the device.
    fn send(&mut self, frame: &Frame<'_>) -> Result<(), M2mError> {
        let stamp = frame.captured_at.as_duration();
        if matches!(self.way, Way::Open) {
            if let Some(dmabuf) = self.importable(frame) {
                match self.import(frame, dmabuf) {
                    Ok(way) => {
                        self.way = way;
                        return Ok(());
                    }
                    Err(error) if is_gone(&error) => return Err(self.failed("take a frame", error)),
                    // Memory that the device can't reach, in most cases: that of a USB camera is in pieces.
                    Err(error) => {
                        tracing::info!(
                            encoder = self.name,
                            "frames are copied: it can't import them ({error})"
                        );
                    }
                }
            }
            let copies = Buffers::mapped(self.device.clone(), Side::Raw, COPIES)
                .and_then(|copies| copies.start().map(|()| copies))
                .map_err(|error| self.failed("make room for frames", error))?;
            self.way = Way::Copied(copies, Copying::new(&self.format, self.pixel, &self.layout));
        }
        let start = Instant::now();
        loop {
            match &mut self.way {
                Way::Open => {}
                Way::Lent(places, known) => {
                    let Some(dmabuf) = frame.dmabuf else {
                        return Err(M2mError::FormatChanged {
                            device: self.name.clone(),
                        });
                    };
                    let place = place_of(known, dmabuf.fd.as_raw_fd(), places.len());
                    let image = self.layout.image as usize;
                    return places
                        .lend(place, dmabuf, image, stamp)
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
        if !lies_well {
            tracing::info!(
                encoder = self.name,
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

    fn import(&self, frame: &Frame<'_>, dmabuf: Dmabuf<'_>) -> io::Result<Way> {
        let mut places = Buffers::imported(self.device.clone(), IMPORTS)?;
        let stamp = frame.captured_at.as_duration();
        places.lend(0, dmabuf, self.layout.image as usize, stamp)?;
        places.start()?;
        Ok(Way::Lent(places, vec![dmabuf.fd.as_raw_fd()]))
    }

    /// Waits until a lent frame is back, and for the coded pictures that are due.
    fn wait(&mut self) -> Result<(), M2mError> {
        let start = Instant::now();
        let mut taken_at = None;
        loop {
            self.reclaim()?;
            self.collect()?;
            let raw_is_back = match &self.way {
                Way::Open => true,
                Way::Lent(places, _) | Way::Copied(places, _) => {
                    (0..places.len()).all(|index| !places.is_queued(index))
                }
            };
            let is_lent = matches!(self.way, Way::Lent(..)) && !raw_is_back;
            if !is_lent && !self.flight.is_awaited() {
                return Ok(());
            }
            let deadline = if raw_is_back {
                *taken_at.get_or_insert_with(Instant::now) + KEEPS
            } else {
                start + HANGS
            };
            if raw_is_back && Instant::now() >= deadline {
                let result = self.flight.in_vain();
                tracing::debug!(
                    encoder = self.name,
                    pictures = self.flight.kept(),
                    "the encoder keeps pictures back"
                );
                return result.map_err(|_| self.silent(start));
            }
            self.rest_until(deadline, start)?;
        }
    }

    fn rest_until(&self, deadline: Instant, since: Instant) -> Result<(), M2mError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.silent(since));
        }
        self.device
            .wait(left.min(LONGEST_POLL))
            .map_err(|error| self.failed("wait", error))
    }

    /// Takes back the raw pictures that the device has done with.
    fn reclaim(&mut self) -> Result<(), M2mError> {
        let (Way::Lent(raw, _) | Way::Copied(raw, _)) = &mut self.way else {
            return Ok(());
        };
        loop {
            match raw.take() {
                Ok(None) => return Ok(()),
                Ok(Some(done)) if done.flags & flags::BUF_FLAG_ERROR == 0 => {}
                Ok(Some(_)) => {
                    return Err(M2mError::Failed {
                        device: self.name.clone(),
                    });
                }
                Err(error) => return Err(failed(&self.name, "give a frame back", error)),
            }
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
        let is_picture = match self.coded {
            CodedFormat::H264 => nal_units(data).any(|unit| unit.kind().is_slice()),
            CodedFormat::Fwht => !data.is_empty(),
        };
        let captured_at = match is_picture {
            true => self.flight.arrived(done.stamp),
            false => None,
        };
        let captured_at = captured_at.unwrap_or_else(Timestamp::now);
        match self.coded {
            CodedFormat::H264 if data.is_empty() => Ok(None),
            CodedFormat::H264 => {
                self.pictures = self.pictures.wrapping_add(1);
                let frame = Frame {
                    format: VideoFormat {
                        pixel: PixelFormat::H264,
                        stride: 0,
                        colour: Colour::VIDEO,
                        ..self.format
                    },
                    captured_at,
                    sequence: self.pictures,
                    data,
                    dmabuf: None,
                };
                self.headers.take(&frame).map_err(|source| M2mError::Stream {
                    device: self.name.clone(),
                    source,
                })
            }
            CodedFormat::Fwht => Ok(is_picture.then(|| AccessUnit {
                data: Bytes::copy_from_slice(data),
                captured_at,
                is_keyframe: is_fwht_keyframe(data),
            })),
        }
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
        self.flight.clear();
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
            if self.collect()? || (!marks_the_last && self.flight.len() == 0) {
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

fn failed(encoder: &str, action: &'static str, source: io::Error) -> M2mError {
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
            Way::Lent(..) => Intake::Imported,
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

fn queue_all(buffers: &mut Buffers) -> io::Result<()> {
    (0..buffers.len()).try_for_each(|index| buffers.queue(index, 0, Duration::ZERO))
}

/// The place that a file had the last time, or a new one.
fn place_of(known: &mut Vec<RawFd>, file: RawFd, places: usize) -> usize {
    if let Some(place) = known.iter().position(|&other| other == file) {
        return place;
    }
    if known.len() >= places {
        known.clear();
    }
    known.push(file);
    known.len() - 1
}

/// The device has gone, so that nothing else is worth a try.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODEV | libc::EIO))
}

/// By the flags in the picture's header (`struct fwht_cframe_hdr`): its encoder does not flag buffers.
fn is_fwht_keyframe(data: &[u8]) -> bool {
    const FLAGS: std::ops::Range<usize> = 20..24;
    const I_FRAME: u32 = 1 << 10;
    let flags = data.get(FLAGS).and_then(|bytes| bytes.try_into().ok());
    flags.is_some_and(|bytes| u32::from_be_bytes(bytes) & I_FRAME != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_of_memory_keeps_its_place() {
        let mut known = Vec::new();
        let mut place = |file| place_of(&mut known, file, 3);
        assert_eq!([5, 6, 5, 7, 6].map(&mut place), [0, 1, 0, 2, 1]);
        assert_eq!(place(8), 0, "all places are taken: it begins anew");
        assert_eq!(place(5), 1);
    }

    #[test]
    fn keyframes_of_fwht_say_so_in_their_header() {
        let mut picture = [0; 48];
        assert!(!is_fwht_keyframe(&picture));
        picture[22] = 4;
        assert!(is_fwht_keyframe(&picture));
        assert!(!is_fwht_keyframe(&picture[..20]));
    }
}
