//! What the core makes of the viewer's packets.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rtc::{
    peer_connection::{
        RTCPeerConnection,
        event::RTCPeerConnectionEvent,
        message::{RTCMessage, TaggedRTCMessage},
        state::RTCPeerConnectionState,
        transport::RTCDtlsTransportState,
    },
    sansio::Protocol,
};

use super::{
    channel::{Channel, TooMany},
    io::Event,
    media::Media,
};
use crate::peer::{ending::Ending, report::Stage, rtcp::Feedback};

/// From the offer to a connection that can send. ICE has its own, shorter patience; this one is for a DTLS
/// handshake that a lossy path has stopped.
const CONNECT: Duration = Duration::from_secs(20);

/// What has to be looked at after packets have come, or time has passed.
pub(super) struct Incoming<'a> {
    pub(super) connection: &'a mut RTCPeerConnection,
    pub(super) media: &'a mut Media,
    pub(super) channel: &'a mut Channel,
    pub(super) feedback: &'a Feedback,
    pub(super) stage: &'a mut Stage,
    pub(super) started: Instant,
    /// Where what others have to know goes.
    pub(super) events: &'a mut VecDeque<Event>,
}

impl Incoming<'_> {
    /// Looks at everything. Returns why the session is over, where it is.
    pub(super) fn look(mut self, now: Instant) -> Option<Ending> {
        if let Some(ending) = self.connection_events(now) {
            return Some(ending);
        }
        if *self.stage == Stage::Connecting && now.saturating_duration_since(self.started) > CONNECT {
            return Some(Ending::Unfinished);
        }
        if self.is_closed() {
            return Some(Ending::Closed);
        }
        self.messages(now);
        if self.feedback.take_keyframe_request() && *self.stage != Stage::Connecting {
            self.events.push_back(Event::KeyframeWanted);
        }
        None
    }

    fn connection_events(&mut self, now: Instant) -> Option<Ending> {
        while let Some(event) = self.connection.poll_event() {
            match event {
                RTCPeerConnectionEvent::OnDataChannel(event) => {
                    match self.channel.happened(&event, self.connection, now) {
                        Ok(happened) => self.events.extend(happened.map(Event::Channel)),
                        Err(TooMany) => return Some(Ending::Negotiation),
                    }
                }
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => {
                    let is_connecting = *self.stage == Stage::Connecting;
                    match state {
                        RTCPeerConnectionState::Connected if is_connecting => {
                            *self.stage = Stage::AwaitingKeyframe;
                            self.events.push_back(Event::Connected);
                            self.events.push_back(Event::KeyframeWanted);
                        }
                        RTCPeerConnectionState::Failed if is_connecting => return Some(Ending::NoPath),
                        RTCPeerConnectionState::Failed => return Some(Ending::Silent),
                        RTCPeerConnectionState::Closed => return Some(Ending::Closed),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether the viewer has closed DTLS. The core raises no event for it, and would go on for half a minute.
    fn is_closed(&mut self) -> bool {
        let sender = self.connection.rtp_sender(self.media.sender);
        let state = sender.and_then(|sender| Some(sender.transport()?.state()));
        state == Some(RTCDtlsTransportState::Closed)
    }

    /// Of what the viewer sends, control messages and voices are of use; the rest must not pile up.
    fn messages(&mut self, now: Instant) {
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            match message {
                RTCMessage::DataChannelMessage(id, message) => {
                    let heard = self.channel.hear(id, &message, now);
                    self.events.extend(heard.map(Event::Channel));
                }
                RTCMessage::RtpPacket(_, packet) => {
                    let heard = self.media.ear.as_mut().and_then(|ear| ear.hear(packet, now));
                    self.events.extend(heard.map(|heard| match heard {
                        Ok(voice) => Event::Voice(voice),
                        Err(_) => Event::VoiceRefused,
                    }));
                }
                _ => {}
            }
        }
    }
}
