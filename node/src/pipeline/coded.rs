use std::time::{Duration, Instant};

use pinhole_service::quiet::Quiet;
use tracing::{debug, info, warn};

use super::{
    line::Line,
    pictures::Shrinkers,
    raw::{LATE_FRAMES, Outlet},
};
use crate::{
    capture::VideoSource,
    encode::{ConvertError, Converter, EncodeError, Passthrough},
    media::{Bitrate, Codec, Frame, Rung, Timestamp},
};

/// Between two requests for the same keyframe, and between two that nobody but ourselves needs. Encoders have a few pictures under way
/// that come before the one asked for; asked twice, they make two.
const REQUEST_INTERVAL: Duration = Duration::from_millis(500);
/// Frames that are later than so many intervals are not even decoded: drivers and pipes hold few more, and then lose some.
const MOST_LATE_FRAMES: u32 = 6;
/// After that no keyframe is asked for so long, as it would cost everybody bits.
const REST: Duration = Duration::from_secs(2);
/// A keyframe that has not come for so long is worth a word: viewers wait for it.
const LATE_KEYFRAME: Duration = Duration::from_secs(10);
/// A camera that encodes by itself. Viewers of H.264 get its units as they are. For those of another codec or of the small picture they are decoded, all of
/// them and once for all, and encoded anew, as many as there is time for.
pub(super) struct Coded {
    passthrough: Passthrough,
    /// Whether we may encode in software.
    software: bool,
    /// Whether the camera makes a keyframe when it is asked for one.
    on_request: bool,
    /// Whether the decoder has seen everything since a keyframe.
    decoding: bool,
    /// When it could not keep up.
    rests_since: Option<Instant>,
    /// The least age of a frame so far, when it came.
    youngest: Duration,
    /// Somebody waits for a picture as a file.
    wants_picture: bool,
    requested: Option<Instant>,
    /// Whether the keyframe of the last request is still to come.
    is_due: bool,
    /// Whether there was a frame yet. A stream begins with a keyframe nearly always, and to ask for it would make two.
    has_begun: bool,
    /// Since when viewers wait for a keyframe, and whether that was said.
    waiting: Option<(Instant, bool)>,
}

impl Coded {
    pub(super) fn new(software: bool, on_request: bool) -> Self {
        Self {
            passthrough: Passthrough::default(),
            software,
            on_request,
            decoding: false,
            rests_since: None,
            youngest: Duration::MAX,
            wants_picture: false,
            requested: None,
            is_due: false,
            has_begun: false,
            waiting: None,
        }
    }

    /// Asks the camera for the keyframe that somebody needs. Before each look for a frame.
    pub(super) fn request_keyframe(&mut self, lines: &[Line], source: &mut dyn VideoSource, now: Instant) {
        if !self.has_begun {
            return;
        }
        let may_ask_again = self
            .requested
            .is_none_or(|requested| now.duration_since(requested) >= REQUEST_INTERVAL);
        // What is due is for all who want one before it comes.
        let mut viewers = false;
        if may_ask_again || !self.is_due {
            for line in lines.iter().filter(|line| line.passes()) {
                viewers |= line.wants_keyframe(now);
            }
        }
        let rests = self
            .rests_since
            .is_some_and(|since| now.duration_since(since) < REST);
        let own = self.passthrough.needs_keyframe() || (self.recodes(lines) && !self.decoding && !rests);
        if viewers || (own && may_ask_again) {
            self.requested = Some(now);
            self.is_due = source.request_keyframe();
            if self.is_due {
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
        self.wants_picture || lines.iter().any(|line| self.encodes(line))
    }

    /// Whether somebody watches it who needs something else than the camera's own stream, and can have it.
    fn encodes(&self, line: &Line) -> bool {
        is_other(line) && (self.software || line.is_possible())
    }

    fn wait_for_keyframe(&mut self, now: Instant) {
        let (since, said) = self.waiting.get_or_insert((now, false));
        if !*said && now.duration_since(*since) >= LATE_KEYFRAME {
            *said = true;
            static LATE: Quiet = Quiet::new(5);
            let Some(others) = LATE.may_say() else {
                return;
            };
            warn!(
                others,
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
        (converter, shrinkers): (&mut Converter, &mut Shrinkers),
        outlet: Outlet<'_>,
        frame: &Frame<'_>,
    ) -> Result<Result<bool, ConvertError>, EncodeError> {
        let Outlet { account, ladder, .. } = outlet;
        self.has_begun = true;
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
            self.is_due = false;
            self.waiting = None;
        }
        for line in lines.iter_mut().filter(|line| line.passes() && line.is_watched()) {
            line.pass(&unit, self.on_request);
        }
        if !self.recodes(lines) {
            if std::mem::take(&mut self.decoding) {
                converter.forget();
            }
            return Ok(Ok(true));
        }
        let interval = frame.format.rate.interval();
        let age = || Timestamp::now().since(frame.captured_at);
        // A camera takes its time as well. What is more than that is ours.
        self.youngest = self.youngest.min(age());
        let youngest = self.youngest;
        let late = || age().saturating_sub(youngest);
        // A machine that can't keep up with decoding leaves out the rest of the group: it must not keep those waiting who need none of it.
        if self.decoding && late() > MOST_LATE_FRAMES * interval {
            self.decoding = false;
            self.rests_since = Some(Instant::now());
            converter.forget();
            account.left_out.one();
            lines
                .iter_mut()
                .filter(|line| is_other(line))
                .for_each(Line::leave_out);
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
        let is_small = |line: &Line| self.encodes(line) && line.rendition().rung != Rung::TOP;
        let pictures = match shrinkers.make(&planes, ladder, lines.iter().any(is_small)) {
            Ok(pictures) => pictures,
            Err(error) => return Ok(Err(error.into())),
        };
        // Those who can be served at once must not wait for those who can't.
        let is_late = late() > LATE_FRAMES * interval;
        for line in lines.iter_mut().filter(|line| self.encodes(line)) {
            let rung = line.rendition().rung;
            let (Some(quality), Some(picture)) = (ladder.quality(rung), pictures.of(rung)) else {
                continue;
            };
            if is_late {
                line.leave_out();
                continue;
            }
            // They are YU12, which everything takes.
            line.prepare(picture.format, picture.format, quality.bitrate)?;
            line.encode(&picture, quality.bitrate)?;
        }
        Ok(Ok(true))
    }
}

/// Whether somebody watches it who wants another codec than the camera's, or another size.
fn is_other(line: &Line) -> bool {
    !line.passes() && line.is_offered() && line.is_watched()
}

/// Tells a camera that encodes by itself which rate to keep to.
pub(super) fn steer(source: &mut dyn VideoSource, bitrate: Bitrate) {
    if source.set_bitrate(bitrate) {
        info!(codec = %Codec::H264, %bitrate, "the camera's encoder was told its bitrate");
    } else {
        debug!("the camera chooses its bitrate by itself");
    }
}

#[cfg(test)]
mod tests;
