use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pinhole_service::quiet::Quiet;
use tracing::{debug, info};

use super::account::{Account, LineAccount};
use crate::{
    encode::{Chosen, EncodeError, Intake, Selection, VideoEncoder, Way, m2m::CodedFormat},
    fanout::Publisher,
    media::{AccessUnit, Bitrate, Codec, Frame, PixelFormat, Rendition, VideoFormat},
};

/// What stands in the place of an encoder's name where the camera encodes.
pub const PASSTHROUGH: &str = "passthrough";

/// One rendition of a camera: its publisher, and what feeds it at present.
pub(super) struct Line {
    publisher: Publisher<AccessUnit>,
    account: Arc<Account>,
    selection: Selection,
    state: State,
    /// Since when nobody watches, while something feeds it.
    unwatched: Option<Instant>,
    /// Whether viewers were told that there is something to be had here.
    is_offered: bool,
    changes: Quiet,
}

/// However narrow all paths are, an encoder has this part of its bitrate: with less there is no picture of that size.
const LEAST: u64 = 4;
/// A bitrate that follows paths changes by more than this part at once.
const STEP: u64 = 20;

/// How long an encoder stays that nobody watches any more: whoever is back soon finds it running.
const LINGER: Duration = Duration::from_secs(3);

/// What may be said in a minute of what feeds a line. A camera may come and go, and give each picture in another size.
const CHANGES: u32 = 40;

/// What feeds a line.
enum State {
    /// Nothing.
    Resting,
    /// An encoder of ours.
    Encoding(Encoding),
    /// The camera's own encoder.
    Passing,
}

struct Encoding {
    encoder: Box<dyn VideoEncoder>,
    is_hardware: bool,
    /// What the camera gives.
    source: VideoFormat,
    /// What the encoder takes of it: the same, or what it is converted to.
    format: VideoFormat,
    bitrate: Bitrate,
    /// The last frame was left out for want of time.
    is_behind: bool,
}

impl Encoding {
    /// Whether it goes on with a camera's frames of `source`, which are `made` of them where it does not take them as they are.
    fn suits(&self, source: &VideoFormat, made: &VideoFormat) -> bool {
        // That fewer frames come than the camera gives is no reason for another one, which would begin with a keyframe.
        let is_no_faster = made.rate.as_f64() <= self.format.rate.as_f64();
        if self.is_hardware {
            let at_its_rate = VideoFormat {
                rate: self.format.rate,
                ..*made
            };
            self.source == *source && (self.format == *source || (self.format == at_its_rate && is_no_faster))
        } else {
            self.format.size == made.size && is_no_faster
        }
    }

    /// Whether such frames go into it without a detour. What software encodes always takes it: there it costs nothing where there is
    /// nothing to do, and there is less to do where the machine is too slow.
    fn takes(&self, source: &VideoFormat) -> bool {
        self.is_hardware && self.format == *source
    }
}

impl Line {
    pub(super) fn new(publisher: Publisher<AccessUnit>, account: Arc<Account>) -> Self {
        Self {
            selection: Selection::new(publisher.rendition().codec),
            publisher,
            account,
            state: State::Resting,
            unwatched: None,
            is_offered: true,
            changes: Quiet::new(CHANGES),
        }
    }

    /// With this encoder of YU12.
    #[cfg(test)]
    pub(super) fn with_encoder(
        publisher: Publisher<AccessUnit>,
        encoder: Box<dyn VideoEncoder>,
        format: VideoFormat,
        bitrate: Bitrate,
    ) -> Self {
        let mut line = Self::new(publisher, Arc::new(Account::default()));
        line.look(&[Way::Software], CodedFormat::H264);
        line.state = State::Encoding(Encoding {
            encoder,
            is_hardware: false,
            source: format,
            format,
            bitrate,
            is_behind: false,
        });
        line
    }

    /// What it makes.
    pub(super) fn rendition(&self) -> Rendition {
        self.publisher.rendition()
    }

    /// Whether it carries what cameras encode by themselves.
    pub(super) fn passes(&self) -> bool {
        self.rendition() == Rendition::top(Codec::H264)
    }

    /// Whether its viewers want a keyframe, and may have one.
    pub(super) fn wants_keyframe(&self, now: Instant) -> bool {
        self.publisher.take_orders(now).keyframe
    }

    /// The camera was asked for a keyframe.
    pub(super) fn keyframe_ordered(&self) {
        self.figures().keyframe_orders.one();
    }

    /// Publishes what the camera has encoded, which makes keyframes `on_request` or does not.
    pub(super) fn pass(&mut self, unit: &AccessUnit, on_request: bool) {
        if !matches!(self.state, State::Passing) {
            // The slate's encoder, where the camera was away.
            self.rest();
            if let Some(others) = self.changes.may_say() {
                info!(codec = %self.rendition().codec, others, "passthrough started: no encoder runs for it");
            }
            self.figures().set_encoder(Some(PASSTHROUGH));
            self.publisher.set_on_request(on_request);
            self.state = State::Passing;
        }
        publish(&self.publisher, self.figures(), unit);
    }

    /// A frame comes too late to be encoded.
    pub(super) fn leave_out(&mut self) {
        if let State::Encoding(encoding) = &mut self.state {
            encoding.is_behind = true;
        }
        self.figures().skipped.one();
    }

    /// Whether the last frame came too late for it.
    pub(super) fn is_behind(&self) -> bool {
        self.encoding().is_some_and(|encoding| encoding.is_behind)
    }

    /// Whether its encoder is a device of its own.
    pub(super) fn is_hardware(&self) -> bool {
        self.encoding().is_some_and(|encoding| encoding.is_hardware)
    }

    pub(super) fn is_watched(&self) -> bool {
        self.publisher.has_subscribers()
    }

    /// Whether its viewers get something.
    pub(super) fn is_offered(&self) -> bool {
        self.is_offered
    }

    /// Frees an encoder that nobody has watched for a while, while others of the camera are watched.
    pub(super) fn settle(&mut self, now: Instant) {
        if matches!(self.state, State::Resting) || self.is_watched() {
            self.unwatched = None;
        } else if now.duration_since(*self.unwatched.get_or_insert(now)) >= LINGER {
            self.unwatched = None;
            self.rest();
        }
    }

    /// Whether its viewers get something, from now on. An encoder for which there is nothing to encode any more is freed.
    pub(super) fn offer(&mut self, is_offered: bool) {
        if std::mem::replace(&mut self.is_offered, is_offered) != is_offered {
            self.publisher.set_offered(is_offered);
            if !is_offered {
                self.rest();
            }
        }
    }

    /// Looks what may encode for it, before a camera is opened.
    pub(super) fn look(&mut self, ways: &[Way], hardware: CodedFormat) {
        // No hardware makes VP8 for us.
        let hardware = (self.rendition().codec == Codec::H264).then_some(hardware);
        self.selection.look(ways, hardware);
    }

    /// The formats that its encoder will take as they are, beside what everything is converted to.
    pub(super) fn formats(&self) -> &[PixelFormat] {
        self.selection.formats()
    }

    /// Whether anything can encode for it.
    pub(super) fn is_possible(&self) -> bool {
        self.selection.is_possible()
    }

    /// Makes an encoder for a camera's frames where there is none for them. It takes them as they are ([`Line::takes`]), or as
    /// what is `made` of them.
    pub(super) fn prepare(
        &mut self,
        source: VideoFormat,
        made: VideoFormat,
        bitrate: Bitrate,
    ) -> Result<(), EncodeError> {
        let encoding = self.encoding();
        if encoding.is_some_and(|encoding| encoding.suits(&source, &made)) {
            return Ok(());
        }
        let is_behind = self.is_behind();
        // Two at a time are more than some hardware can do.
        self.end();
        let Chosen {
            encoder,
            format,
            is_hardware,
        } = self.selection.choose(source, made, bitrate)?;
        if let Some(others) = self.changes.may_say() {
            let Rendition { codec, rung } = self.rendition();
            info!(%codec, %rung, encoder = encoder.name(), size = %format.size, %bitrate, others, "encoder started");
        }
        self.figures().set_encoder(Some(encoder.name()));
        self.publisher.set_on_request(true);
        self.state = State::Encoding(Encoding {
            encoder,
            is_hardware,
            source,
            format,
            bitrate,
            is_behind,
        });
        Ok(())
    }

    /// Whether its encoder takes such frames as they are.
    pub(super) fn takes(&self, source: &VideoFormat) -> bool {
        self.encoding().is_some_and(|encoding| encoding.takes(source))
    }

    /// Encodes a frame and publishes it. It is of the kind that the encoder of the last [`Line::prepare`] takes.
    pub(super) fn encode(&mut self, frame: &Frame<'_>, bitrate: Bitrate) -> Result<(), EncodeError> {
        let rendition = self.rendition();
        let Rendition { codec, rung } = rendition;
        let State::Encoding(encoding) = &mut self.state else {
            return Ok(());
        };
        encoding.is_behind = false;
        let start = Instant::now();
        let mut orders = self.publisher.take_orders(start);
        let limit = self.publisher.limit();
        let bitrate = within(bitrate, limit);
        if changes(encoding.bitrate, bitrate, limit) {
            encoding.bitrate = bitrate;
            orders.bitrate = Some(bitrate);
            if limit.is_some() {
                debug!(%codec, %rung, %bitrate, "encoder follows the viewers' paths");
            } else if let Some(others) = self.changes.may_say() {
                info!(%codec, %rung, %bitrate, others, "encoder goes on at another bitrate");
            }
        }
        let figures = self.account.line(rendition);
        if orders.keyframe {
            figures.keyframe_orders.one();
        }
        // Hardware was made for a rate, and goes on where fewer frames come.
        let frame = match encoding.is_hardware {
            true => Frame {
                format: VideoFormat {
                    rate: encoding.format.rate,
                    ..frame.format
                },
                ..*frame
            },
            false => *frame,
        };
        let outcome = encoding.encoder.encode(&frame, orders);
        match encoding.encoder.intake() {
            _ if outcome.is_err() => {}
            Intake::InPlace => {}
            Intake::Imported => figures.imported.one(),
            Intake::Copied => figures.copied.one(),
        }
        match outcome {
            Ok(Some(unit)) => {
                figures.encoded.record(start.elapsed());
                if encoding.is_hardware {
                    self.selection.worked();
                }
                let further = std::iter::from_fn(|| encoding.encoder.further());
                for unit in std::iter::once(unit).chain(further) {
                    publish(&self.publisher, figures, &unit);
                }
            }
            // The encoder kept its rate by leaving this frame out, or keeps it back for now.
            Ok(None) => figures.skipped.one(),
            Err(error) => {
                let goes_on = encoding.is_hardware && self.selection.failed(&error);
                figures.skipped.one();
                // As it is: it has failed.
                figures.set_encoder(None);
                self.state = State::Resting;
                if !goes_on {
                    return Err(error);
                }
                // The next frame gets another encoder, which begins with a keyframe.
                debug!(%codec, %rung, "encoder failed: {error}");
            }
        }
        Ok(())
    }

    /// Frees the encoder until the next frame.
    pub(super) fn rest(&mut self) {
        if let State::Encoding(_) = self.end() {
            let dropped = self.publisher.dropped();
            if let Some(others) = self.changes.may_say() {
                let Rendition { codec, rung } = self.rendition();
                info!(%codec, %rung, dropped, others, "encoder stopped");
            }
        }
    }

    /// Ends what feeds it, in order: what an encoder kept back is published. Gives what it was.
    fn end(&mut self) -> State {
        let mut before = std::mem::replace(&mut self.state, State::Resting);
        self.figures().set_encoder(None);
        if let State::Encoding(encoding) = &mut before {
            for unit in encoding.encoder.finish() {
                publish(&self.publisher, self.figures(), &unit);
            }
        }
        before
    }

    fn encoding(&self) -> Option<&Encoding> {
        match &self.state {
            State::Encoding(encoding) => Some(encoding),
            State::Resting | State::Passing => None,
        }
    }

    fn figures(&self) -> &LineAccount {
        self.account.line(self.rendition())
    }
}

/// The bitrate that an encoder is given: what is asked for, or what gets through to the viewers, where that is less for all of them.
fn within(bitrate: Bitrate, limit: Option<Bitrate>) -> Bitrate {
    let least = Bitrate::from_bps(bitrate.bps() / LEAST);
    limit.map_or(bitrate, |limit| limit.max(least).min(bitrate))
}

/// Whether an encoder is told of another bitrate. What follows the viewers' paths changes all the time: only in steps that can be seen.
fn changes(before: Bitrate, now: Bitrate, limit: Option<Bitrate>) -> bool {
    let step = before.bps() / STEP;
    before != now && (limit.is_none_or(|limit| limit > now) || before.bps().abs_diff(now.bps()) > step)
}

fn publish(publisher: &Publisher<AccessUnit>, figures: &LineAccount, unit: &AccessUnit) {
    figures.units.one();
    figures.bytes.add(unit.data.len() as u64);
    if unit.is_keyframe {
        figures.keyframes.one();
    }
    publisher.publish(unit);
}

#[cfg(test)]
mod tests;
