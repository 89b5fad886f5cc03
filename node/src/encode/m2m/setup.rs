use std::{io, sync::Arc, time::Duration};

use super::{
    CodedFormat, Found, M2mError,
    buffers::Buffers,
    controls::Controls,
    discover::visible,
    encoder::failed,
    ioctl::{Device, Layout, Side},
};
use crate::media::{Bitrate, PixelFormat, VideoFormat};

/// Coded pictures: one being filled, one in our hands, the others for an encoder that writes parameter sets apart.
const CODED_BUFFERS: u32 = 4;

/// A device that is ready for its first picture.
pub struct Setup {
    pub name: String,
    pub device: Arc<Device>,
    /// What goes into it, and how it has to lie there.
    pub pixel: PixelFormat,
    pub layout: Layout,
    pub controls: Controls,
    /// All queued, and running.
    pub output: Buffers,
}

impl Setup {
    /// Asks a device for what frames of `format` need (kernel documentation, "Initialization").
    pub fn of(
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
            pixel,
            layout,
            controls,
            output,
        })
    }
}

/// Gives all buffers of the coded side to the device.
pub fn queue_all(buffers: &mut Buffers) -> io::Result<()> {
    (0..buffers.len()).try_for_each(|index| buffers.queue(index, 0, Duration::ZERO))
}
