//! What the engine does when it is asked.

use std::time::Instant;

use tracing::{Span, debug, info, warn};

use super::host::{Host, feed_of};
use crate::{
    fanout::Broadcast,
    media::AccessUnit,
    peer::{
        caller::{Caller, Refused, Reply},
        channels::Outgoing,
        ending::Ending,
        feed::Feed,
        id::{CallId, CameraId},
        request::Request,
        sdp::Offer,
        session::{Input, Session, Terms},
        sessions::Entry,
    },
    voice::Talker,
};

impl Host {
    pub(super) fn take(&mut self, request: Request) {
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
                caller,
            } => {
                // Not of a camera that has been removed meanwhile.
                if self.cameras.contains_key(&camera) {
                    let _here = self.span(camera).entered();
                    self.offered(call, camera, viewer, sdp, caller);
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
        let feeds = broadcast
            .renditions()
            .map(|rendition| Feed::new(camera, broadcast.clone(), rendition));
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

    fn offered(
        &mut self,
        call: CallId,
        camera: CameraId,
        viewer: String,
        sdp: String,
        caller: Box<dyn Caller>,
    ) {
        let now = Instant::now();
        let offer = match Offer::read(sdp) {
            Ok(offer) => offer,
            Err(error) => return self.refuse(&viewer, caller, Refused::offer(&error)),
        };
        if let Some(id) = self.sessions.of(call) {
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
        if self.sessions.len() >= places {
            return self.refuse(&viewer, caller, Refused::Busy(places));
        }
        let terms = Terms {
            sound: self.settings.sound,
            talk_back: self.settings.talk_back,
            loudspeaker: self.intake.is_some(),
            talker: Talker(self.sessions.next().0),
        };
        let addresses = self.transport.addresses();
        match Session::new(viewer.clone(), offer, &addresses, &terms, self.anchor, now) {
            Ok(session) => {
                info!(%viewer, codec = %session.codec(), "viewer calls");
                let entry = Entry {
                    call,
                    camera,
                    viewer,
                    caller,
                    session,
                };
                self.begin(entry, now);
            }
            Err(error) => self.refuse(&viewer, caller, Refused::offer(&error)),
        }
    }

    fn begin(&mut self, entry: Entry, now: Instant) {
        let (camera, rendition) = (entry.camera, entry.session.rendition());
        let id = self.sessions.add(entry);
        self.tally.figures.started.one();
        if let Some(feed) = feed_of(&mut self.feeds, camera, rendition) {
            // The camera opens while the viewer connects.
            feed.enter();
        }
        self.serve(id, now);
        self.look_outside(now);
    }

    fn refuse(&mut self, viewer: &str, mut caller: Box<dyn Caller>, why: Refused) {
        match &why {
            Refused::Busy(places) => {
                info!(%viewer, max_viewers = places, "refused a viewer: all places are taken");
            }
            Refused::Loopback => info!(%viewer, "refused a loopback call: it would be without encryption"),
            why => warn!(%viewer, "offer refused: {why}"),
        }
        self.tally.figures.refused.one();
        caller.tell(Reply::Refused(why));
    }
}
