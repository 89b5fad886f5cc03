//! The sections of our descriptions.

use std::time::Instant;

use rtc::{
    peer_connection::RTCPeerConnection,
    rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverDirection},
    shared::error::Error,
};

/// What tells a muted page that there would be sound: its offer has a section in which nothing is to be sent, and so the answer
/// can't say it. Everybody else passes over attributes that they don't know (RFC 8866, section 5.13).
const ANNOUNCEMENT: &str = "a=x-pinhole-sound\r\n";

/// What goes on in the sections of a connection.
pub(super) struct Sections<'a> {
    /// The senders that send.
    pub(super) sending: Vec<RTCRtpSenderId>,
    /// The `mid` of the section in which the viewer is heard.
    pub(super) heard: Option<&'a str>,
    /// Whether there is sound to be had.
    pub(super) has_sound: bool,
}

impl Sections<'_> {
    /// Our answer to the offer that the connection has just been given, in SDP.
    pub(super) fn answer(&self, connection: &mut RTCPeerConnection, now: Instant) -> Result<String, Error> {
        self.direct(connection);
        let answer = connection.create_answer(None)?;
        connection.set_local_description(now, answer)?;
        self.description(connection)
    }

    /// An offer of ours, in SDP.
    pub(super) fn offer(&self, connection: &mut RTCPeerConnection, now: Instant) -> Result<String, Error> {
        self.direct(connection);
        let offer = connection.create_offer(None)?;
        connection.set_local_description(now, offer)?;
        self.description(connection)
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

    fn description(&self, connection: &RTCPeerConnection) -> Result<String, Error> {
        let sdp = connection
            .local_description()
            .ok_or(Error::ErrConnectionClosed)?
            .sdp;
        Ok(if self.has_sound { announce(&sdp) } else { sdp })
    }
}

/// A description of ours that says there is sound.
fn announce(sdp: &str) -> String {
    let sections = sdp.find("\r\nm=").map_or(sdp.len(), |at| at + 2);
    let (session, sections) = sdp.split_at(sections);
    format!("{session}{ANNOUNCEMENT}{sections}")
}
