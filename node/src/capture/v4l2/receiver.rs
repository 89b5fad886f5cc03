//! The calls for an input with a digital video receiver behind it: `VIDIOC_QUERY_DV_TIMINGS` and those around it, `VIDIOC_S_EDID`, inputs and
//! events.
//!
//! Kernel documentation: `userspace-api/media/v4l/dv-timings.rst`, `vidioc-g-edid.rst`, `vidioc-dqevent.rst`.
#![allow(unsafe_code, reason = "ioctl takes untyped pointers")]

use std::{io, mem, os::raw::c_int, ptr};

use v4l::{
    Device,
    v4l_sys::{v4l2_dv_timings, v4l2_edid, v4l2_event, v4l2_event_subscription, v4l2_input},
    v4l2::{
        self,
        vidioc::{_IOC_TYPE, VIDIOC_ENUMINPUT, VIDIOC_G_EDID, VIDIOC_G_INPUT, VIDIOC_S_EDID, VIDIOC_S_INPUT},
    },
};

use super::{flags, ioctl::text, signal::Timings};

/// Bytes of a block of an EDID.
pub const EDID_BLOCK: usize = 128;
/// A driver that finds no end must not keep us.
const MOST_INPUTS: u32 = 64;
/// Nor one whose events don't end. More than it can queue for one kind.
const MOST_EVENTS: u32 = 64;

// What the crate lacks. The kernel's headers count their arguments' directions from us: written is 1, read is 2.
const VIDIOC_S_DV_TIMINGS: _IOC_TYPE = request(3, 87, mem::size_of::<v4l2_dv_timings>());
const VIDIOC_DQEVENT: _IOC_TYPE = request(2, 89, mem::size_of::<v4l2_event>());
const VIDIOC_SUBSCRIBE_EVENT: _IOC_TYPE = request(1, 90, mem::size_of::<v4l2_event_subscription>());
const VIDIOC_QUERY_DV_TIMINGS: _IOC_TYPE = request(2, 99, mem::size_of::<v4l2_dv_timings>());

/// `_IOC` of `asm-generic/ioctl.h`, of V4L2.
const fn request(direction: _IOC_TYPE, number: _IOC_TYPE, size: usize) -> _IOC_TYPE {
    (direction << 30) | ((size as _IOC_TYPE) << 16) | ((b'V' as _IOC_TYPE) << 8) | number
}

/// An input of a capture device (`VIDIOC_ENUMINPUT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub index: u32,
    pub name: String,
    /// Whether its signal has timings that a source decides on (`V4L2_IN_CAP_DV_TIMINGS`): HDMI, DVI, SDI.
    pub has_timings: bool,
}

/// What a driver found out of a signal, and takes to be set for it.
#[derive(Clone, Copy)]
pub struct Found(v4l2_dv_timings);

impl Found {
    /// `None` where it is of a kind that the kernel does not describe (there is one, BT.656 and BT.1120).
    pub fn timings(&self) -> Option<Timings> {
        if { self.0.type_ } != flags::DV_BT_656_1120 {
            return None;
        }
        // SAFETY: of the union that is the part for this type, and every number is a value of it.
        let raw = unsafe { self.0.__bindgen_anon_1.bt };
        let sum = |parts: [u32; 3]| parts.into_iter().map(u64::from).sum::<u64>();
        let interlaced = { raw.interlaced } == flags::DV_INTERLACED;
        let mut vertical_blanking = sum([raw.vfrontporch, raw.vsync, raw.vbackporch]);
        if interlaced {
            vertical_blanking += sum([raw.il_vfrontporch, raw.il_vsync, raw.il_vbackporch]);
        }
        Some(Timings {
            width: raw.width,
            height: raw.height,
            horizontal_blanking: sum([raw.hfrontporch, raw.hsync, raw.hbackporch]),
            vertical_blanking,
            interlaced,
            pixel_clock: raw.pixelclock,
            flags: raw.flags,
        })
    }
}

/// A request with its argument.
fn call<T>(device: &Device, request: _IOC_TYPE, argument: &mut T) -> io::Result<()> {
    // SAFETY: each request of this file is given the type that the kernel's header names for it, which lives until the call returns.
    unsafe { v4l2::ioctl(device.handle().fd(), request, ptr::from_mut(argument).cast()) }
}

/// Plain C data, all zeros.
///
/// # Safety
/// Zeros are a value of `T`.
unsafe fn zeroed<T>() -> T {
    // SAFETY: the caller's promise.
    unsafe { mem::zeroed() }
}

/// All inputs, in the order of their numbers; none where a driver has no such thing.
pub fn inputs(device: &Device) -> Vec<Input> {
    let look = |index| {
        // SAFETY: numbers and texts.
        let mut raw: v4l2_input = unsafe { zeroed() };
        raw.index = index;
        call(device, VIDIOC_ENUMINPUT, &mut raw).ok()?;
        Some(Input {
            index,
            name: text(&raw.name),
            has_timings: raw.capabilities & flags::IN_CAP_DV_TIMINGS != 0,
        })
    };
    (0..MOST_INPUTS).map_while(look).collect()
}

/// The number of the input that is selected (`VIDIOC_G_INPUT`).
///
/// # Errors
/// The driver's; `ENOTTY` where it has no inputs.
pub fn selected(device: &Device) -> io::Result<u32> {
    let mut index: c_int = 0;
    call(device, VIDIOC_G_INPUT, &mut index)?;
    u32::try_from(index).map_err(io::Error::other)
}

/// Selects an input (`VIDIOC_S_INPUT`).
///
/// # Errors
/// The driver's; `EBUSY` while somebody streams.
pub fn select(device: &Device, index: u32) -> io::Result<()> {
    let mut index = c_int::try_from(index).map_err(io::Error::other)?;
    call(device, VIDIOC_S_INPUT, &mut index)
}

/// Looks at the signal of the selected input (`VIDIOC_QUERY_DV_TIMINGS`).
///
/// # Errors
/// `ENOLINK`: there is none. `ENOLCK`: it is not stable. `ERANGE`: it is more than the receiver is made for. `ENODATA`, `ENOTTY`: this input
/// can't tell.
pub fn query(device: &Device) -> io::Result<Found> {
    // SAFETY: numbers.
    let mut raw: v4l2_dv_timings = unsafe { zeroed() };
    call(device, VIDIOC_QUERY_DV_TIMINGS, &mut raw)?;
    Ok(Found(raw))
}

/// Sets the receiver up for a signal (`VIDIOC_S_DV_TIMINGS`). The format has to be set anew afterwards.
///
/// # Errors
/// The driver's; `EBUSY` while somebody streams.
pub fn set(device: &Device, found: &Found) -> io::Result<()> {
    let mut raw = found.0;
    call(device, VIDIOC_S_DV_TIMINGS, &mut raw)
}

/// Has changes of the signal told (`VIDIOC_SUBSCRIBE_EVENT`, `V4L2_EVENT_SOURCE_CHANGE`).
///
/// # Errors
/// The driver's, where it does not tell them.
pub fn subscribe(device: &Device, input: u32) -> io::Result<()> {
    // SAFETY: numbers.
    let mut raw: v4l2_event_subscription = unsafe { zeroed() };
    raw.type_ = flags::EVENT_SOURCE_CHANGE;
    raw.id = input;
    call(device, VIDIOC_SUBSCRIBE_EVENT, &mut raw)
}

/// Whether a change was told since this was asked last (`VIDIOC_DQEVENT`).
pub fn has_changed(device: &Device) -> bool {
    // SAFETY: numbers.
    let next = || call(device, VIDIOC_DQEVENT, &mut unsafe { zeroed::<v4l2_event>() }).is_ok();
    // All of them: what holds is asked for next.
    (0..MOST_EVENTS).take_while(|_| next()).count() > 0
}

/// The EDID that an input shows to its source (`VIDIOC_G_EDID`); empty where it has none.
///
/// # Errors
/// The driver's; `EINVAL`, `ENOTTY` where this is no input with an EDID.
pub fn edid(device: &Device, input: u32) -> io::Result<Vec<u8>> {
    let count = match edid_call(device, VIDIOC_G_EDID, input, 0, &mut []) {
        Err(error) if error.raw_os_error() == Some(libc::ENODATA) => 0,
        answer => answer?,
    };
    // The interface has no more.
    let count = count.min(256);
    let mut bytes = vec![0; count as usize * EDID_BLOCK];
    if count > 0 {
        edid_call(device, VIDIOC_G_EDID, input, count, &mut bytes)?;
    }
    Ok(bytes)
}

/// Has an input show these whole blocks to its source, which looks anew then (`VIDIOC_S_EDID`).
///
/// # Errors
/// The driver's; `E2BIG` where it has not so much room, `EBUSY` while somebody streams.
pub fn set_edid(device: &Device, input: u32, bytes: &[u8]) -> io::Result<()> {
    let count = u32::try_from(bytes.len() / EDID_BLOCK).map_err(io::Error::other)?;
    edid_call(device, VIDIOC_S_EDID, input, count, &mut bytes.to_vec()).map(drop)
}

/// Gives how many blocks the driver tells of.
fn edid_call(
    device: &Device,
    request: _IOC_TYPE,
    input: u32,
    blocks: u32,
    bytes: &mut [u8],
) -> io::Result<u32> {
    if bytes.len() < blocks as usize * EDID_BLOCK {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: numbers and a pointer, for which null is a value.
    let mut raw: v4l2_edid = unsafe { zeroed() };
    raw.pad = input;
    raw.blocks = blocks;
    // The kernel reads and writes as many blocks behind it as it is told, for which there is room.
    raw.edid = bytes.as_mut_ptr();
    call(device, request, &mut raw)?;
    Ok(raw.blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_numbered_as_in_the_kernel_s_header() {
        // Of 64 bits; the event's has another size where a time has.
        assert_eq!(VIDIOC_S_DV_TIMINGS, 0xc084_5657);
        assert_eq!(VIDIOC_SUBSCRIBE_EVENT, 0x4020_565a);
        assert_eq!(VIDIOC_QUERY_DV_TIMINGS, 0x8084_5663);
        #[cfg(target_pointer_width = "64")]
        assert_eq!(VIDIOC_DQEVENT, 0x8088_5659);
    }
}
