//! The control channel of a viewer: text messages in both directions beside the picture, of a bounded size, number and
//! rate. What they say is nobody's business here.
//!
//! The viewer opens it, labelled [`LABEL`]; a page names itself in the channel's protocol ([`PAGE`]). That tells the page
//! from other programs that speak the same, as an agreement: it is no authentication.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use rtc::{
    data_channel::{RTCDataChannelId, RTCDataChannelMessage},
    peer_connection::{RTCPeerConnection, event::RTCDataChannelEvent},
};
use tokio::sync::mpsc;

use super::{contact::CameraId, demux::SessionId};
use crate::media::Bucket;

/// The channel's label.
pub const LABEL: &str = "pinhole-control";
/// The protocol of a channel that the page opens.
pub const PAGE: &str = "page";
/// The longest message that a viewer may send, in bytes. The answer tells it (RFC 8841, section 6).
pub(super) const LONGEST: u32 = 16 * 1024;
/// What SCTP may hold of a viewer that sends faster than it is read.
pub(super) const UNREAD: u32 = 64 * 1024;
/// Bytes that may wait for one viewer; a viewer on a bad network gets less often what is new.
const UNSENT: usize = 64 * 1024;
/// Messages to all viewers that may wait for the engine, which looks between two packets.
const QUEUE: usize = 256;
/// A page opens one; a program may open it anew. More is an attack on our memory.
const MOST_OPENED: u32 = 16;

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
    ears: Arc<dyn Ears>,
    queue: mpsc::Sender<Outgoing>,
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
}

/// A message on its way to a viewer.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) session: SessionId,
    /// Which of the session's channels it is for.
    number: u32,
    text: String,
}

impl Channels {
    pub(super) fn new(ears: Arc<dyn Ears>) -> Self {
        let (queue, outgoing) = mpsc::channel(QUEUE);
        Self {
            ears,
            queue,
            outgoing,
        }
    }

    /// For a new session.
    pub(super) fn channel(&self, session: SessionId, camera: CameraId) -> Channel {
        Channel {
            ears: self.ears.clone(),
            queue: self.queue.clone(),
            session,
            camera,
            opened: 0,
            open: None,
        }
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

/// The channel of one session, open or not.
pub(super) struct Channel {
    ears: Arc<dyn Ears>,
    queue: mpsc::Sender<Outgoing>,
    session: SessionId,
    camera: CameraId,
    opened: u32,
    open: Option<Open>,
}

struct Open {
    id: RTCDataChannelId,
    number: u32,
    client: u64,
    bucket: Bucket,
    load: Arc<Load>,
}

/// A viewer opens more channels than anybody needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Channel {
    /// Something happened to a channel of the session.
    pub(super) fn happened(
        &mut self,
        event: &RTCDataChannelEvent,
        viewer: &str,
        connection: &mut RTCPeerConnection,
        now: Instant,
    ) -> Result<(), TooMany> {
        match event {
            RTCDataChannelEvent::OnOpen(id) => {
                self.opened += 1;
                if self.opened > MOST_OPENED {
                    return Err(TooMany);
                }
                if !self.take(*id, viewer, connection, now)
                    && let Some(mut channel) = connection.data_channel(*id)
                {
                    let _ = channel.close();
                }
            }
            RTCDataChannelEvent::OnClosing(id)
            | RTCDataChannelEvent::OnClose(id)
            | RTCDataChannelEvent::OnError(id)
                if self.open.as_ref().is_some_and(|open| open.id == *id) =>
            {
                self.close();
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it is ours, and the only one.
    fn take(
        &mut self,
        id: RTCDataChannelId,
        viewer: &str,
        connection: &mut RTCPeerConnection,
        now: Instant,
    ) -> bool {
        let Some(channel) = connection.data_channel(id) else {
            return false;
        };
        if channel.label() != LABEL || self.open.is_some() {
            return false;
        }
        let load = Arc::<Load>::default();
        let line = Line {
            session: self.session,
            number: self.opened,
            queue: self.queue.clone(),
            load: load.clone(),
        };
        let Some(client) = self
            .ears
            .opened(viewer, self.camera, channel.protocol() == PAGE, line)
        else {
            return false;
        };
        self.open = Some(Open {
            id,
            number: self.opened,
            client,
            bucket: Bucket::new(now),
            load,
        });
        true
    }

    /// A message of the viewer.
    pub(super) fn hear(&mut self, id: RTCDataChannelId, message: &RTCDataChannelMessage, now: Instant) {
        let Some(open) = self.open.as_mut().filter(|open| open.id == id) else {
            return;
        };
        if open.bucket.take(now) {
            // What is no text is nothing that could be understood, and is told so.
            let text = String::from_utf8_lossy(&message.data).into_owned();
            self.ears.said(open.client, text);
        } else {
            self.ears.flooded(open.client, open.bucket.may_tell(now));
        }
    }

    /// Gives a message to SCTP.
    pub(super) fn send(&mut self, outgoing: Outgoing, connection: &mut RTCPeerConnection, now: Instant) {
        let Some(open) = &self.open else { return };
        if open.number != outgoing.number {
            return;
        }
        open.load.queued.fetch_sub(outgoing.text.len(), Ordering::Relaxed);
        if let Some(mut channel) = connection.data_channel(open.id)
            && let Err(error) = channel.send_text(now, outgoing.text)
        {
            tracing::debug!("a control message was not sent: {error}");
        }
        self.weigh(connection);
    }

    /// Looks how much SCTP still has to send.
    pub(super) fn weigh(&mut self, connection: &mut RTCPeerConnection) {
        if let Some(open) = &self.open
            && let Some(channel) = connection.data_channel(open.id)
        {
            let unsent = channel.outstanding_bytes();
            open.load.unsent.store(unsent, Ordering::Relaxed);
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.load.closed.store(true, Ordering::Relaxed);
            self.ears.closed(open.client);
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.close();
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
