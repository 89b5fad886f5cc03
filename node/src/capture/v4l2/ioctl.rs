//! The calls that the `v4l` crate does not offer in a form that survives every driver: it takes texts for UTF-8
//! and panics on kinds of controls and colours that are newer than itself.
#![allow(unsafe_code, reason = "ioctl takes untyped pointers")]

use std::{io, mem, ptr};

use super::flags;

use v4l::{
    Device,
    v4l_sys::{v4l2_capability, v4l2_control, v4l2_format, v4l2_input, v4l2_queryctrl},
    v4l2::{
        self,
        vidioc::{
            VIDIOC_ENUMINPUT, VIDIOC_G_CTRL, VIDIOC_QUERYCAP, VIDIOC_QUERYCTRL, VIDIOC_S_CTRL, VIDIOC_S_FMT,
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

/// Asks for a format, and returns what the driver makes of it (`VIDIOC_S_FMT`).
pub fn set_format(device: &Device, fourcc: [u8; 4], width: u32, height: u32) -> io::Result<Layout> {
    // SAFETY: plain C data for which all zeros is a value: in each field the driver's own choice.
    let mut raw: v4l2_format = unsafe { mem::zeroed() };
    raw.type_ = flags::BUF_TYPE_VIDEO_CAPTURE;
    // SAFETY: of the union only the part for this type is used, and every number is a value of it.
    let pixels = unsafe { &mut raw.fmt.pix };
    pixels.width = width;
    pixels.height = height;
    pixels.pixelformat = u32::from_le_bytes(fourcc);
    // Without it old drivers leave what tells the colours as it is.
    pixels.priv_ = flags::PIX_FMT_PRIV_MAGIC;
    // SAFETY: the request takes a `v4l2_format`.
    unsafe { v4l2::ioctl(device.handle().fd(), VIDIOC_S_FMT, ptr::from_mut(&mut raw).cast())? };
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
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}
