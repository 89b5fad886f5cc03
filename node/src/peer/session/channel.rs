//! The session's end of the control channel: text messages in both directions beside the picture, of a bounded size,
//! number and rate. What they say is nobody's business here.
//!
//! The viewer opens it, labelled [`LABEL`]; a page names itself in the channel's protocol ([`PAGE`]). That tells the page
//! from other programs that speak the same, as an agreement: it is no authentication.

use std::time::Instant;

use rtc::{
    data_channel::{RTCDataChannelId, RTCDataChannelMessage},
    peer_connection::{RTCPeerConnection, event::RTCDataChannelEvent},
};

use super::watch::Watch;
use crate::media::Bucket;

/// The channel's label.
pub const LABEL: &str = "pinhole-control";
/// The protocol of a channel that the page opens.
pub const PAGE: &str = "page";
/// The longest message that a viewer may send, in bytes. The answer tells it (RFC 8841, section 6).
pub(in crate::peer) const LONGEST: u32 = 16 * 1024;
/// What SCTP may hold of a viewer that sends faster than it is read.
pub(super) const UNREAD: u32 = 64 * 1024;
/// A page opens one; a program may open it anew. More is an attack on our memory.
const MOST_OPENED: u32 = 16;

/// What happens on the channel. The number tells the channels of a session apart, one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::peer) enum Event {
    Opened {
        number: u32,
        is_page: bool,
    },
    Said {
        text: String,
    },
    /// The viewer said something and was not listened to, because it sends too fast; `tell` where it is time to tell it so.
    Flooded {
        tell: bool,
    },
    Closed,
}

/// The channel of one session, open or not.
#[derive(Default)]
pub(super) struct Channel {
    opened: u32,
    open: Option<Open>,
}

struct Open {
    id: RTCDataChannelId,
    number: u32,
    bucket: Bucket,
}

/// A viewer opens more channels than anybody needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Channel {
    /// Something happened to a channel of the session: this one, the other one that there is, or one that is no good.
    pub(super) fn happened(
        &mut self,
        event: &RTCDataChannelEvent,
        watch: &mut Watch,
        connection: &mut RTCPeerConnection,
        now: Instant,
    ) -> Result<Option<Event>, TooMany> {
        match event {
            RTCDataChannelEvent::OnOpen(id) => {
                self.opened += 1;
                if self.opened > MOST_OPENED {
                    return Err(TooMany);
                }
                let opened = self.take(*id, connection, now);
                if opened.is_none()
                    && !watch.take(*id, connection, now)
                    && let Some(mut channel) = connection.data_channel(*id)
                {
                    let _ = channel.close();
                }
                Ok(opened)
            }
            RTCDataChannelEvent::OnClosing(id)
            | RTCDataChannelEvent::OnClose(id)
            | RTCDataChannelEvent::OnError(id)
                if self.open.as_ref().is_some_and(|open| open.id == *id) =>
            {
                self.open = None;
                Ok(Some(Event::Closed))
            }
            _ => Ok(None),
        }
    }

    /// Takes it if it is ours, and the only one.
    fn take(
        &mut self,
        id: RTCDataChannelId,
        connection: &mut RTCPeerConnection,
        now: Instant,
    ) -> Option<Event> {
        let channel = connection.data_channel(id)?;
        if channel.label() != LABEL || self.open.is_some() {
            return None;
        }
        let number = self.opened;
        self.open = Some(Open {
            id,
            number,
            bucket: Bucket::new(now),
        });
        Some(Event::Opened {
            number,
            is_page: channel.protocol() == PAGE,
        })
    }

    /// A message of the viewer.
    pub(super) fn hear(
        &mut self,
        id: RTCDataChannelId,
        message: &RTCDataChannelMessage,
        now: Instant,
    ) -> Option<Event> {
        let open = self.open.as_mut().filter(|open| open.id == id)?;
        Some(if open.bucket.take(now) {
            // What is no text is nothing that could be understood, and is told so.
            let text = String::from_utf8_lossy(&message.data).into_owned();
            Event::Said { text }
        } else {
            let tell = open.bucket.may_tell(now);
            Event::Flooded { tell }
        })
    }

    /// Gives a message to SCTP.
    pub(super) fn send(&self, number: u32, text: String, connection: &mut RTCPeerConnection, now: Instant) {
        let Some(open) = self.open.as_ref().filter(|open| open.number == number) else {
            return;
        };
        if let Some(mut channel) = connection.data_channel(open.id)
            && let Err(error) = channel.send_text(now, text)
        {
            tracing::debug!("a control message was not sent: {error}");
        }
    }

    /// Closes the channel of this number.
    pub(super) fn close(&mut self, number: u32, connection: &mut RTCPeerConnection) {
        if let Some(open) = self.open.take_if(|open| open.number == number)
            && let Some(mut channel) = connection.data_channel(open.id)
        {
            let _ = channel.close();
        }
    }

    /// Bytes that SCTP still has to send.
    pub(super) fn unsent(&self, connection: &mut RTCPeerConnection) -> Option<usize> {
        let channel = connection.data_channel(self.open.as_ref()?.id)?;
        Some(channel.outstanding_bytes())
    }
}
