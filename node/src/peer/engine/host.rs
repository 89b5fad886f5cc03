//! Everything of the engine that does not wait, and what each part of it does by way of a session.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use pinhole_service::quiet::Quiet;
use tokio::sync::oneshot;
use tracing::{Span, info, warn};

use super::{
    crew::Crew,
    parts::{Parts, Settings},
    port::{Port, drain},
};
use crate::{
    media::{Allowance, Privacy, Rendition},
    peer::{
        caller::{Refused, Reply},
        channels::Channels,
        ending::Ending,
        feed::Feed,
        id::{CameraId, SessionId},
        report::Report,
        rtcp::Anchor,
        sdp,
        session::{Event, Input},
        sessions::Sessions,
        sound::SoundFeed,
        transport::{Demux, Reflexive, Transport},
        viewers::Tally,
    },
    voice::Intake,
};

/// Offers that are read at once, and each second, whoever makes them: a certificate is made for each, and an answer. Several times what
/// a crowd needs that comes back to a node that has been restarted, and a twentieth of a core at the worst.
const OFFERS_AT_ONCE: u32 = 100;
const OFFERS_PER_SECOND: u32 = 50;

/// Threads that are of use: no board has a network that takes more than these can send.
const MOST_THREADS: usize = 8;

/// What the sessions happen in.
pub(super) struct Host {
    pub(super) settings: Settings,
    pub(super) transport: Transport,
    /// When packets are taken again.
    pub(super) rest: Option<Instant>,
    pub(super) demux: Demux,
    pub(super) reflexive: Reflexive,
    /// The cameras, and what the log says in front of what happens to their viewers.
    pub(super) cameras: BTreeMap<CameraId, Span>,
    pub(super) feeds: Vec<Feed>,
    pub(super) sounds: Vec<SoundFeed>,
    pub(super) sessions: Sessions,
    /// Who helps with a crowd.
    pub(super) crew: Crew,
    pub(super) channels: Channels,
    pub(super) privacy: Privacy,
    /// Where viewers are heard.
    pub(super) intake: Option<Intake>,
    pub(super) anchor: Anchor,
    /// How many offers are read.
    pub(super) offers: Allowance,
    pub(super) tally: Tally,
    /// What sessions had to tell, until [`Host::happen`].
    pub(super) events: VecDeque<(SessionId, Event)>,
}

impl Host {
    pub(super) fn new(parts: Parts, tally: Tally) -> Self {
        let Parts {
            transport,
            settings,
            sound,
            privacy,
            ears,
            intake,
            threads,
        } = parts;
        let settings = settings.borrow().clone();
        let helpers = (1..threads.get().min(MOST_THREADS)).map(|_| transport.lane());
        let sessions = Sessions::new(transport.lane(), helpers);
        Self {
            settings,
            transport,
            rest: None,
            demux: Demux::default(),
            reflexive: Reflexive::default(),
            cameras: BTreeMap::new(),
            feeds: Vec::new(),
            sounds: sound
                .renditions()
                .map(|codec| SoundFeed::new(sound.clone(), codec))
                .collect(),
            sessions,
            crew: Crew::default(),
            channels: Channels::new(ears),
            privacy,
            intake,
            anchor: Anchor::measure(),
            offers: Allowance::new(OFFERS_AT_ONCE, OFFERS_PER_SECOND),
            tally,
            events: VecDeque::new(),
        }
    }

    /// Obeys new settings. Who has a place keeps it, also where there are fewer places now.
    pub(super) fn reconfigure(&mut self, settings: Settings) {
        if settings.stun_servers != self.settings.stun_servers {
            self.reflexive = Reflexive::default();
        }
        let now = Instant::now();
        self.sessions
            .each(|_, entry| entry.session.handle(Input::TalkBack(settings.talk_back), now));
        self.settings = settings;
    }

    /// What the log says in front of what happens to a camera's viewers.
    pub(super) fn span(&self, camera: CameraId) -> Span {
        self.cameras.get(&camera).cloned().unwrap_or_else(Span::none)
    }

    /// Does what a session wants done.
    pub(super) fn serve(&mut self, id: SessionId, now: Instant) {
        if let Some(entry) = self.sessions.get(id) {
            drain(id, &mut entry.session, &mut self.transport, &mut self.events, now);
            self.sessions.settle(id);
        }
        self.happen(now);
    }

    /// Gives a session its input, and does what comes of it.
    pub(super) fn give(&mut self, id: SessionId, input: Input<'_>, now: Instant) {
        if let Some(entry) = self.sessions.get(id) {
            entry.session.handle(input, now);
            drain(id, &mut entry.session, &mut self.transport, &mut self.events, now);
            self.sessions.settle(id);
        }
        self.happen(now);
    }

    /// Does what sessions had to tell.
    pub(super) fn happen(&mut self, now: Instant) {
        while let Some((id, event)) = self.events.pop_front() {
            self.happened(id, event, now);
        }
    }

    fn happened(&mut self, id: SessionId, event: Event, now: Instant) {
        let Some(entry) = self.sessions.get(id) else {
            return;
        };
        let (camera, viewer) = (entry.camera, &entry.viewer);
        match event {
            Event::Answer(sdp) => {
                register(&mut self.demux, &sdp, id);
                entry.caller.tell(Reply::Answer(sdp));
                self.count_listeners();
            }
            Event::Offer(sdp) => {
                register(&mut self.demux, &sdp, id);
                entry.caller.tell(Reply::Offer(sdp));
            }
            Event::Candidate(candidate) => entry.caller.tell(Reply::Candidate(candidate)),
            Event::Connected => self.connected(id, now),
            Event::KeyframeWanted => {
                if let Some(feed) = feed_of(&mut self.feeds, camera, entry.session.rendition()) {
                    let mut port = Port::new(id, &mut self.transport, now);
                    if !entry.session.catch_up(feed.group(), feed.ring(), now, &mut port) {
                        feed.request_keyframe();
                    }
                    drain(id, &mut entry.session, &mut self.transport, &mut self.events, now);
                    self.sessions.settle(id);
                }
            }
            Event::PacketsWanted => {
                if let Some(feed) = feed_of(&mut self.feeds, camera, entry.session.rendition()) {
                    let mut port = Port::new(id, &mut self.transport, now);
                    entry.session.again(feed.ring(), now, &mut port);
                    drain(id, &mut entry.session, &mut self.transport, &mut self.events, now);
                    self.sessions.settle(id);
                }
            }
            Event::RungWanted(rung) => self.enter(id, rung),
            Event::RungLeft(rung) => self.leave(id, rung),
            Event::Silent => self.fell_silent(id),
            Event::Back => self.is_back(id, now),
            Event::Paused => self.leave_all(id),
            Event::Resumed => self.resume(id),
            Event::Watching => {
                static WATCHING: Quiet = Quiet::new(100);
                if let Some(others) = WATCHING.may_say() {
                    let after = entry.session.summary(now);
                    let _here = self.cameras.get(&camera).map(Span::enter);
                    info!(%viewer, after = %after.lasted(), others, "first frame sent");
                }
            }
            Event::Channel(event) => {
                if let Some(number) = self.channels.happened(id, viewer, camera, event) {
                    entry.session.handle(Input::CloseChannel(number), now);
                    drain(id, &mut entry.session, &mut self.transport, &mut self.events, now);
                    self.sessions.settle(id);
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
                static FAILED: Quiet = Quiet::new(10);
                let why = Refused::negotiation(&error);
                if let Some(others) = FAILED.may_say() {
                    let _here = self.cameras.get(&camera).map(Span::enter);
                    warn!(%viewer, others, "negotiation failed: {why}");
                }
                self.finish(id, Ending::Negotiation, Reply::Refused(why));
            }
            Event::Ended(why) => self.end(id, why),
        }
    }

    /// A viewer is through. It may come too late for a place.
    fn connected(&mut self, id: SessionId, now: Instant) {
        static CONNECTED: Quiet = Quiet::new(100);
        let connected = self.sessions.connected();
        if connected > self.settings.max_viewers {
            return self.end(id, Ending::Crowded);
        }
        self.tally.count(connected);
        if let Some(entry) = self.sessions.get(id)
            && let Some(others) = CONNECTED.may_say()
        {
            let after = entry.session.summary(now);
            let _here = self.cameras.get(&entry.camera).map(Span::enter);
            let (viewer, codec) = (&entry.viewer, entry.session.codec());
            info!(%viewer, %codec, after = %after.lasted(), others, "viewer connected");
        }
    }

    /// Takes part in the sound that sessions hear, and in no other.
    pub(super) fn count_listeners(&mut self) {
        for feed in &mut self.sounds {
            let codec = feed.codec();
            let mut entries = self.sessions.iter();
            feed.set_heard(entries.any(|entry| entry.session.hears() == Some(codec)));
        }
    }

    /// Packets that the kernel did not take, since the start.
    pub(super) fn unsent(&self) -> u64 {
        self.transport.unsent() + self.sessions.unsent()
    }

    /// Tells who watches.
    pub(super) fn answer(&mut self, question: oneshot::Sender<Report>) {
        let now = Instant::now();
        let mut viewers = Vec::with_capacity(self.sessions.len());
        self.sessions
            .each(|id, entry| viewers.push(entry.session.report(id.0, entry.camera, now)));
        viewers.sort_by_key(|viewer| viewer.session);
        // Who asked may have lost patience.
        let _ = question.send(Report {
            viewers,
            unsent: self.unsent(),
        });
    }
}

/// Connectivity checks for this description of ours are for this session.
fn register(demux: &mut Demux, sdp: &str, id: SessionId) {
    if let Some(fragment) = sdp::fragment(sdp) {
        demux.register(fragment.to_owned(), id);
    }
}

pub(super) fn feed_of(feeds: &mut [Feed], camera: CameraId, rendition: Rendition) -> Option<&mut Feed> {
    feeds
        .iter_mut()
        .find(|feed| feed.camera() == camera && feed.rendition() == rendition)
}
