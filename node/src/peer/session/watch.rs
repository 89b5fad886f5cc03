//! A viewer's second channel, beside that for control: what it wants to see, and how late it sees it (docs/watch.md).
//!
//! Messages of a viewer are bounded as those of the control channel are.

use std::time::{Duration, Instant};

use rtc::{
    data_channel::{RTCDataChannelId, RTCDataChannelMessage},
    peer_connection::{RTCPeerConnection, event::RTCDataChannelEvent},
};
use serde::{Deserialize, Serialize};

use crate::media::{Bucket, Rung};

/// The channel's label.
pub const LABEL: &str = "pinhole-watch";
/// The longest message that is read, in bytes.
const LONGEST: usize = 256;
/// A picture that is later than that is not live, and the figure most likely none.
const LATEST: Duration = Duration::from_secs(60);

/// How much of the picture a viewer wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::peer) enum Wish {
    /// All that its path carries.
    #[default]
    Full,
    /// The small one, where there is such: it is shown no bigger than that.
    Small,
    /// None, as long as nobody sees it.
    None,
}

impl Wish {
    /// The best rung that is of use.
    pub(super) fn best(self) -> Rung {
        match self {
            Wish::Full | Wish::None => Rung::TOP,
            Wish::Small => Rung::SMALL,
        }
    }
}

/// What a viewer says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Want {
        picture: Wish,
    },
    /// What time it is by the clock of the picture's time stamps. `id` is the viewer's own, and stands in the answer.
    Clock {
        id: u32,
    },
    /// How long ago by that clock the picture was captured that is on its screen now.
    Latency {
        ms: f64,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Answer {
    Clock { id: u32, rtp: u32 },
}

/// What comes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is another wish than before.
    Wish,
    /// To be answered by [`Watch::tell`].
    Clock(u32),
    Nothing,
}

#[derive(Default)]
pub(super) struct Watch {
    open: Option<(RTCDataChannelId, Bucket)>,
    wish: Wish,
    latency: Option<Duration>,
}

impl Watch {
    pub(super) fn wish(&self) -> Wish {
        self.wish
    }

    #[cfg(test)]
    pub(super) fn wishes(&mut self, wish: Wish) {
        self.wish = wish;
    }

    /// From the capture of a picture to the viewer's screen, as it was said last.
    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// Takes a channel that was opened, if it is this one and the only one.
    pub(super) fn take(
        &mut self,
        id: RTCDataChannelId,
        connection: &mut RTCPeerConnection,
        now: Instant,
    ) -> bool {
        let is_ours = connection
            .data_channel(id)
            .is_some_and(|channel| channel.label() == LABEL);
        let takes = is_ours && self.open.is_none();
        if takes {
            self.open = Some((id, Bucket::new(now)));
        }
        takes
    }

    /// Who has closed its channel wants everything again. Returns whether that is another wish.
    pub(super) fn happened(&mut self, event: &RTCDataChannelEvent) -> bool {
        let (RTCDataChannelEvent::OnClosing(id)
        | RTCDataChannelEvent::OnClose(id)
        | RTCDataChannelEvent::OnError(id)) = event
        else {
            return false;
        };
        if self.open.take_if(|(open, _)| open == id).is_none() {
            return false;
        }
        self.latency = None;
        std::mem::take(&mut self.wish) != Wish::Full
    }

    /// A message of the viewer; `None` where it came by another channel. What can't be read, or comes too fast, is passed over.
    pub(super) fn hear(
        &mut self,
        id: RTCDataChannelId,
        message: &RTCDataChannelMessage,
        now: Instant,
    ) -> Option<Heard> {
        let (_, bucket) = self.open.as_mut().filter(|(open, _)| *open == id)?;
        let data = Some(&message.data[..]).filter(|data| bucket.take(now) && data.len() <= LONGEST);
        let request = data.and_then(|data| serde_json::from_slice(data).ok());
        Some(request.map_or(Heard::Nothing, |request| self.obey(request)))
    }

    fn obey(&mut self, request: Request) -> Heard {
        match request {
            Request::Want { picture } if picture != self.wish => {
                self.wish = picture;
                return Heard::Wish;
            }
            Request::Want { .. } => {}
            Request::Clock { id } => return Heard::Clock(id),
            Request::Latency { ms } => {
                let latency = Duration::try_from_secs_f64(ms / 1000.0).ok();
                self.latency = latency.filter(|latency| *latency <= LATEST);
            }
        }
        Heard::Nothing
    }

    /// Answers what time it is.
    pub(super) fn tell(&self, id: u32, rtp: u32, connection: &mut RTCPeerConnection, now: Instant) {
        if let Some((channel, _)) = &self.open
            && let Some(mut channel) = connection.data_channel(*channel)
            && let Ok(answer) = serde_json::to_string(&Answer::Clock { id, rtp })
            && let Err(error) = channel.send_text(now, answer)
        {
            tracing::debug!("what time it is was not told: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn opened(now: Instant) -> Watch {
        Watch {
            open: Some((1, Bucket::new(now))),
            ..Watch::default()
        }
    }

    fn hear(watch: &mut Watch, text: &str, now: Instant) -> Option<Heard> {
        let message = RTCDataChannelMessage {
            is_string: true,
            data: BytesMut::from(text),
        };
        watch.hear(1, &message, now)
    }

    #[test]
    fn a_wish_is_news_once() {
        let now = Instant::now();
        let mut watch = opened(now);
        let small = r#"{"type":"want","picture":"small"}"#;
        assert_eq!(hear(&mut watch, small, now), Some(Heard::Wish));
        assert_eq!(hear(&mut watch, small, now), Some(Heard::Nothing));
        assert_eq!((watch.wish(), watch.wish().best()), (Wish::Small, Rung::SMALL));
        assert!(watch.happened(&RTCDataChannelEvent::OnClose(1)));
        assert_eq!(watch.wish(), Wish::Full);
        assert_eq!(hear(&mut watch, small, now), None, "its channel is closed");
    }

    #[test]
    fn a_latency_that_makes_no_sense_is_none() {
        let now = Instant::now();
        let mut watch = opened(now);
        hear(&mut watch, r#"{"type":"latency","ms":87.5}"#, now);
        assert_eq!(watch.latency(), Some(Duration::from_micros(87_500)));
        for ms in ["-1", "1e300", "70000"] {
            hear(&mut watch, &format!(r#"{{"type":"latency","ms":{ms}}}"#), now);
            assert_eq!(watch.latency(), None, "{ms}");
        }
    }

    #[test]
    fn what_can_not_be_read_or_comes_too_fast_is_passed_over() {
        let now = Instant::now();
        let mut watch = opened(now);
        let long = format!(r#"{{"type":"clock","id":1{}}}"#, " ".repeat(LONGEST));
        for text in [
            "",
            "[]",
            r#"{"type":"want","picture":"huge"}"#,
            r#"{"type":"clock"}"#,
            &long,
        ] {
            assert_eq!(hear(&mut watch, text, now), Some(Heard::Nothing), "{text}");
        }
        let clock = r#"{"type":"clock","id":7}"#;
        let answered = (0..1000).filter(|_| hear(&mut watch, clock, now) == Some(Heard::Clock(7)));
        assert!(answered.count() < 100);
    }
}
