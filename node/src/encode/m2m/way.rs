use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
    time::Duration,
};

use super::{
    buffers::Buffers,
    flags,
    flight::MOST_KEPT,
    ioctl::{Device, Layout, Side},
    place::Copying,
};
use crate::media::Dmabuf;

/// Copies of raw pictures: as many as an encoder may keep back, and the one at hand.
const COPIES: u32 = MOST_KEPT as u32 + 1;
/// Pictures in the camera's memory: a place for each buffer that a camera may have, so that the driver need not map one anew.
const IMPORTS: u32 = 8;

/// How frames get into the device.
pub enum Way {
    /// The first frame will tell.
    Open,
    /// They are lent.
    Lent(Lent),
    /// They are copied.
    Copied(Buffers, Copying),
}

/// Frames in memory of others, each in the place that its memory had the last time.
pub struct Lent {
    places: Buffers,
    known: Vec<RawFd>,
}

impl Way {
    /// By lending, with the first frame lent. The device may refuse that memory.
    pub fn lending(
        device: Arc<Device>,
        first: Dmabuf<'_>,
        layout: &Layout,
        stamp: Duration,
    ) -> io::Result<Self> {
        let mut lent = Lent {
            places: Buffers::imported(device, IMPORTS)?,
            known: Vec::new(),
        };
        lent.send(first, layout, stamp)?;
        lent.places.start()?;
        Ok(Self::Lent(lent))
    }

    /// By copying.
    pub fn copying(device: Arc<Device>, copying: Copying) -> io::Result<Self> {
        let copies = Buffers::mapped(device, Side::Raw, COPIES)?;
        copies.start()?;
        Ok(Self::Copied(copies, copying))
    }

    /// Whether the device has given all frames back that were lent to it.
    pub fn is_back(&self) -> bool {
        match self {
            Way::Open | Way::Copied(..) => true,
            Way::Lent(Lent { places: raw, .. }) => (0..raw.len()).all(|index| !raw.is_queued(index)),
        }
    }

    /// Takes back the frames that the device has done with; `false` where it failed at one.
    pub fn reclaim(&mut self) -> io::Result<bool> {
        let (Way::Lent(Lent { places: raw, .. }) | Way::Copied(raw, _)) = self else {
            return Ok(true);
        };
        while let Some(done) = raw.take()? {
            if done.flags & flags::BUF_FLAG_ERROR != 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Lent {
    /// Lends the device one more frame.
    pub fn send(&mut self, picture: Dmabuf<'_>, layout: &Layout, stamp: Duration) -> io::Result<()> {
        let place = place_of(&mut self.known, picture.fd.as_raw_fd(), self.places.len());
        self.places.lend(place, picture, layout.image as usize, stamp)
    }
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
}
