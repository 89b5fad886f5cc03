//! The calls that the `v4l` crate does not offer in a form that survives every driver: it takes texts for UTF-8
//! and panics on kinds of controls and colours that are newer than itself.
#![allow(unsafe_code, reason = "ioctl takes untyped pointers")]

use std::{io, mem, ptr};

use super::flags;

use v4l::{
    Device, Fraction,
    v4l_sys::{
        v4l2_capability, v4l2_control, v4l2_fmtdesc, v4l2_format, v4l2_input, v4l2_queryctrl, v4l2_streamparm,
    },
    v4l2::{
        self,
        vidioc::{
            VIDIOC_ENUM_FMT, VIDIOC_ENUMINPUT, VIDIOC_G_CTRL, VIDIOC_QUERYCAP, VIDIOC_QUERYCTRL,
            VIDIOC_S_CTRL, VIDIOC_S_FMT, VIDIOC_S_PARM,
        },
    },
};

/// What a device is and can do (`VIDIOC_QUERYCAP`).
#[derive(Clone, Debug)]
pub struct Capabilities {
    pub driver: String,
    pub card: String,
    pub bus: String,
    /// `V4L2_CAP_*` of this node.
    pub flags: u32,
}

/// Which of the interface's two dialects a camera speaks: in the multi-planar one a picture may lie in several pieces of memory. Taken
/// here are those that lie in one, in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    SinglePlanar,
    MultiPlanar,
}

impl Dialect {
    /// That of a camera with these capabilities.
    pub fn of(flags: u32) -> Self {
        if flags & flags::CAP_VIDEO_CAPTURE == 0 {
            Self::MultiPlanar
        } else {
            Self::SinglePlanar
        }
    }

    /// `V4L2_BUF_TYPE_*`.
    pub fn buffer_type(self) -> u32 {
        match self {
            Self::SinglePlanar => flags::BUF_TYPE_VIDEO_CAPTURE,
            Self::MultiPlanar => flags::BUF_TYPE_VIDEO_CAPTURE_MPLANE,
        }
    }
}

/// How pictures lie in memory, as a driver tells it (`struct v4l2_pix_format`).
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub fourcc: [u8; 4],
    pub width: u32,
    pub height: u32,
    /// `bytesperline`.
    pub stride: u32,
    /// `sizeimage`.
    pub image: u32,
    /// `V4L2_COLORSPACE_*`.
    pub colorspace: u32,
    /// `V4L2_YCBCR_ENC_*`.
    pub encoding: u32,
    /// `V4L2_QUANTIZATION_*`.
    pub quantization: u32,
}

/// A control as the driver describes it (`VIDIOC_QUERYCTRL`).
#[derive(Clone, Debug)]
pub struct Control {
    pub id: u32,
    /// `V4L2_CTRL_TYPE_*`.
    pub kind: u32,
    pub name: String,
    pub minimum: i32,
    pub maximum: i32,
    pub step: i32,
    /// What the driver starts with.
    pub default: i32,
    /// `V4L2_CTRL_FLAG_*`.
    pub flags: u32,
}

/// Asks a device what it is.
pub fn capabilities(device: &Device) -> io::Result<Capabilities> {
    // SAFETY: plain C data for which all zeros is a value.
    let mut raw: v4l2_capability = unsafe { mem::zeroed() };
    // SAFETY: the request takes a `v4l2_capability`.
    unsafe {
        v4l2::ioctl(
            device.handle().fd(),
            VIDIOC_QUERYCAP,
            ptr::from_mut(&mut raw).cast(),
        )?
    };
    let node_has_its_own = raw.capabilities & flags::CAP_DEVICE_CAPS != 0;
    Ok(Capabilities {
        driver: text(&raw.driver),
        card: text(&raw.card),
        bus: text(&raw.bus_info),
        flags: if node_has_its_own {
            raw.device_caps
        } else {
            raw.capabilities
        },
    })
}

/// The formats that a camera offers, by the kernel's four-character codes (`VIDIOC_ENUM_FMT`).
///
/// # Errors
/// The device has gone.
pub fn formats(device: &Device, dialect: Dialect) -> io::Result<Vec<[u8; 4]>> {
    let mut formats = Vec::new();
    for index in 0..MOST_FORMATS {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_fmtdesc = unsafe { mem::zeroed() };
        raw.index = index;
        raw.type_ = dialect.buffer_type();
        // SAFETY: the request takes a `v4l2_fmtdesc`.
        let answer = unsafe {
            v4l2::ioctl(
                device.handle().fd(),
                VIDIOC_ENUM_FMT,
                ptr::from_mut(&mut raw).cast(),
            )
        };
        match answer {
            Ok(()) => formats.push(raw.pixelformat.to_le_bytes()),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Err(error),
            Err(_) => break,
        }
    }
    Ok(formats)
}

/// A driver that finds no end must not keep us.
const MOST_FORMATS: u32 = 256;

/// Asks for so long between two frames, and returns what the driver makes of it (`VIDIOC_S_PARM`).
pub fn set_interval(device: &Device, dialect: Dialect, interval: Fraction) -> io::Result<Fraction> {
    // SAFETY: plain C data for which all zeros is a value: in each field the driver's own choice.
    let mut raw: v4l2_streamparm = unsafe { mem::zeroed() };
    raw.type_ = dialect.buffer_type();
    raw.parm.capture.timeperframe = interval.into();
    // SAFETY: the request takes a `v4l2_streamparm`.
    unsafe {
        v4l2::ioctl(
            device.handle().fd(),
            VIDIOC_S_PARM,
            ptr::from_mut(&mut raw).cast(),
        )?
    };
    // SAFETY: of the union only the part for this type is used, and every number is a value of it.
    Ok(unsafe { raw.parm.capture.timeperframe }.into())
}

/// Asks for a format, and returns what the driver makes of it (`VIDIOC_S_FMT`).
///
/// # Errors
/// The driver's; and where it makes pictures of it that lie in several pieces.
pub fn set_format(
    device: &Device,
    dialect: Dialect,
    fourcc: [u8; 4],
    width: u32,
    height: u32,
) -> io::Result<Layout> {
    // SAFETY: plain C data for which all zeros is a value: in each field the driver's own choice.
    let mut raw: v4l2_format = unsafe { mem::zeroed() };
    raw.type_ = dialect.buffer_type();
    let pixelformat = u32::from_le_bytes(fourcc);
    if dialect == Dialect::MultiPlanar {
        // SAFETY: of the union only the part for this type is used, and every number is a value of it.
        let pixels = unsafe { &mut raw.fmt.pix_mp };
        pixels.width = width;
        pixels.height = height;
        pixels.pixelformat = pixelformat;
        pixels.num_planes = 1;
    } else {
        // SAFETY: as above.
        let pixels = unsafe { &mut raw.fmt.pix };
        pixels.width = width;
        pixels.height = height;
        pixels.pixelformat = pixelformat;
        // Without it old drivers leave what tells the colours as it is.
        pixels.priv_ = flags::PIX_FMT_PRIV_MAGIC;
    }
    // SAFETY: the request takes a `v4l2_format`.
    unsafe { v4l2::ioctl(device.handle().fd(), VIDIOC_S_FMT, ptr::from_mut(&mut raw).cast())? };
    if dialect == Dialect::MultiPlanar {
        // SAFETY: as above.
        let pixels = unsafe { raw.fmt.pix_mp };
        if pixels.num_planes != 1 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        return Ok(Layout {
            fourcc: { pixels.pixelformat }.to_le_bytes(),
            width: pixels.width,
            height: pixels.height,
            stride: pixels.plane_fmt[0].bytesperline,
            image: pixels.plane_fmt[0].sizeimage,
            colorspace: pixels.colorspace,
            // SAFETY: both parts of the union are the same kind of number.
            encoding: u32::from(unsafe { pixels.__bindgen_anon_1.ycbcr_enc }),
            quantization: u32::from(pixels.quantization),
        });
    }
    // SAFETY: as above.
    let pixels = unsafe { raw.fmt.pix };
    Ok(Layout {
        fourcc: pixels.pixelformat.to_le_bytes(),
        width: pixels.width,
        height: pixels.height,
        stride: pixels.bytesperline,
        image: pixels.sizeimage,
        colorspace: pixels.colorspace,
        // SAFETY: both parts of the union are the same kind of number.
        encoding: unsafe { pixels.__bindgen_anon_1.ycbcr_enc },
        quantization: pixels.quantization,
    })
}

/// Whether pictures come in from somewhere (`VIDIOC_ENUMINPUT`). The nodes of a converter on the chip capture as well, but
/// only what a program gives them.
pub fn has_input(device: &Device) -> bool {
    // SAFETY: plain C data for which all zeros is a value; the first input has the index zero.
    let mut raw: v4l2_input = unsafe { mem::zeroed() };
    // SAFETY: the request takes a `v4l2_input`.
    let answer = unsafe {
        v4l2::ioctl(
            device.handle().fd(),
            VIDIOC_ENUMINPUT,
            ptr::from_mut(&mut raw).cast(),
        )
    };
    answer.is_ok()
}

/// The control that follows the one with the id `previous` (zero for the first), or `None` after the last.
pub fn next_control(device: &Device, previous: u32) -> io::Result<Option<Control>> {
    query_control(device, previous | flags::CTRL_FLAG_NEXT_CTRL)
}

/// The control with that id.
pub fn query_control(device: &Device, id: u32) -> io::Result<Option<Control>> {
    // SAFETY: plain C data for which all zeros is a value.
    let mut raw: v4l2_queryctrl = unsafe { mem::zeroed() };
    raw.id = id;
    // SAFETY: the request takes a `v4l2_queryctrl`.
    match unsafe {
        v4l2::ioctl(
            device.handle().fd(),
            VIDIOC_QUERYCTRL,
            ptr::from_mut(&mut raw).cast(),
        )
    } {
        Ok(()) => Ok(Some(Control {
            id: raw.id,
            kind: raw.type_,
            name: text(&raw.name),
            minimum: raw.minimum,
            maximum: raw.maximum,
            step: raw.step,
            default: raw.default_value,
            flags: raw.flags,
        })),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTTY)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a control is set to.
pub fn get_control(device: &Device, id: u32) -> io::Result<i32> {
    let mut raw = v4l2_control { id, value: 0 };
    // SAFETY: the request takes a `v4l2_control`.
    unsafe {
        v4l2::ioctl(
            device.handle().fd(),
            VIDIOC_G_CTRL,
            ptr::from_mut(&mut raw).cast(),
        )?
    };
    Ok(raw.value)
}

/// Sets a control.
pub fn set_control(device: &Device, id: u32, value: i32) -> io::Result<()> {
    let mut raw = v4l2_control { id, value };
    // SAFETY: the request takes a `v4l2_control`.
    unsafe {
        v4l2::ioctl(
            device.handle().fd(),
            VIDIOC_S_CTRL,
            ptr::from_mut(&mut raw).cast(),
        )
    }
}

/// A text of the kernel: ends at the first zero, and may be cut within a character.
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}
