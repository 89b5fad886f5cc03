//! The other end: a viewer on the same core, which offers, and answers losses as programs do.

mod connection;
mod offers;
mod repaired;
mod wants;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc::{
    peer_connection::{
        RTCPeerConnection,
        event::RTCPeerConnectionEvent,
        message::{RTCMessage, TaggedRTCMessage},
        sdp::RTCSessionDescription,
        state::{RTCIceConnectionState, RTCPeerConnectionState},
        transport::RTCDtlsTransportState,
    },
    rtcp::{self, payload_feedbacks::picture_loss_indication::PictureLossIndication},
    rtp::Packet,
    rtp_transceiver::RTCRtpTransceiverId,
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};

use super::{ear::Ear, link::Datagram, reception::Reception, screen::Screen, setting::Setting};
use crate::peer::session::first_message;
use connection::connection;
use repaired::Repaired;

pub(super) use connection::{Asking, Ciphers, OPUS, REPAIRS};
pub(super) use wants::{Media, Wants};

/// Where the node is, and where the viewer; and where that is when it has moved.
pub(super) const NODE: ([u8; 4], u16) = ([192, 0, 2, 1], 5000);
pub(super) const VIEWER: ([u8; 4], u16) = ([198, 51, 100, 9], 40_000);
const ELSEWHERE: ([u8; 4], u16) = ([203, 0, 113, 77], 51_000);

/// Types of handshake messages (RFC 5246, section 7.4): with these the node's flight and the viewer's answer to it begin.
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// A viewer of one stream of pictures, and a listener to one of sound.
pub(super) struct Viewer {
    connection: RTCPeerConnection,
    repaired: Repaired,
    screen: Screen,
    ear: Ear,
    reception: Reception,
    address: SocketAddr,
    has_moved: bool,
    deadline: Option<Instant>,
    /// The picture's name, once a packet of it came.
    ssrc: Option<u32>,
    sections: Vec<(Media, RTCRtpTransceiverId)>,
    /// What it has switched off.
    unwanted: Vec<Media>,
    is_connected: bool,
    /// Whether DTLS was ever through, …
    has_keys: bool,
    /// … and whether ICE is: the core takes nothing but checks before.
    has_path: bool,
    has_answered_hello: bool,
    keyframe_requests: u64,
}

impl Viewer {
    /// A viewer, and its offer.
    pub(super) fn new(setting: &Setting, now: Instant) -> (Self, RTCSessionDescription) {
        let repaired = Repaired::default();
        let mut viewer = Self {
            connection: connect(setting, &repaired, now),
            repaired,
            screen: Screen::new(setting.codec),
            ear: Ear::default(),
            reception: Reception::default(),
            address: VIEWER.into(),
            has_moved: false,
            deadline: None,
            ssrc: None,
            sections: Vec::new(),
            unwanted: Vec::new(),
            is_connected: false,
            has_keys: false,
            has_path: false,
            has_answered_hello: false,
            keyframe_requests: 0,
        };
        let offer = viewer.first_offer(setting.wants, now);
        (viewer, offer)
    }

    /// What the person in front of it sees.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// From now on the longest time without a picture is another one.
    pub(super) fn forget_gap(&mut self, now: Instant) {
        self.screen.forget_gap(now);
    }

    /// What that person hears.
    pub(super) fn ear(&self) -> &Ear {
        &self.ear
    }

    /// What became of the packets that arrived.
    pub(super) fn reception(&self) -> &Reception {
        &self.reception
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is, or was, at an address.
    pub(super) fn knows(&self, address: SocketAddr) -> bool {
        address == SocketAddr::from(VIEWER) || self.has_moved && address == SocketAddr::from(ELSEWHERE)
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

    /// The name of the picture that it gets.
    pub(super) fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// When something is to be done without a packet.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let picture = self.screen.deadline().filter(|_| self.wants(Media::Picture));
        [self.deadline, picture].into_iter().flatten().min()
    }

    /// Takes a packet of the node. Where it is no more, nobody does.
    pub(super) fn receive(&mut self, packet: &Datagram, now: Instant) {
        if packet.viewer != self.address {
            return;
        }
        let packet = &packet.data;
        // The core stops its timer when a flight comes again that it has answered, and would never repeat its answer. Other programs' DTLS
        // does, so what the node repeats is kept from it.
        if self.has_answered_hello && first_message(packet) == Some(SERVER_HELLO) {
            return;
        }
        let message = TaggedBytesMut {
            now,
            transport: TransportContext {
                local_addr: self.address,
                peer_addr: NODE.into(),
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            },
            message: BytesMut::from(&packet[..]),
        };
        let kind = packet
            .get(1)
            .map_or(Media::Picture, |kind| Media::of(kind & 0x7f));
        let hears = self.has_keys && self.has_path && self.wants(kind);
        self.reception.arrives(packet);
        // What comes twice, or late, is an error to the core.
        let _ = self.connection.handle_read(message);
        self.read(now);
        self.reception.settle(hears);
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            // A path that was given up is an error to the core.
            let _ = self.connection.handle_timeout(now);
        }
        self.read(now);
        if let Some(media_ssrc) = self.ssrc
            && self.wants(Media::Picture)
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

    /// Closes DTLS.
    pub(super) fn close(&mut self) {
        self.connection.close().expect("it is open");
    }

    /// What it sends to the node.
    pub(super) fn poll(&mut self) -> Option<Datagram> {
        loop {
            let out = self.connection.poll_write()?;
            self.has_answered_hello |= first_message(&out.message) == Some(CERTIFICATE);
            let is_ours = out.transport.local_addr == self.address;
            if is_ours && out.transport.peer_addr == SocketAddr::from(NODE) {
                return Some(Datagram {
                    viewer: self.address,
                    data: out.message.freeze(),
                });
            }
        }
    }

    fn read(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => {
                    self.is_connected = state == RTCPeerConnectionState::Connected;
                    self.has_keys |= self.is_connected;
                }
                RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(state) => {
                    self.has_path = matches!(
                        state,
                        RTCIceConnectionState::Connected
                            | RTCIceConnectionState::Completed
                            | RTCIceConnectionState::Disconnected
                    );
                }
                _ => {}
            }
        }
        let repaired = self.repaired.take();
        if let Some((source, sequence)) = repaired {
            self.reception.came_out(source, sequence);
        }
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message {
                self.take(packet, repaired.is_some(), now);
            }
        }
        // What lies in the past must not stop the clock.
        self.deadline = self
            .connection
            .poll_timeout()
            .map(|deadline| deadline.max(now + Duration::from_millis(1)));
    }

    /// Takes what the core has decrypted, in its own stream or in that for what is sent again.
    fn take(&mut self, packet: Packet, is_repaired: bool, now: Instant) {
        let header = &packet.header;
        if !is_repaired {
            self.reception.came_out(header.ssrc, header.sequence_number);
        } else if !self.reception.is_new(header.ssrc, header.sequence_number) {
            return;
        }
        match Media::of(header.payload_type) {
            Media::Sound => self.ear.receive(&packet),
            Media::Picture => {
                self.ssrc = Some(header.ssrc);
                self.screen.receive(packet, now);
            }
        }
    }
}

fn connect(setting: &Setting, repaired: &Repaired, now: Instant) -> RTCPeerConnection {
    let repaired = Some(repaired).filter(|_| setting.repairs);
    connection(setting.codec, setting.asking, setting.ciphers, repaired, now)
}
