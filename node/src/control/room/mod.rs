//! What the node's pins and clients are told, and when: the thinking part of this room. Without IO, threads or a clock:
//! what happened goes in with its time, and orders come out.
//!
//! Invariants: an output is safe unless somebody who may has switched it, and a momentary one unless somebody holds it
//! whose last word is less than [`HEARTBEAT`] ago; the same holds for a servo that turns; whatever is refused has no effect
//! and gets a reason; a client that leaves lets go of everything.

mod contact;
mod lights;
mod motion;
mod parts;
mod requests;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    protocol::{
        CameraControl, Code, Event, InputState, OutputState, Refusal, RequestId, Said, ServoState, VERSION,
    },
    rights::{Capability, Origin, Rights},
};
use crate::config::{
    Control, Gpio,
    gpio::{OutputKind, PrivacyKind},
};
use contact::Contact;
use parts::{Input, Output, Turner};

pub use lights::Mood;

/// Who holds something has to say something more often than this.
pub const HEARTBEAT: Duration = Duration::from_millis(500);
/// A picture that was asked for and does not come.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(5);
/// A software pulse trembles; a servo that has stood for so long stays where it is without.
const REST_AFTER: Duration = Duration::from_secs(1);

/// One client's number; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// Which of the node's cameras; none is used twice.
pub type CameraNumber = u64;

/// What can be wrong by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The status light.
    Status,
    /// The tally light.
    Tally,
    /// The privacy switch.
    Privacy,
    /// An output, by its place in the configuration.
    Output(usize),
    /// An input, by its place.
    Input(usize),
    /// A servo, by its place.
    Servo(usize),
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Switch a light or an output.
    Switch(Part, bool),
    /// Turn the servo of this place to so many degrees.
    Turn(usize, f64),
    /// The servo of this place stands: it may do without pulses.
    Rest(usize),
    /// Stop picture and sound, also what is on its way of them; or let them go on.
    Private(bool),
    /// Tell a client.
    Say(ClientId, String),
    /// Set a control of the camera.
    Camera(CameraNumber, String, i64),
    /// Fetch a picture of the camera for this client.
    Picture(ClientId, CameraNumber),
}

/// How the rest of the node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// What the status light tells.
    pub mood: Mood,
    /// Whether somebody is connected who gets what is captured.
    pub watched: bool,
}

#[derive(Debug)]
struct Client {
    name: String,
    origin: Origin,
    /// Whose picture it sees; the first one, where it sees none.
    camera: Option<CameraNumber>,
    rights: Rights,
    heard: Instant,
    /// The picture that it waits for: the request's id, and since when; no more when it is on its way.
    picture: Option<(Option<RequestId>, Option<Instant>)>,
}

/// All that this room knows.
#[derive(Debug)]
pub struct Room {
    name: String,
    control: Control,
    gpio: Gpio,
    clients: BTreeMap<ClientId, Client>,
    outputs: Vec<Output>,
    inputs: Vec<Input>,
    servos: Vec<Turner>,
    contact: Option<Contact>,
    private: bool,
    surroundings: Surroundings,
    mood_since: Instant,
    /// What the two lights were told last.
    lights: BTreeMap<Part, bool>,
    faults: BTreeMap<Part, String>,
    cameras: BTreeMap<CameraNumber, Vec<CameraControl>>,
    /// Why there is no picture of a camera.
    pictures: BTreeMap<CameraNumber, String>,
    /// Why the loudspeaker plays nothing.
    speaker: Option<String>,
    orders: VecDeque<Order>,
}

impl Room {
    /// A room with everything in its safe state. `name` is the node's.
    pub fn new(name: &str, gpio: &Gpio, control: &Control, now: Instant) -> Self {
        let mut room = Self::asleep(name, gpio, control, now);
        room.start(now);
        room
    }

    /// One that has given no order yet.
    fn asleep(name: &str, gpio: &Gpio, control: &Control, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            control: control.clone(),
            gpio: gpio.clone(),
            clients: BTreeMap::new(),
            outputs: gpio.outputs.iter().map(Output::new).collect(),
            inputs: gpio.inputs.iter().map(Input::new).collect(),
            servos: gpio.servos.iter().map(|servo| Turner::new(servo, now)).collect(),
            // What it stops is stopped at the first touch.
            contact: gpio
                .privacy
                .as_ref()
                .map(|privacy| Contact::new(privacy.debounce, true)),
            private: false,
            surroundings: Surroundings::default(),
            mood_since: now,
            lights: BTreeMap::new(),
            faults: BTreeMap::new(),
            cameras: BTreeMap::new(),
            pictures: BTreeMap::new(),
            speaker: None,
            orders: VecDeque::new(),
        }
    }

    fn start(&mut self, now: Instant) {
        for (index, output) in self.outputs.iter().enumerate() {
            self.orders
                .push_back(Order::Switch(Part::Output(index), output.on));
        }
        for (index, servo) in self.servos.iter_mut().enumerate() {
            servo.rests_at = Some(now + REST_AFTER);
            self.orders.push_back(Order::Turn(index, servo.motion.position()));
        }
        self.tick(now);
    }

    /// Obeys another configuration, and tells every client anew what there is. Where other things hang on the pins everything is
    /// safe again; otherwise only what clients may do changes, and whoever may not any more lets go.
    pub fn reconfigure(&mut self, name: &str, gpio: &Gpio, control: &Control, now: Instant) {
        if *gpio == self.gpio {
            name.clone_into(&mut self.name);
            self.control = control.clone();
            self.give_rights(now);
        } else {
            let before = std::mem::replace(self, Self::asleep(name, gpio, control, now));
            self.carry_over(before, now);
            self.start(now);
            self.give_rights(now);
        }
        let clients: Vec<_> = self.clients.keys().copied().collect();
        for client in clients {
            self.greet(client);
        }
    }

    /// What outlives other pins.
    fn carry_over(&mut self, before: Self, now: Instant) {
        self.surroundings = before.surroundings;
        self.mood_since = before.mood_since;
        self.cameras = before.cameras;
        self.pictures = before.pictures;
        self.speaker = before.speaker;
        self.clients = before.clients;
        // A servo that is the same has no reason to turn.
        for (index, servo) in self.gpio.servos.iter().enumerate() {
            if let Some(same) = before.gpio.servos.iter().position(|old| old == servo) {
                self.servos[index]
                    .motion
                    .stand(before.servos[same].motion.position(), now);
            }
        }
        // Nobody is told that it is off before the contact says so; without one nobody could end it.
        match (&mut self.contact, &self.gpio.privacy) {
            (Some(contact), Some(pin)) => {
                self.private = before.private;
                let closed = match pin.kind {
                    PrivacyKind::Switch => before.private,
                    PrivacyKind::Button => before.contact.is_some_and(|contact| contact.is_closed()),
                };
                *contact = Contact::new(pin.debounce, true).known(closed);
            }
            _ if before.private => self.orders.push_back(Order::Private(false)),
            _ => {}
        }
    }

    fn give_rights(&mut self, now: Instant) {
        let mut losing = Vec::new();
        for (id, client) in &mut self.clients {
            let rights = Rights::of(&self.control, client.origin);
            let before = std::mem::replace(&mut client.rights, rights);
            let lost = |capability| before.may(capability) && !rights.may(capability);
            if lost(Capability::Outputs) || lost(Capability::Servos) {
                losing.push(*id);
            }
        }
        for client in losing {
            self.let_go(client, now);
        }
    }

    /// What there is to do, in order.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// Somebody takes part from now on, who watches that camera or none.
    pub fn join(
        &mut self,
        id: ClientId,
        name: &str,
        origin: Origin,
        camera: Option<CameraNumber>,
        now: Instant,
    ) {
        let client = Client {
            name: name.to_owned(),
            origin,
            camera,
            rights: Rights::of(&self.control, origin),
            heard: now,
            picture: None,
        };
        self.clients.insert(id, client);
        self.greet(id);
    }

    /// Somebody is gone, and lets go of everything.
    pub fn leave(&mut self, id: ClientId, now: Instant) {
        if self.clients.remove(&id).is_some() {
            self.let_go(id, now);
        }
    }

    /// The contact of an input or of the privacy switch has this level now.
    pub fn look(&mut self, part: Part, closed: bool, now: Instant) {
        match part {
            Part::Privacy => self.privacy(closed, now),
            Part::Input(index) => {
                let Some(input) = self.inputs.get_mut(index) else {
                    return;
                };
                if input.contact.look(closed, now) {
                    let name = self.gpio.inputs[index].name.clone();
                    let event = Event::Input {
                        name: name.as_str(),
                        on: input.contact.is_closed(),
                    };
                    self.tell(Capability::Events, event);
                }
            }
            Part::Status | Part::Tally | Part::Output(_) | Part::Servo(_) => {}
        }
    }

    fn privacy(&mut self, closed: bool, now: Instant) {
        let (Some(contact), Some(pin)) = (&mut self.contact, &self.gpio.privacy) else {
            return;
        };
        if !contact.look(closed, now) {
            return;
        }
        let private = match pin.kind {
            PrivacyKind::Switch => contact.is_closed(),
            PrivacyKind::Button if contact.is_closed() => !self.private,
            PrivacyKind::Button => return,
        };
        self.private = private;
        self.orders.push_back(Order::Private(private));
        let all: Vec<_> = self.clients.keys().copied().collect();
        for client in all {
            self.say(client, &Said::Event(Event::Privacy { on: private }));
            if private {
                // Whether it is still to be made, or on its way: it goes no further.
                self.no_picture(client, &Refusal::private());
            }
        }
        self.light(now);
    }

    /// The rest of the node is so now.
    pub fn surround(&mut self, surroundings: Surroundings, now: Instant) {
        if surroundings.mood != self.surroundings.mood {
            self.mood_since = now;
        }
        self.surroundings = surroundings;
        self.light(now);
    }

    /// These are the controls of a camera now; `None` where there is no such camera any more.
    pub fn camera(&mut self, camera: CameraNumber, controls: Option<Vec<CameraControl>>) {
        if controls.as_ref() == self.cameras.get(&camera) {
            return;
        }
        match controls {
            Some(controls) => drop(self.cameras.insert(camera, controls)),
            None => {
                self.cameras.remove(&camera);
                self.pictures.remove(&camera);
            }
        }
        let may = |client: &Client| {
            client.rights.may(Capability::Camera) && client.camera.is_none_or(|its| its == camera)
        };
        let told: Vec<_> = self.clients.iter().filter(|(_, client)| may(client)).collect();
        let told: Vec<_> = told.into_iter().map(|(id, _)| *id).collect();
        for client in told {
            self.tell_state(client);
        }
    }

    /// Why there is no picture of a camera; `None` where there is one, as far as is known.
    pub fn picture_fault(&mut self, camera: CameraNumber, why: Option<String>) {
        let before = match &why {
            Some(why) => self.pictures.insert(camera, why.clone()),
            None => self.pictures.remove(&camera),
        };
        if before != why {
            let reason = why.unwrap_or_default();
            let watches = |client: &Client| client.camera == Some(camera);
            self.tell_those(watches, Event::Picture { reason: &reason });
        }
    }

    /// Why the loudspeaker plays nothing; `None` where it plays, as far as is known.
    pub fn speaker_fault(&mut self, why: Option<String>) {
        if self.speaker != why {
            let reason = why.clone().unwrap_or_default();
            self.speaker = why;
            self.tell_those(|_| true, Event::Speaker { reason: &reason });
        }
    }

    fn tell_those(&mut self, who: impl Fn(&Client) -> bool, event: Event<'_>) {
        let told = self.clients.iter().filter(|(_, client)| who(client));
        let told: Vec<_> = told.map(|(id, _)| *id).collect();
        let said = Said::Event(event);
        for client in told {
            self.say(client, &said);
        }
    }

    /// What is wrong with a part; `None` where nothing is any more.
    pub fn fault(&mut self, part: Part, why: Option<String>) {
        let before = match &why {
            Some(why) => self.faults.insert(part, why.clone()),
            None => self.faults.remove(&part),
        };
        if before != why {
            let reason = why.unwrap_or_default();
            self.tell(Capability::Events, Event::Fault { reason: &reason });
            let all: Vec<_> = self.clients.keys().copied().collect();
            for client in all {
                self.tell_state(client);
            }
        }
    }

    /// A pin was taken: it is to be what it is by now.
    pub fn restore(&mut self, part: Part, now: Instant) {
        match part {
            Part::Output(index) => {
                if let Some(output) = self.outputs.get(index) {
                    self.orders.push_back(Order::Switch(part, output.on));
                }
            }
            Part::Status | Part::Tally => {
                if let Some(on) = self.lights.get(&part) {
                    self.orders.push_back(Order::Switch(part, *on));
                }
            }
            Part::Servo(index) => {
                if let Some(servo) = self.servos.get_mut(index) {
                    servo.rests_at = Some(now + REST_AFTER);
                    self.orders.push_back(Order::Turn(index, servo.motion.position()));
                }
            }
            Part::Privacy | Part::Input(_) => {}
        }
    }

    /// Everything that this client may know, again: it has missed something.
    pub fn tell_state(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let rights = client.rights;
        let picture_fault = client.camera.and_then(|camera| self.pictures.get(&camera));
        let fault = |part| self.faults.get(&part).map(String::as_str);
        let outputs = self.gpio.outputs.iter().zip(&self.outputs).enumerate();
        let outputs = outputs.map(|(index, (written, output))| OutputState {
            name: written.name.as_str(),
            kind: match written.kind {
                OutputKind::Latching => "latching",
                OutputKind::Momentary => "momentary",
            },
            on: output.on,
            fault: fault(Part::Output(index)),
        });
        let servos = self.gpio.servos.iter().zip(&self.servos).enumerate();
        let servos = servos.map(|(index, (written, servo))| ServoState {
            name: written.name.as_str(),
            min: written.min,
            max: written.max,
            centre: written.centre,
            speed: written.speed,
            position: tenths(servo.motion.position()),
            moving: servo.motion.is_moving(),
            fault: fault(Part::Servo(index)),
        });
        let inputs = self.gpio.inputs.iter().zip(&self.inputs).enumerate();
        let inputs = inputs.map(|(index, (written, input))| InputState {
            name: written.name.as_str(),
            on: input.contact.is_closed(),
            fault: fault(Part::Input(index)),
        });
        let may = |capability| rights.may(capability);
        let text = Said::State {
            privacy: self.private,
            outputs: outputs.filter(|_| may(Capability::Outputs)).collect(),
            servos: servos.filter(|_| may(Capability::Servos)).collect(),
            inputs: inputs.filter(|_| may(Capability::Events)).collect(),
            camera: if may(Capability::Camera) {
                self.camera_of(id).map_or(&[], |(_, controls)| controls)
            } else {
                &[]
            },
            picture_fault: picture_fault.map(String::as_str),
            speaker_fault: self.speaker.as_deref(),
        }
        .text();
        self.orders.push_back(Order::Say(id, text));
    }

    /// The camera that a client's requests are about, and its controls.
    fn camera_of(&self, client: ClientId) -> Option<(CameraNumber, &[CameraControl])> {
        let (camera, controls) = match self.clients.get(&client)?.camera {
            Some(camera) => self.cameras.get_key_value(&camera)?,
            None => self.cameras.first_key_value()?,
        };
        Some((*camera, controls))
    }

    fn greet(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let text = Said::Hello {
            version: VERSION,
            name: &self.name,
            client: id.0,
            may: client.rights.names(),
            heartbeat_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
        }
        .text();
        self.orders.push_back(Order::Say(id, text));
        self.tell_state(id);
    }

    /// What is due at this time: heartbeats that are missing, servos that turn, lights that blink.
    pub fn tick(&mut self, now: Instant) {
        self.miss_heartbeats(now);
        self.turn(now);
        self.light(now);
        let late = |client: &Client| {
            let since = client.picture.as_ref().and_then(|(_, since)| *since);
            since.is_some_and(|since| now.saturating_duration_since(since) >= SNAPSHOT_PATIENCE)
        };
        let late: Vec<_> = self.clients.iter().filter(|(_, client)| late(client)).collect();
        let late: Vec<_> = late.into_iter().map(|(id, _)| *id).collect();
        for client in late {
            let why = Refusal::new(Code::Nopicture, "the camera gave no picture in time");
            self.no_picture(client, &why);
        }
    }

    /// When [`Room::tick`] has something to do next.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let held = self.outputs.iter().flat_map(|output| &output.holders);
        let commanding = self.servos.iter().filter_map(|servo| servo.commander.as_ref());
        let beats = held
            .chain(commanding)
            .filter_map(|id| Some(self.clients.get(id)?.heard + HEARTBEAT));
        let steps = self
            .servos
            .iter()
            .filter(|servo| servo.motion.is_moving())
            .map(|_| now + motion::STEP);
        let rests = self.servos.iter().filter_map(|servo| servo.rests_at);
        let blink = self.gpio.status.is_some().then(|| {
            let (_, next) = lights::status(
                self.surroundings.mood,
                now.saturating_duration_since(self.mood_since),
            );
            Some(now + next?)
        });
        let pictures = self.clients.values().filter_map(|client| {
            let (_, since) = client.picture.as_ref()?;
            Some((*since)? + SNAPSHOT_PATIENCE)
        });
        beats
            .chain(steps)
            .chain(rests)
            .chain(blink.flatten())
            .chain(pictures)
            .chain(self.look_again())
            .min()
    }

    /// Whether somebody holds an output, or has a servo turn.
    pub fn is_held(&self) -> bool {
        let held = self.outputs.iter().any(|output| !output.holders.is_empty());
        held || self.servos.iter().any(|servo| servo.commander.is_some())
    }

    /// When the contacts have to be looked at again, where one of them has not come to rest.
    pub fn look_again(&self) -> Option<Instant> {
        let inputs = self.inputs.iter().filter_map(|input| input.contact.deadline());
        inputs
            .chain(self.contact.as_ref().and_then(Contact::deadline))
            .min()
    }

    fn miss_heartbeats(&mut self, now: Instant) {
        let silent = |client: &Client| now.saturating_duration_since(client.heard) >= HEARTBEAT;
        let silent: Vec<_> = self.clients.iter().filter(|(_, client)| silent(client)).collect();
        let silent: Vec<_> = silent.into_iter().map(|(id, _)| *id).collect();
        for id in silent {
            if self.let_go(id, now) {
                let reason = format!(
                    "no heartbeat for {} ms: what was held is let go",
                    HEARTBEAT.as_millis()
                );
                self.say(
                    id,
                    &Said::Error {
                        id: None,
                        code: Code::Heartbeat,
                        reason: &reason,
                    },
                );
            }
        }
    }

    /// A client holds nothing any more; tells whether it did.
    fn let_go(&mut self, id: ClientId, now: Instant) -> bool {
        let mut held = false;
        for index in 0..self.outputs.len() {
            if self.outputs[index].holders.remove(&id) {
                held = true;
                self.settle(index);
            }
        }
        for index in 0..self.servos.len() {
            let servo = &mut self.servos[index];
            if servo.commander == Some(id) {
                held = true;
                servo.motion.stop(now);
                self.turned(index, now);
            }
        }
        held
    }

    /// A momentary output is on while somebody holds it.
    fn settle(&mut self, index: usize) {
        let on = !self.outputs[index].holders.is_empty();
        self.switch(index, on);
    }

    fn switch(&mut self, index: usize, on: bool) {
        let output = &mut self.outputs[index];
        if output.on == on {
            return;
        }
        output.on = on;
        self.orders.push_back(Order::Switch(Part::Output(index), on));
        let name = self.gpio.outputs[index].name.clone();
        let event = Event::Output {
            name: name.as_str(),
            on,
        };
        self.tell(Capability::Outputs, event);
    }

    fn turn(&mut self, now: Instant) {
        for index in 0..self.servos.len() {
            let servo = &mut self.servos[index];
            if servo.motion.is_moving() {
                servo.motion.advance(now);
                self.turned(index, now);
            } else if servo.rests_at.is_some_and(|at| at <= now) {
                servo.rests_at = None;
                self.orders.push_back(Order::Rest(index));
            }
        }
    }

    /// A servo's motion was begun, went on or ended.
    fn turned(&mut self, index: usize, now: Instant) {
        let servo = &mut self.servos[index];
        let moving = servo.motion.is_moving();
        let position = servo.motion.position();
        self.orders.push_back(Order::Turn(index, position));
        servo.rests_at = (!moving).then_some(now + REST_AFTER);
        if !moving {
            servo.commander = None;
        }
        if std::mem::replace(&mut servo.was_moving, moving) != moving {
            let name = self.gpio.servos[index].name.clone();
            let event = Event::Servo {
                name: name.as_str(),
                position: tenths(position),
                moving,
            };
            self.tell(Capability::Servos, event);
        }
    }

    fn light(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.mood_since);
        let (status, _) = lights::status(self.surroundings.mood, elapsed);
        let tally = self.surroundings.watched && !self.private;
        for (part, there, on) in [
            (Part::Status, self.gpio.status.is_some(), status),
            (Part::Tally, self.gpio.tally.is_some(), tally),
        ] {
            if there && self.lights.insert(part, on) != Some(on) {
                self.orders.push_back(Order::Switch(part, on));
            }
        }
    }

    /// Tells all who may know.
    fn tell(&mut self, capability: Capability, event: Event<'_>) {
        let text = Said::Event(event).text();
        let told = self
            .clients
            .iter()
            .filter(|(_, client)| client.rights.may(capability));
        let told = told.map(|(id, _)| Order::Say(*id, text.clone()));
        self.orders.extend(told);
    }

    fn say(&mut self, to: ClientId, said: &Said<'_>) {
        self.orders.push_back(Order::Say(to, said.text()));
    }

    /// Whether picture and sound are stopped.
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// The outputs by their names, and what they are.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, bool)> {
        let all = self.gpio.outputs.iter().zip(&self.outputs);
        all.map(|(written, output)| (written.name.as_str(), output.on))
    }

    /// The inputs by their names, and what they are.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, bool)> {
        let all = self.gpio.inputs.iter().zip(&self.inputs);
        all.map(|(written, input)| (written.name.as_str(), input.contact.is_closed()))
    }

    /// The servos by their names, and the degrees at which they stand.
    pub fn servos(&self) -> impl Iterator<Item = (&str, f64)> {
        let all = self.gpio.servos.iter().zip(&self.servos);
        all.map(|(written, servo)| (written.name.as_str(), tenths(servo.motion.position())))
    }

    /// Whether the tally light is on.
    pub fn tally(&self) -> Option<bool> {
        self.lights.get(&Part::Tally).copied()
    }

    /// What is wrong.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.faults.values().map(String::as_str)
    }
}

/// Finer is noise on the wire.
fn tenths(degrees: f64) -> f64 {
    (degrees * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
