//! One viewer, from its offer to its end. Without IO: packets, descriptions and the time go in
//! ([`Session::handle`]), packets and events come out ([`Session::poll`]).

mod account;
mod candidate;
mod channel;
mod error;
mod incoming;
mod io;
mod media;
mod meter;
mod negotiation;
mod offer;
mod sections;
mod setup;
mod sound;
mod stream;
#[cfg(test)]
mod tests;
mod voice;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc::{
    peer_connection::{
        RTCPeerConnection,
        message::{RTCMessage, TaggedRTCMessage},
    },
    rtp::Packet,
    sansio::Protocol,
    shared::TaggedBytesMut,
    statistics::StatsSelector,
};
use tracing::{debug, warn};

use super::{
    feed::Packetised,
    id::CameraId,
    report::{Stage, Viewer},
    rtcp::{Anchor, Feedback},
    sdp::Offer,
    transport::Path,
};
use crate::media::{Codec, SoundCodec, SoundUnit};
use account::Account;
use channel::Channel;
use incoming::Incoming;
use media::Media;
use negotiation::{Negotiated, Negotiation};
use offer::Opened;

pub(super) use account::Summary;
pub(super) use channel::{Event as ChannelEvent, LONGEST};
pub use channel::{LABEL, PAGE};
pub(super) use error::SessionError;
pub use io::Candidate;
pub(super) use io::{Event, Input, Output, Transmit};
pub(super) use offer::Terms;

/// A deadline that lies in the past again must not make a busy loop.
const SOONEST: Duration = Duration::from_millis(5);

/// One viewer.
pub(super) struct Session {
    /// What the log calls it.
    viewer: String,
    connection: RTCPeerConnection,
    negotiation: Negotiation,
    media: Media,
    feedback: Arc<Feedback>,
    channel: Channel,
    stage: Stage,
    account: Account,
    events: VecDeque<Event>,
    to_do: ToDo,
    /// Of the last input.
    now: Instant,
    deadline: Option<Instant>,
}

/// What the core has not been asked since the last input. Its packets it is always asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToDo {
    /// What it makes of what came in, and all that follows.
    Look,
    /// When it wants to be called next.
    Deadline,
    Nothing,
}

impl Session {
    /// Takes an offer. The answer is the first event, and an offer of our own, where one is owed, the second.
    ///
    /// # Errors
    /// The offer has no codec of ours, or the core refuses it.
    pub(super) fn new(
        viewer: String,
        offer: Offer,
        addresses: &[SocketAddr],
        terms: &Terms,
        anchor: Anchor,
        now: Instant,
    ) -> Result<Self, SessionError> {
        let Opened {
            connection,
            negotiation,
            feedback,
            media,
            answer,
        } = offer::open(offer, addresses, terms, anchor, now)?;
        let mut session = Self {
            viewer,
            connection,
            negotiation,
            media,
            feedback,
            channel: Channel::default(),
            stage: Stage::Connecting,
            account: Account::new(now),
            events: VecDeque::new(),
            to_do: ToDo::Nothing,
            now,
            deadline: Some(now),
        };
        session.negotiate(|negotiation, negotiated| negotiation.answered(answer, negotiated));
        Ok(session)
    }

    /// Takes what happens. What comes of it is told by [`Session::poll`].
    pub(super) fn handle(&mut self, input: Input<'_>, now: Instant) {
        self.now = now;
        match input {
            Input::Packet { path, data } => self.receive(path, data),
            Input::Timeout => self.time_out(),
            Input::Picture(packetised) => self.send_picture(packetised),
            Input::Sound(unit) => self.send_sound(unit),
            Input::Offer(offer) => {
                self.negotiate(|negotiation, negotiated| negotiation.take_offer(*offer, negotiated));
            }
            Input::Answer(sdp) if self.negotiation.awaits_answer() => {
                self.negotiate(|negotiation, negotiated| negotiation.take_answer(sdp, negotiated));
            }
            Input::Answer(_) => debug!(viewer = %self.viewer, "an answer to nothing"),
            Input::Candidate(line) => self.add_candidate(line),
            Input::Reflexive(address) => {
                if self.stage == Stage::Connecting {
                    let candidate = self.negotiation.reflexive(address);
                    self.events.extend(candidate.map(Event::Candidate));
                }
            }
            Input::Message { channel, text } => {
                self.channel.send(channel, text, &mut self.connection, now);
                // SCTP repeats what gets lost, by a timer that may not have run before.
                self.deadline = Some(now);
            }
            Input::CloseChannel(number) => self.channel.close(number, &mut self.connection),
            // Who was not heard at the beginning of the call stays so until the next one.
            Input::TalkBack(talk_back) => {
                if let Some(ear) = &mut self.media.ear {
                    ear.obey(talk_back);
                }
            }
            Input::Close => {
                if let Err(error) = self.connection.close() {
                    debug!(viewer = %self.viewer, "close: {error}");
                }
                self.to_do = ToDo::Nothing;
            }
        }
    }

    /// What is to be done because of what went in, one after the other until there is no more. Then the deadline holds.
    pub(super) fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(packet) = self.connection.poll_write() {
                self.account.count(packet.message.len());
                return Some(Output::Transmit(Transmit {
                    path: Path::from(&packet.transport),
                    data: packet.message,
                }));
            }
            if let Some(event) = self.events.pop_front() {
                return Some(Output::Event(event));
            }
            match self.to_do {
                ToDo::Look => self.look(),
                ToDo::Deadline => {
                    self.to_do = ToDo::Nothing;
                    let soonest = self.now + SOONEST;
                    let next = self.connection.poll_timeout();
                    self.deadline = next.map(|deadline| deadline.max(soonest));
                }
                ToDo::Nothing => return None,
            }
        }
    }

    /// When to call with [`Input::Timeout`] at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether this offer continues the session; otherwise it begins another one.
    pub(super) fn is_continued_by(&self, offer: &Offer) -> bool {
        self.negotiation.is_continued_by(offer)
    }

    /// The codec of the picture.
    pub(super) fn codec(&self) -> Codec {
        self.media.codec()
    }

    /// The codec in which this viewer hears us, while it does.
    pub(super) fn hears(&self) -> Option<SoundCodec> {
        self.media.hears()
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Bytes of the control channel that wait for the viewer, where it has one.
    pub(super) fn unsent(&mut self) -> Option<usize> {
        self.channel.unsent(&mut self.connection)
    }

    /// How this session goes. Not for every frame: the core gathers its statistics for it.
    pub(super) fn report(&mut self, session: u64, camera: CameraId, now: Instant) -> Viewer {
        Viewer {
            session,
            camera,
            name: self.viewer.clone(),
            codec: self.codec(),
            sound: self.hears(),
            sound_packets: self.media.sound_packets(),
            stage: self.stage,
            lasts: now.saturating_duration_since(self.account.started),
            units: self.media.stream.units(),
            packets: self.account.packets,
            bytes: self.account.bytes,
            bits_per_second: self.account.bits_per_second(now),
            keyframe_requests: self.feedback.keyframe_requests(),
            nacked: self.feedback.nacked(),
            reception: self.feedback.reception(),
            round_trip: self.round_trip(now),
        }
    }

    /// The account of the session until now.
    pub(super) fn summary(&self, now: Instant) -> Summary {
        self.account.summary(&self.media.stream, &self.feedback, now)
    }

    fn receive(&mut self, path: Path, data: &[u8]) {
        let message = TaggedBytesMut {
            now: self.now,
            transport: path.into(),
            message: BytesMut::from(data),
        };
        // The core logs what it does not understand; a stranger's packet must not matter more than that.
        if let Err(error) = self.connection.handle_read(message) {
            debug!(viewer = %self.viewer, "packet ignored: {error}");
        }
        self.to_do = ToDo::Look;
    }

    fn time_out(&mut self) {
        if self.deadline.is_some_and(|deadline| deadline <= self.now) {
            if let Err(error) = self.connection.handle_timeout(self.now) {
                debug!(viewer = %self.viewer, "the core's timer failed: {error}");
            }
            self.to_do = ToDo::Look;
        }
    }

    fn look(&mut self) {
        let incoming = Incoming {
            connection: &mut self.connection,
            media: &mut self.media,
            channel: &mut self.channel,
            feedback: &self.feedback,
            stage: &mut self.stage,
            started: self.account.started,
            events: &mut self.events,
        };
        self.to_do = match incoming.look(self.now) {
            None => ToDo::Deadline,
            Some(ending) => {
                self.events.push_back(Event::Ended(ending));
                ToDo::Nothing
            }
        };
    }

    fn send_picture(&mut self, packetised: &Packetised) {
        match self.stage {
            Stage::Connecting => return,
            Stage::AwaitingKeyframe if !packetised.unit.is_keyframe => return,
            Stage::AwaitingKeyframe => {
                self.stage = Stage::Watching;
                self.events.push_back(Event::Watching);
            }
            Stage::Watching => {}
        }
        for packet in self.media.stream.packets_of(packetised) {
            write(&mut self.connection, packet, &self.viewer, self.now);
        }
        self.account.bits_per_second(self.now);
    }

    fn send_sound(&mut self, unit: &SoundUnit) {
        let sound = self.media.sound.as_mut();
        if self.stage != Stage::Connecting
            && let Some(packet) = sound.and_then(|sound| sound.packet(unit))
        {
            write(&mut self.connection, packet, &self.viewer, self.now);
        }
    }

    /// A step of the negotiation. One that fails is the last.
    fn negotiate(
        &mut self,
        step: impl FnOnce(&mut Negotiation, &mut Negotiated<'_>) -> Result<(), SessionError>,
    ) {
        let mut negotiated = Negotiated {
            connection: &mut self.connection,
            media: &mut self.media,
            events: &mut self.events,
            now: self.now,
        };
        if let Err(error) = step(&mut self.negotiation, &mut negotiated) {
            self.events.push_back(Event::Failed(error));
        }
        self.deadline = Some(self.now);
    }

    fn add_candidate(&mut self, line: &str) {
        match negotiation::add_candidate(&mut self.connection, line) {
            Ok(()) => self.deadline = Some(self.now),
            // One candidate less is no reason to end: there are others.
            Err(error) => {
                warn!(viewer = %self.viewer, candidate = %line.escape_debug(), "candidate ignored: {error}");
            }
        }
    }

    /// Checks of consent go over the pair in use only, one a second.
    fn round_trip(&mut self, now: Instant) -> Option<Duration> {
        let report = self.connection.get_stats(now, StatsSelector::None);
        let answered = report
            .candidate_pairs()
            .filter(|pair| pair.responses_received > 0);
        let pair = answered.max_by_key(|pair| pair.consent_requests_sent)?;
        Duration::try_from_secs_f64(pair.current_round_trip_time).ok()
    }
}

/// Straight into the pipeline: `write_rtp` would look the stream up anew for every packet.
fn write(connection: &mut RTCPeerConnection, packet: Packet, viewer: &str, now: Instant) {
    let message = TaggedRTCMessage {
        now,
        message: RTCMessage::RtpPacket(String::new(), packet),
    };
    if let Err(error) = connection.handle_write(message) {
        debug!(%viewer, "a packet was not sent: {error}");
    }
}
