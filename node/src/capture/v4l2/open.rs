use std::{io, path::Path};

use v4l::Device;

use super::{
    DeviceName, choice,
    colour::colour,
    controls,
    discover::is_camera,
    encoder::Encoder,
    flags::{CAP_META_CAPTURE, CAP_VIDEO_M2M, CAP_VIDEO_M2M_MPLANE, CAP_VIDEO_OUTPUT},
    inlet,
    ioctl::{self, Dialect},
    mode::{self, Mode},
    queue::Queue,
    signal::Signal,
    stream::Source,
};
use crate::{
    capture::{CaptureError, Controls, Want},
    media::{FrameRate, FrameSize, Inlet, PixelFormat, VideoFormat},
};

/// One in the encoder's hands, one being filled, and two between, so that a late encoder costs no frame.
const BUFFERS: u32 = 4;
/// For what the camera encodes itself: there a lost buffer costs all of the stream up to the next keyframe.
const BUFFERS_IN_ORDER: u32 = 8;

/// Opens the device, sets it up as near to `want` as it goes, and starts it. Also tells what was chosen and why.
pub fn open(path: &Path, want: &Want, inlet: &Inlet) -> Result<(Source, Report), CaptureError> {
    let (device, name, dialect) = take(path)?;
    let mut mistakes = Vec::new();
    let signal = signal(&device, &name, want, inlet, &mut mistakes)?;
    // What the source sends is what there is, whatever is asked for.
    let want = &match signal {
        Some(Signal { size, rate, .. }) => Want {
            size,
            rate,
            ..want.clone()
        },
        None => want.clone(),
    };
    let mut modes =
        mode::modes(&device, dialect, want).map_err(|source| name.error("list its formats", source))?;
    if signal.is_some() {
        modes = mode::without_sizes(modes);
    }
    let (mode, rate) = choice::choose(&modes, want).ok_or_else(|| unusable(&name, &modes, want))?;
    let format =
        set_format(&device, dialect, &name, mode, want)?.ok_or_else(|| unusable(&name, &modes, want))?;
    let rate = match signal {
        Some(signal) => signal.rate_of(format.size),
        None => set_rate(&device, dialect, &name, rate)?,
    };
    let encoder = match format.pixel {
        PixelFormat::H264 => {
            let encoder = Encoder::set_up(&device, rate, &want.controls);
            encoder.map_err(|source| name.error("set its encoder up", source))?
        }
        _ => Encoder::default(),
    };
    // A wrong control is no reason for no picture; a device that has gone says so at the next step.
    let mistake = controls::set(&device, &name, &want.controls, &Controls::new()).err();
    mistakes.extend(mistake.map(|error| error.to_string()));
    let format = VideoFormat { rate, ..format };
    let buffers = if format.pixel == PixelFormat::H264 {
        BUFFERS_IN_ORDER
    } else {
        BUFFERS
    };
    let mut queue = Queue::start(&device, dialect, buffers).map_err(|source| name.error("start", source))?;
    if want.encoder_formats.contains(&format.pixel)
        && let Err(error) = queue.export()
    {
        tracing::debug!(device = %name, "it does not lend its memory to other devices: {error}");
    }
    let report = Report {
        mistakes,
        signal,
        ..Report::new(&name, &format, &modes, want)
    };
    let source = Source::new(device, name, format, queue, encoder, want.controls.clone());
    Ok((source.of_signal(signal), report))
}

/// Has the source at an HDMI input see what it may send. Of a device that is not there, is no camera or is in use by somebody else nothing
/// is said.
pub fn prepare(path: &Path, inlet: &Inlet) -> Result<(), CaptureError> {
    let Ok((device, name, _)) = take(path) else {
        return Ok(());
    };
    let Ok(input) = inlet::choose(&device, &name, inlet.input.as_ref()) else {
        return Ok(());
    };
    match inlet::show_edid(&device, &name, input.as_ref(), &inlet.edid) {
        Err(error) if error.is_transient() => Ok(()),
        outcome => outcome,
    }
}

/// Takes hold of a camera.
fn take(path: &Path) -> Result<(Device, DeviceName, Dialect), CaptureError> {
    let name = DeviceName::of(path);
    let device = Device::with_path(path).map_err(|source| match source.raw_os_error() {
        Some(libc::ENOENT | libc::ENXIO | libc::ENODEV) => CaptureError::NotFound {
            device: name.to_string(),
        },
        _ => name.error("open", source),
    })?;
    let dialect = check(&device, &name)?;
    Ok((device, name, dialect))
}

/// Selects the input, and where it is one for HDMI or the like sets the device up for what comes there.
fn signal(
    device: &Device,
    name: &DeviceName,
    want: &Want,
    inlet: &Inlet,
    mistakes: &mut Vec<String>,
) -> Result<Option<Signal>, CaptureError> {
    let input = inlet::select(device, name, inlet.input.as_ref())?;
    // A wrong one is no reason for no picture: the source may know another.
    let mistake = inlet::show_edid(device, name, input.as_ref(), &inlet.edid).err();
    mistakes.extend(mistake.map(|error| error.to_string()));
    match input.filter(|input| input.has_timings) {
        Some(input) => inlet::lock_on(device, name, &input, want.rate),
        None => Ok(None),
    }
}

/// What came of the wishes, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    device: String,
    format: String,
    colours: String,
    why: String,
    /// What its source sends, where it has one.
    signal: Option<Signal>,
    /// What is wrong with the EDID and the controls.
    mistakes: Vec<String>,
}

impl Report {
    fn new(name: &DeviceName, format: &VideoFormat, modes: &[Mode], want: &Want) -> Self {
        let mut why = choice::reason(modes, want, format.pixel);
        if want.encoder_formats.contains(&format.pixel) {
            why = format!("the hardware encoder takes it; {why}");
        }
        if format.size != want.size || !choice::is_same_rate(format.rate, want.rate) {
            why = format!("the nearest to {} {}; {why}", want.size, want.rate);
        }
        Self {
            device: name.to_string(),
            format: format.to_string(),
            colours: match format.pixel {
                PixelFormat::H264 => "as its stream says".to_owned(),
                _ => format.colour.to_string(),
            },
            why,
            signal: None,
            mistakes: Vec::new(),
        }
    }

    pub fn log(&self) {
        let Self {
            device,
            format,
            colours,
            why,
            signal,
            mistakes,
        } = self;
        for mistake in mistakes {
            tracing::warn!("{mistake}");
        }
        let signal = signal.map(|signal| {
            if signal.interlaced {
                tracing::warn!(%device, %signal, "the signal is interlaced, and moving edges are torn; set its source to a progressive mode");
            }
            tracing::field::display(signal)
        });
        tracing::info!(device, format, signal, colours, why, "camera set up");
    }
}

fn check(device: &Device, name: &DeviceName) -> Result<Dialect, CaptureError> {
    let capabilities = ioctl::capabilities(device).map_err(|source| match source.raw_os_error() {
        Some(libc::ENOTTY | libc::EINVAL) => CaptureError::NotACamera {
            device: name.to_string(),
            what: "it is no V4L2 device".to_owned(),
        },
        _ => name.error("say what it is", source),
    })?;
    let flags = capabilities.flags;
    if is_camera(flags) {
        return Ok(Dialect::of(flags));
    }
    let what = match flags {
        flags if flags & (CAP_VIDEO_M2M | CAP_VIDEO_M2M_MPLANE) != 0 => "it is a codec or converter",
        flags if flags & CAP_META_CAPTURE != 0 => "it delivers data about pictures",
        // A loopback device turns into a camera when something feeds it.
        flags if flags & CAP_VIDEO_OUTPUT != 0 => {
            return Err(CaptureError::NoProducer {
                device: name.to_string(),
            });
        }
        _ => "it does not capture or stream",
    };
    Err(CaptureError::NotACamera {
        device: name.to_string(),
        what: format!("{}: {what}", capabilities.driver),
    })
}

fn unusable(name: &DeviceName, modes: &[Mode], want: &Want) -> CaptureError {
    let device = name.to_string();
    let mut offers: Vec<_> = modes
        .iter()
        .map(|mode| String::from_utf8_lossy(&mode.fourcc))
        .collect();
    offers.dedup();
    let offers = if offers.is_empty() {
        "none".to_owned()
    } else {
        offers.join(", ")
    };
    match want.format {
        Some(wanted) => CaptureError::NoSuchFormat {
            device,
            wanted,
            offers,
        },
        None => CaptureError::NoUsableFormat { device, offers },
    }
}

/// Sets the format and returns what the driver made of it, with a rate yet to be set; `None` where that is nothing
/// that can be encoded.
fn set_format(
    device: &Device,
    dialect: Dialect,
    name: &DeviceName,
    mode: &Mode,
    want: &Want,
) -> Result<Option<VideoFormat>, CaptureError> {
    let asked = mode.size.unwrap_or(want.size);
    let given = ioctl::set_format(device, dialect, mode.fourcc, asked.width, asked.height)
        .map_err(|source| name.error("take its format", source))?;
    let pixel = PixelFormat::of_fourcc(given.fourcc)
        .filter(|&pixel| want.format.is_none_or(|wanted| wanted == pixel));
    let Some(pixel) = pixel else {
        return Ok(None);
    };
    let size = FrameSize {
        width: given.width,
        height: given.height,
    };
    if !mode::is_possible(size) {
        return Ok(None);
    }
    Ok(Some(VideoFormat {
        pixel,
        size,
        stride: stride(pixel, size, given.stride, given.image),
        colour: colour(pixel, given.colorspace, given.encoding, given.quantization),
        rate: want.rate,
    }))
}

/// The driver's stride where it can be true: some give the bytes of all planes' lines together, some zero.
fn stride(pixel: PixelFormat, size: FrameSize, given: u32, image: u32) -> u32 {
    let least = pixel.least_stride(size.width);
    if least == 0 {
        return 0;
    }
    let lines = match pixel {
        PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Yu12 | PixelFormat::Yv12 => 3 * size.height,
        PixelFormat::Nv16 | PixelFormat::Nv61 => 4 * size.height,
        _ => 2 * size.height,
    };
    // Two lines of a packed format are two strides; two lines of 4:2:0 and their chroma are three, of 4:2:2 in planes four.
    let fits = |stride: u32| u64::from(stride) * u64::from(lines) <= 2 * u64::from(image);
    if given >= least && (fits(given) || !fits(least)) {
        given
    } else {
        least
    }
}

/// Sets the rate and returns what the driver made of it. Not every driver has one to set.
fn set_rate(
    device: &Device,
    dialect: Dialect,
    name: &DeviceName,
    rate: FrameRate,
) -> Result<FrameRate, CaptureError> {
    let interval = v4l::Fraction::new(rate.seconds, rate.frames);
    let optional = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL));
    match ioctl::set_interval(device, dialect, interval) {
        Ok(given) => Ok(mode::rate(given).unwrap_or(rate)),
        Err(error) if optional(&error) => Ok(rate),
        Err(error) => Err(name.error("take its frame rate", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::OwnEncoding;

    #[test]
    fn a_stride_that_cannot_be_true_is_replaced() {
        let size: FrameSize = "640x480".parse().unwrap();
        assert_eq!(stride(PixelFormat::Yu12, size, 640, 460_800), 640);
        assert_eq!(stride(PixelFormat::Yu12, size, 704, 704 * 720), 704);
        assert_eq!(
            stride(PixelFormat::Yu12, size, 960, 460_800),
            640,
            "the bytes of all planes"
        );
        assert_eq!(stride(PixelFormat::Nv12, size, 0, 460_800), 640);
        assert_eq!(stride(PixelFormat::Yuyv, size, 1280, 614_400), 1280);
        assert_eq!(stride(PixelFormat::Yuyv, size, 0, 614_400), 1280);
        assert_eq!(stride(PixelFormat::Uyvy, size, 1344, 1344 * 480), 1344);
        assert_eq!(stride(PixelFormat::Rgb24, size, 640, 921_600), 1920, "the pixels");
        assert_eq!(stride(PixelFormat::Bgr24, size, 2048, 2048 * 480), 2048);
        assert_eq!(stride(PixelFormat::Grey, size, 640, 307_200), 640);
        assert_eq!(stride(PixelFormat::Yv12, size, 0, 460_800), 640);
        assert_eq!(stride(PixelFormat::Nv21, size, 768, 768 * 720), 768);
        assert_eq!(stride(PixelFormat::Nv16, size, 640, 614_400), 640);
        assert_eq!(
            stride(PixelFormat::Nv16, size, 1280, 614_400),
            640,
            "of both planes"
        );
        assert_eq!(stride(PixelFormat::Y10, size, 640, 614_400), 1280, "the pixels");
        assert_eq!(stride(PixelFormat::Rgb565, size, 1344, 1344 * 480), 1344);
        assert_eq!(stride(PixelFormat::Xbgr32, size, 0, 1_228_800), 2560);
        assert_eq!(stride(PixelFormat::Mjpeg, size, 1280, 614_400), 0);
        assert_eq!(stride(PixelFormat::H264, size, 1280, 614_400), 0);
    }

    #[test]
    fn what_is_no_camera_says_so() {
        let want = Want {
            size: "640x480".parse().unwrap(),
            rate: FrameRate::per_second(30),
            format: None,
            own_encoding: OwnEncoding::Preferred,
            encoder_formats: Vec::new(),
            controls: Controls::new(),
        };
        let open = |path: &str| open(Path::new(path), &want, &Inlet::default()).err().unwrap();
        let missing = open("/dev/no-such-video");
        assert!(matches!(missing, CaptureError::NotFound { .. }), "{missing}");
        let null = open("/dev/null");
        assert!(matches!(null, CaptureError::NotACamera { .. }), "{null}");
        assert!(!null.is_transient());
        for path in ["/dev/no-such-video", "/dev/null"] {
            assert!(prepare(Path::new(path), &Inlet::default()).is_ok(), "{path}");
        }
    }
}
