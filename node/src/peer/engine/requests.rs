//! What the engine does when it is asked.

use std::{net::IpAddr, time::Instant};

use pinhole_service::quiet::Quiet;
use tracing::{Span, debug, info, warn};

use super::host::{Host, feed_of};
use crate::{
    fanout::Broadcast,
    media::AccessUnit,
    peer::{
        caller::{Caller, Refused, Reply},
        channels::Outgoing,
        ending::Ending,
        feed::{Feed, PictureIds},
        id::{CallId, CameraId},
        request::Request,
        sdp::Offer,
        session::{Input, Session, SessionError, Terms, first_named},
        sessions::Full,
        shard::Entry,
    },
    voice::Talker,
};

/// Places for those who connect, beside those for who is connected; a place for each of these, at least.
pub(super) const CONNECTING: usize = 32;
/// Offers that are left for those who have no session yet.
const OFFERS_FOR_NEWCOMERS: u32 = 50;

/// Who offers something.
struct Calling {
    call: CallId,
    camera: CameraId,
    viewer: String,
    caller: Box<dyn Caller>,
}

impl Host {
    pub(super) fn take(&mut self, request: Request) {
        self.take_at(request, Instant::now());
    }

    pub(super) fn take_at(&mut self, request: Request, now: Instant) {
        match request {
            Request::Open {
                camera,
                broadcast,
                span,
            } => self.open(camera, &broadcast, span),
            Request::Close { camera, done } => {
                self.close(camera);
                // Who waits for it may have gone.
                let _ = done.send(());
            }
            Request::Offer {
                call,
                camera,
                viewer,
                sdp,
                via,
                caller,
            } => {
                // Not of a camera that has been removed meanwhile.
                if self.cameras.contains_key(&camera) {
                    let _here = self.span(camera).entered();
                    let calling = Calling {
                        call,
                        camera,
                        viewer,
                        caller,
                    };
                    self.offered(calling, sdp, via, now);
                }
            }
            Request::Refuse {
                camera,
                viewer,
                why,
                caller,
            } => {
                let _here = self.span(camera).entered();
                self.refuse(&viewer, caller, why);
            }
            Request::Answer { call, sdp } => self.pass(call, Input::Answer(sdp)),
            Request::Candidate { call, line } => self.pass(call, Input::Candidate(&line)),
            Request::HangUp { call, why } => {
                if let Some(id) = self.sessions.of(call) {
                    self.end(id, why);
                }
            }
        }
    }

    /// Sends a control message.
    pub(super) fn tell(&mut self, outgoing: Outgoing) {
        self.channels.sent(&outgoing);
        let Outgoing {
            session: id,
            number: channel,
            text,
        } = outgoing;
        self.give(id, Input::Message { channel, text }, Instant::now());
        if let Some(entry) = self.sessions.get(id) {
            self.channels.weigh(id, &mut entry.session);
        }
    }

    fn open(&mut self, camera: CameraId, broadcast: &Broadcast<AccessUnit>, span: Span) {
        self.cameras.insert(camera, span);
        let ids = PictureIds::default();
        let feeds = broadcast
            .renditions()
            .map(|rendition| Feed::new(camera, broadcast.clone(), rendition, &ids, &self.privacy));
        self.feeds.extend(feeds);
    }

    fn close(&mut self, camera: CameraId) {
        for id in self.sessions.which(|entry| entry.camera == camera) {
            self.end(id, Ending::Removed);
        }
        self.feeds.retain(|feed| feed.camera() != camera);
        self.cameras.remove(&camera);
    }

    /// Gives a call's session what is for it.
    fn pass(&mut self, call: CallId, input: Input<'_>) {
        match self.sessions.of(call) {
            Some(id) => {
                let camera = self.sessions.get(id).map(|entry| entry.camera);
                let _here = camera.map(|camera| self.span(camera).entered());
                self.give(id, input, Instant::now());
            }
            // Late: a candidate after the end, for example.
            None => debug!("nothing to do with what belongs to no session"),
        }
    }

    fn offered(&mut self, calling: Calling, sdp: String, via: Option<IpAddr>, now: Instant) {
        let Calling {
            call,
            camera,
            viewer,
            caller,
        } = calling;
        let known = self.sessions.of(call);
        // Newcomers find something left, however often the others negotiate anew.
        let left = if known.is_some() { OFFERS_FOR_NEWCOMERS } else { 0 };
        if !self.offers.take_while_left(now, left) {
            return self.refuse(&viewer, caller, Refused::Flooded);
        }
        let offer = match Offer::read(sdp) {
            Ok(offer) => offer,
            Err(error) => return self.refuse(&viewer, caller, Refused::offer(&error)),
        };
        if let Some(id) = known {
            let continued = self
                .sessions
                .get(id)
                .filter(|entry| entry.session.is_continued_by(&offer));
            if let Some(entry) = continued {
                entry.caller = caller;
                return self.give(id, Input::Offer(Box::new(offer)), now);
            }
            self.end(id, Ending::CalledAnew);
        }
        let places = self.settings.max_viewers;
        if self.sessions.connected() >= places {
            return self.refuse(&viewer, caller, Refused::Busy(places));
        }
        let named = first_named(&offer.candidates());
        match self.sessions.gives_way(places.max(CONNECTING), named, now) {
            Ok(other) => other.into_iter().for_each(|id| self.displace(id)),
            Err(Full) => return self.refuse(&viewer, caller, Refused::Flooded),
        }
        let terms = Terms {
            sound: self.settings.sound,
            talk_back: self.settings.talk_back,
            loudspeaker: self.intake.is_some(),
            talker: Talker(self.sessions.next().0),
        };
        let session = self
            .transport
            .addresses(via)
            .map_err(SessionError::Interfaces)
            .and_then(|addresses| {
                let anchor = self.anchor.renewed();
                Session::new(viewer.clone(), offer, &addresses, &terms, anchor, now)
            });
        match session {
            Ok(session) => {
                static CALLS: Quiet = Quiet::new(100);
                if let Some(others) = CALLS.may_say() {
                    info!(%viewer, codec = %session.codec(), others, "viewer calls");
                }
                let entry = Entry {
                    call,
                    camera,
                    viewer,
                    caller,
                    session,
                    entered: Vec::new(),
                };
                self.begin(entry, now);
            }
            Err(error) => self.refuse(&viewer, caller, Refused::offer(&error)),
        }
    }

    fn begin(&mut self, mut entry: Entry, now: Instant) {
        let (camera, rendition) = (entry.camera, entry.session.rendition());
        if let Some(feed) = feed_of(&mut self.feeds, camera, rendition) {
            // The camera opens while the viewer connects.
            feed.enter();
            entry.entered.push(rendition);
        }
        let id = self.sessions.add(entry);
        self.tally.figures.started.one();
        self.serve(id, now);
        self.look_outside(now);
    }

    fn refuse(&mut self, viewer: &str, mut caller: Box<dyn Caller>, why: Refused) {
        static BUSY: Quiet = Quiet::new(10);
        static REFUSED: Quiet = Quiet::new(10);
        let is_busy = matches!(why, Refused::Busy(_));
        if let Some(others) = if is_busy { &BUSY } else { &REFUSED }.may_say() {
            match &why {
                Refused::Busy(places) => {
                    info!(%viewer, max_viewers = places, others, "refused a viewer: all places are taken");
                }
                Refused::Loopback => {
                    info!(%viewer, others, "refused a loopback call: it would be without encryption");
                }
                why => warn!(%viewer, others, "offer refused: {why}"),
            }
        }
        self.tally.figures.refused.one();
        caller.tell(Reply::Refused(why));
    }
}
