use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use pinhole_service::watchdog::{BEAT, Pulse};
use pinhole_signaling::{Candidate, DescriptionKind, Message};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, info};

use super::{
    channels::{Channels, Ears, Outgoing},
    contact::{Call, Letter},
    ending::Ending,
    feed::Feed,
    floor::{self, Floor, Seat},
    id::{CameraId, SessionId},
    report::{Report, Stage},
    rtcp::Anchor,
    session::{Event, Input, Output, Terms},
    sound::SoundFeed,
    transport::{Demux, Names, Reflexive, Source, Transport},
    viewers::{Desk, Viewers},
};
use crate::{
    fanout::{SoundTrack, Track},
    media::{AccessUnit, Codec, Privacy, SoundUnit, TalkBack, Timestamp},
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

/// All sessions and their sockets; one task.
pub struct Engine {
    pub(super) settings: Settings,
    changes: watch::Receiver<Settings>,
    pub(super) transport: Transport,
    pub(super) feeds: Vec<Feed>,
    pub(super) sounds: Vec<SoundFeed>,
    pub(super) floor: Floor,
    pub(super) desk: Desk,
    pub(super) channels: Channels,
    pub(super) anchor: Anchor,
    privacy: Privacy,
    /// Where viewers are heard.
    pub(super) intake: Option<Intake>,
}

/// What an engine is made of.
pub struct Parts {
    /// What carries packets.
    pub transport: Transport,
    /// What the configuration says, at any time.
    pub settings: watch::Receiver<Settings>,
    /// The sound of all cameras, in each codec.
    pub sounds: Vec<SoundTrack>,
    /// What was captured before this is switched on is not sent any more.
    pub privacy: Privacy,
    /// Who takes part in viewers' control channels; without, there are none.
    pub ears: Option<Arc<dyn Ears>>,
    /// Where viewers are heard, as far as the settings allow it.
    pub intake: Option<Intake>,
}

impl Engine {
    /// One without cameras: these are told by [`Call::Opened`].
    pub fn new(parts: Parts) -> Self {
        let Parts {
            transport,
            mut settings,
            sounds,
            privacy,
            ears,
            intake,
        } = parts;
        let floor = Floor {
            sessions: BTreeMap::new(),
            next_session: 0,
            demux: Demux::default(),
            members: HashMap::new(),
            desks: BTreeMap::new(),
            reflexive: Reflexive::default(),
        };
        let current = settings.borrow_and_update().clone();
        Self {
            settings: current,
            changes: settings,
            transport,
            feeds: Vec::new(),
            sounds: sounds.into_iter().map(SoundFeed::new).collect(),
            floor,
            desk: Desk::default(),
            channels: Channels::new(ears),
            anchor: Anchor::measure(),
            privacy,
            intake,
        }
    }

    /// Where to ask who watches, while the engine runs.
    pub fn viewers(&self) -> Viewers {
        self.desk.viewers()
    }

    /// What the next viewer may have besides the picture.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            sound: self.settings.sound,
            talk_back: self.settings.talk_back,
            loudspeaker: self.intake.is_some(),
            ..Terms::default()
        }
    }

    /// Serves viewers until `stop`, then tells each of them. Beats `pulse` at least every few seconds.
    pub async fn run(mut self, mut calls: mpsc::Receiver<Call>, stop: CancellationToken, pulse: Pulse) {
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
                source = self.transport.readable() => self.read(source),
                Some(outgoing) = self.channels.outgoing.recv() => self.tell(outgoing),
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
        tracks: Vec<Track>,
        letters: mpsc::Sender<Letter>,
        span: Span,
    ) {
        let desk = floor::Desk {
            letters,
            sign_in: 0,
            span,
        };
        self.floor.desks.insert(camera, desk);
        let feeds = tracks.into_iter().map(|track| Feed::new(camera, track));
        self.feeds.extend(feeds);
    }

    /// Says goodbye to all viewers of this camera, and forgets it.
    pub(super) fn close(&mut self, camera: CameraId) {
        let sessions = self.floor.sessions.iter();
        let viewers = sessions.filter(|(_, seat)| seat.contact.camera == camera);
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
        let now = Instant::now();
        for seat in self.floor.sessions.values_mut() {
            seat.session.handle(Input::TalkBack(settings.talk_back), now);
        }
        self.settings = settings;
    }

    /// Sends one access unit to everyone who watches this camera in this codec.
    fn broadcast(&mut self, index: usize, unit: Option<AccessUnit>) {
        let feed = &mut self.feeds[index];
        let (camera, codec) = (feed.camera(), feed.codec());
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
            Err(error) => return debug!(%codec, "an access unit can't be cut into packets: {error}"),
        };
        let now = Instant::now();
        let is_fed =
            |(_, seat): &(&SessionId, &Seat)| seat.contact.camera == camera && seat.session.codec() == codec;
        let fed: Vec<_> = self
            .floor
            .sessions
            .iter()
            .filter(is_fed)
            .map(|(id, _)| *id)
            .collect();
        let mut watched = false;
        for id in fed {
            if let Some(seat) = self.floor.sessions.get_mut(&id) {
                seat.session.handle(Input::Picture(&packetised), now);
                watched |= seat.session.stage() == Stage::Watching;
            }
            self.pump(id, now);
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
        let hears = |(_, seat): &(&SessionId, &Seat)| seat.session.hears() == Some(codec);
        let hearing: Vec<_> = self
            .floor
            .sessions
            .iter()
            .filter(hears)
            .map(|(id, _)| *id)
            .collect();
        let mut sent = false;
        for id in hearing {
            if let Some(seat) = self.floor.sessions.get_mut(&id) {
                seat.session.handle(Input::Sound(&unit), now);
                sent |= seat.session.stage() != Stage::Connecting;
            }
            self.pump(id, now);
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
            feed.set_heard(sessions.any(|seat| seat.session.hears() == Some(codec)));
        }
    }

    /// Sends a control message.
    fn tell(&mut self, outgoing: Outgoing) {
        let now = Instant::now();
        let id = outgoing.session;
        self.channels.sent(&outgoing);
        if let Some(seat) = self.floor.sessions.get_mut(&id) {
            let message = Input::Message {
                channel: outgoing.number,
                text: outgoing.text,
            };
            seat.session.handle(message, now);
            self.channels.weigh(id, seat.session.unsent());
        }
        self.pump(id, now);
    }

    fn read(&mut self, source: Source) {
        let now = Instant::now();
        let Floor {
            sessions,
            demux,
            reflexive,
            ..
        } = &mut self.floor;
        let mut touched = BTreeSet::new();
        let mut mapped = false;
        self.transport.receive(source, |packet| {
            let Some(id) = demux.find(packet.path, packet.data) else {
                mapped |= reflexive.hear(packet.path.peer, packet.data, now);
                return;
            };
            if let Some(seat) = sessions.get_mut(&id) {
                let input = Input::Packet {
                    path: packet.path,
                    data: packet.data,
                };
                seat.session.handle(input, now);
                touched.insert(id);
            }
        });
        for id in touched {
            self.advance(id, now);
        }
        if mapped {
            self.tell_reflexive(now);
        }
    }

    /// Tells who calls our address behind the NAT, where it is known.
    pub(super) fn tell_reflexive(&mut self, now: Instant) {
        let Some(address) = self.floor.reflexive.address(now) else {
            return;
        };
        let all: Vec<_> = self.floor.sessions.keys().copied().collect();
        for id in all {
            if let Some(seat) = self.floor.sessions.get_mut(&id) {
                seat.session.handle(Input::Reflexive(address), now);
            }
            self.pump(id, now);
        }
    }

    fn advance_due(&mut self, now: Instant) {
        let due = |seat: &Seat| seat.session.deadline().is_some_and(|deadline| deadline <= now);
        let sessions = self.floor.sessions.iter();
        let due: Vec<_> = sessions
            .filter(|(_, seat)| due(seat))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.advance(id, now);
        }
    }

    fn advance(&mut self, id: SessionId, now: Instant) {
        if let Some(seat) = self.floor.sessions.get_mut(&id) {
            seat.session.handle(Input::Timeout, now);
        }
        self.pump(id, now);
        if let Some(seat) = self.floor.sessions.get_mut(&id) {
            self.channels.weigh(id, seat.session.unsent());
        }
    }

    /// Does what a session wants done.
    pub(super) fn pump(&mut self, id: SessionId, now: Instant) {
        while let Some(seat) = self.floor.sessions.get_mut(&id) {
            match seat.session.poll() {
                Some(Output::Transmit(packet)) => self.transport.send(packet.path, &packet.data),
                Some(Output::Event(event)) => self.happened(id, event, now),
                None => break,
            }
        }
        self.transport.flush();
    }

    fn happened(&mut self, id: SessionId, event: Event, now: Instant) {
        let Some(seat) = self.floor.sessions.get_mut(&id) else {
            return;
        };
        let (contact, codec) = (seat.contact, seat.session.codec());
        match event {
            Event::Answer(sdp) => {
                self.count_listeners();
                self.describe(id, DescriptionKind::Answer, sdp);
            }
            Event::Offer(sdp) => self.describe(id, DescriptionKind::Offer, sdp),
            Event::Candidate(candidate) => {
                let candidate = Candidate {
                    sdp_mid: candidate.mid,
                    sdp_mline_index: 0,
                    candidate: candidate.line,
                };
                self.floor.post(contact, Message::Candidate(candidate));
            }
            Event::Connected => {
                let after = seat.session.summary(now);
                let viewer = seat.name.clone();
                let _here = self.floor.span(contact.camera).entered();
                info!(%viewer, %codec, after = %after.lasted(), "viewer connected");
                self.count();
            }
            Event::KeyframeWanted => {
                if let Some(feed) = feed_of(&mut self.feeds, contact.camera, codec) {
                    feed.request_keyframe();
                }
            }
            Event::Watching => {
                let after = seat.session.summary(now);
                let viewer = seat.name.clone();
                let _here = self.floor.span(contact.camera).entered();
                info!(%viewer, after = %after.lasted(), "first frame sent");
            }
            Event::Channel(event) => {
                if let Some(number) = self.channels.happened(id, &seat.name, contact.camera, event) {
                    seat.session.handle(Input::CloseChannel(number), now);
                }
            }
            Event::Voice(packet) => {
                if let Some(intake) = &self.intake {
                    intake.hear(packet);
                }
            }
            Event::VoiceRefused => {
                if let Some(intake) = &self.intake {
                    intake.figures().refused.one();
                }
            }
            Event::Failed(error) => {
                let _here = self.floor.span(contact.camera).entered();
                self.fail(id, &error);
            }
            Event::Ended(why) => self.end(id, why, true),
        }
    }

    pub(super) fn end(&mut self, id: SessionId, why: Ending, tell: bool) {
        let Some(mut seat) = self.floor.sessions.remove(&id) else {
            return;
        };
        let now = Instant::now();
        self.floor.demux.remove(id);
        self.channels.close(id);
        let camera = seat.contact.camera;
        if let Some(feed) = feed_of(&mut self.feeds, camera, seat.session.codec()) {
            feed.leave();
        }
        self.count_listeners();
        seat.session.handle(Input::Close, now);
        while let Some(output) = seat.session.poll() {
            if let Output::Transmit(packet) = output {
                self.transport.send(packet.path, &packet.data);
            }
        }
        self.transport.flush();
        if tell {
            self.floor.post(seat.contact, Message::Bye);
        }
        self.desk.figures.ended(why).one();
        self.count();
        let summary = seat.session.summary(now);
        let _here = self.floor.span(camera).entered();
        info!(
            viewer = %seat.name,
            lasted = %summary.lasted(),
            packets = summary.packets,
            kbps = summary.kbps.round() as u64,
            loss = %summary.loss(),
            viewers = self.floor.sessions.len(),
            unsent = self.transport.unsent(),
            "session ended: {why}"
        );
    }

    fn answer(&mut self, question: oneshot::Sender<Report>) {
        let now = Instant::now();
        let sessions = self.floor.sessions.iter_mut();
        let viewers = sessions.map(|(id, seat)| seat.session.report(id.0, seat.contact.camera, now));
        // Who asked may have lost patience.
        let _ = question.send(Report {
            viewers: viewers.collect(),
            unsent: self.transport.unsent(),
        });
    }

    /// Tells those who want to know how many are connected.
    fn count(&self) {
        let seats = self.floor.sessions.values();
        let connected = seats.filter(|seat| seat.session.stage() != Stage::Connecting);
        self.desk.count(connected.count());
    }
}

pub(super) fn feed_of(feeds: &mut [Feed], camera: CameraId, codec: Codec) -> Option<&mut Feed> {
    feeds
        .iter_mut()
        .find(|feed| feed.camera() == camera && feed.codec() == codec)
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

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
