//! The microphone's way: one OS thread.
//!
//! Invariants: the device is open only while somebody hears it (and a moment longer); each frame is encoded once for
//! each codec that is heard; time stamps go on through every fault, with silence in place of sound; a fault is logged once per
//! change, not once per try.

mod account;
mod align;
mod level;
mod lines;
mod narrow;
mod steer;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use pinhole_service::{
    quiet::Quiet,
    watchdog::{BEAT, Pulse},
};
use tracing::{debug, info, warn};

use crate::{
    capture::{Microphone, SoundError, SoundSource},
    encode::EncodeError,
    fanout::{Demand, Publisher},
    media::{Bitrate, Ducked, Ducking, Permit, Privacy, SOUND_FRAME, SoundUnit, Timestamp},
    retry::Retry,
};
use align::{Align, Position};
use level::Meter;
use lines::Lines;

pub use account::{SoundAccount, SoundCondition, SoundState};
pub use level::Level;

/// How long the device stays open after the last one left who heard it.
const LINGER: Duration = Duration::from_secs(3);
/// How long one look for sound may block; a stop or a change is noticed this late at most.
const PATIENCE: Duration = Duration::from_millis(60);
/// A device that gives nothing for this long is opened anew.
const STALL: Duration = Duration::from_secs(3);
/// How far the silence that stands in for missing sound stays behind the clock: what a card gives late still has its place.
const BEHIND: Duration = Duration::from_millis(150);
/// How often silence is sent, where there is nothing else.
const SILENCE: Duration = Duration::from_millis(20);
/// Overruns that follow one another within this are one trouble, which is said once.
const TROUBLE: Duration = Duration::from_secs(60);

/// How to send the sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoundSettings {
    /// Opus' rate.
    pub bitrate: Bitrate,
    /// Whether Opus pauses in silence.
    pub dtx: bool,
    /// What samples are multiplied by.
    pub gain: f32,
}

/// A running microphone, or the thread that waits for a configuration to name one. Stops when dropped, without waiting;
/// [`SoundPipeline::stop`] waits.
pub struct SoundPipeline {
    account: Arc<SoundAccount>,
    stopping: Arc<AtomicBool>,
    wishes: Arc<Mutex<Wishes>>,
    demand: Demand,
    thread: Option<JoinHandle<()>>,
}

/// What has changed since the thread looked last.
#[derive(Default)]
struct Wishes {
    /// Another microphone, or none.
    microphone: Option<Option<Box<dyn Microphone>>>,
    settings: Option<SoundSettings>,
    /// A sound card may have come.
    plugged: bool,
}

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Capture(#[from] SoundError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("{device} delivers {rate} samples a second, which can't be converted")]
    Rate { device: String, rate: u32 },
}

impl SoundPipeline {
    /// Starts the thread, which beats `pulse` at least every few seconds. `demand` is the one that the `publishers`' broadcast was made
    /// with. Without a microphone it rests. While the loudspeaker plays a voice, as `ducking` says, it is low; while `privacy` is on
    /// the device is closed.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        microphone: Option<Box<dyn Microphone>>,
        settings: SoundSettings,
        publishers: Vec<Publisher<SoundUnit>>,
        demand: Demand,
        ducking: Arc<Ducking>,
        privacy: Privacy,
        pulse: Pulse,
    ) -> io::Result<Self> {
        let (account, stopping) = (Arc::<SoundAccount>::default(), Arc::<AtomicBool>::default());
        let wishes = Arc::<Mutex<Wishes>>::default();
        let mut work = Work {
            microphone,
            settings,
            lines: Lines::new(publishers, settings.bitrate, settings.dtx),
            account: account.clone(),
            demand: demand.clone(),
            stopping: stopping.clone(),
            wishes: wishes.clone(),
            next: None,
            meter: Meter::default(),
            last_overrun: None,
            ducking,
            ducked: Ducked::default(),
            privacy,
            pulse,
            faults: Quiet::new(10),
            recoveries: Quiet::new(10),
        };
        let thread = std::thread::Builder::new()
            .name("microphone".into())
            .spawn(move || work.run())?;
        Ok(Self {
            account,
            stopping,
            wishes,
            demand,
            thread: Some(thread),
        })
    }

    /// What it tells of itself.
    pub fn account(&self) -> Arc<SoundAccount> {
        self.account.clone()
    }

    /// Whether the thread still runs. It ends by itself only by a bug.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Goes on with another microphone, or with none. Viewers stay.
    pub fn replace(&self, microphone: Option<Box<dyn Microphone>>) {
        self.wish(|wishes| wishes.microphone = Some(microphone));
    }

    /// Sends in this way from the next frame on.
    pub fn set(&self, settings: SoundSettings) {
        self.wish(|wishes| wishes.settings = Some(settings));
    }

    /// A sound card may have been plugged in: where one is missed, it is looked for at once.
    pub fn plugged(&self) {
        if self.account.is_faulted() {
            self.wish(|wishes| wishes.plugged = true);
        }
    }

    /// Closes the device and waits for it. Blocks: not for tasks.
    pub fn stop(mut self) {
        self.signal_stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the microphone's thread had panicked");
        }
    }

    fn wish(&self, wish: impl FnOnce(&mut Wishes)) {
        wish(&mut self.wishes.lock().unwrap_or_else(PoisonError::into_inner));
        self.demand.change();
    }

    fn signal_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.demand.change();
    }
}

impl Drop for SoundPipeline {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

struct Work {
    microphone: Option<Box<dyn Microphone>>,
    settings: SoundSettings,
    lines: Lines,
    account: Arc<SoundAccount>,
    demand: Demand,
    stopping: Arc<AtomicBool>,
    wishes: Arc<Mutex<Wishes>>,
    /// Where the next frame belongs, while somebody listens.
    next: Option<Position>,
    meter: Meter,
    /// When sound was lost last because it was not fetched in time, in this opening of the device or an earlier one.
    last_overrun: Option<Instant>,
    ducking: Arc<Ducking>,
    ducked: Ducked,
    privacy: Privacy,
    pulse: Pulse,
    /// What may be said in a minute of a card that comes and goes.
    faults: Quiet,
    recoveries: Quiet,
}

/// Why an open microphone is closed although it works.
enum Over {
    Stopping,
    Unheard,
    Replaced,
    Private,
}

/// What a change of the configuration means for the microphone that is open.
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
            match self.obey() {
                Open::IsReplaced => retry.forget(),
                Open::MayBeBack => retry.hurry(),
                Open::GoesOn => {}
            }
            if self.microphone.is_none() || !self.lines.is_heard() {
                self.rest();
                self.demand.wait(seen, Some(BEAT));
                continue;
            }
            let Some(permit) = self.privacy.permit() else {
                retry.forget();
                self.be_private(seen);
                continue;
            };
            match self.run_once(&mut retry, &permit) {
                Ok(()) => retry.forget(),
                Err(fault) => {
                    self.account.becomes(SoundState::Faulted {
                        why: fault.to_string(),
                    });
                    let pause = retry.after(is_transient(&fault), &fault.to_string());
                    if let Some(news) = retry.news()
                        && let Some(others) = self.faults.may_say()
                    {
                        warn!(retry_in = ?pause, others, "no sound: {news}");
                    } else {
                        debug!(retry_in = ?pause, "still no sound: {fault}");
                    }
                    self.pause(seen, pause);
                }
            }
        }
    }

    fn rest(&mut self) {
        self.lines.rest();
        self.next = None;
        self.account.becomes(if self.microphone.is_none() {
            SoundState::Off
        } else {
            SoundState::Idle
        });
    }

    /// Who listens hears silence, until something changes.
    fn be_private(&mut self, seen: u64) {
        self.account.becomes(SoundState::Private);
        while self.privacy.is_on() && !self.is_stopping() && self.lines.is_heard() {
            self.pulse.beat();
            if let Err(error) = self.silence() {
                debug!("no silence either: {error}");
            }
            if self.demand.wait(seen, Some(SILENCE)) != seen {
                return;
            }
        }
    }

    /// Waits until something changes or the time is over. Who listens hears silence meanwhile.
    fn pause(&mut self, seen: u64, pause: Duration) {
        let end = Instant::now() + pause;
        loop {
            self.pulse.beat();
            if let Err(error) = self.silence() {
                debug!("no silence either: {error}");
            }
            let left = end.saturating_duration_since(Instant::now());
            let wait = left.min(SILENCE);
            if left.is_zero() || self.demand.wait(seen, Some(wait)) != seen {
                return;
            }
        }
    }

    /// Sends silence up to a moment ago, where nothing else was sent.
    fn silence(&mut self) -> Result<(), EncodeError> {
        let until = Timestamp::now().as_duration().saturating_sub(BEHIND);
        self.silence_until(Position::at(Timestamp::from_monotonic(until)))
    }

    fn silence_until(&mut self, until: Position) -> Result<(), EncodeError> {
        // After a suspend nobody wants to hear hours of it.
        const MOST: u64 = 100 * SOUND_FRAME as u64;
        let next = self.next.unwrap_or(until);
        let mut next = Position(next.0.max(until.0.saturating_sub(MOST)));
        while next.0 + SOUND_FRAME as u64 <= until.0 {
            self.account.silent.one();
            self.lines.encode(&[0.0; SOUND_FRAME], next, &self.account)?;
            next.0 += SOUND_FRAME as u64;
        }
        self.next = Some(next);
        Ok(())
    }

    /// Does what the configuration newly asks for.
    fn obey(&mut self) -> Open {
        let wishes = std::mem::take(&mut *self.wishes.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(settings) = wishes.settings {
            self.settings = settings;
            if let Err(error) = self.lines.set(settings.bitrate, settings.dtx) {
                warn!("{error}");
            }
        }
        if let Some(microphone) = wishes.microphone {
            self.microphone = microphone;
            return Open::IsReplaced;
        }
        if wishes.plugged {
            Open::MayBeBack
        } else {
            Open::GoesOn
        }
    }

    /// Opens the microphone and works until nobody listens, or nobody may.
    fn run_once(&mut self, retry: &mut Retry, permit: &Permit) -> Result<(), Fault> {
        let Some(microphone) = &self.microphone else {
            return Ok(());
        };
        self.account.becomes(SoundState::Opening);
        let device = microphone.describe();
        let mut source = microphone.open()?;
        if retry.is_faulted() {
            debug!(%device, format = %source.shape(), "microphone open");
        } else {
            info!(%device, format = %source.shape(), "microphone open");
        }
        match self.stream(&device, source.as_mut(), retry, permit)? {
            Over::Unheard => info!(%device, "microphone closed: nobody listens"),
            Over::Replaced => info!(%device, "microphone closed: the configuration has changed"),
            Over::Private => {
                // An encoder has the last milliseconds in it.
                self.lines.rest();
                info!(%device, "microphone closed: the privacy switch is on");
            }
            Over::Stopping => {}
        }
        Ok(())
    }

    fn stream(
        &mut self,
        device: &str,
        source: &mut dyn SoundSource,
        retry: &mut Retry,
        permit: &Permit,
    ) -> Result<Over, Fault> {
        let mut align = Align::new(source.shape()).ok_or_else(|| Fault::Rate {
            device: device.to_owned(),
            rate: source.shape().rate,
        })?;
        let (mut last_heard, mut last_sound) = (Instant::now(), Instant::now());
        let mut heard_since = None;
        let mut overruns = 0;
        loop {
            self.pulse.beat();
            if self.is_stopping() {
                return Ok(Over::Stopping);
            }
            if self.obey() == Open::IsReplaced {
                return Ok(Over::Replaced);
            }
            if !permit.holds() {
                return Ok(Over::Private);
            }
            let now = Instant::now();
            if self.lines.is_heard() {
                last_heard = now;
            } else if now.duration_since(last_heard) >= LINGER {
                return Ok(Over::Unheard);
            }
            let shape = source.shape().clone();
            let Some(sound) = source.next(PATIENCE)? else {
                self.tell_overruns(device, source.overruns(), &mut overruns);
                if last_sound.elapsed() >= STALL {
                    return Err(Fault::Capture(SoundError::Silent {
                        device: device.to_owned(),
                        seconds: STALL.as_secs(),
                    }));
                }
                self.silence()?;
                continue;
            };
            // Nothing of what was captured up to the switch is sent.
            if !permit.holds() {
                return Ok(Over::Private);
            }
            last_sound = Instant::now();
            if let Some(begins) = align.push(&sound, self.next) {
                self.silence_until(begins)?;
                self.next = Some(begins);
            }
            while let Some(next) = self.next
                && let Some(frame) = align.frame(next)
            {
                amplify(frame, self.settings.gain);
                self.meter.take(frame, &self.account.level);
                self.ducked.apply(&self.ducking, frame);
                self.account.frames.one();
                self.lines.encode(frame, next, &self.account)?;
                self.next = Some(Position(next.0 + SOUND_FRAME as u64));
            }
            let since = *heard_since.get_or_insert(last_sound);
            if !self.account.is_live() {
                self.account.becomes(SoundState::Live {
                    device: device.to_owned(),
                    shape,
                });
            }
            if retry.is_over(last_sound.duration_since(since))
                && let Some(others) = self.recoveries.may_say()
            {
                info!(%device, others, "the sound is back");
            }
        }
    }

    /// Counts overruns, and says the first of a series.
    fn tell_overruns(&mut self, device: &str, now: u64, before: &mut u64) {
        let new = now - std::mem::replace(before, now);
        if new == 0 {
            return;
        }
        self.account.overruns.add(new);
        let last = self.last_overrun.replace(Instant::now());
        if last.is_none_or(|last| last.elapsed() > TROUBLE) {
            warn!(%device, "some sound was lost: this machine was too busy to take it from the card in time");
        } else {
            debug!(%device, "sound lost again");
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

fn amplify(frame: &mut [f32; SOUND_FRAME], gain: f32) {
    #[allow(clippy::float_cmp, reason = "exactly one is what the default is")]
    if gain != 1.0 {
        for sample in frame {
            *sample = (*sample * gain).clamp(-1.0, 1.0);
        }
    }
}

fn is_transient(fault: &Fault) -> bool {
    match fault {
        Fault::Capture(error) => error.is_transient(),
        Fault::Encode(_) | Fault::Rate { .. } => false,
    }
}

#[cfg(test)]
mod tests;
