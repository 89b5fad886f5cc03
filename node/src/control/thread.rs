use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, mpsc::SyncSender},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use pinhole_service::{
    quiet::Quiet,
    watchdog::{BEAT, Pulse},
};
use tracing::{info, warn};

use super::{
    Account, Body, CameraNumber, ClientId, Handle, Order, Outlet, Part, Record, Refusal, Room,
    gpio::{Board, GpioError, Taken},
    inbox::{Mail, News},
    snapshot::Transfers,
};
use crate::{
    config::{self, Gpio},
    media::Privacy,
};

/// Between two tries for pins that were not to be had.
const RETRY: Duration = Duration::from_secs(30);
/// How long a start waits for the pins. A PWM channel takes up to a second.
const START: Duration = Duration::from_secs(5);
/// Between two looks for room in clients' queues, while there is something to be said.
const FEED: Duration = Duration::from_millis(10);

/// What this room goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What viewers call the node.
    pub name: String,
    /// What hangs on which pin.
    pub gpio: Gpio,
    /// Who may what.
    pub control: config::Control,
}

/// What this room asks of cameras. Nothing here blocks.
pub trait Eyes: Send {
    /// Sets a control of a camera, until the configuration is read again.
    fn set_control(&self, camera: CameraNumber, name: &str, value: i64);

    /// Has a picture made for a client, which comes by [`Handle::picture`].
    fn picture(&self, camera: CameraNumber, client: ClientId);
}

/// The room's thread, which owns the pins. Stops when dropped, without waiting; [`Control::stop`] waits.
pub struct Control {
    handle: Handle,
    account: Arc<Account>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Starts the thread, which makes outputs safe before anything else, and beats `pulse` at least every few seconds.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        settings: Settings,
        privacy: Privacy,
        eyes: impl FnOnce(Handle) -> Box<dyn Eyes>,
        pulse: Pulse,
    ) -> io::Result<Self> {
        let account = Arc::<Account>::default();
        let handle = Handle::new(account.clone());
        let eyes = eyes(handle.clone());
        let now = Instant::now();
        let mut work = Work {
            handle: handle.clone(),
            account: account.clone(),
            room: Room::new(&settings.name, &settings.gpio, &settings.control, now),
            board: Board::new(&settings.gpio, handle.wake()),
            record: Record::of_service(),
            settings,
            privacy,
            eyes,
            pulse,
            outlets: BTreeMap::new(),
            behind: BTreeSet::new(),
            transfers: Transfers::default(),
            faults: BTreeMap::new(),
            changes: Quiet::new(20),
            switched: Quiet::new(20),
            retry_at: None,
        };
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || work.run(&ready))?;
        // The privacy switch is known before anybody can see anything. Should a pin hang, the rest works on.
        if is_ready.recv_timeout(START).is_err() {
            warn!("the pins take longer than {START:?} to be taken");
        }
        Ok(Self {
            handle,
            account,
            thread: Some(thread),
        })
    }

    /// Where it is reached.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// What it tells of itself.
    pub fn account(&self) -> Arc<Account> {
        self.account.clone()
    }

    /// Whether the thread still runs. It ends by itself only by a bug.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Makes every output safe, gives the pins up, and waits for that. Blocks: not for tasks.
    pub fn stop(mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the control thread had panicked");
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

struct Work {
    handle: Handle,
    account: Arc<Account>,
    settings: Settings,
    room: Room,
    /// Dropped, it makes everything safe: also where this thread panics.
    board: Board,
    record: Record,
    privacy: Privacy,
    eyes: Box<dyn Eyes>,
    pulse: Pulse,
    outlets: BTreeMap<ClientId, Box<dyn Outlet>>,
    /// Those who missed something, and get everything anew when there is room.
    behind: BTreeSet<ClientId>,
    transfers: Transfers,
    /// What was said of each part.
    faults: BTreeMap<Part, String>,
    /// What may be said in a minute of contacts that are loose: of faults, and of the privacy switch.
    changes: Quiet,
    switched: Quiet,
    retry_at: Option<Instant>,
}

impl Work {
    fn run(&mut self, ready: &SyncSender<()>) {
        self.write_down();
        self.take_pins();
        loop {
            self.look_at_contacts();
            self.obey();
            let _ = ready.try_send(());
            self.feed();
            self.publish();
            let news = self.handle.wait(self.deadline());
            self.pulse.beat();
            if news.stopping {
                self.board.make_safe();
                return;
            }
            self.take_in(news);
            if self.retry_at.is_some_and(|at| at <= Instant::now()) {
                // A pin may take a second, and who holds something is not to be missed for so long.
                if self.room.is_held() {
                    self.retry_at = Some(Instant::now() + RETRY);
                } else {
                    self.take_pins();
                }
            }
            self.room.tick(Instant::now());
        }
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        let feed = (!self.transfers.is_empty() || !self.behind.is_empty()).then_some(now + FEED);
        let all = [self.room.deadline(now), self.retry_at, feed];
        all.into_iter().flatten().fold(now + BEAT, Instant::min)
    }

    /// Before a pin is taken: who makes outputs safe after a kill has to know of it.
    fn write_down(&self) {
        if let Err(error) = self.record.write(&self.settings.gpio) {
            warn!("`pinhole-node safe` will not know what pins are in use: {error}");
        }
    }

    /// Takes what pins are missing, and says what is wrong where that is something new.
    fn take_pins(&mut self) {
        self.retry_at = None;
        for part in self.board.parts() {
            if let Part::Servo(_) = part {
                // A PWM channel may take a second. The privacy switch, which was taken before, does not wait for that.
                self.look_at_contacts();
                self.obey();
                self.pulse.beat();
            }
            match self.board.take(part) {
                Ok(Taken::Before) => self.told(part, None),
                Ok(Taken::Now) => {
                    self.told(part, None);
                    // It has to be what it is by now.
                    self.room.restore(part, Instant::now());
                }
                Err(error) => self.failed(part, error),
            }
        }
    }

    fn told(&mut self, part: Part, outcome: Option<GpioError>) {
        let what = name_of(&self.settings.gpio, part);
        match outcome.map(|error| format!("{what}: {error}")) {
            Some(why) => {
                if self.faults.insert(part, why.clone()).as_deref() != Some(&*why)
                    && let Some(others) = self.changes.may_say()
                {
                    warn!(others, "{why}");
                }
                self.room.fault(part, Some(why));
            }
            None => {
                if self.faults.remove(&part).is_some()
                    && let Some(others) = self.changes.may_say()
                {
                    info!(others, "{what} works again");
                }
                self.room.fault(part, None);
            }
        }
    }

    /// A pin that worked does not any more.
    fn failed(&mut self, part: Part, error: GpioError) {
        self.told(part, Some(error));
        self.retry_at = Some(Instant::now() + RETRY);
    }

    fn look_at_contacts(&mut self) {
        for (part, closed) in self.board.contacts() {
            match closed {
                Ok(closed) => self.room.look(part, closed, Instant::now()),
                Err(error) => self.failed(part, error),
            }
        }
    }

    fn take_in(&mut self, news: News) {
        let now = Instant::now();
        if let Some(settings) = news.settings {
            self.reconfigure(settings, now);
        }
        if let Some(surroundings) = news.surroundings {
            self.room.surround(surroundings, now);
        }
        for (camera, controls) in news.cameras {
            self.room.camera(camera, controls);
        }
        for (camera, why) in news.pictures {
            self.room.picture_fault(camera, why);
        }
        if let Some(why) = news.speaker {
            self.room.speaker_fault(why);
        }
        for mail in news.mail {
            self.open(mail, now);
        }
        let gone = self.outlets.iter().filter(|(_, outlet)| outlet.is_gone());
        let gone: Vec<_> = gone.map(|(client, _)| *client).collect();
        for client in gone {
            self.leave(client, now);
        }
    }

    fn open(&mut self, mail: Mail, now: Instant) {
        match mail {
            Mail::Join {
                client,
                name,
                origin,
                camera,
                outlet,
            } => {
                self.outlets.insert(client, outlet);
                self.room.join(client, &name, origin, camera, now);
            }
            Mail::Hear { client, text } => {
                if self.room.hear(client, &text, now) {
                    self.account.obeyed.one();
                } else {
                    self.account.refused.one();
                }
                // What was asked for happens in the order in which it was asked.
                self.obey();
            }
            Mail::Flood { client, refusal } => self.room.refuse(client, None, &refusal),
            Mail::Leave { client } => self.leave(client, now),
            Mail::Picture { client, picture } => match picture {
                // It may have been asked for before the switch was thrown, and answer a request of after that.
                Ok(jpeg) if self.privacy.is_on() || self.privacy.blocks(jpeg.captured_at) => {
                    self.room.no_picture(client, &Refusal::private());
                }
                Ok(jpeg) => {
                    if let Some(id) = self.room.picture(client) {
                        self.account.pictures.one();
                        self.transfers.begin(client, id, jpeg);
                    }
                }
                Err(refusal) => self.room.no_picture(client, &refusal),
            },
        }
    }

    fn leave(&mut self, client: ClientId, now: Instant) {
        self.outlets.remove(&client);
        self.behind.remove(&client);
        self.transfers.forget(client);
        self.room.leave(client, now);
    }

    fn reconfigure(&mut self, settings: Settings, now: Instant) {
        let pins = settings.gpio != self.settings.gpio;
        if pins {
            // Given up before they are taken anew: the same pin may have another part.
            self.board = Board::new(&Gpio::default(), self.handle.wake());
            self.board = Board::new(&settings.gpio, self.handle.wake());
            for part in std::mem::take(&mut self.faults).into_keys() {
                self.room.fault(part, None);
            }
        }
        self.room
            .reconfigure(&settings.name, &settings.gpio, &settings.control, now);
        self.settings = settings;
        if pins {
            self.write_down();
            self.take_pins();
        }
    }

    fn obey(&mut self) {
        while let Some(order) = self.room.next_order() {
            match order {
                Order::Switch(part, on) => {
                    if let Err(error) = self.board.switch(part, on) {
                        self.failed(part, error);
                    }
                }
                Order::Turn(index, degrees) => {
                    let pulse = self.settings.gpio.servos[index].pulse(degrees);
                    if let Err(error) = self.board.turn(index, pulse) {
                        self.failed(Part::Servo(index), error);
                    }
                }
                Order::Rest(index) => {
                    if let Err(error) = self.board.rest(index) {
                        self.failed(Part::Servo(index), error);
                    }
                }
                Order::Private(on) => {
                    self.privacy.set(on);
                    if on {
                        self.transfers.end();
                    }
                    match self.switched.may_say() {
                        Some(others) if on => {
                            info!(others, "the privacy switch is on: no picture and no sound leaves");
                        }
                        Some(others) => info!(others, "the privacy switch is off"),
                        None => {}
                    }
                }
                Order::Say(client, text) => self.say(client, text),
                Order::Camera(camera, name, value) => self.eyes.set_control(camera, &name, value),
                Order::Picture(client, camera) => self.eyes.picture(camera, client),
            }
        }
    }

    fn say(&mut self, client: ClientId, text: String) {
        let Some(outlet) = self.outlets.get(&client) else {
            return;
        };
        // In order: who has missed something gets everything, and then what comes after it.
        if self.behind.contains(&client) || outlet.say(text).is_err() {
            self.account.missed.one();
            self.behind.insert(client);
        }
    }

    /// Says what had to wait for room.
    fn feed(&mut self) {
        let outlets = &self.outlets;
        let ready: Vec<_> = self
            .behind
            .iter()
            .copied()
            .filter(|client| outlets.get(client).is_none_or(|outlet| outlet.has_room()))
            .collect();
        for client in ready {
            self.behind.remove(&client);
            self.room.tell_state(client);
        }
        self.obey();
        let outlets = &self.outlets;
        let over = self
            .transfers
            .go_on(|client| Some(outlets.get(&client)?.as_ref() as &dyn Outlet));
        for client in over {
            self.room.delivered(client);
        }
    }

    fn publish(&self) {
        let named = |(name, on): (&str, bool)| (name.to_owned(), on);
        let body = Body {
            driver: self.board.driver(),
            privacy: self.room.is_private(),
            tally: self.room.tally(),
            outputs: self.room.outputs().map(named).collect(),
            inputs: self.room.inputs().map(named).collect(),
            servos: self
                .room
                .servos()
                .map(|(name, degrees)| (name.to_owned(), degrees))
                .collect(),
            faults: self.room.faults().map(str::to_owned).collect(),
            clients: self.outlets.len(),
        };
        self.account.body.send_if_modified(|old| {
            let changed = *old != body;
            *old = body;
            changed
        });
    }
}

/// Makes every output of a configuration safe, where no node runs that could; tells what could not be.
pub fn make_safe(gpio: &Gpio) -> Vec<String> {
    // What is only read needs no safety, and may be in use.
    let driven = Gpio {
        privacy: None,
        inputs: Vec::new(),
        ..gpio.clone()
    };
    let (_, tried) = try_pins(&driven, Manner::Alone);
    let failed = tried
        .into_iter()
        .filter_map(|(what, outcome)| Some(format!("{what}: {}", outcome.err()?)));
    failed.collect()
}

/// How pins are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// No node runs: outputs are put into their safe states.
    Alone,
    /// Beside a node that runs, whose pins stay as they are.
    Beside,
}

/// What became of trying the pins: of each part what it is, and whether its pin was taken for a moment, or only looked at.
pub type Tried = Vec<(String, Result<bool, GpioError>)>;

/// Tries whether the pins of a configuration can be had, and gives them up again. Also tells what drives them.
pub fn try_pins(gpio: &Gpio, manner: Manner) -> (Option<&'static str>, Tried) {
    let mut board = Board::new(gpio, Arc::new(|| {}));
    let tried = board.parts().into_iter().map(|part| {
        let outcome = match manner {
            Manner::Alone => board.take(part).map(|_| true),
            Manner::Beside => board.take_gently(part),
        };
        (name_of(gpio, part), outcome)
    });
    let tried = tried.collect();
    (board.driver(), tried)
}

/// A part in words, for the log.
pub(super) fn name_of(gpio: &Gpio, part: Part) -> String {
    match part {
        Part::Status => "the status light".to_owned(),
        Part::Tally => "the tally light".to_owned(),
        Part::Privacy => "the privacy switch".to_owned(),
        Part::Output(index) => format!("output `{}`", gpio.outputs[index].name),
        Part::Input(index) => format!("input `{}`", gpio.inputs[index].name),
        Part::Servo(index) => format!("servo `{}`", gpio.servos[index].name),
    }
}

#[cfg(test)]
mod tests;
