//! Access units into a file, on a thread of its own: a slow disk must not hold up the network.

mod ebml;
mod format;
mod matroska;
mod target;
mod timeline;

use std::{fs::File, io, path::PathBuf, thread::JoinHandle};

use pinhole_service::quiet::Quiet;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::receive::{AccessUnit, Codec};
pub use format::{FormatError, VideoFormat, to_sample};
pub use matroska::{Flavour, Writer};
use target::Opened;
pub use target::Target;
use timeline::Timeline;

/// Access units that may wait for the disk: several seconds of video.
const QUEUE: usize = 256;

/// Why a recording failed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The name does not end like a file that can be written.
    #[error("cannot record into {0}: the name must end in .mkv (any codec) or .webm (VP8)")]
    Extension(PathBuf),
    /// WebM knows no H.264.
    #[error("cannot record {codec} into {path}: a .webm file holds VP8; use .mkv, or --codec vp8")]
    Codec {
        /// The file.
        path: PathBuf,
        /// The codec that was asked for, or arrived.
        codec: Codec,
    },
    /// There is such a file already.
    #[error("{0} exists; give another name, or --force to overwrite it")]
    Exists(PathBuf),
    /// The file can't be made or written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A keyframe is not what it should be.
    #[error("cannot record: {0}")]
    Format(#[from] FormatError),
    /// The thread that writes is gone.
    #[error("the recording ended unexpectedly")]
    Panicked,
}

/// One finished file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Where it is.
    pub path: PathBuf,
    /// Pictures in it.
    pub frames: u64,
    /// How long it plays, in milliseconds.
    pub duration_ms: u64,
}

/// Where access units are handed over. Dropping the last one ends the recording.
#[derive(Debug)]
pub struct Recorder {
    queue: mpsc::Sender<AccessUnit>,
    /// Nothing is handed over before the next keyframe.
    closed: bool,
}

impl Clone for Recorder {
    /// Another source for the same file; it begins at a keyframe.
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            closed: true,
        }
    }
}

impl Recorder {
    /// Hands an access unit over. Where the disk is too slow, pictures up to the next keyframe are left out.
    pub fn offer(&mut self, unit: &AccessUnit) {
        if self.closed && !unit.is_keyframe {
            return;
        }
        match self.queue.try_send(unit.clone()) {
            Ok(()) => self.closed = false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                static SLOW: Quiet = Quiet::new(5);
                if !self.closed
                    && let Some(others) = SLOW.may_say()
                {
                    tracing::warn!(
                        others,
                        "the disk is too slow; the recording goes on at the next keyframe"
                    );
                }
                self.closed = true;
            }
            // The thread has failed; `Recording::finish` tells why.
            Err(mpsc::error::TrySendError::Closed(_)) => self.closed = true,
        }
    }
}

impl Recorder {
    /// Comes when the recording has ended before its time: it failed.
    pub async fn closed(&self) {
        self.queue.closed().await;
    }
}

/// The writing thread.
pub struct Recording {
    thread: JoinHandle<Result<Vec<Recorded>, RecordError>>,
}

impl Recording {
    /// Starts the thread and makes the file, so that what is wrong with it shows at once.
    ///
    /// # Errors
    /// Where the file can't be made.
    pub fn start(target: Target) -> Result<(Recorder, Self), RecordError> {
        let first = target.open()?;
        let path = first.path.clone();
        let (queue, units) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("record".into())
            .spawn(move || write_all(&target, first, units))
            .map_err(|source| RecordError::Write { path, source })?;
        Ok((Recorder { queue, closed: true }, Self { thread }))
    }

    /// Waits for the end of the recording, which comes when every [`Recorder`] is gone. Blocks.
    ///
    /// # Errors
    /// What went wrong in the meantime.
    pub fn finish(self) -> Result<Vec<Recorded>, RecordError> {
        self.thread.join().unwrap_or(Err(RecordError::Panicked))
    }
}

/// A file with its track.
struct Part {
    path: PathBuf,
    format: VideoFormat,
    writer: Writer<File>,
    timeline: Timeline,
    frames: u64,
}

impl Part {
    fn start(target: &Target, opened: Opened, format: VideoFormat) -> Result<Self, RecordError> {
        let (path, file) = opened.into_empty()?;
        if let (Flavour::WebM, codec @ Codec::H264) = (target.flavour, format.codec) {
            return Err(RecordError::Codec { path, codec });
        }
        let writer = Writer::new(file, target.flavour, &format);
        let writer = writer.map_err(|source| RecordError::Write {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            path,
            format,
            writer,
            timeline: Timeline::default(),
            frames: 0,
        })
    }

    fn write(&mut self, unit: &AccessUnit) -> Result<(), RecordError> {
        let time = self.timeline.place(unit.timestamp);
        let written = self.writer.write(time, unit.is_keyframe, &to_sample(unit));
        self.frames += 1;
        written.map_err(|source| RecordError::Write {
            path: self.path.clone(),
            source,
        })
    }

    fn finish(self) -> Result<Recorded, RecordError> {
        let Self {
            path, frames, writer, ..
        } = self;
        match writer.finish() {
            Ok((_, duration_ms)) => Ok(Recorded {
                path,
                frames,
                duration_ms,
            }),
            Err(source) => Err(RecordError::Write { path, source }),
        }
    }
}

fn write_all(
    target: &Target,
    first: Opened,
    mut units: mpsc::Receiver<AccessUnit>,
) -> Result<Vec<Recorded>, RecordError> {
    let mut first = Some(first);
    let mut number = 1;
    let mut part: Option<Part> = None;
    let mut done = Vec::new();
    while let Some(unit) = units.blocking_recv() {
        if unit.is_keyframe {
            let format = VideoFormat::of(&unit)?;
            // A track has one codec and one size: anything else goes on in another file.
            if part
                .as_ref()
                .is_none_or(|part| !part.format.continues_as(&format))
            {
                if let Some(ended) = part.take() {
                    done.push(ended.finish()?);
                    number += 1;
                }
                let opened = first.take().map_or_else(|| target.open_part(&mut number), Ok)?;
                tracing::info!(path = %opened.path.display(), width = format.width, height = format.height, "recording");
                part = Some(Part::start(target, opened, format)?);
            }
        }
        if let Some(part) = &mut part {
            part.write(&unit)?;
        }
    }
    if let Some(part) = part {
        done.push(part.finish()?);
    }
    if let Some(unused) = first {
        unused.discard()?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A VP8 keyframe header of that size, and nothing behind it.
    fn keyframe(width: u16, timestamp: u64) -> AccessUnit {
        let [low, high] = width.to_le_bytes();
        let data = vec![0x10, 0, 0, 0x9D, 0x01, 0x2A, low, high, 48, 0];
        AccessUnit {
            codec: Codec::Vp8,
            data: data.into(),
            is_keyframe: true,
            timestamp,
        }
    }

    fn other(timestamp: u64) -> AccessUnit {
        AccessUnit {
            is_keyframe: false,
            data: vec![0x11, 0].into(),
            ..keyframe(64, timestamp)
        }
    }

    fn target(directory: &Path, name: &str) -> Target {
        Target::new(directory.join(name), false, None).expect("a fitting name")
    }

    #[test]
    fn a_recording_begins_at_a_keyframe_and_a_new_size_begins_a_new_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut recorder, recording) =
            Recording::start(target(directory.path(), "a.webm")).expect("started");
        std::fs::write(directory.path().join("a-2.webm"), b"somebody's").expect("written");
        let units = [
            other(0),
            keyframe(64, 3000),
            other(6000),
            keyframe(64, 9000),
            keyframe(128, 12_000),
        ];
        units.iter().for_each(|unit| recorder.offer(unit));
        drop(recorder);
        let files = recording.finish().expect("recorded");
        let names: Vec<_> = files
            .iter()
            .map(|it| (it.path.file_name().expect("a name"), it.frames))
            .collect();
        assert_eq!(names, [("a.webm".as_ref(), 3), ("a-3.webm".as_ref(), 1)]);
        assert_eq!(files[0].duration_ms, 99);
        assert!(files.iter().all(|file| file.path.exists()));
    }

    #[test]
    fn nothing_recorded_leaves_no_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let (recorder, recording) = Recording::start(target(directory.path(), "a.mkv")).expect("started");
        drop(recorder);
        assert_eq!(recording.finish().expect("no error"), []);
        assert!(!directory.path().join("a.mkv").exists());
    }

    #[test]
    fn what_is_to_be_overwritten_stays_until_there_is_something_better() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.mkv");
        std::fs::write(&path, [b'x'; 5000]).expect("written");
        let target = Target::new(path.clone(), true, None).expect("overwriting is allowed");
        let (recorder, recording) = Recording::start(target.clone()).expect("started");
        drop(recorder);
        recording.finish().expect("no error");
        assert_eq!(std::fs::metadata(&path).expect("it is there").len(), 5000);

        let (mut recorder, recording) = Recording::start(target).expect("started");
        recorder.offer(&keyframe(64, 0));
        drop(recorder);
        assert_eq!(recording.finish().expect("no error").len(), 1);
        assert!(std::fs::metadata(&path).expect("it is there").len() < 1000);
    }

    #[test]
    fn names_that_can_not_be_recorded_into_are_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("there.mkv"), b"x").expect("written");
        let refused = |name: &str, codec| Target::new(path(name), false, codec).expect_err(name);
        assert!(matches!(refused("a.mp4", None), RecordError::Extension(_)));
        assert!(matches!(refused("a", None), RecordError::Extension(_)));
        assert!(matches!(
            refused("a.webm", Some(Codec::H264)),
            RecordError::Codec { .. }
        ));
        assert!(matches!(refused("there.mkv", None), RecordError::Exists(_)));
        assert!(Target::new(path("there.mkv"), true, None).is_ok());
        let nowhere = Target::new(path("no/where.mkv"), false, None).expect("the name is fine");
        assert!(matches!(
            Recording::start(nowhere),
            Err(RecordError::Write { .. })
        ));
    }
}
