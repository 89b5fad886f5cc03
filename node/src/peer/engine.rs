use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use pinhole_service::watchdog::{BEAT, Pulse};
use pinhole_signaling::Message;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, info};

use super::{
    channel::{Channels, Ears, Outgoing},
    contact::{Call, CameraId, Letter},
    demux::{Demux, SessionId},
    ending::Ending,
    feed::Feed,
    floor::{self, Floor},
    names::Names,
    outbox::Outbox,
    reflexive::Reflexive,
    report::Desk,
    session::{Outcome, Session, Terms},
    socket::{self, Buffers, Socket},
    sound::SoundFeed,
};
use crate::{
    fanout::Broadcast,
    media::{AccessUnit, Privacy, Rendition, SoundUnit, TalkBack, Timestamp},
    voice::Intake,
};

/// What the engine is told by the configuration, and may be told anew while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Sessions at the same time; one more is refused.
    pub max_viewers: usize,
    /// Hosts and ports of the STUN servers that are asked for our address on the far side of a NAT.
    pub stun_servers: Vec<(String, u16)>,
    /// Who may be heard; the default is for a node with a loudspeaker.
    pub talk_back: TalkBack,
    /// Whether those who call are offered sound.
    pub sound: bool,
}

impl Settings {
    pub(super) fn terms(&self) -> Terms {
        Terms {
            sound: self.sound,
            talk_back: self.talk_back,
            ..Terms::default()
        }
    }
}

/// Why the engine can't start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The port is taken or not allowed.
    #[error("UDP port {port} can't be used: {cause}; choose another `udp_port` under [webrtc], or 0 for any")]
    Bind {
        /// The configured port.
        port: u16,
        /// What the system says.
        cause: io::Error,
    },
}

/// All sessions and their sockets; one task.
pub struct Engine {
    pub(super) settings: Settings,
    changes: watch::Receiver<Settings>,
    pub(super) sockets: Vec<Socket>,
    pub(super) feeds: Vec<Feed>,
    pub(super) sounds: Vec<SoundFeed>,
    pub(super) floor: Floor,
    pub(super) desk: Desk,
    pub(super) channels: Option<Channels>,
    privacy: Privacy,
    /// Where viewers are heard.
    pub(super) intake: Option<Intake>,
}

impl Engine {
    /// Opens the sockets, on the UDP port of all viewers of all cameras (0 takes a free one). Which cameras there are is told by
    /// [`Call::Opened`]; all of them have the same `sound`.
    ///
    /// # Errors
    /// The port can't be used.
    pub fn bind(
        udp_port: u16,
        mut settings: watch::Receiver<Settings>,
        sound: &Broadcast<SoundUnit>,
    ) -> Result<Self, EngineError> {
        let sockets = bind(udp_port)?;
        let floor = Floor {
            sessions: BTreeMap::new(),
            next_session: 0,
            demux: Demux::default(),
            outbox: Outbox::default(),
            members: HashMap::new(),
            desks: BTreeMap::new(),
            reflexive: Reflexive::default(),
        };
        let current = settings.borrow_and_update().clone();
        Ok(Self {
            settings: current,
            changes: settings,
            sockets,
            feeds: Vec::new(),
            sounds: sound
                .renditions()
                .map(|codec| SoundFeed::new(sound.clone(), codec))
                .collect(),
            floor,
            desk: Desk::default(),
            channels: None,
            privacy: Privacy::default(),
            intake: None,
        })
    }

    /// Viewers may open a control channel, to which `ears` listen.
    pub fn open_channels(&mut self, ears: Arc<dyn Ears>) {
        self.channels = Some(Channels::new(ears));
    }

    /// What was captured before this is switched on is not sent any more.
    pub fn keep(&mut self, privacy: Privacy) {
        self.privacy = privacy;
    }

    /// Gives what viewers say to `intake`, as far as the settings allow.
    pub fn listen(&mut self, intake: Intake) {
        self.intake = Some(intake);
    }

    /// The UDP port of all viewers.
    pub fn port(&self) -> u16 {
        self.sockets.first().map_or(0, |socket| socket.address().port())
    }

    /// Serves viewers until `stop`, then tells each of them. Beats `pulse` at least every few seconds.
    pub async fn run(mut self, mut calls: mpsc::Receiver<Call>, stop: CancellationToken, pulse: Pulse) {
        let mut buffers = Buffers::default();
        let mut names = Names::new(self.settings.stun_servers.clone());
        let mut beat = tokio::time::interval(BEAT);
        loop {
            pulse.beat();
            let deadline = self.floor.deadline();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Before the sockets: a flood of packets must not delay the picture.
                (index, unit) = next_unit(&mut self.feeds) => self.broadcast(index, unit),
                (index, unit) = next_sound(&mut self.sounds) => self.broadcast_sound(index, unit),
                call = calls.recv() => match call {
                    Some(call) => self.take(call),
                    None => break,
                },
                index = readable(&self.sockets) => self.read(index, &mut buffers),
                Some(outgoing) = next_outgoing(&mut self.channels) => self.tell(outgoing),
                Some(question) = self.desk.questions.recv() => self.answer(question),
                servers = names.resolved() => self.floor.reflexive.set_servers(servers),
                Ok(()) = self.changes.changed() => self.reconfigure(&mut names),
                () = sleep_until(deadline) => {}
                _ = beat.tick() => {}
            }
            self.advance_due(Instant::now());
        }
        let all: Vec<_> = self.floor.sessions.keys().copied().collect();
        for id in all {
            self.end(id, Ending::Stopped, true);
        }
    }

    /// Viewers can call this camera from now on.
    pub(super) fn open(
        &mut self,
        camera: CameraId,
        broadcast: &Broadcast<AccessUnit>,
        letters: mpsc::Sender<Letter>,
        span: Span,
    ) {
        let desk = floor::Desk {
            letters,
            sign_in: 0,
            span,
        };
        self.floor.desks.insert(camera, desk);
        let feeds = broadcast
            .renditions()
            .map(|rendition| Feed::new(camera, broadcast.clone(), rendition));
        self.feeds.extend(feeds);
    }

    /// Says goodbye to all viewers of this camera, and forgets it.
    pub(super) fn close(&mut self, camera: CameraId) {
        let sessions = self.floor.sessions.iter();
        let viewers = sessions.filter(|(_, session)| session.contact.camera == camera);
        let viewers: Vec<_> = viewers.map(|(id, _)| *id).collect();
        for id in viewers {
            self.end(id, Ending::Removed, true);
        }
        self.feeds.retain(|feed| feed.camera() != camera);
        self.floor.members.retain(|contact, _| contact.camera != camera);
        self.floor.desks.remove(&camera);
    }

    /// Obeys new settings. Who has a place keeps it, also where there are fewer places now.
    fn reconfigure(&mut self, names: &mut Names) {
        let settings = self.changes.borrow_and_update().clone();
        if settings.stun_servers != self.settings.stun_servers {
            self.floor.reflexive = Reflexive::default();
            *names = Names::new(settings.stun_servers.clone());
        }
        for session in self.floor.sessions.values_mut() {
            session.hear_only(settings.talk_back);
        }
        self.settings = settings;
    }

    /// Sends one access unit to everyone who watches this rendition of this camera.
    fn broadcast(&mut self, index: usize, unit: Option<AccessUnit>) {
        let feed = &mut self.feeds[index];
        let (camera, rendition) = (feed.camera(), feed.rendition());
        let Some(unit) = unit else {
            // The pipeline ended for good, which ends the process; until then nobody waits for more.
            while feed.is_used() {
                feed.leave();
            }
            return;
        };
        // It was on its way when the switch was thrown.
        if self.privacy.blocks(unit.captured_at) {
            return;
        }
        let start = Instant::now();
        let packetised = match feed.packetise(unit) {
            Ok(packetised) => packetised,
            Err(error) => {
                return debug!(codec = %rendition.codec, "an access unit can't be cut into packets: {error}");
            }
        };
        let now = Instant::now();
        let Floor {
            sessions,
            outbox,
            desks,
            ..
        } = &mut self.floor;
        let mut watched = false;
        let is_fed =
            |session: &&mut Session| session.contact.camera == camera && session.rendition() == rendition;
        for session in sessions.values_mut().filter(is_fed) {
            if session.send(&packetised, &self.sockets, outbox, now) {
                let _here = desks.get(&camera).map(|desk| desk.span.enter());
                info!(viewer = %session.name, after = %session.summary(now).lasted(), "first frame sent");
            }
            watched |= session.is_watching();
        }
        if watched {
            let captured_at = packetised.unit.captured_at;
            self.desk.figures.sent.record(start.elapsed());
            self.desk
                .figures
                .captured_to_sent
                .record(Timestamp::now().since(captured_at));
        }
    }

    /// Sends 20 ms of sound to everyone who hears this codec.
    fn broadcast_sound(&mut self, index: usize, unit: Option<SoundUnit>) {
        let feed = &mut self.sounds[index];
        let codec = feed.codec();
        let Some(unit) = unit else {
            // As with pictures: the process is about to end.
            return feed.set_heard(false);
        };
        if self.privacy.blocks(unit.captured_at) {
            return;
        }
        let now = Instant::now();
        let Floor { sessions, outbox, .. } = &mut self.floor;
        let hears = |session: &&mut Session| session.hears() == Some(codec);
        let mut sent = false;
        for session in sessions.values_mut().filter(hears) {
            session.send_sound(&unit, &self.sockets, outbox, now);
            sent |= session.is_connected();
        }
        if sent {
            let took = Timestamp::now().since(unit.captured_at);
            self.desk.figures.sound_captured_to_sent.record(took);
        }
    }

    /// Takes part in the sound that sessions hear, and in no other.
    pub(super) fn count_listeners(&mut self) {
        for feed in &mut self.sounds {
            let codec = feed.codec();
            let mut sessions = self.floor.sessions.values();
            feed.set_heard(sessions.any(|session| session.hears() == Some(codec)));
        }
    }

    /// Sends a control message.
    fn tell(&mut self, outgoing: Outgoing) {
        let Floor { sessions, outbox, .. } = &mut self.floor;
        if let Some(session) = sessions.get_mut(&outgoing.session) {
            session.say(outgoing, &self.sockets, outbox, Instant::now());
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
        let Floor {
            sessions,
            outbox,
            desks,
            ..
        } = &mut self.floor;
        let Some(session) = sessions.get_mut(&id) else {
            return;
        };
        let outcome = session.advance(&self.sockets, outbox, now);
        let camera = session.contact.camera;
        if outcome == Outcome::Connected {
            let _here = desks.get(&camera).map(|desk| desk.span.enter());
            info!(viewer = %session.name, codec = %session.codec(), after = %session.summary(now).lasted(), "viewer connected");
        }
        if (session.wants_keyframe() || outcome == Outcome::Connected)
            && let Some(feed) = feed_of(&mut self.feeds, camera, session.rendition())
        {
            feed.request_keyframe();
        }
        if outcome == Outcome::Connected {
            self.count();
        }
        if let Outcome::Over(why) = outcome {
            self.end(id, why, true);
        }
    }

    pub(super) fn end(&mut self, id: SessionId, why: Ending, tell: bool) {
        let Some(mut session) = self.floor.sessions.remove(&id) else {
            return;
        };
        self.floor.demux.remove(id);
        let camera = session.contact.camera;
        if let Some(feed) = feed_of(&mut self.feeds, camera, session.rendition()) {
            feed.leave();
        }
        self.count_listeners();
        session.close(&self.sockets, &mut self.floor.outbox);
        if tell {
            self.floor.post(session.contact, Message::Bye);
        }
        self.desk.figures.ended(why).one();
        self.count();
        let summary = session.summary(Instant::now());
        let _here = self.floor.span(camera).entered();
        info!(
            viewer = %session.name,
            lasted = %summary.lasted(),
            packets = summary.packets,
            kbps = summary.kbps.round() as u64,
            loss = %summary.loss(),
            viewers = self.floor.sessions.len(),
            unsent = self.floor.outbox.lost(),
            "session ended: {why}"
        );
    }
}

/// Whether viewers could be served from this UDP port.
///
/// # Errors
/// It is taken or not allowed.
pub fn try_port(udp_port: u16) -> Result<(), EngineError> {
    bind(udp_port).map(drop)
}

fn bind(port: u16) -> Result<Vec<Socket>, EngineError> {
    socket::bind(port).map_err(|cause| EngineError::Bind { port, cause })
}

pub(super) fn feed_of(feeds: &mut [Feed], camera: CameraId, rendition: Rendition) -> Option<&mut Feed> {
    feeds
        .iter_mut()
        .find(|feed| feed.camera() == camera && feed.rendition() == rendition)
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

/// The next sound of any feed, with the feed's index.
async fn next_sound(feeds: &mut [SoundFeed]) -> (usize, Option<SoundUnit>) {
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

/// The next control message to a viewer. Never, where there are none.
async fn next_outgoing(channels: &mut Option<Channels>) -> Option<Outgoing> {
    match channels {
        Some(channels) => channels.outgoing.recv().await,
        None => std::future::pending().await,
    }
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        fanout::{self, Demand},
        media::Codec,
    };

    fn picture() -> AccessUnit {
        AccessUnit {
            data: Bytes::from_static(b"picture"),
            captured_at: Timestamp::now(),
            is_keyframe: true,
        }
    }

    #[tokio::test]
    async fn what_was_taken_from_the_queue_before_the_privacy_switch_is_not_sent_after_it() {
        let (_, settings) = watch::channel(Settings::default());
        // The fan-out knows another switch, which nobody throws.
        let elsewhere = Privacy::default();
        let (_, silence) = fanout::broadcast([], &Demand::default(), &elsewhere);
        let renditions = [Rendition::top(Codec::Vp8)];
        let (_publishers, broadcast) = fanout::broadcast(renditions, &Demand::default(), &elsewhere);
        let mut engine = Engine::bind(0, settings, &silence).expect("a free port");
        let privacy = Privacy::default();
        engine.keep(privacy.clone());
        let (letters, _mailbox) = mpsc::channel(1);
        engine.open(CameraId::default(), &broadcast, letters, Span::none());
        let taken = picture();
        privacy.set(true);
        engine.broadcast(0, Some(taken.clone()));
        privacy.set(false);
        engine.broadcast(0, Some(taken));
        // Each picture that is cut for the wire has a number, and this is the first.
        let mut fresh = Feed::new(CameraId::default(), broadcast, renditions[0]);
        let first = fresh.packetise(picture()).expect("a picture").payloads;
        engine.broadcast(0, Some(picture()));
        let second = engine.feeds[0].packetise(picture()).expect("a picture").payloads;
        assert_ne!(first, second);
        assert_eq!(fresh.packetise(picture()).expect("a picture").payloads, second);
    }
}
