use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use pinhole_service::{
    quiet::Quiet,
    watchdog::{BEAT, Pulse},
};
use tracing::{info, warn};

use super::{
    account::{Account, State},
    intake::{Intake, Item},
    mixer::Mixer,
    output::{Open, OutputError},
    packet::Packet,
    player::Player,
};
use crate::{media::Ducking, retry::Retry};

/// After so long a silence the device is closed.
const CLOSED_AFTER: Duration = Duration::from_secs(4);
/// A fault that nobody has met for so long is forgotten: nobody tried.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// How often it is told who talks.
const TOLD: Duration = Duration::from_millis(500);

/// What the configuration asks of the loudspeaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The device: an ALSA PCM, a card's name or a part of it, or `default`.
    pub device: String,
    /// 1 plays voices as loud as they come.
    pub volume: f32,
    /// Whether the microphone is lowered while a voice is played.
    pub duck: bool,
}

/// The loudspeaker: one OS thread, which plays what viewers say.
#[derive(Debug)]
pub struct Speaker {
    orders: Arc<Orders>,
    intake: Intake,
    account: Arc<Account>,
    thread: JoinHandle<()>,
}

/// What the thread is told, as state and not as messages.
#[derive(Debug, Default)]
struct Orders {
    settings: Mutex<Option<Settings>>,
    changed: AtomicBool,
    stop: AtomicBool,
}

impl Speaker {
    /// Starts the thread, which beats `pulse` at least every few seconds. `None`: there is no loudspeaker, until there is. While a
    /// voice is played `ducking` says so, unless the settings forbid it.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(settings: Option<Settings>, ducking: Arc<Ducking>, pulse: Pulse) -> io::Result<Self> {
        Self::start_with(settings, ducking, pulse, Box::new(super::alsa::open))
    }

    /// The same with outputs that `open` opens, in place of sound cards.
    ///
    /// # Errors
    /// As for [`Speaker::start`].
    pub fn start_with(
        settings: Option<Settings>,
        ducking: Arc<Ducking>,
        pulse: Pulse,
        open: Box<Open>,
    ) -> io::Result<Self> {
        let account = Arc::<Account>::default();
        let (intake, items) = Intake::new(account.figures.clone());
        let orders = Arc::new(Orders {
            settings: Mutex::new(settings),
            changed: AtomicBool::new(true),
            stop: AtomicBool::new(false),
        });
        let room = Room {
            orders: orders.clone(),
            items,
            mixer: Mixer::new(account.figures.clone()),
            account: account.clone(),
            ducking,
            pulse,
            open,
            settings: None,
            retry: Retry::default(),
            gone: None,
            not_before: None,
            told: Instant::now(),
            faults: Quiet::new(10),
            recoveries: Quiet::new(10),
        };
        let thread = std::thread::Builder::new()
            .name("speaker".to_owned())
            .spawn(move || room.run())?;
        Ok(Self {
            orders,
            intake,
            account,
            thread,
        })
    }

    /// Where voices come in.
    pub fn intake(&self) -> Intake {
        self.intake.clone()
    }

    /// What it tells of itself.
    pub fn account(&self) -> Arc<Account> {
        self.account.clone()
    }

    /// Whether the thread still runs. It ends by itself only by a bug.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Plays there and so loud from now on.
    pub fn replace(&self, settings: Option<Settings>) {
        let mut current = self
            .orders
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = settings;
        drop(current);
        self.orders.changed.store(true, Relaxed);
        self.intake.wake();
    }

    /// Ends the thread and waits for it.
    pub fn stop(self) {
        self.orders.stop.store(true, Relaxed);
        self.intake.wake();
        // A thread that has panicked has ended as well.
        let _ = self.thread.join();
    }
}

/// What the thread has.
struct Room {
    orders: Arc<Orders>,
    items: Receiver<Item>,
    mixer: Mixer,
    account: Arc<Account>,
    ducking: Arc<Ducking>,
    pulse: Pulse,
    open: Box<Open>,
    settings: Option<Settings>,
    retry: Retry,
    /// What was said of a device that went away: that it is not there then is no news.
    gone: Option<String>,
    /// When the device may be tried again.
    not_before: Option<Instant>,
    told: Instant,
    /// What may be said in a minute of a device that comes and goes.
    faults: Quiet,
    recoveries: Quiet,
}

impl Room {
    fn run(mut self) {
        while !self.orders.stop.load(Relaxed) {
            self.obey();
            let Some(packet) = self.next_packet() else {
                continue;
            };
            if self.is_called(&packet) {
                self.mixer.hear(packet, Instant::now());
                self.play();
            }
        }
        self.account.become_state(State::Off);
    }

    /// Takes new settings, where there are any. Returns whether another device is meant.
    fn obey(&mut self) -> bool {
        if !self.orders.changed.swap(false, Relaxed) {
            return false;
        }
        let settings = self
            .orders
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let device = |settings: &Option<Settings>| settings.as_ref().map(|settings| settings.device.clone());
        let is_another = device(&settings) != device(&self.settings);
        self.settings = settings;
        if is_another {
            self.retry.forget();
            self.not_before = None;
            self.account.become_state(self.at_rest());
        }
        is_another
    }

    fn at_rest(&self) -> State {
        if self.settings.is_some() {
            State::Idle
        } else {
            State::Off
        }
    }

    /// While the device is closed: waits for a packet, or for something else to look at.
    fn next_packet(&mut self) -> Option<Packet> {
        let quiet_since = Instant::now();
        loop {
            self.pulse.beat();
            match self.items.recv_timeout(BEAT) {
                Ok(Item::Voice(packet)) => return Some(packet),
                Ok(Item::Look) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    // Nobody can give anything any more.
                    self.orders.stop.store(true, Relaxed);
                    return None;
                }
                // A fault is forgotten by the clock; otherwise only what comes matters.
                Err(RecvTimeoutError::Timeout)
                    if self.not_before.is_some() && quiet_since.elapsed() >= FORGOTTEN =>
                {
                    self.not_before = None;
                    self.retry.forget();
                    self.account.become_state(self.at_rest());
                    self.account.tell(Vec::new(), None);
                    return None;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether to open the device for this packet.
    fn is_called(&mut self, packet: &Packet) -> bool {
        let now = Instant::now();
        self.settings.is_some()
            && self.mixer.overhear(packet, now)
            && self.not_before.is_none_or(|instant| instant <= now)
    }

    /// Plays until nobody talks any more, or the device is lost.
    fn play(&mut self) {
        let Some(settings) = self.settings.clone() else {
            return;
        };
        let outcome = (self.open)(&settings.device).and_then(Player::new);
        let lost = match outcome {
            Ok(mut player) => {
                let outcome = self.play_on(&mut player);
                // Before the device is closed: a driver that hangs in that must not keep the microphone low.
                self.ducking.set(false);
                drop(player);
                outcome.err()
            }
            Err(error) => Some(error),
        };
        self.mixer.begin();
        self.account.tell(Vec::new(), None);
        match lost {
            Some(error) => self.fail(&error),
            None => self.account.become_state(self.at_rest()),
        }
    }

    /// Returns when nobody has talked for a while, or when another device is meant.
    fn play_on(&mut self, player: &mut Player) -> Result<(), OutputError> {
        self.gone = None;
        let device = player.describe();
        if !self.retry.is_faulted() {
            info!(%device, "speaker open: somebody talks");
        }
        self.account.become_state(State::Playing {
            device: device.clone(),
        });
        let opened = Instant::now();
        let mut audible = opened;
        loop {
            self.pulse.beat();
            if self.orders.stop.load(Relaxed) || self.obey() {
                info!(%device, "speaker closed");
                return Ok(());
            }
            self.take_in();
            let volume = self.settings.as_ref().map_or(0.0, |settings| settings.volume);
            player.turn(&mut self.mixer, volume, &self.account)?;
            let now = Instant::now();
            if self.retry.is_over(now.saturating_duration_since(opened)) {
                if let Some(others) = self.recoveries.may_say() {
                    info!(%device, others, "the speaker is back");
                }
                self.not_before = None;
            }
            let is_audible = self.mixer.is_audible(now);
            let duck = self.settings.as_ref().is_some_and(|settings| settings.duck);
            self.ducking.set(is_audible && duck);
            if is_audible {
                audible = now;
            } else if now.saturating_duration_since(audible) > CLOSED_AFTER {
                info!(%device, "speaker closed: nobody talks");
                return Ok(());
            }
            self.tell(player, now);
        }
    }

    /// Gives all that has come to the mixer.
    fn take_in(&mut self) {
        let now = Instant::now();
        while let Ok(item) = self.items.try_recv() {
            if let Item::Voice(packet) = item {
                self.mixer.hear(packet, now);
            }
        }
    }

    fn tell(&mut self, player: &mut Player, now: Instant) {
        if now.saturating_duration_since(self.told) < TOLD {
            return;
        }
        self.told = now;
        self.mixer.tidy(now);
        self.account.tell(self.mixer.report(now), player.median());
    }

    fn fail(&mut self, error: &OutputError) {
        let why = match (error, self.gone.take()) {
            (OutputError::Absent { .. }, Some(gone)) => gone,
            _ => error.to_string(),
        };
        if matches!(error, OutputError::Gone { .. } | OutputError::Absent { .. }) {
            self.gone = Some(why.clone());
        }
        let pause = self.retry.after(error.is_transient(), &why);
        self.not_before = Some(Instant::now() + pause);
        if self.retry.news().is_some() {
            self.account.figures.faults.one();
            if let Some(others) = self.faults.may_say() {
                warn!(others, "{why}");
            }
        }
        self.account.become_state(State::Faulted { why });
    }
}

#[cfg(test)]
mod tests;
