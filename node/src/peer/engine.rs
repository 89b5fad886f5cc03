use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::poll_fn,
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Instant,
};

use pinhole_signaling::{Candidate, Description, DescriptionKind, Message, Refusal};
use rtc::peer_connection::sdp::RTCSessionDescription;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    candidates,
    contact::{Call, Contact, Letter},
    demux::{Demux, SessionId},
    feed::Feed,
    names::Names,
    negotiation,
    outbox::Outbox,
    reflexive::Reflexive,
    session::{self, Outcome, Session, SessionError},
    socket::{self, Buffers, Socket},
};
use crate::{
    fanout::Track,
    media::{AccessUnit, Codec},
};

/// What the engine is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The UDP port of all viewers; 0 takes a free one.
    pub udp_port: u16,
    /// Sessions at the same time; one more is refused.
    pub max_viewers: usize,
    /// Hosts and ports of the STUN servers that are asked for our address on the far side of a NAT.
    pub stun_servers: Vec<(String, u16)>,
}

/// Why the engine can't start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The port is taken or not allowed.
    #[error(
        "UDP port {port} can't be used: {source}; choose another `udp_port` under [webrtc], or 0 for any"
    )]
    Bind {
        /// The configured port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
}

/// All sessions and their sockets; one task.
pub struct Engine {
    settings: Settings,
    sockets: Vec<Socket>,
    feeds: Vec<Feed>,
    floor: Floor,
}

/// What the sessions happen in: the part of the engine that does not wait.
struct Floor {
    sessions: BTreeMap<SessionId, Session>,
    next_session: u64,
    demux: Demux,
    outbox: Outbox,
    /// The names of the members that are on the server.
    members: HashMap<Contact, String>,
    sign_in: u64,
    reflexive: Reflexive,
    letters: mpsc::Sender<Letter>,
}

impl Engine {
    /// Opens the sockets. Viewers are fed from `tracks`; what is for them leaves by `letters`.
    ///
    /// # Errors
    /// The port can't be used.
    pub fn bind(
        settings: Settings,
        tracks: Vec<Track>,
        letters: mpsc::Sender<Letter>,
    ) -> Result<Self, EngineError> {
        let sockets = socket::bind(settings.udp_port).map_err(|source| EngineError::Bind {
            port: settings.udp_port,
            source,
        })?;
        let floor = Floor {
            sessions: BTreeMap::new(),
            next_session: 0,
            demux: Demux::default(),
            outbox: Outbox::default(),
            members: HashMap::new(),
            sign_in: 0,
            reflexive: Reflexive::default(),
            letters,
        };
        Ok(Self {
            settings,
            sockets,
            feeds: tracks.into_iter().map(Feed::new).collect(),
            floor,
        })
    }

    /// The UDP port of all viewers.
    pub fn port(&self) -> u16 {
        self.sockets.first().map_or(0, |socket| socket.address().port())
    }

    /// Serves viewers until `stop`, then tells each of them.
    pub async fn run(mut self, mut calls: mpsc::Receiver<Call>, stop: CancellationToken) {
        let mut buffers = Buffers::default();
        let mut names = Names::new(std::mem::take(&mut self.settings.stun_servers));
        loop {
            let deadline = self.floor.deadline();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Before the sockets: a flood of packets must not delay the picture.
                (index, unit) = next_unit(&mut self.feeds) => self.broadcast(index, unit),
                call = calls.recv() => match call {
                    Some(call) => self.take(call),
                    None => break,
                },
                index = readable(&self.sockets) => self.read(index, &mut buffers),
                servers = names.resolved() => self.floor.reflexive.set_servers(servers),
                () = sleep_until(deadline) => {}
            }
            self.advance_due(Instant::now());
        }
        let all: Vec<_> = self.floor.sessions.keys().copied().collect();
        for id in all {
            self.end(id, "the camera stops", true);
        }
    }

    /// Sends one access unit to everyone who watches this codec.
    fn broadcast(&mut self, index: usize, unit: Option<AccessUnit>) {
        let feed = &mut self.feeds[index];
        let codec = feed.codec();
        let Some(unit) = unit else {
            // The pipeline ended for good, which ends the process; until then nobody waits for more.
            while feed.is_used() {
                feed.leave();
            }
            return;
        };
        let packetised = match feed.packetise(unit) {
            Ok(packetised) => packetised,
            Err(error) => return debug!(%codec, "an access unit can't be cut into packets: {error}"),
        };
        let now = Instant::now();
        let Floor { sessions, outbox, .. } = &mut self.floor;
        for session in sessions.values_mut().filter(|session| session.codec() == codec) {
            if session.send(&packetised, &self.sockets, outbox, now) {
                info!(viewer = %session.name, after = ?session.summary(now).lasted, "first frame sent");
            }
        }
    }

    fn read(&mut self, index: usize, buffers: &mut Buffers) {
        let now = Instant::now();
        let Floor {
            sessions,
            demux,
            reflexive,
            ..
        } = &mut self.floor;
        let mut touched = BTreeSet::new();
        let mut mapped = false;
        let outcome = self.sockets[index].receive(buffers, |datagram| {
            let Some(id) = demux.find(datagram.from, datagram.data) else {
                mapped |= reflexive.hear(datagram.from, datagram.data, now);
                return;
            };
            if let Some(session) = sessions.get_mut(&id) {
                session.receive(&datagram, now);
                touched.insert(id);
            }
        });
        if let Err(error) = outcome
            && error.kind() != io::ErrorKind::WouldBlock
        {
            debug!("receiving: {error}");
        }
        for id in touched {
            self.advance(id, now);
        }
        if mapped {
            self.floor.tell_reflexive(now);
        }
    }

    fn advance_due(&mut self, now: Instant) {
        let due = |session: &Session| session.deadline.is_some_and(|deadline| deadline <= now);
        let due: Vec<_> = self
            .floor
            .sessions
            .iter()
            .filter(|(_, session)| due(session))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.advance(id, now);
        }
    }

    fn advance(&mut self, id: SessionId, now: Instant) {
        let Floor { sessions, outbox, .. } = &mut self.floor;
        let Some(session) = sessions.get_mut(&id) else {
            return;
        };
        let outcome = session.advance(&self.sockets, outbox, now);
        if outcome == Outcome::Connected {
            info!(viewer = %session.name, codec = %session.codec(), after = ?session.summary(now).lasted, "viewer connected");
        }
        if (session.wants_keyframe() || outcome == Outcome::Connected)
            && let Some(feed) = feed_of(&mut self.feeds, session.codec())
        {
            feed.request_keyframe();
        }
        if let Outcome::Over(why) = outcome {
            self.end(id, why, true);
        }
    }

    fn take(&mut self, call: Call) {
        match call {
            Call::Arrived { contact, name } => self.floor.arrive(contact, name),
            Call::Left { contact } => {
                let name = self.floor.members.remove(&contact);
                if let Some(id) = self.floor.session_of(contact)
                    && !self.floor.moves(id, name)
                {
                    self.end(id, "the viewer left the server", false);
                }
            }
            Call::Said { contact, message } => self.hear(contact, message),
        }
    }

    fn hear(&mut self, contact: Contact, message: Message) {
        let session = self.floor.session_of(contact);
        match (message, session) {
            (
                Message::Description(Description {
                    kind: DescriptionKind::Offer,
                    sdp,
                }),
                session,
            ) => {
                self.offered(contact, session, sdp);
            }
            (
                Message::Description(Description {
                    kind: DescriptionKind::Answer,
                    sdp,
                }),
                Some(id),
            ) => {
                self.answered(id, sdp);
            }
            (Message::Candidate(candidate), Some(id)) => self.candidate(id, &candidate),
            (Message::Bye, Some(id)) => self.end(id, "the viewer hung up", false),
            (
                Message::Description(Description {
                    kind: DescriptionKind::OfferLoopback,
                    ..
                }),
                _,
            ) => {
                let viewer = self.floor.name_of(contact);
                info!(%viewer, "refused a loopback call: it would be without encryption");
                self.refuse(
                    contact,
                    "loopback",
                    "loopback calls are not supported: they are not encrypted",
                );
            }
            // Late or stray: a candidate after the end, an answer to nothing.
            (message, _) => debug!(peer = %contact.peer, "nothing to do with {}", kind_of(&message)),
        }
    }

    fn offered(&mut self, contact: Contact, session: Option<SessionId>, sdp: String) {
        let viewer = self.floor.name_of(contact);
        let outcome = RTCSessionDescription::offer(sdp)
            .map_err(|error| negotiation::DescriptionError::Syntax(error.to_string()))
            .and_then(|offer| Ok((negotiation::read(&offer)?, offer)));
        let (described, offer) = match outcome {
            Ok(read) => read,
            Err(error) => return self.refuse_offer(contact, &viewer, &error.into()),
        };
        if let Some(id) = session {
            let known = self.floor.sessions.get_mut(&id);
            if let Some(known) = known.filter(|known| known.is_continued_by(&described)) {
                return match known.renegotiate(offer, Instant::now()) {
                    Ok(answer) => self.describe(id, DescriptionKind::Answer, answer),
                    Err(error) => self.fail(id, &error),
                };
            }
            self.end(id, "the viewer calls anew", false);
        }
        if self.floor.sessions.len() >= self.settings.max_viewers {
            let most = self.settings.max_viewers;
            info!(%viewer, max_viewers = most, "refused a viewer: all places are taken");
            let reason = format!("all {most} places at this camera are taken (max_viewers); try again later");
            return self.refuse(contact, "busy", &reason);
        }
        let addresses = self.addresses();
        match Session::answer(contact, viewer.clone(), offer, &addresses, Instant::now()) {
            Ok((session, answer)) => {
                info!(%viewer, codec = %session.codec(), "viewer calls");
                let id = self.floor.seat(session);
                if let Some(feed) = self.feed_for(id) {
                    // The camera opens while the viewer connects.
                    feed.enter();
                }
                self.describe(id, DescriptionKind::Answer, answer);
                self.look_outside();
            }
            Err(error) => self.refuse_offer(contact, &viewer, &error),
        }
    }

    /// Tells who calls our address behind the NAT, or asks for it first.
    fn look_outside(&mut self) {
        let now = Instant::now();
        if self.floor.reflexive.address(now).is_some() {
            return self.floor.tell_reflexive(now);
        }
        match self.floor.reflexive.ask() {
            Ok(requests) => {
                for (server, request) in requests {
                    self.floor
                        .outbox
                        .push_from_anywhere(&self.sockets, server, &request);
                }
                self.floor.outbox.flush(&self.sockets);
            }
            Err(error) => debug!("no STUN request: {error}"),
        }
    }

    fn answered(&mut self, id: SessionId, sdp: String) {
        let Some(session) = self.floor.sessions.get_mut(&id) else {
            return;
        };
        if !session.awaits_answer() {
            return debug!(viewer = %session.name, "an answer to nothing");
        }
        let outcome = RTCSessionDescription::answer(sdp)
            .map_err(SessionError::from)
            .and_then(|answer| session.accept(answer, Instant::now()));
        if let Err(error) = outcome {
            self.fail(id, &error);
        }
    }

    fn candidate(&mut self, id: SessionId, candidate: &Candidate) {
        let Some(session) = self.floor.sessions.get_mut(&id) else {
            return;
        };
        if let Err(error) = session.add_candidate(&candidate.candidate, Instant::now()) {
            // One candidate less is no reason to end: there are others.
            warn!(viewer = %session.name, candidate = %candidate.candidate.escape_debug(), "candidate ignored: {error}");
        }
    }

    /// Sends a description of ours, and after a first answer the offer that is still owed.
    fn describe(&mut self, id: SessionId, kind: DescriptionKind, sdp: String) {
        if let Some(fragment) = session::fragment(&sdp) {
            self.floor.demux.register(fragment.to_owned(), id);
        }
        let Some(session) = self.floor.sessions.get_mut(&id) else {
            return;
        };
        let to = session.contact;
        let owed = session.take_owed_offer(Instant::now());
        self.floor
            .post(to, Message::Description(Description { kind, sdp }));
        match owed {
            Ok(None) => {}
            Ok(Some(offer)) => {
                self.floor.post(
                    to,
                    Message::Description(Description {
                        kind: DescriptionKind::Offer,
                        sdp: offer,
                    }),
                );
            }
            Err(error) => self.fail(id, &error),
        }
    }

    fn refuse_offer(&mut self, contact: Contact, viewer: &str, error: &SessionError) {
        warn!(%viewer, "offer refused: {error}");
        self.refuse(contact, "offer", &error.to_string());
    }

    fn refuse(&mut self, contact: Contact, code: &str, reason: &str) {
        let refusal = Refusal {
            code: code.to_owned(),
            reason: reason.to_owned(),
        };
        self.floor.post(contact, Message::Refusal(refusal));
        self.floor.post(contact, Message::Bye);
    }

    /// Ends a session that can't go on because of what the viewer sent.
    fn fail(&mut self, id: SessionId, error: &SessionError) {
        if let Some(session) = self.floor.sessions.get(&id) {
            warn!(viewer = %session.name, "negotiation failed: {error}");
            let refusal = Refusal {
                code: "negotiation".to_owned(),
                reason: error.to_string(),
            };
            self.floor.post(session.contact, Message::Refusal(refusal));
            self.end(id, "negotiation failed", true);
        }
    }

    fn end(&mut self, id: SessionId, why: &str, tell: bool) {
        let Some(mut session) = self.floor.sessions.remove(&id) else {
            return;
        };
        self.floor.demux.remove(id);
        if let Some(feed) = feed_of(&mut self.feeds, session.codec()) {
            feed.leave();
        }
        session.close(&self.sockets, &mut self.floor.outbox);
        if tell {
            self.floor.post(session.contact, Message::Bye);
        }
        let summary = session.summary(Instant::now());
        info!(
            viewer = %session.name,
            lasted = ?summary.lasted,
            packets = summary.packets,
            kbps = summary.kbps.round(),
            loss = summary.loss,
            viewers = self.floor.sessions.len(),
            unsent = self.floor.outbox.lost(),
            "session ended: {why}"
        );
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let sockets: Vec<_> = self.sockets.iter().map(Socket::address).collect();
        candidates::gather(&sockets).unwrap_or_else(|error| {
            warn!("the network interfaces can't be read: {error}");
            Vec::new()
        })
    }

    fn feed_for(&mut self, id: SessionId) -> Option<&mut Feed> {
        let codec = self.floor.sessions.get(&id)?.codec();
        feed_of(&mut self.feeds, codec)
    }
}

impl Floor {
    fn deadline(&self) -> Option<Instant> {
        self.sessions
            .values()
            .filter_map(|session| session.deadline)
            .min()
    }

    fn seat(&mut self, session: Session) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(id, session);
        id
    }

    fn tell_reflexive(&mut self, now: Instant) {
        let Some(address) = self.reflexive.address(now) else {
            return;
        };
        let tell = |session: &mut Session| Some((session.contact, session.tell_reflexive(address)?));
        let told: Vec<_> = self.sessions.values_mut().filter_map(tell).collect();
        for (contact, candidate) in told {
            self.post(contact, Message::Candidate(candidate));
        }
    }

    fn session_of(&self, contact: Contact) -> Option<SessionId> {
        self.sessions
            .iter()
            .find(|(_, session)| session.contact == contact)
            .map(|(id, _)| *id)
    }

    fn name_of(&self, contact: Contact) -> String {
        self.members
            .get(&contact)
            .cloned()
            .unwrap_or_else(|| format!("peer {}", contact.peer))
    }

    fn arrive(&mut self, contact: Contact, name: String) {
        if contact.sign_in > self.sign_in {
            self.sign_in = contact.sign_in;
            self.members.clear();
        }
        // A viewer whose stream outlived the server comes back under another id; its name tells which one it
        // is, where no two have it.
        let mut same = self
            .sessions
            .values_mut()
            .filter(|session| session.contact.sign_in < contact.sign_in && session.name == name);
        if let (Some(session), None) = (same.next(), same.next()) {
            debug!(viewer = %name, "the viewer is back on the server");
            session.contact = contact;
        }
        self.members.insert(contact, name);
    }

    /// Whether a session whose member left goes on under another id: a page that lost its connection to the
    /// server signs in anew at once, while its old id is given up half a minute later. Should it be another
    /// member of the same name after all, the media path ends the session.
    fn moves(&mut self, id: SessionId, name: Option<String>) -> bool {
        let Some(name) = name else { return false };
        let heir = self.members.iter().find(|(contact, other)| {
            **other == name && self.sessions.values().all(|session| session.contact != **contact)
        });
        match (heir.map(|(contact, _)| *contact), self.sessions.get_mut(&id)) {
            (Some(contact), Some(session)) => {
                debug!(viewer = %name, "the viewer goes on under another id");
                session.contact = contact;
                true
            }
            _ => false,
        }
    }

    fn post(&self, to: Contact, message: Message) {
        match self.letters.try_send(Letter { to, message }) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(letter)) => {
                warn!(peer = %to.peer, "the signaling server is too slow; dropped {}", kind_of(&letter.message));
            }
        }
    }
}

fn feed_of(feeds: &mut [Feed], codec: Codec) -> Option<&mut Feed> {
    feeds.iter_mut().find(|feed| feed.codec() == codec)
}

fn kind_of(message: &Message) -> &'static str {
    match message {
        Message::Description(description) => description.kind.as_str(),
        Message::Candidate(_) => "a candidate",
        Message::Refusal(_) => "a refusal",
        Message::Bye => "BYE",
    }
}

/// The next unit of any feed, with the feed's index.
async fn next_unit(feeds: &mut [Feed]) -> (usize, Option<AccessUnit>) {
    poll_fn(|context| {
        for (index, feed) in feeds.iter_mut().enumerate() {
            if let Poll::Ready(unit) = feed.poll_unit(context) {
                return Poll::Ready((index, unit));
            }
        }
        Poll::Pending
    })
    .await
}

/// The index of a socket that has something.
async fn readable(sockets: &[Socket]) -> usize {
    let ready = |context: &mut Context<'_>| {
        let index = sockets
            .iter()
            .position(|socket| socket.poll_readable(context).is_ready());
        index.map_or(Poll::Pending, Poll::Ready)
    };
    poll_fn(ready).await
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
