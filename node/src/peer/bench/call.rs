//! One viewer's call from its offer to its end, in virtual time: the clock jumps to whatever comes next.
//!
//! What the engine does for a session is done here without sockets: it carries packets, asks the source for keyframes, and closes a session
//! that is over.

use std::time::{Duration, Instant};

use super::{
    holding::Holding,
    link::Link,
    microphone::Microphone,
    nonces::Nonces,
    setting::Setting,
    source::Source,
    told::Told,
    viewer::{NODE, Viewer},
};
use crate::{
    media::Timestamp,
    peer::{
        ending::Ending,
        report::Stage,
        rtcp::Anchor,
        sdp::Offer,
        session::{Input, Session, Terms},
    },
};

/// A viewer, the node's session with it, and what is between them.
pub(super) struct Call {
    pub(super) now: Instant,
    pub(super) start: Instant,
    /// Until it is over.
    pub(super) session: Option<Session>,
    pub(super) viewer: Viewer,
    pub(super) source: Source,
    pub(super) microphone: Option<Microphone>,
    pub(super) to_viewer: Link,
    pub(super) to_node: Link,
    pub(super) on_request: bool,
    pub(super) told: Told,
    /// When the session got a packet for the last time.
    pub(super) heard: Instant,
    /// RTP packets that the session gave out, also those that it gave out again.
    pub(super) sent: u64,
    /// Those of them that were in the stream for what is sent again.
    pub(super) repaired: u64,
    /// Those of them that the session sealed itself.
    pub(super) sealed: u64,
    /// Pictures that the session gave out.
    pub(super) given: u32,
    /// RTP packets that it gave out, each once, but for those in the stream for what is sent again.
    pub(super) cut: u64,
    pub(super) holding: Holding,
    pub(super) nonces: Nonces,
}

impl Call {
    /// The viewer's offer is with the node, and the answer with the viewer.
    pub(super) fn new(setting: Setting) -> Self {
        let start = Instant::now();
        let (viewer, offer) = Viewer::new(&setting, start);
        let anchor = Anchor {
            instant: start,
            timestamp: Timestamp::from_monotonic(Duration::ZERO),
            wall: Duration::ZERO,
        };
        let offer = Offer::read(offer.sdp).expect("an offer");
        let terms = Terms {
            sound: setting.microphone,
            ..Terms::default()
        };
        let session = Session::new("viewer".into(), offer, &[NODE.into()], &terms, anchor, start);
        let mut session = session.expect("it has a codec of ours");
        if let Some(first) = setting.first {
            session.begin_at(first);
        }
        let mut call = Self {
            now: start,
            start,
            session: Some(session),
            viewer,
            source: Source::new(setting.codec, setting.bitrate, setting.seed ^ 1, start),
            microphone: setting.microphone.then(|| Microphone::new(start)),
            to_viewer: Link::new(setting.to_viewer, setting.seed ^ 2, start),
            to_node: Link::new(setting.to_node, setting.seed ^ 3, start),
            on_request: setting.on_request,
            told: Told::default(),
            heard: start,
            sent: 0,
            repaired: 0,
            sealed: 0,
            given: 0,
            cut: 0,
            holding: Holding::default(),
            nonces: Nonces::default(),
        };
        call.pump();
        call
    }

    /// Time since the offer.
    pub(super) fn lasts(&self) -> Duration {
        self.now - self.start
    }

    /// Why the session is over, where it is.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.told.ended.map(|(ending, _)| ending)
    }

    /// How far the session is, while it goes on.
    pub(super) fn stage(&self) -> Option<Stage> {
        self.session.as_ref().map(Session::stage)
    }

    /// How often the numbers of a stream have begun anew.
    pub(super) fn wraps(&self) -> u64 {
        self.nonces.most_wraps()
    }

    /// Packets that the session gave out once more.
    pub(super) fn retransmitted(&self) -> u64 {
        self.sent - self.cut
    }

    /// Goes on for so long.
    pub(super) fn run(&mut self, lasts: Duration) {
        let end = self.now + lasts;
        while self.next() <= end {
            self.step();
        }
        self.now = end;
    }

    /// Goes on until something is so, or for so long. Returns whether it is.
    pub(super) fn run_until(&mut self, lasts: Duration, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + lasts;
        while !is_so(self) {
            if self.next() > end {
                self.now = end;
                return false;
            }
            self.step();
        }
        true
    }

    /// Goes on until the viewer is shown pictures.
    pub(super) fn connect(&mut self) {
        let shows = |call: &Self| call.viewer.screen().shown() > 0;
        assert!(
            self.run_until(Duration::from_secs(20), shows),
            "no picture: {:?}",
            self.told
        );
    }

    /// What happens to the session from outside, with all that follows at once.
    pub(super) fn handle(&mut self, input: Input<'_>) {
        if let Some(session) = &mut self.session {
            session.handle(input, self.now);
        }
        self.pump();
    }

    /// The viewer offers anew, and hears the answer at once.
    pub(super) fn offer(&mut self, offer: impl FnOnce(&mut Viewer, Instant) -> String) {
        let offer = offer(&mut self.viewer, self.now);
        let offer = Offer::read(offer).expect("an offer");
        self.handle(Input::Offer(Box::new(offer)));
    }

    /// The node ends the session.
    pub(super) fn hang_up(&mut self) {
        if let Some(mut session) = self.session.take() {
            self.close(&mut session);
        }
    }

    /// The viewer closes DTLS.
    pub(super) fn close_viewer(&mut self) {
        self.viewer.close();
        self.carry();
    }

    /// From now on no packet arrives, in either direction.
    pub(super) fn cut(&mut self) {
        for link in [&mut self.to_viewer, &mut self.to_node] {
            link.change(|path| path.loss = 1.0);
        }
    }

    /// From now on none gets lost.
    pub(super) fn mend(&mut self) {
        for link in [&mut self.to_viewer, &mut self.to_node] {
            link.change(|path| path.loss = 0.0);
        }
    }

    /// When the session wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.session.as_ref().and_then(Session::deadline)
    }
}
