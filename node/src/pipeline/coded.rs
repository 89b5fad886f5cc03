use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::{line::Line, raw::Outlet};
use crate::{
    capture::VideoSource,
    encode::{ConvertError, Converter, EncodeError, Passthrough},
    media::{Bitrate, Codec, Frame, Timestamp},
};

/// Between two requests for a keyframe that nobody but ourselves needs.
const REQUEST_INTERVAL: Duration = Duration::from_millis(500);
/// A keyframe that has not come for so long is worth a word: viewers wait for it.
const LATE_KEYFRAME: Duration = Duration::from_secs(10);
/// A picture older than this many frame intervals is not encoded anew: those who can be served at once must not wait for those who
/// can't.
const LATE_FRAMES: u32 = 3;

/// A camera that encodes by itself. Viewers of H.264 get its units as they are. For those of another codec they are decoded, all of
/// them, and encoded anew, as many as there is time for.
pub(super) struct Coded {
    passthrough: Passthrough,
    /// Whether we may encode at all.
    software: bool,
    /// Whether the decoder has seen everything since a keyframe.
    decoding: bool,
    /// Somebody waits for a picture as a file.
    wants_picture: bool,
    requested: Option<Instant>,
    /// Since when viewers wait for a keyframe, and whether that was said.
    waiting: Option<(Instant, bool)>,
}

impl Coded {
    pub(super) fn new(software: bool) -> Self {
        Self {
            passthrough: Passthrough::default(),
            software,
            decoding: false,
            wants_picture: false,
            requested: None,
            waiting: None,
        }
    }

    /// Asks the camera for the keyframe that somebody needs. Before each look for a frame.
    pub(super) fn request_keyframe(&mut self, lines: &[Line], source: &mut dyn VideoSource, now: Instant) {
        let mut viewers = false;
        for line in lines.iter().filter(|line| line.passes()) {
            viewers |= line.wants_keyframe(now);
        }
        let own = self.passthrough.needs_keyframe() || (self.recodes(lines) && !self.decoding);
        let due = self
            .requested
            .is_none_or(|requested| now.duration_since(requested) >= REQUEST_INTERVAL);
        if viewers || (own && due) {
            self.requested = Some(now);
            if source.request_keyframe() {
                lines
                    .iter()
                    .filter(|line| line.passes())
                    .for_each(Line::keyframe_ordered);
            }
        }
        if viewers || own {
            self.wait_for_keyframe(now);
        }
    }

    /// Whether there is any use in decoding.
    fn recodes(&self, lines: &[Line]) -> bool {
        self.wants_picture || (self.software && lines.iter().any(is_other))
    }

    fn wait_for_keyframe(&mut self, now: Instant) {
        let (since, said) = self.waiting.get_or_insert((now, false));
        if !*said && now.duration_since(*since) >= LATE_KEYFRAME {
            *said = true;
            warn!(
                "viewers wait for a keyframe, and the camera has sent none for {} s; have it send one every second or two \
                 (for rpicam-vid: --intra, for x264: -g)",
                LATE_KEYFRAME.as_secs()
            );
        }
    }

    /// Gives one frame to everybody who watches, and tells whether it held a picture for them. The inner error costs this frame, and
    /// those after it up to the next keyframe.
    pub(super) fn pass(
        &mut self,
        lines: &mut [Line],
        converter: &mut Converter,
        outlet: Outlet<'_>,
        frame: &Frame<'_>,
    ) -> Result<Result<bool, ConvertError>, EncodeError> {
        let Outlet { account, bitrate, .. } = outlet;
        self.wants_picture = outlet.snapshots.are_wanted();
        let unit = match self.passthrough.take(frame) {
            Ok(Some(unit)) => unit,
            Ok(None) => return Ok(Ok(false)),
            Err(error) => {
                account.damaged.one();
                return Ok(Err(error));
            }
        };
        if unit.is_keyframe {
            self.waiting = None;
        }
        for line in lines.iter_mut().filter(|line| line.passes() && line.is_watched()) {
            line.pass(unit.clone());
        }
        if !self.recodes(lines) {
            if std::mem::take(&mut self.decoding) {
                converter.forget();
            }
            return Ok(Ok(true));
        }
        if !self.decoding && !unit.is_keyframe {
            return Ok(Ok(true));
        }
        let start = Instant::now();
        let coded = Frame {
            data: &unit.data,
            dmabuf: None,
            ..*frame
        };
        let planes = match converter.to_yu12(&coded) {
            Ok(planes) => planes,
            Err(error) => {
                self.decoding = false;
                account.damaged.one();
                return Ok(Err(error));
            }
        };
        self.decoding = true;
        account.converted.record(start.elapsed());
        if self.wants_picture {
            outlet.snapshots.serve(&planes, outlet.privacy);
        }
        if !self.software {
            return Ok(Ok(true));
        }
        let is_late = Timestamp::now().since(frame.captured_at) > LATE_FRAMES * frame.format.rate.interval();
        for line in lines.iter_mut().filter(|line| is_other(line)) {
            if is_late {
                line.leave_out();
            } else {
                // Those are in software, which takes them so.
                line.prepare(planes.format, planes.format, bitrate)?;
                line.encode(&planes, bitrate)?;
            }
        }
        Ok(Ok(true))
    }
}

/// Whether somebody watches it who wants another codec than the camera's.
fn is_other(line: &Line) -> bool {
    !line.passes() && line.is_watched()
}

/// Tells a camera that encodes by itself which rate to keep to.
pub(super) fn steer(source: &mut dyn VideoSource, bitrate: Bitrate) {
    if source.set_bitrate(bitrate) {
        info!(codec = %Codec::H264, %bitrate, "the camera's encoder was told its bitrate");
    } else {
        debug!("the camera chooses its bitrate by itself");
    }
}
