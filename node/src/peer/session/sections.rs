//! The sections of our descriptions.

use std::time::Instant;

use rtc::{
    peer_connection::RTCPeerConnection,
    rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverDirection},
    shared::error::Error,
};

use crate::peer::sdp::Layout;

/// What goes on in the sections of a connection.
pub(super) struct Sections {
    /// The senders that send.
    pub(super) sending: Vec<RTCRtpSenderId>,
    /// The core's name of the section in which the viewer is heard.
    pub(super) heard: Option<&'static str>,
    /// Whether there is sound to be had.
    pub(super) has_sound: bool,
}

impl Sections {
    /// Our answer to the offer that the connection has just been given, in SDP.
    pub(super) fn answer(
        &self,
        connection: &mut RTCPeerConnection,
        layout: &mut Layout,
        now: Instant,
    ) -> Result<String, Error> {
        self.direct(connection);
        let answer = connection.create_answer(None)?;
        connection.set_local_description(now, answer)?;
        layout.answer(description(connection)?, self.has_sound)
    }

    /// An offer of ours, in SDP.
    pub(super) fn offer(
        &self,
        connection: &mut RTCPeerConnection,
        layout: &mut Layout,
        now: Instant,
    ) -> Result<String, Error> {
        self.direct(connection);
        let offer = connection.create_offer(None)?;
        connection.set_local_description(now, offer)?;
        layout.own_offer(description(connection)?, self.has_sound)
    }

    /// Every section in which we neither send nor hear is accepted and kept still, so that a desktop's microphone is not sent
    /// for nothing.
    fn direct(&self, connection: &mut RTCPeerConnection) {
        let all: Vec<_> = connection.get_transceivers().collect();
        for id in all {
            if let Some(mut transceiver) = connection.rtp_transceiver(id) {
                let sends = transceiver
                    .sender()
                    .is_some_and(|sender| self.sending.contains(&sender));
                let hears = self.heard.is_some() && transceiver.mid().as_deref() == self.heard;
                transceiver.set_direction(match (sends, hears) {
                    (true, true) => RTCRtpTransceiverDirection::Sendrecv,
                    (true, false) => RTCRtpTransceiverDirection::Sendonly,
                    (false, true) => RTCRtpTransceiverDirection::Recvonly,
                    (false, false) => RTCRtpTransceiverDirection::Inactive,
                });
            }
        }
    }
}

/// What the core says of itself, with our addresses.
fn description(connection: &RTCPeerConnection) -> Result<String, Error> {
    let description = connection.local_description();
    Ok(description.ok_or(Error::ErrConnectionClosed)?.sdp)
}
