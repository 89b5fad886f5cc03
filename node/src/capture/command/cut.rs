//! Where frames end in a stream of bytes. Without IO.

mod h264;
mod mjpeg;
mod raw;

#[cfg(any(test, fuzzing))]
use std::ops::Range;

use crate::media::{FrameSize, PixelFormat};

pub(super) use h264::H264;
pub(super) use mjpeg::Mjpeg;
pub(super) use raw::Raw;

/// What a look at the bytes since the last cut came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// They are the start of a frame, or nothing yet.
    More,
    /// The first so many are a frame.
    Frame(usize),
    /// The first so many are of no use.
    Garbage(usize),
}

/// Cuts a stream into frames. It remembers what it has looked at: `bytes` always begin where the last frame or garbage ended,
/// and are those of the look before with more behind them.
pub(super) trait Cutter: Send {
    /// Looks for the end of the frame that `bytes` begin with.
    fn look(&mut self, bytes: &[u8]) -> Look;

    /// The same after nothing has come for [`QUIET`](super::stream::QUIET): so a frame may be complete whose end could else be
    /// known from the next one only.
    fn look_after_silence(&mut self, _bytes: &[u8]) -> Look {
        Look::More
    }

    /// The same after the stream has ended.
    fn look_at_end(&mut self, _bytes: &[u8]) -> Look {
        Look::More
    }

    /// Whether each frame needs the one before it, so that none may be passed over.
    fn is_in_order(&self) -> bool {
        false
    }

    /// How many bytes to read next, where `have` of a frame are there.
    fn appetite(&self, _have: usize) -> usize {
        64 * 1024
    }

    /// More than any frame has.
    fn largest(&self) -> usize;

    /// The picture of the last frame, where the stream tells.
    fn size(&self) -> Option<FrameSize>;
}

/// For a stream of `pixel`; raw frames are of `size`.
pub(super) fn cutter(pixel: PixelFormat, size: FrameSize) -> Box<dyn Cutter> {
    match pixel {
        PixelFormat::H264 => Box::new(H264::default()),
        PixelFormat::Mjpeg => Box::new(Mjpeg::default()),
        _ => Box::new(Raw::new(size)),
    }
}

/// Cuts `stream` into frames, as if it came in parts that end at `cuts`: what the tests of all cutters look at.
#[cfg(test)]
fn frames(cutter: &mut dyn Cutter, stream: &[u8], cuts: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let found = places(cutter, stream, cuts, false);
    found.into_iter().map(|place| stream[place].to_vec()).collect()
}

/// Where the frames are in a `stream` of `pixel`, a compressed format, that comes in parts which end at `cuts`, with `pauses` between them
/// or without.
#[cfg(any(test, fuzzing))]
pub(crate) fn cut_up(
    pixel: PixelFormat,
    stream: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    pauses: bool,
) -> Vec<Range<usize>> {
    let size = FrameSize {
        width: 16,
        height: 16,
    };
    places(cutter(pixel, size).as_mut(), stream, cuts, pauses)
}

#[cfg(any(test, fuzzing))]
fn places(
    cutter: &mut dyn Cutter,
    stream: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    pauses: bool,
) -> Vec<Range<usize>> {
    let (mut start, mut found) = (0, Vec::new());
    for end in cuts.into_iter().chain([stream.len()]) {
        let mut is_quiet = false;
        loop {
            let bytes = &stream[start..end.max(start)];
            let look = if is_quiet {
                cutter.look_after_silence(bytes)
            } else {
                cutter.look(bytes)
            };
            match look {
                Look::More if pauses && !is_quiet => is_quiet = true,
                Look::More => break,
                Look::Frame(length) => {
                    assert!((1..=bytes.len()).contains(&length));
                    found.push(start..start + length);
                    start += length;
                }
                Look::Garbage(length) => {
                    assert!((1..=bytes.len()).contains(&length));
                    start += length;
                }
            }
            // One look after each silence.
            if is_quiet && look != Look::More {
                break;
            }
        }
    }
    found
}
