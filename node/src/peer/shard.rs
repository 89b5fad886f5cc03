//! A part of the sessions, with which one thread at a time has to do.

use std::{collections::BTreeMap, time::Instant};

use super::{
    caller::Caller,
    feed::Packetised,
    id::{CallId, CameraId, SessionId},
    report::Stage,
    session::{Input, Out, Output, Session, Transmit},
    transport::{Lane, Path, is_check},
};
use crate::media::{Rendition, SoundCodec, SoundUnit};

/// A session, and whose it is.
pub(super) struct Entry {
    pub(super) call: CallId,
    pub(super) camera: CameraId,
    /// What the viewer calls itself.
    pub(super) viewer: String,
    pub(super) caller: Box<dyn Caller>,
    pub(super) session: Session,
    /// The feeds that it has entered, one for each rung that it is sent or waits for.
    pub(super) entered: Vec<Rendition>,
}

/// An entry, and what others have found out about it.
pub(super) struct Held {
    pub(super) entry: Entry,
    /// When it wants to be called, as far as that is known to others.
    pub(super) due: Option<Instant>,
    /// Where its media may go now, where they may go at all.
    welcome: Option<Path>,
}

impl Held {
    pub(super) fn new(entry: Entry) -> Self {
        Self {
            entry,
            due: None,
            welcome: None,
        }
    }
}

/// Something to be done with many sessions.
pub(super) enum Task {
    /// One access unit goes to everyone who watches this rendition of this camera.
    Picture {
        camera: CameraId,
        rendition: Rendition,
        packetised: Packetised,
    },
    /// 20 ms of sound go to everyone who hears this codec.
    Sound { codec: SoundCodec, unit: SoundUnit },
    /// These want to be called.
    Time(Vec<SessionId>),
    /// For nobody but who has this one.
    #[cfg(test)]
    Panic(SessionId),
}

impl Task {
    /// Whether this is a unit that the session gets.
    fn feeds(&self, entry: &Entry) -> bool {
        match self {
            Task::Picture {
                camera, rendition, ..
            } => entry.camera == *camera && entry.session.takes(*rendition),
            Task::Sound { codec, .. } => entry.session.hears() == Some(*codec),
            Task::Time(_) => false,
            #[cfg(test)]
            Task::Panic(_) => true,
        }
    }
}

/// Sessions, a way out for their media, and what comes of a task, until it is looked at. Nothing in it is shared with another shard.
pub(super) struct Shard {
    all: BTreeMap<SessionId, Held>,
    lane: Lane,
    outcome: Outcome,
}

/// What comes of a task.
#[derive(Default)]
pub(super) struct Outcome {
    /// What sessions want done, in their order.
    pub(super) outputs: Vec<(SessionId, Output)>,
    /// Who wants to be called at another time than before.
    pub(super) moved: Vec<SessionId>,
    /// Whether anybody got something of a unit.
    pub(super) served: bool,
}

impl Shard {
    pub(super) fn new(lane: Lane) -> Self {
        Self {
            all: BTreeMap::new(),
            lane,
            outcome: Outcome::default(),
        }
    }

    pub(super) fn all(&self) -> &BTreeMap<SessionId, Held> {
        &self.all
    }

    pub(super) fn all_mut(&mut self) -> &mut BTreeMap<SessionId, Held> {
        &mut self.all
    }

    /// Packets that the kernel did not take, since the start.
    pub(super) fn unsent(&self) -> u64 {
        self.lane.unsent()
    }

    /// Looks where a unit may go. Returns how many sessions there are work with.
    pub(super) fn prepare(&mut self, task: &Task, is_welcome: impl Fn(Path) -> bool) -> usize {
        if let Task::Time(ids) = task {
            return ids.iter().filter(|id| self.all.contains_key(id)).count();
        }
        let fed = self.all.values_mut().filter(|held| task.feeds(&held.entry));
        fed.map(|held| held.welcome = held.entry.session.way().filter(|path| is_welcome(*path)))
            .count()
    }

    /// Does what is to be done. After [`Shard::prepare`] for the same task.
    pub(super) fn work(&mut self, task: &Task, now: Instant) {
        match task {
            Task::Picture { packetised, .. } => self.feed(task, |session, port| {
                session.picture(packetised, now, port);
                session.stage() == Stage::Watching
            }),
            Task::Sound { unit, .. } => self.feed(task, |session, port| {
                session.sound(unit, now, port);
                session.stage() != Stage::Connecting
            }),
            Task::Time(ids) => {
                for id in ids {
                    if let Some(held) = self.all.get_mut(id) {
                        held.entry.session.handle(Input::Timeout, now);
                        self.outcome.take(*id, held);
                    }
                }
            }
            #[cfg(test)]
            Task::Panic(id) => assert!(!self.all.contains_key(id), "on purpose"),
        }
    }

    /// Gives a unit to those that it is for. `give` tells whether a session got something of it.
    fn feed(&mut self, task: &Task, mut give: impl FnMut(&mut Session, &mut Port<'_>) -> bool) {
        let Self { all, lane, outcome } = self;
        for (id, held) in all.iter_mut().filter(|(_, held)| task.feeds(&held.entry)) {
            let mut port = Port {
                session: *id,
                welcome: held.welcome,
                lane,
                outputs: &mut outcome.outputs,
            };
            outcome.served |= give(&mut held.entry.session, &mut port);
            lane.flush();
            outcome.take(*id, held);
        }
    }

    /// What came of the last task.
    pub(super) fn outcome(&mut self) -> Outcome {
        std::mem::take(&mut self.outcome)
    }
}

impl Outcome {
    /// Asks a session what is to be done because of what it was given.
    fn take(&mut self, id: SessionId, held: &mut Held) {
        while let Some(output) = held.entry.session.poll() {
            self.outputs.push((id, output));
        }
        if held.entry.session.deadline() != held.due {
            self.moved.push(id);
        }
    }
}

/// Where a session's packets leave while a shard works.
struct Port<'a> {
    session: SessionId,
    welcome: Option<Path>,
    lane: &'a mut Lane,
    outputs: &'a mut Vec<(SessionId, Output)>,
}

impl Out for Port<'_> {
    fn room(&mut self, path: Path, length: usize) -> Option<&mut [u8]> {
        (self.welcome == Some(path)).then(|| self.lane.room(path, length))
    }

    fn packet(&mut self, packet: Transmit) {
        if self.welcome == Some(packet.path) && !is_check(&packet.data) {
            // Before those that follow it, which need no leave either.
            self.lane.send(packet.path, &packet.data);
        } else {
            self.outputs.push((self.session, Output::Transmit(packet)));
        }
    }
}
