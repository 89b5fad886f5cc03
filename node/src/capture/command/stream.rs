use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{
    child::Child,
    complaints::{Complaints, Limit},
    cut::{Cutter, Look, cutter},
    inbox::Inbox,
    refuse,
};
use crate::{
    capture::{CaptureError, Controls, VideoSource, Want},
    media::{Colour, Frame, PixelFormat, Timestamp, VideoFormat},
};

/// A pause of this length may be the end of a frame. A program that writes a frame in several steps takes microseconds between
/// them, and even the scheduler of a busy board seldom more than this.
pub(super) const QUIET: Duration = Duration::from_millis(4);
/// A command that we have waited for so long in vain (and at least ten frames' time) hangs.
const STALLED: Duration = Duration::from_secs(5);
/// Bytes in a row that are no frame, before we say so. A program may begin with a greeting, but not with so much.
const MOST_GARBAGE: usize = 4 * 1024 * 1024;
/// Frames that are passed over in a row because there is a newer one, before one is taken as it is: a program may write faster than we
/// read.
const MOST_SUPERSEDED: u32 = 8;
/// How long a program may take from closing its output to its end.
const END: Duration = Duration::from_millis(300);
/// Frames that come at once can't have been captured at once, and viewers take pictures of one time for one picture.
pub(super) const BETWEEN_FRAMES: Duration = Duration::from_millis(1);

/// A running command whose output is cut into frames.
pub(super) struct Source {
    child: Child,
    name: String,
    format: VideoFormat,
    cutter: Box<dyn Cutter>,
    inbox: Inbox,
    complaints: Complaints,
    /// Bytes of the frame that the caller has.
    held: usize,
    sequence: u32,
    /// When the first byte came of what is to be the next frame.
    begun_at: Option<Timestamp>,
    last_frame_at: Option<Timestamp>,
    /// When the last bytes came, until a look was taken because nothing came after them.
    last_bytes: Option<Instant>,
    /// Time spent waiting since the last frame; time that the caller spent elsewhere is not the command's fault.
    waited: Duration,
    garbage: usize,
    has_stderr: bool,
}

/// A frame in the inbox.
#[derive(Clone, Copy)]
struct Found {
    length: usize,
    captured_at: Timestamp,
}

/// What came of a read.
enum Came {
    Bytes,
    Nothing,
    End,
}

impl Source {
    pub(super) fn new(
        child: Child,
        name: String,
        (pixel, colour): (PixelFormat, Colour),
        want: &Want,
        limit: Arc<Limit>,
    ) -> Self {
        let cutter = cutter(pixel, want.size);
        let stride = pixel.least_stride(want.size.width);
        Self {
            child,
            complaints: Complaints::new(name.clone(), limit),
            name,
            format: VideoFormat {
                pixel,
                size: want.size,
                stride,
                colour,
                rate: want.rate,
            },
            // Two raw frames: the one that the caller has, and the next.
            inbox: Inbox::new(2 * cutter.appetite(0)),
            cutter,
            held: 0,
            sequence: 0,
            begun_at: None,
            last_frame_at: None,
            last_bytes: None,
            waited: Duration::ZERO,
            garbage: 0,
            has_stderr: true,
        }
    }

    /// Reads until there is a frame: the newest, or of a stream in order the next. `None` where there was none in time.
    fn fetch(&mut self, patience: Duration) -> Result<Option<Found>, CaptureError> {
        let deadline = Instant::now() + patience;
        let (mut found, mut superseded) = (None::<Found>, 0);
        loop {
            let skip = found.map_or(0, |found| found.length);
            match self.cutter.look(&self.inbox.bytes()[skip..]) {
                Look::Frame(length) => {
                    self.inbox.consume(skip);
                    superseded += 1;
                    found = Some(self.count(length));
                    if self.cutter.is_in_order() || superseded > MOST_SUPERSEDED {
                        return Ok(found);
                    }
                    continue;
                }
                // The frame at hand may be all that comes for long.
                Look::Garbage(_) if found.is_some() => return Ok(found),
                Look::Garbage(length) => {
                    self.inbox.consume(length);
                    self.check_garbage(length)?;
                    continue;
                }
                Look::More => {}
            }
            let have = self.inbox.bytes().len() - skip;
            if have > self.cutter.largest() {
                return Err(self.is_no_stream(have));
            }
            let appetite = self.cutter.appetite(have);
            if found.is_some() && !self.inbox.has_room(appetite) {
                return Ok(found);
            }
            match self.read(appetite)? {
                Came::Bytes => continue,
                // What it has written is good although it has ended.
                Came::Nothing | Came::End if found.is_some() => return Ok(found),
                Came::End => {
                    return match self.cutter.look_at_end(self.inbox.bytes()) {
                        Look::Frame(length) => Ok(Some(self.count(length))),
                        Look::Garbage(_) | Look::More => Err(self.has_ended()),
                    };
                }
                Came::Nothing => {}
            }
            if self.is_quiet()
                && let Look::Frame(length) = self.cutter.look_after_silence(self.inbox.bytes())
            {
                return Ok(Some(self.count(length)));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(left)?;
        }
    }

    /// A frame was cut.
    fn count(&mut self, length: usize) -> Found {
        self.garbage = 0;
        self.sequence = self.sequence.wrapping_add(1);
        let now = Timestamp::now();
        let captured_at = self.begun_at.take().unwrap_or(now);
        if self.inbox.bytes().len() > length {
            // The rest has just come.
            self.begun_at = Some(now);
        }
        Found { length, captured_at }
    }

    fn read(&mut self, count: usize) -> Result<Came, CaptureError> {
        match self.inbox.read(&mut self.child.stdout, count) {
            Ok(0) => Ok(Came::End),
            Ok(_) => {
                self.begun_at.get_or_insert_with(Timestamp::now);
                self.last_bytes = Some(Instant::now());
                Ok(Came::Bytes)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(Came::Nothing)
            }
            Err(source) => Err(self.io("read the output", source)),
        }
    }

    /// Whether nothing has come for a while, once for each while.
    fn is_quiet(&mut self) -> bool {
        let is_quiet = self.last_bytes.is_some_and(|last| last.elapsed() >= QUIET);
        if is_quiet {
            self.last_bytes = None;
        }
        is_quiet
    }

    /// Waits for bytes, for complaints, for the silence that may mean the end of a frame, and `left` at most.
    fn wait(&mut self, left: Duration) -> Result<(), CaptureError> {
        let now = Instant::now();
        let silence = self
            .last_bytes
            .map_or(left, |last| (last + QUIET).saturating_duration_since(now));
        let listens = self.has_stderr && self.complaints.listens(now);
        let mut events = [
            PollFd::new(&self.child.stdout, PollFlags::IN),
            PollFd::new(&self.child.stderr, PollFlags::IN),
        ];
        let watched = if listens {
            &mut events[..]
        } else {
            &mut events[..1]
        };
        let patience = Timespec::try_from(left.min(silence)).ok();
        match poll(watched, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(self.io("wait for the output", error.into())),
        }
        let complains = listens && !events[1].revents().is_empty();
        if complains {
            self.has_stderr = self.complaints.read(&mut self.child.stderr);
        }
        Ok(())
    }

    fn check_garbage(&mut self, length: usize) -> Result<(), CaptureError> {
        self.begun_at = None;
        self.garbage += length;
        if self.garbage > MOST_GARBAGE {
            return Err(self.is_no_stream(self.garbage));
        }
        Ok(())
    }

    fn is_no_stream(&mut self, bytes: usize) -> CaptureError {
        CaptureError::CommandGarbage {
            command: self.name.clone(),
            bytes,
            pixel: self.format.pixel,
        }
    }

    fn has_ended(&mut self) -> CaptureError {
        let how = match self.child.ended(END) {
            Some(status) => format!("ended ({status})"),
            None => "closed its output".to_owned(),
        };
        CaptureError::CommandEnded {
            command: self.name.clone(),
            how,
            said: self.last_words(),
        }
    }

    /// The last thing it has said, for an error, with the quotation around it.
    fn last_words(&mut self) -> String {
        // All that is in the pipe, which is not much.
        for _ in 0..64 {
            self.has_stderr = self.has_stderr && self.complaints.read(&mut self.child.stderr);
        }
        self.complaints.finish();
        match self.complaints.last_words() {
            Some(words) => format!("it said last: {words}"),
            None => "it said nothing".to_owned(),
        }
    }

    fn check_stall(&mut self, waited: Duration) -> Result<(), CaptureError> {
        self.waited += waited;
        if self.waited < STALLED.max(10 * self.format.rate.interval()) {
            return Ok(());
        }
        Err(CaptureError::CommandHangs {
            command: self.name.clone(),
            seconds: self.waited.as_secs(),
            said: self.last_words(),
        })
    }

    fn io(&self, action: &'static str, source: io::Error) -> CaptureError {
        CaptureError::Io {
            device: self.name.clone(),
            action,
            source,
        }
    }
}

impl VideoSource for Source {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Frame<'_>>, CaptureError> {
        self.inbox.consume(std::mem::take(&mut self.held));
        if self.has_stderr && self.complaints.listens(Instant::now()) {
            self.has_stderr = self.complaints.read(&mut self.child.stderr);
        }
        let start = Instant::now();
        let Some(found) = self.fetch(patience)? else {
            self.check_stall(start.elapsed())?;
            return Ok(None);
        };
        self.waited = Duration::ZERO;
        self.held = found.length;
        let earliest = self.last_frame_at.map(|last| last.as_duration() + BETWEEN_FRAMES);
        let earliest = earliest.map_or(found.captured_at, Timestamp::from_monotonic);
        let captured_at = found.captured_at.max(earliest);
        self.last_frame_at = Some(captured_at);
        if let Some(size) = self.cutter.size() {
            self.format.size = size;
        }
        Ok(Some(Frame {
            format: self.format,
            captured_at,
            sequence: self.sequence,
            dmabuf: None,
            data: &self.inbox.bytes()[..found.length],
        }))
    }

    fn set_controls(&mut self, controls: &Controls) -> Result<(), CaptureError> {
        refuse(&self.name, controls)
    }
}
