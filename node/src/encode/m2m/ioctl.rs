//! The calls of V4L2 that a memory-to-memory device takes, but for those about its buffers.
//!
//! Such a device has two queues in one file: raw pictures go in by the one that the kernel calls OUTPUT, coded ones come out by the
//! one that it calls CAPTURE. Devices speak either of two dialects, single-planar or multi-planar; the difference ends here and
//! in `buffers.rs`. Pictures lie in one piece of memory in both: formats whose planes are apart (`NM12`) are not asked for.
//!
//! The types and numbers are those of the `v4l` crate, which has no calls for codecs itself.
#![allow(unsafe_code, reason = "ioctl takes untyped pointers")]

use std::{
    fs::OpenOptions,
    io, mem,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
    ptr,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use v4l::{
    v4l_sys::{
        v4l2_capability, v4l2_encoder_cmd, v4l2_ext_control, v4l2_ext_controls, v4l2_fmtdesc, v4l2_format,
        v4l2_frmsizeenum, v4l2_queryctrl, v4l2_selection, v4l2_streamparm,
    },
    v4l2::{
        self,
        vidioc::{
            _IOC_TYPE, VIDIOC_ENCODER_CMD, VIDIOC_ENUM_FMT, VIDIOC_ENUM_FRAMESIZES, VIDIOC_QUERYCAP,
            VIDIOC_QUERYCTRL, VIDIOC_S_EXT_CTRLS, VIDIOC_S_FMT, VIDIOC_S_PARM,
        },
    },
};

use super::flags;
use crate::media::{FrameRate, FrameSize};

/// `_IOWR('V', 95, struct v4l2_selection)`, which the crate lacks.
const VIDIOC_S_SELECTION: _IOC_TYPE =
    (3 << 30) | ((mem::size_of::<v4l2_selection>() as _IOC_TYPE) << 16) | ((b'V' as _IOC_TYPE) << 8) | 95;

/// One of a device's two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What goes in: the kernel's OUTPUT.
    Raw,
    /// What comes out: the kernel's CAPTURE.
    Coded,
}

/// What a device is (`VIDIOC_QUERYCAP`).
#[derive(Clone, Debug)]
pub struct Capabilities {
    pub driver: String,
    pub card: String,
    pub bus: String,
}

/// What to ask for, or what was given (`VIDIOC_S_FMT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub fourcc: [u8; 4],
    pub width: u32,
    pub height: u32,
    /// `bytesperline`.
    pub stride: u32,
    /// `sizeimage`.
    pub image: u32,
}

/// Sizes from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub least: FrameSize,
    pub most: FrameSize,
}

/// A control as the driver describes it (`VIDIOC_QUERYCTRL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    pub id: u32,
    pub minimum: i32,
    pub maximum: i32,
    pub step: i32,
    pub default: i32,
}

/// A memory-to-memory device.
#[derive(Debug)]
pub struct Device {
    pub(super) fd: OwnedFd,
    pub(super) multi_planar: bool,
    capabilities: Capabilities,
}

impl Device {
    /// Opens a node; `None` where it is something else.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        let fd = OwnedFd::from(file);
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_capability = unsafe { mem::zeroed() };
        // SAFETY: the request takes a `v4l2_capability`.
        unsafe { call(fd.as_fd(), VIDIOC_QUERYCAP, &mut raw)? };
        let flags = match raw.capabilities & flags::CAP_DEVICE_CAPS {
            0 => raw.capabilities,
            _ => raw.device_caps,
        };
        let multi_planar = flags & flags::CAP_VIDEO_M2M_MPLANE != 0;
        if flags & flags::CAP_STREAMING == 0 || !(multi_planar || flags & flags::CAP_VIDEO_M2M != 0) {
            return Ok(None);
        }
        Ok(Some(Self {
            fd,
            multi_planar,
            capabilities: Capabilities {
                driver: text(&raw.driver),
                card: text(&raw.card),
                bus: text(&raw.bus_info),
            },
        }))
    }

    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The formats of one side.
    pub fn formats(&self, side: Side) -> Vec<[u8; 4]> {
        let mut formats = Vec::new();
        // No driver has as many; one that never ends must not keep us here.
        for index in 0..256 {
            // SAFETY: plain C data for which all zeros is a value.
            let mut raw: v4l2_fmtdesc = unsafe { mem::zeroed() };
            raw.index = index;
            raw.type_ = self.kind(side);
            // SAFETY: the request takes a `v4l2_fmtdesc`.
            if unsafe { call(self.fd.as_fd(), VIDIOC_ENUM_FMT, &mut raw) }.is_err() {
                break;
            }
            formats.push(raw.pixelformat.to_le_bytes());
        }
        formats
    }

    /// The sizes of a format; `None` where the driver lists none.
    pub fn sizes(&self, fourcc: [u8; 4]) -> Option<Sizes> {
        let mut sizes: Option<Sizes> = None;
        for index in 0..256 {
            // SAFETY: plain C data for which all zeros is a value.
            let mut raw: v4l2_frmsizeenum = unsafe { mem::zeroed() };
            raw.index = index;
            raw.pixel_format = u32::from_le_bytes(fourcc);
            // SAFETY: the request takes a `v4l2_frmsizeenum`.
            if unsafe { call(self.fd.as_fd(), VIDIOC_ENUM_FRAMESIZES, &mut raw) }.is_err() {
                break;
            }
            let size = |width, height| FrameSize { width, height };
            let (least, most) = if raw.type_ == flags::FRMSIZE_TYPE_DISCRETE {
                // SAFETY: the type tells which part of the union is set; every number is a value of it.
                let one = unsafe { raw.__bindgen_anon_1.discrete };
                (size(one.width, one.height), size(one.width, one.height))
            } else {
                // SAFETY: as above.
                let range = unsafe { raw.__bindgen_anon_1.stepwise };
                (
                    size(range.min_width, range.min_height),
                    size(range.max_width, range.max_height),
                )
            };
            let known = sizes.get_or_insert(Sizes { least, most });
            known.least = size(
                known.least.width.min(least.width),
                known.least.height.min(least.height),
            );
            known.most = size(
                known.most.width.max(most.width),
                known.most.height.max(most.height),
            );
        }
        sizes
    }

    /// Asks for a format, in the colours of video (BT.601, limited range), and returns what the driver makes of it.
    pub fn set_format(&self, side: Side, wanted: Layout) -> io::Result<Layout> {
        // SAFETY: plain C data for which all zeros is a value: in each field the driver's own choice.
        let mut raw: v4l2_format = unsafe { mem::zeroed() };
        raw.type_ = self.kind(side);
        let fourcc = u32::from_le_bytes(wanted.fourcc);
        if self.multi_planar {
            // SAFETY: of the union only the part for this type is used, and every number is a value of it.
            let pixels = unsafe { &mut raw.fmt.pix_mp };
            pixels.width = wanted.width;
            pixels.height = wanted.height;
            pixels.pixelformat = fourcc;
            pixels.field = flags::FIELD_NONE;
            pixels.colorspace = flags::COLORSPACE_SMPTE170M;
            pixels.__bindgen_anon_1.ycbcr_enc = flags::YCBCR_ENC_601;
            pixels.quantization = flags::QUANTIZATION_LIM_RANGE;
            pixels.num_planes = 1;
            pixels.plane_fmt[0].bytesperline = wanted.stride;
            pixels.plane_fmt[0].sizeimage = wanted.image;
        } else {
            // SAFETY: as above.
            let pixels = unsafe { &mut raw.fmt.pix };
            pixels.width = wanted.width;
            pixels.height = wanted.height;
            pixels.pixelformat = fourcc;
            pixels.field = flags::FIELD_NONE;
            pixels.colorspace = flags::COLORSPACE_SMPTE170M;
            // Without it old drivers leave what tells the colours as it is.
            pixels.priv_ = flags::PIX_FMT_PRIV_MAGIC;
            pixels.__bindgen_anon_1.ycbcr_enc = u32::from(flags::YCBCR_ENC_601);
            pixels.quantization = u32::from(flags::QUANTIZATION_LIM_RANGE);
            pixels.bytesperline = wanted.stride;
            pixels.sizeimage = wanted.image;
        }
        // SAFETY: the request takes a `v4l2_format`.
        unsafe { call(self.fd.as_fd(), VIDIOC_S_FMT, &mut raw)? };
        if self.multi_planar {
            // SAFETY: as above.
            let pixels = unsafe { raw.fmt.pix_mp };
            if pixels.num_planes != 1 {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            Ok(Layout {
                fourcc: { pixels.pixelformat }.to_le_bytes(),
                width: pixels.width,
                height: pixels.height,
                stride: pixels.plane_fmt[0].bytesperline,
                image: pixels.plane_fmt[0].sizeimage,
            })
        } else {
            // SAFETY: as above.
            let pixels = unsafe { raw.fmt.pix };
            Ok(Layout {
                fourcc: pixels.pixelformat.to_le_bytes(),
                width: pixels.width,
                height: pixels.height,
                stride: pixels.bytesperline,
                image: pixels.sizeimage,
            })
        }
    }

    /// Tells how often frames come, which the control of the bitrate goes by (`VIDIOC_S_PARM`).
    pub fn set_rate(&self, rate: FrameRate) -> io::Result<()> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_streamparm = unsafe { mem::zeroed() };
        raw.type_ = self.kind(Side::Raw);
        // SAFETY: of the union only the part for this type is used, and every number is a value of it.
        let interval = unsafe { &mut raw.parm.output.timeperframe };
        interval.numerator = rate.seconds;
        interval.denominator = rate.frames;
        // SAFETY: the request takes a `v4l2_streamparm`.
        unsafe { call(self.fd.as_fd(), VIDIOC_S_PARM, &mut raw) }
    }

    /// Says which part of what goes in is the picture, from the upper left corner; what the driver makes of it (`VIDIOC_S_SELECTION`).
    pub fn crop(&self, visible: FrameSize) -> io::Result<FrameSize> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_selection = unsafe { mem::zeroed() };
        // This request knows no dialects (kernel documentation of VIDIOC_G_SELECTION).
        raw.type_ = flags::BUF_TYPE_VIDEO_OUTPUT;
        raw.target = flags::SEL_TGT_CROP;
        raw.r.width = visible.width;
        raw.r.height = visible.height;
        // SAFETY: the request takes a `v4l2_selection`.
        unsafe { call(self.fd.as_fd(), VIDIOC_S_SELECTION, &mut raw)? };
        Ok(FrameSize {
            width: raw.r.width,
            height: raw.r.height,
        })
    }

    /// The control with that id, where it is there and can be set.
    pub fn control(&self, id: u32) -> Option<Control> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_queryctrl = unsafe { mem::zeroed() };
        raw.id = id;
        // SAFETY: the request takes a `v4l2_queryctrl`.
        unsafe { call(self.fd.as_fd(), VIDIOC_QUERYCTRL, &mut raw) }.ok()?;
        let settable = raw.flags & (flags::CTRL_FLAG_DISABLED | flags::CTRL_FLAG_READ_ONLY) == 0;
        settable.then_some(Control {
            id: raw.id,
            minimum: raw.minimum,
            maximum: raw.maximum,
            step: raw.step,
            default: raw.default_value,
        })
    }

    /// Sets a control (`VIDIOC_S_EXT_CTRLS`).
    pub fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut control: v4l2_ext_control = unsafe { mem::zeroed() };
        control.id = id;
        control.__bindgen_anon_1.value = value;
        // SAFETY: as above.
        let mut raw: v4l2_ext_controls = unsafe { mem::zeroed() };
        raw.count = 1;
        raw.controls = ptr::from_mut(&mut control);
        // SAFETY: the request takes a `v4l2_ext_controls`, which points to as many controls as it says, alive until it returns.
        unsafe { call(self.fd.as_fd(), VIDIOC_S_EXT_CTRLS, &mut raw) }
    }

    /// No more pictures come: what the device still has comes out, the last of it marked (`V4L2_ENC_CMD_STOP`).
    pub fn begin_drain(&self) -> io::Result<()> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_encoder_cmd = unsafe { mem::zeroed() };
        raw.cmd = flags::ENC_CMD_STOP;
        // SAFETY: the request takes a `v4l2_encoder_cmd`.
        unsafe { call(self.fd.as_fd(), VIDIOC_ENCODER_CMD, &mut raw) }
    }

    /// Waits at most `patience` until one of the queues has something for us, or the device an error, which the next call then reports.
    pub fn wait(&self, patience: Duration) -> io::Result<()> {
        let events = PollFlags::IN | PollFlags::OUT;
        let timeout = Timespec::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.fd, events)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// `V4L2_BUF_TYPE_*` of one side.
    pub(super) fn kind(&self, side: Side) -> u32 {
        match (side, self.multi_planar) {
            (Side::Raw, false) => flags::BUF_TYPE_VIDEO_OUTPUT,
            (Side::Raw, true) => flags::BUF_TYPE_VIDEO_OUTPUT_MPLANE,
            (Side::Coded, false) => flags::BUF_TYPE_VIDEO_CAPTURE,
            (Side::Coded, true) => flags::BUF_TYPE_VIDEO_CAPTURE_MPLANE,
        }
    }
}

/// An ioctl with a pointer to `argument`.
///
/// # Safety
/// `T` is what `request` takes, and whatever it points to is valid until this returns.
pub(super) unsafe fn call<T>(fd: BorrowedFd<'_>, request: _IOC_TYPE, argument: &mut T) -> io::Result<()> {
    // SAFETY: the caller's promise.
    unsafe { v4l2::ioctl(fd.as_raw_fd(), request, ptr::from_mut(argument).cast()) }
}

/// A text of the kernel: ends at the first zero, and may be cut within a character.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}
