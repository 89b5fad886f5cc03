//! Viewers' control channels, for who takes part in them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{
    id::{CameraId, SessionId},
    session::{ChannelEvent, LONGEST, Session},
};

/// Bytes that may wait for one viewer; a viewer on a bad network gets less often what is new.
const UNSENT: usize = 64 * 1024;
/// Messages to all viewers that may wait for the engine, which looks between two packets.
const QUEUE: usize = 256;

/// Who takes part in viewers' channels. Called by the engine: nothing here may block.
pub trait Ears: Send + Sync {
    /// A viewer of this camera has opened its channel. What it is told goes by `line`. The number is of the caller's choice; with `None`
    /// the channel is closed.
    fn opened(&self, viewer: &str, camera: CameraId, is_page: bool, line: Line) -> Option<u64>;

    /// It says something.
    fn said(&self, client: u64, text: String);

    /// It said something and was not listened to, because it sends too fast; `tell` where it is time to tell it so.
    fn flooded(&self, client: u64, tell: bool);

    /// It is gone.
    fn closed(&self, client: u64);
}

/// The engine's end of all channels.
pub(super) struct Channels {
    /// Nobody takes part where there is none.
    ears: Option<Arc<dyn Ears>>,
    open: HashMap<SessionId, Open>,
    queue: mpsc::Sender<Outgoing>,
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
}

/// A channel that is open.
struct Open {
    number: u32,
    client: u64,
    load: Arc<Load>,
}

/// A message on its way to a viewer.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) session: SessionId,
    /// Which of the session's channels it is for.
    pub(super) number: u32,
    pub(super) text: String,
}

impl Channels {
    pub(super) fn new(ears: Option<Arc<dyn Ears>>) -> Self {
        let (queue, outgoing) = mpsc::channel(QUEUE);
        Self {
            ears,
            open: HashMap::new(),
            queue,
            outgoing,
        }
    }

    /// Something happened to a session's channel. Returns the number of the channel where nobody listens to it.
    pub(super) fn happened(
        &mut self,
        session: SessionId,
        viewer: &str,
        camera: CameraId,
        event: ChannelEvent,
    ) -> Option<u32> {
        match event {
            ChannelEvent::Opened { number, is_page } => {
                let load = Arc::<Load>::default();
                let line = Line {
                    session,
                    number,
                    queue: self.queue.clone(),
                    load: load.clone(),
                };
                let ears = self.ears.as_ref();
                let Some(client) = ears.and_then(|ears| ears.opened(viewer, camera, is_page, line)) else {
                    return Some(number);
                };
                let open = Open { number, client, load };
                self.open.insert(session, open);
            }
            ChannelEvent::Said { text } => {
                if let Some((ears, open)) = self.of(session) {
                    ears.said(open.client, text);
                }
            }
            ChannelEvent::Flooded { tell } => {
                if let Some((ears, open)) = self.of(session) {
                    ears.flooded(open.client, tell);
                }
            }
            ChannelEvent::Closed => self.close(session),
        }
        None
    }

    /// Looks how much SCTP still has to send to the viewer.
    pub(super) fn weigh(&self, id: SessionId, session: &mut Session) {
        if let Some(open) = self.open.get(&id)
            && let Some(unsent) = session.unsent()
        {
            open.load.unsent.store(unsent, Ordering::Relaxed);
        }
    }

    /// A message is on its way to SCTP.
    pub(super) fn sent(&self, outgoing: &Outgoing) {
        let open = self.open.get(&outgoing.session);
        if let Some(open) = open.filter(|open| open.number == outgoing.number) {
            open.load.queued.fetch_sub(outgoing.text.len(), Ordering::Relaxed);
        }
    }

    /// The session's channel is closed, or the session over.
    pub(super) fn close(&mut self, session: SessionId) {
        if let Some(open) = self.open.remove(&session) {
            open.load.closed.store(true, Ordering::Relaxed);
            if let Some(ears) = &self.ears {
                ears.closed(open.client);
            }
        }
    }

    fn of(&self, session: SessionId) -> Option<(&Arc<dyn Ears>, &Open)> {
        Some((self.ears.as_ref()?, self.open.get(&session)?))
    }
}

/// The way to a viewer, from any thread. Neither blocks nor grows.
#[derive(Debug)]
pub struct Line {
    session: SessionId,
    number: u32,
    queue: mpsc::Sender<Outgoing>,
    load: Arc<Load>,
}

/// What waits for a viewer, in bytes.
#[derive(Debug, Default)]
struct Load {
    /// With us.
    queued: AtomicUsize,
    /// In SCTP.
    unsent: AtomicUsize,
    closed: AtomicBool,
}

impl Load {
    fn bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed) + self.unsent.load(Ordering::Relaxed)
    }
}

impl Line {
    /// Sends a message; `false` where there is no room for it.
    pub fn say(&self, text: String) -> bool {
        let length = text.len();
        if self.load.bytes() + length > UNSENT {
            return false;
        }
        self.load.queued.fetch_add(length, Ordering::Relaxed);
        let outgoing = Outgoing {
            session: self.session,
            number: self.number,
            text,
        };
        let sent = self.queue.try_send(outgoing).is_ok();
        if !sent {
            self.load.queued.fetch_sub(length, Ordering::Relaxed);
        }
        sent
    }

    /// Whether there is room for another message of any length that viewers may be sent.
    pub fn has_room(&self) -> bool {
        self.load.bytes() + LONGEST as usize <= UNSENT && self.queue.capacity() > QUEUE / 2
    }

    /// Whether the channel was closed, or the session is over.
    pub fn is_closed(&self) -> bool {
        self.load.closed.load(Ordering::Relaxed) || self.queue.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_nothing_is_not_queued_for() {
        let (queue, mut outgoing) = mpsc::channel(QUEUE);
        let line = Line {
            session: SessionId(1),
            number: 1,
            queue,
            load: Arc::default(),
        };
        assert!(line.has_room());
        let said = (0..100).filter(|_| line.say("x".repeat(1000))).count();
        assert_eq!(said, 65, "64 KiB");
        assert!(!line.has_room() && !line.is_closed());
        while outgoing.try_recv().is_ok() {}
        outgoing.close();
        assert!(line.is_closed());
    }
}
