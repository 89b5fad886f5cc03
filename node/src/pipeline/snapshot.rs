use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    encode,
    media::{Frame, FrameSize, Privacy, Timestamp},
};

/// Pictures that may be asked for at the same time; one file serves all who ask before the next frame.
const MOST: usize = 32;

/// A picture as a file, or why there is none.
pub type Snapshot = Result<Still, String>;

/// A picture as a file.
#[derive(Clone, Debug)]
pub struct Still {
    /// The file, which all who asked for it share.
    pub file: Arc<[u8]>,
    /// The size of the picture in it.
    pub size: FrameSize,
    /// When it was captured: whoever keeps it asks [`Privacy::blocks`] before it goes further.
    pub captured_at: Timestamp,
}

/// Where it goes. Called by the camera's thread: it must not block.
pub type Taker = Box<dyn FnOnce(Snapshot) + Send>;

/// Those who wait for a picture.
#[derive(Clone, Default)]
pub(super) struct Snapshots(Arc<Mutex<Vec<(usize, Taker)>>>);

impl Snapshots {
    /// Somebody wants the next picture, of at most so many bytes.
    pub(super) fn want(&self, largest: usize, taker: Taker) {
        let mut takers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if takers.len() < MOST {
            return takers.push((largest, taker));
        }
        drop(takers);
        taker(Err("too many ask for a picture".to_owned()));
    }

    /// Whether anybody waits.
    pub(super) fn are_wanted(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Gives everybody this picture, which is YU12.
    pub(super) fn serve(&self, frame: &Frame<'_>, privacy: &Privacy) {
        let takers = self.take();
        let Some(largest) = takers.iter().map(|(largest, _)| *largest).min() else {
            return;
        };
        let made = encode::jpeg(frame, largest).map_err(|error| error.to_string());
        // To make it takes a while.
        let made = if privacy.is_on() || privacy.blocks(frame.captured_at) {
            Err("the camera is private now".to_owned())
        } else {
            made.map(|file| Still {
                file: file.into(),
                size: frame.format.size,
                captured_at: frame.captured_at,
            })
        };
        for (_, taker) in takers {
            taker(made.clone());
        }
    }

    /// There is no picture.
    pub(super) fn refuse(&self, why: &str) {
        for (_, taker) in self.take() {
            taker(Err(why.to_owned()));
        }
    }

    fn take(&self) -> Vec<(usize, Taker)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Slate;
    use crate::media::FrameRate;
    use std::sync::mpsc;

    #[test]
    fn one_picture_serves_all_who_wait_and_privacy_none() {
        let snapshots = Snapshots::default();
        let privacy = Privacy::default();
        let mut picture = Slate::new("64x64".parse().expect("a size"), FrameRate::per_second(1), "");
        let (send, got) = mpsc::sync_channel::<Snapshot>(64);
        let ask = || {
            let send = send.clone();
            snapshots.want(100_000, Box::new(move |made| drop(send.try_send(made))));
        };
        assert!(!snapshots.are_wanted());
        for _ in 0..MOST + 1 {
            ask();
        }
        assert!(got.try_recv().expect("the last one").is_err());
        snapshots.serve(&picture.draw(), &privacy);
        let files: Vec<_> = got.try_iter().map(|made| made.expect("a picture").file).collect();
        assert_eq!(files.len(), MOST);
        assert!(files.iter().all(|file| Arc::ptr_eq(file, &files[0])), "made once");
        privacy.set(true);
        ask();
        snapshots.serve(&picture.draw(), &privacy);
        assert!(got.try_recv().expect("an answer").is_err());
    }

    #[test]
    fn a_picture_of_before_the_switch_is_not_given_after_it() {
        let (snapshots, privacy) = (Snapshots::default(), Privacy::default());
        let mut picture = Slate::new("64x64".parse().expect("a size"), FrameRate::per_second(1), "");
        let (send, got) = mpsc::sync_channel::<Snapshot>(1);
        snapshots.want(100_000, Box::new(move |made| drop(send.try_send(made))));
        let before = picture.draw();
        privacy.set(true);
        privacy.set(false);
        snapshots.serve(&before, &privacy);
        assert!(got.try_recv().expect("an answer").is_err());
    }
}
