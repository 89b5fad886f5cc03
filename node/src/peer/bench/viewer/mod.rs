//! The other end: a viewer on the same core, which offers, and answers losses as programs do.

mod connection;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use rtc::{
    peer_connection::{
        RTCPeerConnection,
        configuration::RTCOfferOptions,
        event::RTCPeerConnectionEvent,
        message::{RTCMessage, TaggedRTCMessage},
        sdp::RTCSessionDescription,
        state::RTCPeerConnectionState,
        transport::{RTCDtlsTransportState, RTCIceCandidateInit},
    },
    rtcp::{self, payload_feedbacks::picture_loss_indication::PictureLossIndication},
    rtp_transceiver::rtp_sender::RtpCodecKind,
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};

use super::screen::Screen;
use crate::{media::Codec, peer::session::first_message};
use connection::connection;

pub(super) use connection::{Asking, Ciphers};

/// Where the node is, and where the viewer.
pub(super) const NODE: ([u8; 4], u16) = ([192, 0, 2, 1], 5000);
pub(super) const VIEWER: ([u8; 4], u16) = ([198, 51, 100, 9], 40_000);
const CANDIDATE: &str = "candidate:1 1 udp 2130706431 198.51.100.9 40000 typ host";

/// Types of handshake messages (RFC 5246, section 7.4): with these the node's flight and the viewer's answer to it begin.
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// What a viewer's offer has a section for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Video,
    /// A desktop without a camera: video is for the node to offer.
    Sound,
}

/// A viewer of one stream.
pub(super) struct Viewer {
    connection: RTCPeerConnection,
    screen: Screen,
    deadline: Option<Instant>,
    /// The stream's name, once a packet of it came.
    ssrc: Option<u32>,
    is_connected: bool,
    has_answered_hello: bool,
    keyframe_requests: u64,
}

impl Viewer {
    /// A viewer, and its offer.
    pub(super) fn new(
        codec: Codec,
        wants: Wants,
        asking: Asking,
        ciphers: Ciphers,
        now: Instant,
    ) -> (Self, RTCSessionDescription) {
        let mut connection = connection(codec, asking, ciphers, now);
        let kind = match wants {
            Wants::Video => RtpCodecKind::Video,
            Wants::Sound => RtpCodecKind::Audio,
        };
        connection
            .add_transceiver_from_kind(kind, None)
            .expect("a section");
        let candidate = RTCIceCandidateInit {
            candidate: CANDIDATE.to_owned(),
            ..RTCIceCandidateInit::default()
        };
        connection.add_local_candidate(candidate).expect("it is taken");
        let offer = connection.create_offer(None).expect("an offer");
        connection
            .set_local_description(now, offer)
            .expect("it is our own");
        let offer = connection.local_description().expect("it was set");
        let viewer = Self {
            connection,
            screen: Screen::new(codec),
            deadline: None,
            ssrc: None,
            is_connected: false,
            has_answered_hello: false,
            keyframe_requests: 0,
        };
        (viewer, offer)
    }

    /// Takes the node's answer.
    pub(super) fn accept(&mut self, answer: String, now: Instant) {
        let answer = RTCSessionDescription::answer(answer).expect("an answer");
        self.connection
            .set_remote_description(now, answer)
            .expect("it fits the offer");
        self.deadline = Some(now);
    }

    /// Takes an offer of the node. Returns the answer.
    pub(super) fn answer(&mut self, offer: String, now: Instant) -> String {
        let offer = RTCSessionDescription::offer(offer).expect("an offer");
        self.connection
            .set_remote_description(now, offer)
            .expect("it fits the call");
        let answer = self.connection.create_answer(None).expect("an answer");
        self.connection
            .set_local_description(now, answer)
            .expect("it is our own");
        self.deadline = Some(now);
        self.connection.local_description().expect("it was set").sdp
    }

    /// An offer that has ICE begin anew.
    pub(super) fn restart(&mut self, now: Instant) -> String {
        let options = RTCOfferOptions { ice_restart: true };
        let offer = self.connection.create_offer(Some(options)).expect("an offer");
        self.connection
            .set_local_description(now, offer)
            .expect("it is our own");
        self.deadline = Some(now);
        self.connection.local_description().expect("it was set").sdp
    }

    /// What the person in front of it sees.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Whether ICE and DTLS are through.
    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Whether the node has closed DTLS. The core raises no event for it.
    pub(super) fn was_told_goodbye(&mut self) -> bool {
        let receiver = self.connection.get_receivers().next();
        let receiver = receiver.and_then(|id| self.connection.rtp_receiver(id));
        let state = receiver.and_then(|receiver| Some(receiver.transport()?.state()));
        state == Some(RTCDtlsTransportState::Closed)
    }

    /// Keyframes asked for, by the viewer itself.
    pub(super) fn keyframe_requests(&self) -> u64 {
        self.keyframe_requests
    }

    /// When something is to be done without a packet.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.deadline, self.screen.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes a packet of the node.
    pub(super) fn receive(&mut self, packet: &[u8], now: Instant) {
        // The core stops its timer when a flight comes again that it has answered, and would never repeat its answer. Other programs' DTLS
        // does, so what the node repeats is kept from it.
        if self.has_answered_hello && first_message(packet) == Some(SERVER_HELLO) {
            return;
        }
        let message = TaggedBytesMut {
            now,
            transport: TransportContext {
                local_addr: VIEWER.into(),
                peer_addr: NODE.into(),
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            },
            message: BytesMut::from(packet),
        };
        // What comes twice, or late, is an error to the core.
        let _ = self.connection.handle_read(message);
        self.read(now);
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            // A path that was given up is an error to the core.
            let _ = self.connection.handle_timeout(now);
        }
        self.read(now);
        if let Some(media_ssrc) = self.ssrc
            && self.screen.wants_keyframe(now)
        {
            self.keyframe_requests += 1;
            let request = PictureLossIndication {
                sender_ssrc: 0,
                media_ssrc,
            };
            self.report(vec![Box::new(request)], now);
        }
    }

    /// Sends a compound RTCP packet (RFC 3550, section 6.1).
    pub(super) fn report(&mut self, packets: Vec<Box<dyn rtcp::Packet>>, now: Instant) {
        let message = TaggedRTCMessage {
            now,
            message: RTCMessage::RtcpPacket(String::new(), packets),
        };
        self.connection.handle_write(message).expect("it is taken");
    }

    /// Sends what no honest viewer would. The core may refuse it.
    pub(super) fn try_to_send(&mut self, message: RTCMessage, now: Instant) {
        let _ = self.connection.handle_write(TaggedRTCMessage { now, message });
    }

    /// The name of the stream that it gets.
    pub(super) fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// Closes DTLS.
    pub(super) fn close(&mut self) {
        self.connection.close().expect("it is open");
    }

    /// What it sends to the node.
    pub(super) fn poll(&mut self) -> Option<Bytes> {
        loop {
            let out = self.connection.poll_write()?;
            self.has_answered_hello |= first_message(&out.message) == Some(CERTIFICATE);
            if out.transport.peer_addr == SocketAddr::from(NODE) {
                return Some(out.message.freeze());
            }
        }
    }

    fn read(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.is_connected = state == RTCPeerConnectionState::Connected;
            }
        }
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message {
                self.ssrc = Some(packet.header.ssrc);
                self.screen.receive(packet, now);
            }
        }
        // What lies in the past must not stop the clock.
        self.deadline = self
            .connection
            .poll_timeout()
            .map(|deadline| deadline.max(now + Duration::from_millis(1)));
    }
}
