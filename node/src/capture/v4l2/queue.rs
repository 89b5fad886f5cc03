//! The kernel's buffer queue: `VIDIOC_REQBUFS`, `mmap`, `VIDIOC_EXPBUF`, `VIDIOC_QBUF`, `VIDIOC_DQBUF`.
//!
//! `v4l::io::mmap::Stream` has no way to look for a newer frame without giving up the bytes of the one at hand,
//! can't be read again after a time-out, and panics where a driver fails to stop. So the queue is our own, over
//! that crate's device, types and system calls.
#![allow(
    unsafe_code,
    reason = "ioctl takes untyped pointers, and mapped memory has no owner in Rust"
)]

use std::{
    io, mem,
    os::{
        fd::{AsFd, FromRawFd, OwnedFd},
        raw::c_int,
    },
    ptr, slice,
    sync::Arc,
    time::Duration,
};

use v4l::{
    Device,
    device::Handle,
    v4l_sys::{v4l2_buffer, v4l2_capability, v4l2_exportbuffer, v4l2_plane, v4l2_requestbuffers},
    v4l2::{
        self,
        vidioc::{
            _IOC_TYPE, VIDIOC_DQBUF, VIDIOC_EXPBUF, VIDIOC_QBUF, VIDIOC_QUERYBUF, VIDIOC_QUERYCAP,
            VIDIOC_REQBUFS, VIDIOC_STREAMOFF, VIDIOC_STREAMON,
        },
    },
};

use super::ioctl::Dialect;
use crate::media::Dmabuf;

const MMAP: u32 = v4l::memory::Memory::Mmap as u32;

/// A device's buffers, streaming until this is dropped.
pub struct Queue {
    handle: Arc<Handle>,
    dialect: Dialect,
    mappings: Vec<Mapping>,
    /// What other devices know the same memory by; empty where they don't.
    exports: Vec<OwnedFd>,
}

/// A filled buffer, taken out of the queue: the kernel does not touch it until it is given back.
#[derive(Debug)]
pub struct Buffer {
    index: u32,
    /// Where the picture begins in it.
    start: usize,
    /// Bytes of the picture.
    pub used: usize,
    /// `V4L2_BUF_FLAG_*`.
    pub flags: u32,
    /// The driver's time stamp; what clock it is of is in the flags.
    pub time: Duration,
    /// The driver's count of frames.
    pub sequence: u32,
}

struct Mapping {
    start: *mut libc::c_void,
    length: usize,
}

// SAFETY: a mapping is valid in every thread, and its owner is the only one to know of it.
unsafe impl Send for Mapping {}

impl Queue {
    /// Has the driver make `count` buffers (or what it thinks right), maps and queues them, and starts streaming.
    pub fn start(device: &Device, dialect: Dialect, count: u32) -> io::Result<Self> {
        let mut queue = Self {
            handle: device.handle(),
            dialect,
            mappings: Vec::new(),
            exports: Vec::new(),
        };
        for index in 0..queue.request(count)? {
            let mapping = queue.map(index)?;
            queue.mappings.push(mapping);
            queue.enqueue(index)?;
        }
        if queue.mappings.is_empty() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        queue.stream(VIDIOC_STREAMON)?;
        Ok(queue)
    }

    /// Makes the buffers known to other devices (`VIDIOC_EXPBUF`).
    pub fn export(&mut self) -> io::Result<()> {
        let exports = (0..self.mappings.len()).map(|index| self.export_one(index));
        self.exports = exports.collect::<io::Result<_>>()?;
        Ok(())
    }

    /// How many buffers there are.
    pub fn len(&self) -> usize {
        self.mappings.len()
    }

    /// Waits at most `patience` for a filled buffer or an error of the device, which [`Queue::take`] then reports.
    pub fn wait(&self, patience: Duration) -> io::Result<bool> {
        // Rounded up: `poll` counts in milliseconds, and zero would make a busy loop of a short wait.
        let milliseconds = c_int::try_from(patience.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX);
        match self.handle.poll(libc::POLLIN, milliseconds) {
            Ok(ready) => Ok(ready > 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the device still answers.
    pub fn is_present(&self) -> bool {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_capability = unsafe { mem::zeroed() };
        // SAFETY: the request takes a `v4l2_capability`.
        unsafe { v4l2::ioctl(self.handle.fd(), VIDIOC_QUERYCAP, ptr::from_mut(&mut raw).cast()) }.is_ok()
    }

    /// Takes the oldest filled buffer; `None` where there is none yet.
    pub fn take(&mut self) -> io::Result<Option<Buffer>> {
        let (raw, plane) = match self.call(VIDIOC_DQBUF, 0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            answer => answer?,
        };
        let length = self
            .mappings
            .get(raw.index as usize)
            .map_or(0, |mapping| mapping.length);
        let (start, end) = match self.dialect {
            Dialect::SinglePlanar => (0, raw.bytesused as usize),
            // What is used includes what is in front of the picture.
            Dialect::MultiPlanar => (plane.data_offset as usize, plane.bytesused as usize),
        };
        let start = start.min(length);
        let seconds = u64::try_from(raw.timestamp.tv_sec).unwrap_or(0);
        let microseconds = u64::try_from(raw.timestamp.tv_usec).unwrap_or(0);
        Ok(Some(Buffer {
            index: raw.index,
            start,
            used: end.min(length).saturating_sub(start),
            flags: raw.flags,
            time: Duration::from_secs(seconds) + Duration::from_micros(microseconds),
            sequence: raw.sequence,
        }))
    }

    /// Gives a buffer back to the driver to fill.
    pub fn give_back(&mut self, buffer: Buffer) -> io::Result<()> {
        self.enqueue(buffer.index)
    }

    /// What is in a buffer.
    pub fn bytes(&self, buffer: &Buffer) -> &[u8] {
        let Some(mapping) = self.mappings.get(buffer.index as usize) else {
            return &[];
        };
        // SAFETY: the mapping lives as long as `self`, and the kernel leaves the buffer alone while its `Buffer` exists: giving that
        // back takes it and needs `&mut self`.
        let all = unsafe { slice::from_raw_parts(mapping.start.cast::<u8>(), mapping.length) };
        all.get(buffer.start..buffer.start + buffer.used)
            .unwrap_or_default()
    }

    /// A buffer for other devices, where it was exported.
    pub fn dmabuf(&self, buffer: &Buffer) -> Option<Dmabuf<'_>> {
        let index = buffer.index as usize;
        if buffer.start > 0 {
            return None;
        }
        Some(Dmabuf {
            fd: self.exports.get(index)?.as_fd(),
            length: self.mappings.get(index)?.length,
        })
    }

    fn export_one(&self, index: usize) -> io::Result<OwnedFd> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_exportbuffer = unsafe { mem::zeroed() };
        raw.type_ = self.dialect.buffer_type();
        raw.index = u32::try_from(index).map_err(io::Error::other)?;
        // For reading; some devices map what they read for writing all the same.
        raw.flags = libc::O_CLOEXEC.cast_unsigned() | libc::O_RDWR.cast_unsigned();
        // SAFETY: the request takes a `v4l2_exportbuffer`.
        unsafe { v4l2::ioctl(self.handle.fd(), VIDIOC_EXPBUF, ptr::from_mut(&mut raw).cast())? };
        // SAFETY: the descriptor is new and nobody else's.
        Ok(unsafe { OwnedFd::from_raw_fd(raw.fd) })
    }

    fn request(&self, count: u32) -> io::Result<u32> {
        // SAFETY: plain C data for which all zeros is a value.
        let mut raw: v4l2_requestbuffers = unsafe { mem::zeroed() };
        raw.count = count;
        raw.type_ = self.dialect.buffer_type();
        raw.memory = MMAP;
        // SAFETY: the request takes a `v4l2_requestbuffers`.
        unsafe { v4l2::ioctl(self.handle.fd(), VIDIOC_REQBUFS, ptr::from_mut(&mut raw).cast())? };
        Ok(raw.count)
    }

    fn map(&self, index: u32) -> io::Result<Mapping> {
        let (raw, plane) = self.call(VIDIOC_QUERYBUF, index)?;
        let (offset, length) = match self.dialect {
            // SAFETY: for `MMAP` the request sets the offset of the union.
            Dialect::SinglePlanar => (unsafe { raw.m.offset }, raw.length as usize),
            // SAFETY: as above.
            Dialect::MultiPlanar => (unsafe { plane.m.mem_offset }, plane.length as usize),
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
                libc::PROT_READ,
                libc::MAP_SHARED,
                self.handle.fd(),
                offset,
            )?
        };
        Ok(Mapping { start, length })
    }

    fn enqueue(&self, index: u32) -> io::Result<()> {
        self.call(VIDIOC_QBUF, index).map(drop)
    }

    /// A request about a buffer, and what the driver answers: of its one plane as well, where it has planes.
    fn call(&self, request: _IOC_TYPE, index: u32) -> io::Result<(v4l2_buffer, v4l2_plane)> {
        // SAFETY: plain C data for which all zeros is a value.
        let (mut raw, mut plane): (v4l2_buffer, v4l2_plane) = unsafe { (mem::zeroed(), mem::zeroed()) };
        raw.index = index;
        raw.type_ = self.dialect.buffer_type();
        raw.memory = MMAP;
        if self.dialect == Dialect::MultiPlanar {
            raw.m.planes = ptr::from_mut(&mut plane);
            raw.length = 1;
        }
        // SAFETY: the request takes a `v4l2_buffer`, whose plane is alive until it returns; nobody follows the pointer afterwards.
        unsafe { v4l2::ioctl(self.handle.fd(), request, ptr::from_mut(&mut raw).cast())? };
        Ok((raw, plane))
    }

    fn stream(&self, request: _IOC_TYPE) -> io::Result<()> {
        let mut kind = self.dialect.buffer_type();
        // SAFETY: both stream requests take a pointer to the buffer type.
        unsafe { v4l2::ioctl(self.handle.fd(), request, ptr::from_mut(&mut kind).cast()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // An error here means that the device is gone, and everything of it with it; closing it frees the rest.
        let _ = self.stream(VIDIOC_STREAMOFF);
        for mapping in &self.mappings {
            // SAFETY: start and length are of one `mmap`, and no slice of it can outlive `self`.
            let _ = unsafe { v4l2::munmap(mapping.start, mapping.length) };
        }
        self.exports.clear();
        let _ = self.request(0);
    }
}
