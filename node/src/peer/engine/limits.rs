//! Which encoders sessions need, and what those may make where no viewer's path carries all of it.

use std::time::{Duration, Instant};

use super::host::{Host, feed_of};
use crate::{
    media::{Rendition, Rung},
    peer::{feed::Feed, id::SessionId, report::Stage, session::Input, shard::Entry},
};

/// How often it is looked at: an estimate changes several times a second at most.
const EVERY: Duration = Duration::from_millis(200);

impl Host {
    /// Has a session get the pictures of one rung more, a keyframe first.
    pub(super) fn enter(&mut self, id: SessionId, rung: Rung) {
        let Some(entry) = self.sessions.get(id) else {
            return;
        };
        let codec = entry.session.codec();
        // The first to enter starts the encoder; all others wait for what comes of this.
        if let Some(feed) = join(&mut self.feeds, entry, Rendition { codec, rung }) {
            feed.request_keyframe();
        }
    }

    /// Has a session get pictures again, where it wants them.
    pub(super) fn resume(&mut self, id: SessionId) {
        let Some(entry) = self.sessions.get(id) else {
            return;
        };
        let rendition = entry.session.rendition();
        if entry.session.takes(rendition) {
            join(&mut self.feeds, entry, rendition);
        }
    }

    /// A session does not need the pictures of this rung any more.
    pub(super) fn leave(&mut self, id: SessionId, rung: Rung) {
        self.leave_those(id, |entered| entered.rung == rung);
    }

    /// A session needs no pictures for now.
    pub(super) fn leave_all(&mut self, id: SessionId) {
        self.leave_those(id, |_| true);
    }

    fn leave_those(&mut self, id: SessionId, is_left: impl Fn(&Rendition) -> bool) {
        let Some(entry) = self.sessions.get(id) else {
            return;
        };
        for left in entry.entered.extract_if(.., |entered| is_left(entered)) {
            if let Some(feed) = feed_of(&mut self.feeds, entry.camera, left) {
                feed.leave();
            }
        }
    }

    /// Has those go on with the whole picture who are sent a smaller one that is not made any more: the camera, or the configuration, may be another one.
    pub(super) fn fall_back(&mut self, now: Instant) {
        let Self { feeds, sessions, .. } = self;
        let gone: Vec<_> = feeds
            .iter()
            .filter(|feed| feed.is_used() && feed.rendition().rung != Rung::TOP && !feed.is_offered())
            .map(|feed| (feed.camera(), feed.rendition()))
            .collect();
        if gone.is_empty() {
            return;
        }
        let is_left = |entry: &Entry| gone.contains(&(entry.camera, entry.session.rendition()));
        for id in sessions.which(is_left) {
            self.give(id, Input::RenditionGone, now);
        }
    }

    /// Has the encoder of a feed follow the best of its viewers' paths: as long as one of them carries all, nothing is taken from it, however narrow
    /// others are.
    pub(super) fn limit(&mut self, index: usize, now: Instant) {
        let Self { feeds, sessions, .. } = self;
        let Some(feed) = feeds.get_mut(index) else {
            return;
        };
        if !feed.is_limit_due(now, EVERY) {
            return;
        }
        let (camera, rendition) = (feed.camera(), feed.rendition());
        let watching = sessions.iter().filter(|entry| {
            let session = &entry.session;
            entry.camera == camera
                && session.rendition() == rendition
                && session.takes(rendition)
                && session.stage() == Stage::Watching
        });
        // One without a limit is above all others.
        let mut best = None;
        for entry in watching {
            match entry.session.share() {
                Some(share) => best = best.max(Some(share)),
                None => {
                    best = None;
                    break;
                }
            }
        }
        feed.set_limit(best);
    }
}

/// Takes part in a feed for a session, unless it does. Returns the feed where that is new.
fn join<'a>(feeds: &'a mut [Feed], entry: &mut Entry, rendition: Rendition) -> Option<&'a mut Feed> {
    let is_new = !entry.entered.contains(&rendition);
    let feed = feed_of(feeds, entry.camera, rendition).filter(|_| is_new)?;
    entry.entered.push(rendition);
    feed.enter();
    Some(feed)
}
