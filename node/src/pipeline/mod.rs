//! Runs capture, encode and fanout: one OS thread per camera.
//!
//! Invariants: the device is open only while somebody watches (and a moment longer); however many watch,
//! there is one encoder per codec; tracks outlive the camera, so viewers stay connected through an unplug; a
//! fault is logged once per change, not once per try.

mod account;
mod coded;
mod governor;
mod heat;
mod line;
mod snapshot;
mod sound;
mod wishes;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use pinhole_service::watchdog::{BEAT, Pulse};
use tracing::{Span, debug, info, warn};

use crate::{
    capture::{Camera, CaptureError, Controls, Slate, VideoSource, Want},
    encode::{ConvertError, Converter, EncodeError, Shrinker, Way, m2m::CodedFormat},
    fanout::{Demand, Publisher},
    media::{Bitrate, Frame, FrameRate, FrameSize, PixelFormat, Privacy, Timestamp, VideoFormat},
    retry::Retry,
};
use coded::{Coded, steer};
use governor::{Governor, Relief, Step};
use heat::Heat;
use line::Line;
use snapshot::Snapshots;
use wishes::{Changes, Wishes};

pub use account::{Account, Condition, LineAccount, Overload, State};
pub use line::PASSTHROUGH;
pub use snapshot::{Snapshot, Taker};
pub use sound::{Level, SoundAccount, SoundCondition, SoundPipeline, SoundSettings, SoundState};

/// How long the device stays open after the last viewer left: a page that is reloaded finds it running.
const LINGER: Duration = Duration::from_secs(3);
/// How long one look for a frame may block; a stop or a change of viewers is noticed this late at most.
const PATIENCE: Duration = Duration::from_millis(250);
/// A camera that delivers nothing for this long is opened anew.
const STALL: Duration = Duration::from_secs(5);

/// How often viewers get the slate that stands in for a camera's picture: often enough for one who comes, and hardly
/// any work.
const SLATE_RATE: FrameRate = FrameRate::per_second(4);

/// What to capture and how to encode it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to ask the camera for.
    pub want: Want,
    /// The encoders' rate.
    pub bitrate: Bitrate,
    /// What may encode here, the preferred one first.
    pub ways: Vec<Way>,
    /// What hardware has to make for the viewers of H.264.
    pub hardware: CodedFormat,
}

/// A running pipeline. Stops when dropped, without waiting; [`Pipeline::stop`] waits.
pub struct Pipeline {
    account: Arc<Account>,
    stopping: Arc<AtomicBool>,
    wishes: Wishes,
    snapshots: Snapshots,
    demand: Demand,
    thread: Option<JoinHandle<()>>,
}

/// What others than the owner may ask of a running pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Reins {
    wishes: Wishes,
    snapshots: Snapshots,
    demand: Demand,
}

impl Reins {
    /// As [`Pipeline::set_controls`].
    pub fn set_controls(&self, controls: Controls) {
        self.wishes
            .add(&self.demand, |changes| changes.controls = Some(controls));
    }

    /// Has the next picture made into a file of at most so many bytes, where there are pictures: while somebody watches.
    pub fn snapshot(&self, largest: usize, taker: Taker) {
        self.snapshots.want(largest, taker);
        self.demand.change();
    }

    /// Something that the thread looks at has changed.
    pub fn look(&self) {
        self.demand.change();
    }
}

/// Why a camera's picture ended.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("{device} delivers no frames ({silent:?} without one); opening it anew")]
    Silent { device: String, silent: Duration },
    #[error(
        "{device} delivers {format}, which is to be encoded, and `encoders` in [video] has nothing for that; add \"software\""
    )]
    NoEncoder { device: String, format: VideoFormat },
}

impl Pipeline {
    /// Starts the thread, which beats `pulse` at least every few seconds, camera or not. `demand` is the one that the
    /// `publishers`' tracks were made with; `span` is what the log says in front of all that happens here. While `privacy` is on
    /// the device is closed and viewers see that; whoever switches it says so by [`Reins::look`].
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        camera: Box<dyn Camera>,
        settings: Settings,
        publishers: Vec<Publisher>,
        demand: Demand,
        privacy: Privacy,
        pulse: Pulse,
        span: Span,
    ) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let wishes = Wishes::default();
        let snapshots = Snapshots::default();
        let account = Arc::new(Account::default());
        let line = |publisher| Line::new(publisher, account.clone());
        let rate = settings.want.rate;
        let mut work = Work {
            camera,
            settings,
            lines: publishers.into_iter().map(line).collect(),
            account: account.clone(),
            demand: demand.clone(),
            stopping: stopping.clone(),
            wishes: wishes.clone(),
            snapshots: snapshots.clone(),
            privacy,
            converter: Converter::default(),
            shrinker: Shrinker::default(),
            governor: Governor::new(rate),
            heat: Heat::find("/sys".as_ref()),
            last_size: None,
            controls_changed: false,
            pulse,
        };
        let thread = std::thread::Builder::new().name("camera".into()).spawn(move || {
            let _here = span.entered();
            work.run();
        })?;
        Ok(Self {
            account,
            stopping,
            wishes,
            snapshots,
            demand,
            thread: Some(thread),
        })
    }

    /// What the pipeline tells of itself.
    pub fn account(&self) -> Arc<Account> {
        self.account.clone()
    }

    /// Whether the thread still runs. It ends by itself only by a bug.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Goes on with another camera, or with the same one in another format. Viewers stay.
    pub fn replace(&self, camera: Box<dyn Camera>, settings: Settings) {
        self.wishes.add(&self.demand, |changes| {
            *changes = Changes {
                camera: Some((camera, settings)),
                ..Changes::default()
            };
        });
    }

    /// Sets the camera's controls, now and whenever it is opened; those that are not among them any more go back to the
    /// driver's default.
    pub fn set_controls(&self, controls: Controls) {
        self.wishes
            .add(&self.demand, |changes| changes.controls = Some(controls));
    }

    /// For others than the owner.
    pub fn reins(&self) -> Reins {
        Reins {
            wishes: self.wishes.clone(),
            snapshots: self.snapshots.clone(),
            demand: self.demand.clone(),
        }
    }

    /// Encodes at this rate from the next frame on.
    pub fn set_bitrate(&self, bitrate: Bitrate) {
        self.wishes
            .add(&self.demand, |changes| changes.bitrate = Some(bitrate));
    }

    /// A camera may have been plugged in: where one is missed, it is looked for at once.
    pub fn plugged(&self) {
        if self.account.is_faulted() {
            self.wishes.add(&self.demand, |changes| changes.plugged = true);
        }
    }

    /// Has the camera closed, without waiting for it.
    pub fn end(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.demand.change();
    }

    /// Closes the camera and waits for it. Blocks: not for tasks.
    pub fn stop(mut self) {
        self.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the camera thread had panicked");
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.end();
    }
}

struct Work {
    camera: Box<dyn Camera>,
    settings: Settings,
    lines: Vec<Line>,
    account: Arc<Account>,
    demand: Demand,
    stopping: Arc<AtomicBool>,
    wishes: Wishes,
    snapshots: Snapshots,
    privacy: Privacy,
    converter: Converter,
    shrinker: Shrinker,
    /// What encoding costs is the machine's and the camera's matter, not that of one opening.
    governor: Governor,
    heat: Heat,
    /// Of the camera's picture, when there was one: the slate's, too, so that viewers' pictures don't jump.
    last_size: Option<FrameSize>,
    /// They are to be read again.
    controls_changed: bool,
    pulse: Pulse,
}

/// Why an open camera is closed although it works.
enum Over {
    Stopping,
    Unwatched,
    Replaced,
    Private,
}

/// What a change of the configuration means for the camera that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    GoesOn,
    IsReplaced,
    MayBeBack,
}

impl Work {
    fn run(&mut self) {
        let mut retry = Retry::default();
        loop {
            let seen = self.demand.seen();
            self.pulse.beat();
            if self.is_stopping() {
                return;
            }
            match self.obey(None) {
                Open::IsReplaced => retry.forget(),
                Open::MayBeBack => retry.hurry(),
                Open::GoesOn => {}
            }
            if !self.is_watched() {
                self.snapshots
                    .refuse("the camera is closed, as nobody watches; it opens for viewers");
                self.rest();
                if !self.account.is_faulted() {
                    self.account.becomes(State::Idle);
                }
                self.demand.wait(seen, Some(BEAT));
                continue;
            }
            if self.privacy.is_on() {
                retry.forget();
                self.be_private(seen);
                continue;
            }
            match self.run_once(&mut retry) {
                Ok(()) => {
                    retry.forget();
                    if !self.privacy.is_on() {
                        self.account.becomes(State::Idle);
                    }
                }
                Err(fault) => {
                    self.account.becomes(State::Faulted {
                        why: fault.to_string(),
                    });
                    let pause = retry.after(is_transient(&fault), &fault.to_string());
                    if let Some(news) = retry.news() {
                        warn!(retry_in = ?pause, "no picture: {news}");
                    } else {
                        debug!(retry_in = ?pause, "still no picture: {fault}");
                    }
                    self.pause(seen, pause);
                }
            }
        }
    }

    /// Waits until something changes or the time is over. Viewers see the slate meanwhile.
    fn pause(&mut self, seen: u64, pause: Duration) {
        let end = Instant::now() + pause;
        let size = self.last_size.unwrap_or(self.settings.want.size);
        let mut slate = Slate::new(size, SLATE_RATE, "NO SIGNAL");
        loop {
            self.pulse.beat();
            self.snapshots.refuse("the camera gives no picture");
            if let Err(error) = self.show(&mut slate) {
                debug!("no slate: {error}");
            }
            let left = end.saturating_duration_since(Instant::now());
            let wait = left.min(SLATE_RATE.interval());
            if left.is_zero() || self.demand.wait(seen, Some(wait)) != seen {
                return;
            }
        }
    }

    /// Viewers see that the camera is private, until something changes.
    fn be_private(&mut self, seen: u64) {
        self.account.becomes(State::Private);
        // No picture of theirs builds upon one of before; and the camera may not have been open yet.
        self.rest();
        for line in &mut self.lines {
            line.look(&self.settings.ways, self.settings.hardware);
        }
        let size = self.last_size.unwrap_or(self.settings.want.size);
        let mut slate = Slate::new(size, SLATE_RATE, "PRIVACY");
        while self.privacy.is_on() && !self.is_stopping() && self.is_watched() {
            self.pulse.beat();
            self.snapshots.refuse("the camera is private now");
            if let Err(error) = self.show(&mut slate) {
                debug!("no slate: {error}");
            }
            if self.demand.wait(seen, Some(SLATE_RATE.interval())) != seen {
                break;
            }
        }
        self.rest();
    }

    fn show(&mut self, slate: &mut Slate) -> Result<(), EncodeError> {
        let frame = slate.draw();
        let bitrate = self.settings.bitrate;
        for line in self
            .lines
            .iter_mut()
            .filter(|line| line.is_watched() && line.is_possible())
        {
            // It is YU12, which everything takes.
            line.prepare(frame.format, frame.format, bitrate)?;
            line.encode(&frame, bitrate)?;
        }
        Ok(())
    }

    /// Frees the encoders.
    fn rest(&mut self) {
        for line in &mut self.lines {
            line.rest();
        }
    }

    /// Does what the configuration newly asks for; `source` is the camera where it is open.
    fn obey(&mut self, source: Option<&mut dyn VideoSource>) -> Open {
        let changes = self.wishes.take();
        let mut open = Open::GoesOn;
        if let Some((camera, settings)) = changes.camera {
            self.camera = camera;
            self.settings = settings;
            open = Open::IsReplaced;
        }
        let mut source = source.filter(|_| open == Open::GoesOn);
        if let Some(bitrate) = changes.bitrate {
            self.settings.bitrate = bitrate;
            if let Some(source) = source.as_deref_mut().filter(|source| is_coded(source.format())) {
                steer(source, bitrate);
            }
        }
        if let Some(controls) = changes.controls {
            if let Some(source) = source
                && let Err(error) = source.set_controls(&controls)
            {
                warn!("{error}");
            }
            self.settings.want.controls = controls;
            self.controls_changed = true;
        }
        if open == Open::GoesOn && changes.plugged {
            open = Open::MayBeBack;
        }
        open
    }

    /// Opens the camera and works until nobody watches.
    fn run_once(&mut self, retry: &mut Retry) -> Result<(), Fault> {
        self.account.becomes(State::Opening);
        for line in &mut self.lines {
            line.look(&self.settings.ways, self.settings.hardware);
        }
        let formats = self.lines.iter().flat_map(Line::formats);
        let want = Want {
            encoder_formats: formats.copied().collect(),
            ..self.settings.want.clone()
        };
        let mut source = self.camera.open(&want)?;
        let device = self.camera.describe();
        if retry.is_faulted() {
            // A command can be started as often as it likes to end; what is news is the picture.
            debug!(%device, format = %source.format(), "camera open");
        } else {
            info!(%device, format = %source.format(), "camera open");
        }
        self.controls_changed = true;
        self.governor.opened(source.format().rate);
        self.tell_overload(source.format(), false);
        let outcome = self.stream(&device, source.as_mut(), retry);
        self.account.gives_up(None);
        self.converter.forget();
        drop(source);
        if outcome.is_ok() {
            // After a fault the encoders go on with the slate.
            self.rest();
        }
        match &outcome {
            Ok(Over::Unwatched) => info!(%device, "camera closed: nobody watches"),
            Ok(Over::Replaced) => info!(%device, "camera closed: the configuration has changed"),
            Ok(Over::Private) => info!(%device, "camera closed: the privacy switch is on"),
            Ok(Over::Stopping) | Err(_) => {}
        }
        outcome.map(drop)
    }

    fn stream(
        &mut self,
        device: &str,
        source: &mut dyn VideoSource,
        retry: &mut Retry,
    ) -> Result<Over, Fault> {
        let mut last_watched = Instant::now();
        let mut last_frame = Instant::now();
        let mut damaged = false;
        // When the first picture went to viewers.
        let mut shown_since = None;
        let mut sequence = None;
        let mut coded = Coded::new(self.settings.ways.contains(&Way::Software));
        if is_coded(source.format()) {
            steer(source, self.settings.bitrate);
        } else if !self.lines.iter().any(Line::is_possible) {
            return Err(Fault::NoEncoder {
                device: device.to_owned(),
                format: source.format(),
            });
        }
        loop {
            self.pulse.beat();
            if self.is_stopping() {
                return Ok(Over::Stopping);
            }
            if self.obey(Some(&mut *source)) == Open::IsReplaced {
                return Ok(Over::Replaced);
            }
            if self.privacy.is_on() {
                return Ok(Over::Private);
            }
            if std::mem::take(&mut self.controls_changed) {
                self.account.set_controls(source.controls());
            }
            let now = Instant::now();
            if self.is_watched() {
                last_watched = now;
            } else if now.duration_since(last_watched) >= LINGER {
                return Ok(Over::Unwatched);
            }
            let rate = source.format().rate;
            if is_coded(source.format()) {
                coded.request_keyframe(&self.lines, source, now);
            }
            let Some(frame) = source.next(PATIENCE)? else {
                if last_frame.elapsed() >= STALL.max(rate.interval() * 4) {
                    return Err(Fault::Silent {
                        device: device.to_owned(),
                        silent: STALL,
                    });
                }
                continue;
            };
            last_frame = Instant::now();
            self.account
                .waited
                .record(Timestamp::now().since(frame.captured_at));
            self.account.frames.one();
            let missed = missed(sequence.replace(frame.sequence), frame.sequence);
            self.account.missed.add(missed);
            let format = frame.format;
            // It was captured before the switch, or after it: nobody gets it.
            if self.privacy.is_on() {
                return Ok(Over::Private);
            }
            let (lines, converter) = (&mut self.lines, &mut self.converter);
            let outlet = Outlet {
                account: &self.account,
                snapshots: &self.snapshots,
                privacy: &self.privacy,
                bitrate: self.settings.bitrate,
            };
            let outcome = if is_coded(format) {
                coded.pass(lines, converter, outlet, &frame)
            } else if !lines.iter().any(Line::is_watched) {
                Ok(Ok(true))
            } else {
                let takes = self.governor.takes(frame.captured_at, missed);
                let relief = takes.then(|| self.governor.relief());
                let tools = (converter, &mut self.shrinker);
                let outcome = encode(lines, tools, outlet, &frame, relief);
                outcome.map(|outcome| {
                    outcome.map(|took| {
                        if let Some(took) = took {
                            self.govern(format, took);
                        }
                        true
                    })
                })
            };
            match outcome? {
                // Of a camera that encodes, nothing to show up to its first keyframe.
                Ok(false) => {}
                Ok(true) => {
                    damaged = false;
                    let since = *shown_since.get_or_insert(last_frame);
                    if !self.account.is_live() {
                        self.account.becomes(State::Live {
                            device: device.to_owned(),
                            format,
                        });
                    }
                    if retry.is_over(last_frame.duration_since(since)) {
                        info!(%device, "the picture is back");
                    }
                }
                Err(error) if damaged => debug!(%device, "frame skipped: {error}"),
                Err(error) => {
                    damaged = true;
                    warn!(%device, "frame skipped, and likewise those after it that are damaged: {error}");
                }
            }
        }
    }

    /// Has the governor see what encoding took, and obeys it.
    fn govern(&mut self, format: VideoFormat, took: Duration) {
        self.governor.set_hot(self.heat.is_hot(Instant::now()));
        let Some(step) = self.governor.took(took, Timestamp::now()) else {
            return;
        };
        let Step {
            relief,
            is_down,
            load,
            is_hot,
        } = step;
        let (rate, size) = (relief.rate(format.rate), relief.scale.of(format.size));
        let busy = format!("{:.0} %", load * 100.0);
        if is_down {
            self.account.steps_down.one();
            let why = if is_hot {
                "the processor is slowed down to keep it from harm, and encoding takes much of it"
            } else {
                "this machine is too slow to encode all of it"
            };
            warn!(%rate, %size, %busy, "viewers get less of the picture: {why}");
        } else {
            self.account.steps_up.one();
            info!(%rate, %size, %busy, "viewers get more of the picture again");
        }
        self.tell_overload(format, is_hot);
    }

    /// Tells what is given up of a picture of this format.
    fn tell_overload(&mut self, format: VideoFormat, is_hot: bool) {
        let relief = self.governor.relief();
        let size = relief.scale.of(format.size);
        self.last_size = Some(size);
        let overload = Overload {
            level: self.governor.level(),
            rate: relief.rate(format.rate),
            size,
            is_hot,
        };
        self.account
            .gives_up((relief != Relief::NONE && !is_coded(format)).then_some(overload));
    }

    fn is_watched(&self) -> bool {
        self.lines.iter().any(Line::is_watched)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// What a frame meets on its way, besides encoders.
#[derive(Clone, Copy)]
struct Outlet<'a> {
    account: &'a Account,
    snapshots: &'a Snapshots,
    privacy: &'a Privacy,
    bitrate: Bitrate,
}

/// Gives one frame to every encoder that somebody watches, and tells what that took of this machine; a hardware encoder's time is
/// its own. Without `relief` the encoders of this machine leave it out, and nothing is told. The inner error costs this frame only.
fn encode(
    lines: &mut [Line],
    (converter, shrinker): (&mut Converter, &mut Shrinker),
    outlet: Outlet<'_>,
    frame: &Frame<'_>,
    relief: Option<Relief>,
) -> Result<Result<Option<Duration>, ConvertError>, EncodeError> {
    let Outlet { account, bitrate, .. } = outlet;
    let encodes = |line: &&mut Line| line.is_watched() && line.is_possible();
    // A picture as a file is made from what is converted.
    let mut convert = outlet.snapshots.are_wanted();
    let made = relief.map(|relief| relief.made(frame.format));
    for line in lines.iter_mut().filter(encodes) {
        // A frame that is left out is no reason for an encoder.
        if let Some(made) = made {
            line.prepare(frame.format, made, bitrate)?;
        }
        if line.takes(&frame.format) {
            line.encode(frame, bitrate)?;
        } else {
            convert = true;
        }
    }
    if !convert {
        return Ok(Ok(Some(Duration::ZERO)));
    }
    let Some(relief) = relief else {
        account.left_out.one();
        return Ok(Ok(None));
    };
    // Once for all codecs.
    let start = Instant::now();
    let planes = converter
        .to_yu12(frame)
        .and_then(|planes| Ok(shrinker.shrink(&planes, relief.scale)?));
    let planes = match planes {
        // The encoders divide their bits among as many frames as there are.
        Ok(planes) => Frame {
            format: relief.made(frame.format),
            ..planes
        },
        Err(error) => {
            account.damaged.one();
            return Ok(Err(error));
        }
    };
    account.converted.record(start.elapsed());
    if outlet.snapshots.are_wanted() {
        outlet.snapshots.serve(&planes, outlet.privacy);
    }
    for line in lines.iter_mut().filter(encodes) {
        if !line.takes(&frame.format) {
            line.encode(&planes, bitrate)?;
        }
    }
    Ok(Ok(Some(start.elapsed())))
}

fn is_coded(format: VideoFormat) -> bool {
    format.pixel == PixelFormat::H264
}

/// Frames between two that were fetched, by the driver's count. One that starts anew tells nothing.
fn missed(before: Option<u32>, now: u32) -> u64 {
    const CREDIBLE: u32 = 10_000;
    let step = before.map_or(1, |before| now.wrapping_sub(before));
    match step {
        1..=CREDIBLE => u64::from(step - 1),
        _ => 0,
    }
}

fn is_transient(fault: &Fault) -> bool {
    match fault {
        Fault::Capture(error) => error.is_transient(),
        Fault::Encode(_) | Fault::NoEncoder { .. } => false,
        Fault::Silent { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_between_are_missed_unless_the_count_starts_anew() {
        assert_eq!(missed(None, 17), 0);
        assert_eq!(missed(Some(17), 18), 0);
        assert_eq!(missed(Some(17), 20), 2);
        assert_eq!(missed(Some(u32::MAX), 1), 1, "it wraps");
        assert_eq!(missed(Some(17), 17), 0, "a driver that does not count");
        assert_eq!(missed(Some(5000), 0), 0, "a driver that starts anew");
    }
}
