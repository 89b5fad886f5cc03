//! A session's sound.

use std::time::Instant;

use rtc::{
    peer_connection::{
        RTCPeerConnection,
        message::{RTCMessage, TaggedRTCMessage},
    },
    rtp_transceiver::RTCRtpSenderId,
    sansio::Protocol,
    shared::error::Error,
};

use super::{Session, Stage};
use crate::{
    media::{SoundCodec, SoundUnit},
    peer::{
        clock::StreamClock,
        negotiation::{Coding, Sound},
        outbox::Outbox,
        socket::Socket,
        sound::SoundStream,
    },
};

/// What tells a muted page that there would be sound: its offer has a section in which nothing is to be sent, and so the answer
/// can't say it. Everybody else passes over attributes that they don't know (RFC 8866, section 5.13).
const ANNOUNCEMENT: &str = "a=x-pinhole-sound\r\n";

/// The sound of one session.
pub(super) struct SoundSender {
    stream: SoundStream,
    codings: Vec<Coding>,
    sender: Option<RTCRtpSenderId>,
    wanted: bool,
}

impl SoundSender {
    /// In the first of the codings.
    pub(super) fn new(sound: Sound) -> Self {
        let Sound { codings, wanted } = sound;
        let first = codings.first();
        let codec = first.and_then(Coding::sound).unwrap_or(SoundCodec::Opus);
        Self {
            stream: SoundStream::new(codec, first.map_or(0, |coding| coding.payload_type)),
            codings,
            sender: None,
            wanted,
        }
    }

    /// What the connection has to know.
    pub(super) fn codings(&self) -> &[Coding] {
        &self.codings
    }

    pub(super) fn clock(&self) -> StreamClock {
        self.stream.clock()
    }

    /// Takes its place in the connection.
    pub(super) fn join(&mut self, connection: &mut RTCPeerConnection) -> Result<(), Error> {
        if let Some(coding) = self.codings.first() {
            self.sender = Some(connection.add_track(self.stream.track(coding))?);
        }
        Ok(())
    }

    /// Sends from now on, or not, as the viewer's new offer says.
    pub(super) fn obey(&mut self, sound: Option<&Sound>) {
        self.wanted = sound.is_some_and(|sound| sound.wanted);
    }

    /// The sender, while it sends.
    pub(super) fn sending(&self) -> Option<RTCRtpSenderId> {
        self.sender.filter(|_| self.wanted)
    }
}

impl Session {
    /// The codec in which this viewer hears us, while it does.
    pub(in crate::peer) fn hears(&self) -> Option<SoundCodec> {
        let sound = self.sound.as_ref()?;
        sound.sending().map(|_| sound.stream.codec())
    }

    /// Packets of sound so far.
    pub(super) fn sound_packets(&self) -> u64 {
        self.sound.as_ref().map_or(0, |sound| sound.stream.packets())
    }

    /// Sends 20 ms of sound, at once: nothing is gained by pacing a packet of a hundred bytes.
    pub(in crate::peer) fn send_sound(
        &mut self,
        unit: &SoundUnit,
        sockets: &[Socket],
        outbox: &mut Outbox,
        now: Instant,
    ) {
        let Some(sound) = self.sound.as_mut().filter(|sound| sound.sending().is_some()) else {
            return;
        };
        if self.stage == Stage::Connecting {
            return;
        }
        let message = TaggedRTCMessage {
            now,
            message: RTCMessage::RtpPacket(String::new(), sound.stream.packet(unit)),
        };
        if let Err(error) = self.connection.handle_write(message) {
            tracing::debug!(viewer = %self.name, "a packet was not sent: {error}");
        }
        self.drain(sockets, outbox);
    }
}

/// A description of ours that says there is sound.
pub(super) fn announce(sdp: &str) -> String {
    let sections = sdp.find("\r\nm=").map_or(sdp.len(), |at| at + 2);
    let (session, sections) = sdp.split_at(sections);
    format!("{session}{ANNOUNCEMENT}{sections}")
}
