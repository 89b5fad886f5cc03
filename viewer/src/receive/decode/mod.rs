//! Access units in, pictures out, on a thread of its own: decoding takes milliseconds that the network must
//! not wait for.

mod openh264;
mod vpx;

use std::{
    io,
    thread::JoinHandle,
    time::{Instant, SystemTime},
};

use tokio::sync::mpsc;

use super::{AccessUnit, Codec, Luma, clock::Stamp};

/// Access units that may wait for the decoder. More would only be latency: a decoder that is this far
/// behind starts anew at the next keyframe.
const QUEUE: usize = 16;

/// Why a picture could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The decoder itself could not be made.
    #[error("cannot start the {codec} decoder: {reason}")]
    Start {
        /// Of this codec.
        codec: Codec,
        /// What the library says.
        reason: String,
    },
    /// The bytes are not what they should be.
    #[error("{codec} data that cannot be decoded: {reason}")]
    Data {
        /// Of this codec.
        codec: Codec,
        /// What the library says.
        reason: String,
    },
}

/// A decoder of one codec.
trait Decoder {
    /// Decodes one access unit and shows the picture in it, if it holds one, to `look`.
    fn decode(&mut self, data: &[u8], look: &mut dyn FnMut(&Luma<'_>)) -> Result<(), DecodeError>;
}

fn decoder(codec: Codec) -> Result<Box<dyn Decoder>, DecodeError> {
    Ok(match codec {
        Codec::H264 => Box::new(openh264::OpenH264::new()?),
        Codec::Vp8 => Box::new(vpx::Vpx::new()?),
    })
}

/// What is known of a decoded picture.
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    /// Its codec.
    pub codec: Codec,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// When it was decoded.
    pub at: Instant,
    /// Milliseconds from the clock drawn in it to the end of decoding, by this machine's wall clock;
    /// `None` where it carries no clock.
    pub latency_ms: Option<f64>,
    /// Whether it differs from the picture before.
    pub changed: bool,
}

/// What comes off the decoder's thread.
#[derive(Debug)]
pub enum Decoded {
    /// A picture.
    Picture(Picture),
    /// An access unit was of no use; nothing more comes up to the next keyframe.
    Failed(DecodeError),
}

/// The decoder's thread. Dropping the queue's sender ends it.
pub struct Worker {
    queue: mpsc::Sender<AccessUnit>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread; it reports to `out`.
    ///
    /// # Errors
    /// Where the system allows no further thread.
    pub fn start(out: mpsc::Sender<Decoded>) -> io::Result<Self> {
        let (queue, units) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("decode".into())
            .spawn(move || run(units, &out))?;
        Ok(Self { queue, thread })
    }

    /// Hands an access unit over; `false` where the decoder is too far behind to take it.
    pub fn offer(&self, unit: AccessUnit) -> bool {
        self.queue.try_send(unit).is_ok()
    }

    /// Ends the thread. It finishes the picture it is at.
    pub fn stop(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("the decoder's thread panicked");
        }
    }
}

fn run(mut units: mpsc::Receiver<AccessUnit>, out: &mpsc::Sender<Decoded>) {
    let mut current: Option<(Codec, Box<dyn Decoder>)> = None;
    let mut fingerprint = 0;
    while let Some(unit) = units.blocking_recv() {
        if current.as_ref().is_none_or(|(codec, _)| *codec != unit.codec) {
            if !unit.is_keyframe {
                continue;
            }
            match decoder(unit.codec) {
                Ok(decoder) => current = Some((unit.codec, decoder)),
                Err(error) => {
                    if out.blocking_send(Decoded::Failed(error)).is_err() {
                        return;
                    }
                    continue;
                }
            }
        }
        let Some((codec, decoder)) = &mut current else {
            continue;
        };
        let mut picture = None;
        let result = decoder.decode(&unit.data, &mut |luma| {
            picture = Some(look_at(luma, *codec, &mut fingerprint));
        });
        let news = match (result, picture) {
            (Err(error), _) => {
                // A fresh decoder starts at the next keyframe without a memory of the broken one.
                current = None;
                Decoded::Failed(error)
            }
            (Ok(()), Some(picture)) => Decoded::Picture(picture),
            (Ok(()), None) => continue,
        };
        if out.blocking_send(news).is_err() {
            return;
        }
    }
}

fn look_at(luma: &Luma<'_>, codec: Codec, fingerprint: &mut u64) -> Picture {
    let (at, stamp_now) = (Instant::now(), Stamp::at(SystemTime::now()));
    let before = std::mem::replace(fingerprint, fingerprint_of(luma));
    Picture {
        codec,
        width: luma.width as u32,
        height: luma.height as u32,
        at,
        latency_ms: Stamp::read(luma).map(|drawn| stamp_now.milliseconds_since(drawn)),
        changed: *fingerprint != before,
    }
}

/// A number that differs for pictures that differ in more than a dot (FNV-1a over every 8th sample of every second line).
fn fingerprint_of(luma: &Luma<'_>) -> u64 {
    let lines = luma
        .samples
        .chunks(luma.stride.max(1))
        .take(luma.height)
        .step_by(2);
    lines
        .flat_map(|line| line.iter().take(luma.width).step_by(8))
        .fold(0xCBF2_9CE4_8422_2325, |hash, &sample| {
            (hash ^ u64::from(sample)).wrapping_mul(0x0100_0000_01B3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_mark_that_moves_is_another_picture() {
        let (width, height) = (640, 360);
        let draw = |line: usize, at: usize| {
            let mut samples = vec![40; width * height];
            for line in samples.chunks_mut(width).skip(line).take(2) {
                line[at..at + 8].fill(110);
            }
            fingerprint_of(&Luma {
                samples: &samples,
                stride: width,
                width,
                height,
            })
        };
        for line in 0..height - 2 {
            assert_ne!(draw(line, 80), draw(line, 160), "line {line}");
        }
        assert_eq!(draw(7, 80), draw(7, 80));
    }
}
