//! The memory that a memory-to-memory device shares with us, one queue of buffers for each side.
#![allow(
    unsafe_code,
    reason = "ioctl takes untyped pointers, and mapped memory has no owner in Rust"
)]

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd},
    ptr, slice,
    sync::Arc,
    time::Duration,
};

use v4l::{
    v4l_sys::{timeval, v4l2_buffer, v4l2_plane, v4l2_requestbuffers},
    v4l2::{
        self,
        vidioc::{
            _IOC_TYPE, VIDIOC_DQBUF, VIDIOC_QBUF, VIDIOC_QUERYBUF, VIDIOC_REQBUFS, VIDIOC_STREAMOFF,
            VIDIOC_STREAMON,
        },
    },
};

use super::{
    flags,
    ioctl::{Device, Side, call},
};
use crate::media::Dmabuf;

/// The buffers of one side. Streaming ends and they are freed when this is dropped.
#[derive(Debug)]
pub struct Buffers {
    device: Arc<Device>,
    side: Side,
    memory: u32,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// Of our own; imported pictures have none.
    mapping: Option<Mapping>,
    is_queued: bool,
}

#[derive(Debug)]
struct Mapping {
    start: *mut libc::c_void,
    length: usize,
}

// SAFETY: a mapping is valid in every thread, and its owner is the only one to know of it.
unsafe impl Send for Mapping {}

/// A buffer that the device has done with.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub index: usize,
    /// Bytes in it.
    pub used: usize,
    /// `V4L2_BUF_FLAG_*`.
    pub flags: u32,
    /// The time stamp, which goes from the raw picture to the coded one.
    pub stamp: Duration,
}

impl Buffers {
    /// `count` buffers (or what the driver thinks right) of the device's own memory.
    pub fn mapped(device: Arc<Device>, side: Side, count: u32) -> io::Result<Self> {
        let mut buffers = Self::request(device, side, flags::MEMORY_MMAP, count)?;
        for index in 0..buffers.slots.len() {
            buffers.slots[index].mapping = Some(buffers.map(index)?);
        }
        Ok(buffers)
    }

    /// Places for `count` raw pictures in memory of others.
    pub fn imported(device: Arc<Device>, count: u32) -> io::Result<Self> {
        Self::request(device, Side::Raw, flags::MEMORY_DMABUF, count)
    }

    fn request(device: Arc<Device>, side: Side, memory: u32, count: u32) -> io::Result<Self> {
        let mut buffers = Self {
            device,
            side,
            memory,
            slots: Vec::new(),
        };
        let free = || Slot {
            mapping: None,
            is_queued: false,
        };
        let count = buffers.reserve(count)?;
        buffers.slots.resize_with(count as usize, free);
        if buffers.slots.is_empty() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(buffers)
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_queued(&self, index: usize) -> bool {
        self.slots.get(index).is_some_and(|slot| slot.is_queued)
    }

    /// What is in a buffer; nothing while the device has it.
    pub fn bytes(&self, index: usize, used: usize) -> &[u8] {
        match self.slots.get(index) {
            Some(Slot {
                mapping: Some(mapping),
                is_queued: false,
            }) => {
                // SAFETY: the mapping lives as long as `self` and is as long as it says, and the device leaves it alone until
                // it is queued, which needs `&mut self`.
                unsafe { slice::from_raw_parts(mapping.start.cast(), used.min(mapping.length)) }
            }
            _ => &[],
        }
    }

    /// A buffer to fill; nothing while the device has it, and nothing of the coded side.
    pub fn bytes_mut(&mut self, index: usize) -> &mut [u8] {
        match self.slots.get_mut(index) {
            Some(Slot {
                mapping: Some(mapping),
                is_queued: false,
            }) if self.side == Side::Raw => {
                // SAFETY: as in `bytes`; this side is mapped for writing, and `&mut self` is the only way to it.
                unsafe { slice::from_raw_parts_mut(mapping.start.cast(), mapping.length) }
            }
            _ => &mut [],
        }
    }

    /// Gives a buffer of ours to the device, `used` bytes of it filled.
    pub fn queue(&mut self, index: usize, used: usize, stamp: Duration) -> io::Result<()> {
        self.exchange(VIDIOC_QBUF, Some(index), used, None, stamp)?;
        self.slots[index].is_queued = true;
        Ok(())
    }

    /// Lends the device a picture in memory of others, until it comes back by [`Buffers::take`]. The kernel keeps the memory
    /// even where it is closed meanwhile.
    pub fn lend(
        &mut self,
        index: usize,
        picture: Dmabuf<'_>,
        used: usize,
        stamp: Duration,
    ) -> io::Result<()> {
        self.exchange(VIDIOC_QBUF, Some(index), used, Some(picture), stamp)?;
        self.slots[index].is_queued = true;
        Ok(())
    }

    /// Takes a buffer that the device has done with; `None` where there is none yet.
    ///
    /// # Errors
    /// The device failed; or (`BrokenPipe`) the last buffer of a drain was taken before.
    pub fn take(&mut self) -> io::Result<Option<Done>> {
        let done = match self.exchange(VIDIOC_DQBUF, None, 0, None, Duration::ZERO) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            result => result?,
        };
        let slot = self.slots.get_mut(done.index);
        slot.ok_or(io::ErrorKind::InvalidData)?.is_queued = false;
        Ok(Some(done))
    }

    pub fn start(&self) -> io::Result<()> {
        self.stream(VIDIOC_STREAMON)
    }

    /// Stops this side: all its buffers are ours again.
    pub fn stop(&mut self) -> io::Result<()> {
        self.stream(VIDIOC_STREAMOFF)?;
        self.slots.iter_mut().for_each(|slot| slot.is_queued = false);
        Ok(())
    }

    fn stream(&self, request: _IOC_TYPE) -> io::Result<()> {
        let mut kind = self.device.kind(self.side);
        // SAFETY: both stream requests take a pointer to the buffer type.
        unsafe { call(self.device.fd.as_fd(), request, &mut kind) }
    }

    fn reserve(&self, count: u32) -> io::Result<u32> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_requestbuffers = unsafe { mem::zeroed() };
        raw.count = count;
        raw.type_ = self.device.kind(self.side);
        raw.memory = self.memory;
        // SAFETY: the request takes a `v4l2_requestbuffers`.
        unsafe { call(self.device.fd.as_fd(), VIDIOC_REQBUFS, &mut raw)? };
        Ok(raw.count)
    }

    fn map(&self, index: usize) -> io::Result<Mapping> {
        let (mut raw, mut plane) = self.describe(Some(index));
        if self.device.multi_planar {
            raw.m.planes = ptr::from_mut(&mut plane);
        }
        // SAFETY: the request takes a `v4l2_buffer`, whose plane is alive until it returns.
        unsafe { call(self.device.fd.as_fd(), VIDIOC_QUERYBUF, &mut raw)? };
        let (offset, length) = if self.device.multi_planar {
            // SAFETY: for this memory the driver sets the offset of the union.
            (unsafe { plane.m.mem_offset }, plane.length as usize)
        } else {
            // SAFETY: as above.
            (unsafe { raw.m.offset }, raw.length as usize)
        };
        let protection = match self.side {
            Side::Raw => libc::PROT_READ | libc::PROT_WRITE,
            Side::Coded => libc::PROT_READ,
        };
        #[allow(
            clippy::unnecessary_fallible_conversions,
            reason = "off_t has 32 bits on some boards"
        )]
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: the mapping is new and of the length that the driver gives.
        let start = unsafe {
            v4l2::mmap(
                ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                self.device.fd.as_raw_fd(),
                offset,
            )?
        };
        Ok(Mapping { start, length })
    }

    /// Queues a buffer, or takes one.
    fn exchange(
        &self,
        request: _IOC_TYPE,
        index: Option<usize>,
        used: usize,
        lent: Option<Dmabuf<'_>>,
        stamp: Duration,
    ) -> io::Result<Done> {
        let (mut raw, mut plane) = self.describe(index);
        let used = u32::try_from(used).map_err(io::Error::other)?;
        raw.timestamp = time_of(stamp);
        if self.device.multi_planar {
            plane.bytesused = used;
            if let Some(lent) = lent {
                plane.m.fd = lent.fd.as_raw_fd();
                // The kernel compares it with what is used before it looks for itself.
                plane.length = u32::try_from(lent.length).map_err(io::Error::other)?;
            }
            raw.m.planes = ptr::from_mut(&mut plane);
        } else {
            raw.bytesused = used;
            if let Some(lent) = lent {
                raw.m.fd = lent.fd.as_raw_fd();
                raw.length = u32::try_from(lent.length).map_err(io::Error::other)?;
            }
        }
        // SAFETY: the request takes a `v4l2_buffer`, whose plane is alive until it returns.
        unsafe { call(self.device.fd.as_fd(), request, &mut raw)? };
        let used = if self.device.multi_planar {
            plane.bytesused
        } else {
            raw.bytesused
        };
        let seconds = u64::try_from(raw.timestamp.tv_sec).unwrap_or(0);
        let microseconds = u64::try_from(raw.timestamp.tv_usec).unwrap_or(0);
        Ok(Done {
            index: raw.index as usize,
            used: used as usize,
            flags: raw.flags,
            stamp: Duration::from_secs(seconds) + Duration::from_micros(microseconds),
        })
    }

    fn describe(&self, index: Option<usize>) -> (v4l2_buffer, v4l2_plane) {
        // SAFETY: plain C data for which all zeros is a value.
        let (mut raw, plane): (v4l2_buffer, v4l2_plane) = unsafe { (mem::zeroed(), mem::zeroed()) };
        raw.index = index.and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        raw.type_ = self.device.kind(self.side);
        raw.memory = self.memory;
        raw.field = flags::FIELD_NONE;
        if self.device.multi_planar {
            raw.length = 1;
        }
        (raw, plane)
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // An error here means that the device is gone, and everything of it with it; closing it frees the rest.
        let _ = self.stream(VIDIOC_STREAMOFF);
        for mapping in self.slots.iter().filter_map(|slot| slot.mapping.as_ref()) {
            // SAFETY: start and length are of one `mmap`, and no slice of it can outlive `self`.
            let _ = unsafe { v4l2::munmap(mapping.start, mapping.length) };
        }
        let _ = self.reserve(0);
    }
}

fn time_of(stamp: Duration) -> timeval {
    #[allow(
        clippy::unnecessary_fallible_conversions,
        reason = "their numbers have 32 bits on some boards"
    )]
    timeval {
        tv_sec: stamp.as_secs().try_into().unwrap_or(0),
        tv_usec: stamp.subsec_micros().try_into().unwrap_or(0),
    }
}
