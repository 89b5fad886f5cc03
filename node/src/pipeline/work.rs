//! What the thread of a camera does: opens it while somebody watches, and has each frame encoded.

mod standin;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use pinhole_service::{
    quiet::Quiet,
    watchdog::{BEAT, Pulse},
};
use tracing::{debug, info, warn};

use super::{
    Account, Settings, State,
    coded::{Coded, steer},
    governor::Step,
    heat::Heat,
    ladder::{Ladder, Quality},
    line::Line,
    pictures::Shrinkers,
    raw::{Outlet, encode},
    snapshot::Snapshots,
    wishes::Wishes,
};
use crate::{
    capture::{Camera, CaptureError, VideoSource, Want},
    encode::{ConvertError, Converter, EncodeError, Way},
    fanout::Demand,
    media::{Permit, PixelFormat, Privacy, Rung, Timestamp, VideoFormat},
    retry::Retry,
};

/// How long the device stays open after the last viewer left: a page that is reloaded finds it running.
const LINGER: Duration = Duration::from_secs(3);
/// How long one look for a frame may block; a stop or a change of viewers is noticed this late at most.
const PATIENCE: Duration = Duration::from_millis(250);
/// A camera that delivers nothing that can be shown for this long is opened anew. (One that delivers nothing at all says so itself.)
const SPOILT: Duration = Duration::from_secs(5);

/// Why a camera's picture ended.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("{device} delivers damaged pictures only ({damage}); opening it anew")]
    Damaged { device: String, damage: ConvertError },
    #[error(
        "{device} delivers {format}, which is to be encoded, and `encoders` in [video] has nothing for that; add \"software\""
    )]
    NoEncoder { device: String, format: VideoFormat },
}

/// What the thread of a camera has, and does.
pub(super) struct Work {
    pub(super) camera: Box<dyn Camera>,
    pub(super) settings: Settings,
    pub(super) lines: Vec<Line>,
    pub(super) account: Arc<Account>,
    pub(super) demand: Demand,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) wishes: Wishes,
    pub(super) snapshots: Snapshots,
    pub(super) privacy: Privacy,
    pub(super) converter: Converter,
    pub(super) shrinkers: Shrinkers,
    pub(super) ladder: Ladder,
    pub(super) heat: Heat,
    /// They are to be read again.
    pub(super) controls_changed: bool,
    pub(super) pulse: Pulse,
    pub(super) complaints: Complaints,
    /// What was said last of why the camera can't be prepared.
    pub(super) unprepared: Option<String>,
}

/// What may be said of a camera in a minute, however often it comes and goes, and over all times that it is opened.
#[derive(Debug)]
pub(super) struct Complaints {
    /// That there is no picture, each for another reason than before; and that it is back.
    faults: Quiet,
    recoveries: Quiet,
    damage: Quiet,
    controls: Quiet,
    preparations: Quiet,
}

impl Default for Complaints {
    fn default() -> Self {
        Self {
            faults: Quiet::new(10),
            recoveries: Quiet::new(10),
            damage: Quiet::new(1),
            controls: Quiet::new(5),
            preparations: Quiet::new(5),
        }
    }
}

/// Why an open camera is closed although it works.
enum Over {
    Stopping,
    Unwatched,
    Replaced,
    /// By a camera that has come, in whose place another picture was shown.
    Superseded,
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
    /// Until it is told to stop.
    pub(super) fn run(&mut self) {
        let mut retry = Retry::default();
        self.prepare();
        loop {
            let seen = self.demand.seen();
            self.pulse.beat();
            if self.is_stopping() {
                return;
            }
            match self.obey(None) {
                Open::IsReplaced => {
                    retry.forget();
                    self.prepare();
                }
                Open::MayBeBack => {
                    retry.hurry();
                    self.prepare();
                }
                Open::GoesOn => {}
            }
            self.offer();
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
            let Some(permit) = self.privacy.permit() else {
                retry.forget();
                self.be_private(seen);
                continue;
            };
            match self.run_once(&mut retry, &permit) {
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
                    if let Some(news) = retry.news()
                        && let Some(others) = self.complaints.faults.may_say()
                    {
                        warn!(retry_in = ?pause, others, "no picture: {news}");
                    } else {
                        debug!(retry_in = ?pause, "still no picture: {fault}");
                    }
                    self.pause(seen, pause);
                }
            }
        }
    }

    /// Has the camera do what it needs before anybody watches. In privacy it is not touched; it is prepared when it is opened, too.
    fn prepare(&mut self) {
        if self.privacy.is_on() {
            return;
        }
        let mistake = self.camera.prepare().err().map(|error| error.to_string());
        if let Some(mistake) = &mistake
            && self.unprepared.as_ref() != Some(mistake)
            && let Some(others) = self.complaints.preparations.may_say()
        {
            warn!(others, "{mistake}");
        }
        self.unprepared = mistake;
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
            self.ladder.obey(&self.settings);
            open = Open::IsReplaced;
        }
        let mut source = source.filter(|_| open == Open::GoesOn);
        if let Some(bitrates) = changes.bitrates {
            self.settings.bitrates = bitrates;
            self.ladder.obey(&self.settings);
            if let Some(source) = source.as_deref_mut().filter(|source| is_coded(source.format())) {
                steer(source, bitrates.full);
            }
        }
        if let Some(controls) = changes.controls {
            if let Some(source) = source
                && let Err(error) = source.set_controls(&controls)
                && let Some(others) = self.complaints.controls.may_say()
            {
                warn!(others, "{error}");
            }
            self.settings.want.controls = controls;
            self.controls_changed = true;
        }
        if open == Open::GoesOn && changes.plugged {
            open = Open::MayBeBack;
        }
        open
    }

    /// Opens the camera and works until nobody watches, or nobody may.
    fn run_once(&mut self, retry: &mut Retry, permit: &Permit) -> Result<(), Fault> {
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
        self.ladder.opened(source.format());
        self.account.gives_up(self.ladder.overload(false));
        let outcome = self.stream(&device, source.as_mut(), retry, permit);
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
            Ok(Over::Superseded) => info!(%device, "camera closed: another has been plugged in"),
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
        permit: &Permit,
    ) -> Result<Over, Fault> {
        let mut last_watched = Instant::now();
        // Since when there have been damaged ones only.
        let mut damaged_since = None;
        // When the first picture went to viewers.
        let mut shown_since = None;
        let mut sequence = None;
        let software = self.settings.ways.contains(&Way::Software);
        let mut coded = Coded::new(software, source.makes_keyframes_on_request());
        if is_coded(source.format()) {
            steer(source, self.ladder.top().bitrate);
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
            match self.obey(Some(&mut *source)) {
                Open::IsReplaced => return Ok(Over::Replaced),
                Open::MayBeBack if self.camera.is_superseded() => return Ok(Over::Superseded),
                Open::MayBeBack | Open::GoesOn => {}
            }
            if !permit.holds() {
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
            if is_coded(source.format()) {
                coded.request_keyframe(&self.lines, source, now);
            }
            let Some(frame) = source.next(PATIENCE)? else {
                continue;
            };
            let came = Instant::now();
            self.account
                .waited
                .record(Timestamp::now().since(frame.captured_at));
            self.account.frames.one();
            let missed = missed(sequence.replace(frame.sequence), frame.sequence);
            self.account.missed.add(missed);
            let format = frame.format;
            // It was captured before the switch, or after it: nobody gets it.
            if !permit.holds() {
                return Ok(Over::Private);
            }
            self.ladder.see(format);
            self.offer();
            self.lines.iter_mut().for_each(|line| line.settle(now));
            let encodes = !is_coded(format) && self.is_watched();
            let takes = encodes && self.ladder.takes(frame.captured_at, missed);
            let (lines, tools) = (&mut self.lines, (&mut self.converter, &mut self.shrinkers));
            let outlet = Outlet {
                account: &self.account,
                snapshots: &self.snapshots,
                privacy: &self.privacy,
                ladder: &self.ladder,
            };
            let outcome = if is_coded(format) {
                coded.pass(lines, tools, outlet, &frame)
            } else if !encodes {
                Ok(Ok(true))
            } else {
                let outcome = encode(lines, tools, outlet, &frame, !takes);
                outcome.map(|outcome| {
                    let took = outcome?;
                    if let Some(took) = took {
                        self.govern(took);
                    }
                    Ok(took.is_some())
                })
            };
            match outcome? {
                // One that was left out, or of a camera that encodes one before its first keyframe.
                Ok(false) => {}
                Ok(true) => {
                    damaged_since = None;
                    let since = *shown_since.get_or_insert(came);
                    if !self.account.is_live() {
                        self.account.becomes(State::Live {
                            device: device.to_owned(),
                            format,
                        });
                    }
                    if retry.is_over(came.duration_since(since))
                        && let Some(others) = self.complaints.recoveries.may_say()
                    {
                        info!(%device, others, "the picture is back");
                    }
                }
                Err(damage) => {
                    // What a camera encodes goes to viewers as it is, whether or not we can make something else of it.
                    let since = *damaged_since.get_or_insert(came);
                    if !is_coded(format) && came.duration_since(since) >= SPOILT {
                        return Err(Fault::Damaged {
                            device: device.to_owned(),
                            damage,
                        });
                    }
                    match self.complaints.damage.may_say() {
                        Some(others) => warn!(
                            %device,
                            others,
                            "frame skipped, and likewise those of the next minute that are damaged: {damage}"
                        ),
                        None => debug!(%device, "frame skipped: {damage}"),
                    }
                }
            }
        }
    }

    /// Tells viewers which renditions there are now.
    pub(super) fn offer(&mut self) {
        let software = self.settings.ways.contains(&Way::Software);
        for line in &mut self.lines {
            let rung = line.rendition().rung;
            // The whole picture a camera may have encoded by itself.
            let can_be_made = rung == Rung::TOP || software || line.is_possible();
            line.offer(can_be_made && self.ladder.quality(rung).is_some());
        }
    }

    /// Has the ladder see what encoding took, and tells what that changes.
    fn govern(&mut self, took: Duration) {
        let is_hot = self.heat.is_hot(Instant::now());
        let Some(step) = self.ladder.took(took, is_hot, Timestamp::now()) else {
            return;
        };
        let Step {
            is_down,
            load,
            is_hot,
        } = step;
        let Quality { size, rate, .. } = self.ladder.top();
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
        self.account.gives_up(self.ladder.overload(is_hot));
    }

    fn is_watched(&self) -> bool {
        self.lines.iter().any(Line::is_watched)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
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
        Fault::Damaged { .. } => true,
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
