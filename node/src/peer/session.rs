use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use pinhole_signaling::Candidate;
use rtc::{
    peer_connection::{
        RTCPeerConnection,
        event::RTCPeerConnectionEvent,
        message::{RTCMessage, TaggedRTCMessage},
        sdp::RTCSessionDescription,
        state::RTCPeerConnectionState,
        transport::{RTCDtlsTransportState, RTCIceCandidateInit},
    },
    rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverDirection},
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol, error::Error},
};

use super::{
    channel::{Channel, Outgoing},
    clock::CaptureClock,
    contact::Contact,
    ending::Ending,
    feed::Packetised,
    feedback::{Feedback, FeedbackReader},
    meter::Meter,
    negotiation::{self, Coding, Description, DescriptionError, Video},
    outbox::Outbox,
    reflexive,
    report::Stage,
    setup,
    socket::{Datagram, Socket},
    stream::Stream,
    voice::Ear,
};
use crate::{
    media::{Codec, Rendition, TalkBack},
    voice::{Intake, Talker},
};
use sound::{SoundSender, announce};

/// Why a viewer's offer was not taken, or its session ended, in words for the viewer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Description(#[from] DescriptionError),
    #[error(
        "no common video codec: this camera sends H.264 (constrained baseline, packetization-mode 1) and VP8"
    )]
    NoCommonCodec,
    #[error("the session description does not fit the session: {0}")]
    Negotiation(#[from] Error),
    #[error("no network interface has an address at which a viewer could reach this camera")]
    NoAddress,
}

/// What became of a session when it was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Goes,
    /// It can send from now on.
    Connected,
    /// It is over, and why.
    Over(Ending),
}

/// One viewer.
pub(super) struct Session {
    pub(super) contact: Contact,
    pub(super) name: String,
    connection: RTCPeerConnection,
    feedback: Arc<Feedback>,
    /// Of the viewer's certificate: another one is another connection.
    fingerprint: String,
    stream: Stream,
    sender: RTCRtpSenderId,
    /// Where the viewer's offer has a place for it, and the node has a microphone.
    sound: Option<SoundSender>,
    /// Video has to be offered by us as soon as the first answer is out.
    owes_offer: bool,
    awaits_answer: bool,
    stage: Stage,
    started: Instant,
    sent: Sent,
    meter: Meter,
    /// What listens to the viewer, where it may be heard.
    ear: Option<Ear>,
    /// The `mid` of the first section: candidates are for all sections, and are told with this one's.
    first_mid: String,
    told_reflexive: bool,
    /// The viewer's control channel, where somebody listens to such.
    channel: Option<Channel>,
    /// When the core wants to be called.
    pub(super) deadline: Option<Instant>,
}

/// Datagrams that went out, whatever was in them.
#[derive(Debug, Default)]
struct Sent {
    packets: u64,
    bytes: u64,
}

/// What a viewer may have besides the picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// The microphone's sound.
    pub(super) sound: bool,
    /// Who may be heard.
    pub(super) talk_back: TalkBack,
    /// And where; none: there is no loudspeaker.
    pub(super) intake: Option<Intake>,
    /// What the viewer is called there.
    pub(super) talker: Talker,
}

impl Terms {
    fn ear(&self, described: &Description, now: Instant) -> Option<Ear> {
        let microphone = described.microphone.as_ref()?;
        let is_heard = microphone.is_allowed(self.talk_back);
        let intake = self.intake.as_ref().filter(|_| is_heard)?;
        Some(Ear::new(microphone.clone(), self.talker, intake.clone(), now))
    }
}

/// From the offer to a connection that can send. ICE has its own, shorter patience; this one is for a DTLS
/// handshake that a lossy path has stopped.
const CONNECT: Duration = Duration::from_secs(20);

/// VP8 as we offer it where the viewer's offer had no place for video.
fn offered_by_us(payload_type: u8) -> Coding {
    Coding {
        name: "VP8".into(),
        payload_type,
        clock_rate: 90_000,
        channels: 0,
        format: String::new(),
    }
}

impl Session {
    /// Takes an offer. Returns the session and the answer to it.
    ///
    /// # Errors
    /// The offer is unreadable, has no codec of ours, or the core refuses it.
    pub(super) fn answer(
        contact: Contact,
        name: String,
        offer: RTCSessionDescription,
        addresses: &[SocketAddr],
        terms: Terms,
        now: Instant,
    ) -> Result<(Self, String), SessionError> {
        let described = negotiation::read(&offer)?;
        if addresses.is_empty() {
            return Err(SessionError::NoAddress);
        }
        let (coding, owes_offer) = match &described.video {
            Video::Wanted(codings) => (
                codings.first().cloned().ok_or(SessionError::NoCommonCodec)?,
                false,
            ),
            // Every WebRTC endpoint has VP8 (RFC 7742, section 5).
            Video::Absent => (offered_by_us(described.free_payload_type), true),
        };
        let codec = coding.codec().ok_or(SessionError::NoCommonCodec)?;
        let feedback = Arc::new(Feedback::default());
        let ear = terms.ear(&described, now);
        let stream = Stream::new(codec, coding.payload_type);
        let mut sound = described.sound.filter(|_| terms.sound).map(SoundSender::new);
        let reader = FeedbackReader::new(feedback.clone(), stream.ssrc());
        let clocks = [Some(stream.clock()), sound.as_ref().map(SoundSender::clock)];
        let clock = CaptureClock::new(clocks.into_iter().flatten().collect());
        let audio = sound.as_ref().map_or(&described.audio[..], SoundSender::codings);
        let mut connection = setup::connection(&coding, audio, ear.is_some(), reader, clock, now)?;
        connection.set_remote_description(now, offer)?;
        for address in addresses {
            connection.add_local_candidate(setup::host_candidate(*address)?)?;
        }
        // Before the track of an owed offer is there, so that it is not in this answer.
        let mut sender = None;
        if !owes_offer {
            sender = Some(connection.add_track(stream.track(&coding))?);
        }
        if let Some(sound) = &mut sound {
            sound.join(&mut connection)?;
        }
        rest_all_but(&mut connection, &sending(sender, sound.as_ref()), ear.as_ref());
        let answer = connection.create_answer(None)?;
        connection.set_local_description(now, answer)?;
        let sdp = local_sdp(&connection, sound.as_ref())?;
        let sender = match sender {
            Some(sender) => sender,
            None => connection.add_track(stream.track(&coding))?,
        };
        let session = Self {
            contact,
            name,
            connection,
            feedback,
            fingerprint: described.fingerprint,
            stream,
            sender,
            sound,
            owes_offer,
            awaits_answer: false,
            stage: Stage::Connecting,
            started: now,
            sent: Sent::default(),
            meter: Meter::new(now),
            ear,
            first_mid: described.first_mid,
            told_reflexive: false,
            channel: None,
            deadline: Some(now),
        };
        Ok((session, sdp))
    }

    pub(super) fn codec(&self) -> Codec {
        self.stream.codec()
    }

    /// What it is fed from.
    pub(super) fn rendition(&self) -> Rendition {
        Rendition::top(self.codec())
    }

    /// From now on there is somebody to whom the viewer may open its control channel.
    pub(super) fn listen(&mut self, channel: Channel) {
        self.channel = Some(channel);
    }

    /// Sends a message by the control channel.
    pub(super) fn say(&mut self, outgoing: Outgoing, sockets: &[Socket], outbox: &mut Outbox, now: Instant) {
        if let Some(channel) = &mut self.channel {
            channel.send(outgoing, &mut self.connection, now);
        }
        self.drain(sockets, outbox);
        // SCTP repeats what gets lost, by a timer that may not have run before.
        self.deadline = Some(now);
    }

    /// Whether an offer with this fingerprint continues this session; otherwise it begins another one.
    pub(super) fn is_continued_by(&self, described: &Description) -> bool {
        self.fingerprint == described.fingerprint
    }

    /// Our own offer, where the viewer's had no place for video. At most once.
    ///
    /// # Errors
    /// The core refuses to make it.
    pub(super) fn take_owed_offer(&mut self, now: Instant) -> Result<Option<String>, SessionError> {
        if !std::mem::take(&mut self.owes_offer) {
            return Ok(None);
        }
        rest_all_but(
            &mut self.connection,
            &sending(Some(self.sender), self.sound.as_ref()),
            self.ear.as_ref(),
        );
        let offer = self.connection.create_offer(None)?;
        self.connection.set_local_description(now, offer)?;
        self.awaits_answer = true;
        self.deadline = Some(now);
        Ok(Some(local_sdp(&self.connection, self.sound.as_ref())?))
    }

    /// Takes another offer within the session, for example an ICE restart, or sound that is switched on or off. Returns the
    /// answer.
    ///
    /// # Errors
    /// As for [`Session::answer`].
    pub(super) fn renegotiate(
        &mut self,
        described: &Description,
        offer: RTCSessionDescription,
        now: Instant,
    ) -> Result<String, SessionError> {
        // Both offered at once: ours gives way.
        if std::mem::take(&mut self.awaits_answer) {
            self.connection
                .set_local_description(now, RTCSessionDescription::rollback(None)?)?;
            self.owes_offer = true;
        }
        self.connection.set_remote_description(now, offer)?;
        if let Some(sound) = &mut self.sound {
            sound.obey(described.sound.as_ref());
        }
        rest_all_but(
            &mut self.connection,
            &sending(Some(self.sender), self.sound.as_ref()),
            self.ear.as_ref(),
        );
        let answer = self.connection.create_answer(None)?;
        self.connection.set_local_description(now, answer)?;
        self.deadline = Some(now);
        local_sdp(&self.connection, self.sound.as_ref())
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// It is none, or it has no codec of ours.
    pub(super) fn accept(&mut self, answer: RTCSessionDescription, now: Instant) -> Result<(), SessionError> {
        let described = negotiation::read(&answer)?;
        self.connection.set_remote_description(now, answer)?;
        self.awaits_answer = false;
        self.deadline = Some(now);
        match described.video {
            Video::Wanted(codings) => {
                let coding = codings
                    .iter()
                    .find(|coding| coding.codec() == Some(self.stream.codec()));
                self.stream
                    .renumber(coding.ok_or(SessionError::NoCommonCodec)?.payload_type);
                Ok(())
            }
            Video::Absent => Err(SessionError::NoCommonCodec),
        }
    }

    /// Whether an answer is awaited.
    pub(super) fn awaits_answer(&self) -> bool {
        self.awaits_answer
    }

    /// Takes a candidate of the viewer.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn add_candidate(&mut self, candidate: &str, now: Instant) -> Result<(), SessionError> {
        // A name under .local stands for an address that the browser hides (and would take a multicast query);
        // the viewer's checks tell it to us as well.
        if candidate.contains(".local ") {
            return Ok(());
        }
        self.connection.add_remote_candidate(RTCIceCandidateInit {
            candidate: candidate.to_owned(),
            ..RTCIceCandidateInit::default()
        })?;
        self.deadline = Some(now);
        Ok(())
    }

    /// The candidate message that tells the viewer our server-reflexive address, once, while it is of use.
    pub(super) fn tell_reflexive(&mut self, address: SocketAddr) -> Option<Candidate> {
        if self.stage != Stage::Connecting || std::mem::replace(&mut self.told_reflexive, true) {
            return None;
        }
        Some(Candidate {
            sdp_mid: self.first_mid.clone(),
            sdp_mline_index: 0,
            candidate: reflexive::candidate(address),
        })
    }

    /// Takes a packet of the viewer.
    pub(super) fn receive(&mut self, datagram: &Datagram<'_>, now: Instant) {
        let message = TaggedBytesMut {
            now,
            transport: TransportContext {
                local_addr: datagram.to,
                peer_addr: datagram.from,
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            },
            message: BytesMut::from(datagram.data),
        };
        // The core logs what it does not understand; a stranger's packet must not matter more than that.
        if let Err(error) = self.connection.handle_read(message) {
            tracing::debug!(viewer = %self.name, "packet ignored: {error}");
        }
    }

    /// Lets the core do what is due, and sends what it has to send.
    pub(super) fn advance(&mut self, sockets: &[Socket], outbox: &mut Outbox, now: Instant) -> Outcome {
        if self.deadline.is_some_and(|deadline| deadline <= now)
            && let Err(error) = self.connection.handle_timeout(now)
        {
            tracing::debug!(viewer = %self.name, "the core's timer failed: {error}");
        }
        self.drain(sockets, outbox);
        let mut outcome = Outcome::Goes;
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnDataChannel(event) = &event
                && let Some(channel) = &mut self.channel
                && channel
                    .happened(event, &self.name, &mut self.connection, now)
                    .is_err()
            {
                return Outcome::Over(Ending::Negotiation);
            }
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                match state {
                    RTCPeerConnectionState::Connected if self.stage == Stage::Connecting => {
                        self.stage = Stage::AwaitingKeyframe;
                        outcome = Outcome::Connected;
                    }
                    RTCPeerConnectionState::Failed => {
                        return Outcome::Over(if self.stage == Stage::Connecting {
                            Ending::NoPath
                        } else {
                            Ending::Silent
                        });
                    }
                    RTCPeerConnectionState::Closed => {
                        return Outcome::Over(Ending::Closed);
                    }
                    _ => {}
                }
            }
        }
        if self.stage == Stage::Connecting && now.saturating_duration_since(self.started) > CONNECT {
            return Outcome::Over(Ending::Unfinished);
        }
        // The core raises no event when the viewer closes DTLS, and would go on for half a minute.
        if self.dtls_state() == Some(RTCDtlsTransportState::Closed) {
            return Outcome::Over(Ending::Closed);
        }
        // Of what comes in, control messages and voices are of use here; the rest must not pile up.
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            match message {
                RTCMessage::DataChannelMessage(id, message) => {
                    if let Some(channel) = &mut self.channel {
                        channel.hear(id, &message, now);
                    }
                }
                RTCMessage::RtpPacket(_, packet) => {
                    if let Some(ear) = &mut self.ear {
                        ear.hear(packet, now);
                    }
                }
                _ => {}
            }
        }
        if let Some(channel) = &mut self.channel {
            channel.weigh(&mut self.connection);
        }
        self.drain(sockets, outbox);
        // A deadline that lies in the past again must not make a busy loop.
        let soonest = now + Duration::from_millis(5);
        self.deadline = self
            .connection
            .poll_timeout()
            .map(|deadline| deadline.max(soonest));
        outcome
    }

    /// Obeys a change of who may be heard. Who was not heard at the beginning of the call stays so until the next one.
    pub(super) fn hear_only(&mut self, talk_back: TalkBack) {
        if let Some(ear) = &mut self.ear {
            ear.obey(talk_back);
        }
    }

    /// Whether the viewer asked for a keyframe since the last call, or waits for its first.
    pub(super) fn wants_keyframe(&self) -> bool {
        self.feedback.take_keyframe_request() && self.stage != Stage::Connecting
    }

    /// Sends one access unit. Returns whether this was the first.
    pub(super) fn send(
        &mut self,
        packetised: &Packetised,
        sockets: &[Socket],
        outbox: &mut Outbox,
        now: Instant,
    ) -> bool {
        let first = match self.stage {
            Stage::Connecting => return false,
            Stage::AwaitingKeyframe if !packetised.unit.is_keyframe => return false,
            Stage::AwaitingKeyframe => true,
            Stage::Watching => false,
        };
        self.stage = Stage::Watching;
        for packet in self.stream.packets_of(packetised) {
            // Straight into the pipeline: `write_rtp` would look the stream up anew for every packet.
            let message = TaggedRTCMessage {
                now,
                message: RTCMessage::RtpPacket(String::new(), packet),
            };
            if let Err(error) = self.connection.handle_write(message) {
                tracing::debug!(viewer = %self.name, "a packet was not sent: {error}");
            }
        }
        self.drain(sockets, outbox);
        self.meter.look(now, self.sent.bytes);
        first
    }

    /// Says goodbye on the media path (DTLS close_notify) and ends.
    pub(super) fn close(&mut self, sockets: &[Socket], outbox: &mut Outbox) {
        if let Err(error) = self.connection.close() {
            tracing::debug!(viewer = %self.name, "close: {error}");
        }
        self.drain(sockets, outbox);
    }

    /// The account of a session that ends.
    pub(super) fn summary(&self, now: Instant) -> Summary {
        let lasted = now.saturating_duration_since(self.started);
        Summary {
            lasted,
            packets: self.stream.packets(),
            kbps: self.stream.bits() as f64 / 1000.0 / lasted.as_secs_f64().max(0.001),
            loss: self.feedback.reception().map_or(0.0, |reception| reception.loss),
        }
    }

    fn drain(&mut self, sockets: &[Socket], outbox: &mut Outbox) {
        while let Some(out) = self.connection.poll_write() {
            self.sent.packets += 1;
            self.sent.bytes += out.message.len() as u64;
            outbox.push(
                sockets,
                out.transport.local_addr,
                out.transport.peer_addr,
                &out.message,
            );
        }
        outbox.flush(sockets);
    }

    fn dtls_state(&mut self) -> Option<RTCDtlsTransportState> {
        Some(self.connection.rtp_sender(self.sender)?.transport()?.state())
    }
}

/// What a session came to.
#[derive(Debug)]
pub(super) struct Summary {
    lasted: Duration,
    pub(super) packets: u64,
    pub(super) kbps: f64,
    loss: f64,
}

impl Summary {
    /// How long it lasted, as a person reads it.
    pub(super) fn lasted(&self) -> String {
        format!("{:.1?}", self.lasted)
    }

    /// The share of packets that the viewer's last report calls lost.
    pub(super) fn loss(&self) -> String {
        format!("{:.1}%", self.loss * 100.0)
    }
}

/// The senders that send.
fn sending(video: Option<RTCRtpSenderId>, sound: Option<&SoundSender>) -> Vec<RTCRtpSenderId> {
    let sound = sound.and_then(SoundSender::sending);
    video.into_iter().chain(sound).collect()
}

/// Every section in which we neither send nor hear is accepted and kept still, so that a desktop's microphone is not sent for
/// nothing.
fn rest_all_but(connection: &mut RTCPeerConnection, senders: &[RTCRtpSenderId], ear: Option<&Ear>) {
    let all: Vec<_> = connection.get_transceivers().collect();
    for id in all {
        if let Some(mut transceiver) = connection.rtp_transceiver(id) {
            let sends = transceiver
                .sender()
                .is_some_and(|sender| senders.contains(&sender));
            let hears = ear.is_some_and(|ear| transceiver.mid().as_deref() == Some(ear.mid()));
            transceiver.set_direction(match (sends, hears) {
                (true, true) => RTCRtpTransceiverDirection::Sendrecv,
                (true, false) => RTCRtpTransceiverDirection::Sendonly,
                (false, true) => RTCRtpTransceiverDirection::Recvonly,
                (false, false) => RTCRtpTransceiverDirection::Inactive,
            });
        }
    }
}

/// The ICE user name fragment in a description of ours: connectivity checks are addressed to it.
pub(super) fn fragment(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}

fn local_sdp(connection: &RTCPeerConnection, sound: Option<&SoundSender>) -> Result<String, SessionError> {
    let sdp = connection
        .local_description()
        .ok_or(Error::ErrConnectionClosed)?
        .sdp;
    Ok(if sound.is_some() { announce(&sdp) } else { sdp })
}

mod report;
mod sound;
#[cfg(test)]
mod tests;
