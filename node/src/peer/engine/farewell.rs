//! How sessions end.

use std::time::Instant;

use pinhole_service::quiet::Quiet;
use tracing::{Span, info};

use super::host::{Host, feed_of};
use crate::peer::{
    caller::Reply,
    ending::Ending,
    id::SessionId,
    report::Stage,
    session::{Input, Output},
};

impl Host {
    /// Ends a session, and tells its caller.
    pub(super) fn end(&mut self, id: SessionId, why: Ending) {
        self.finish(id, why, Reply::Ended(why));
    }

    /// Ends a session that connects, for the sake of a newcomer.
    pub(super) fn displace(&mut self, id: SessionId) {
        self.end(id, Ending::Crowded);
    }

    /// Ends a session with this as the last word.
    pub(super) fn finish(&mut self, id: SessionId, why: Ending, last: Reply) {
        let Some(mut entry) = self.sessions.remove(id) else {
            return;
        };
        let now = Instant::now();
        self.demux.remove(id);
        self.channels.close(id);
        for rendition in std::mem::take(&mut entry.entered) {
            if let Some(feed) = feed_of(&mut self.feeds, entry.camera, rendition) {
                feed.leave();
            }
        }
        self.count_listeners();
        entry.session.handle(Input::Close, now);
        while let Some(output) = entry.session.poll() {
            if let Output::Transmit(packet) = output {
                self.transport.send(id, packet.path, &packet.data, now);
            }
        }
        self.transport.flush();
        entry.caller.tell(last);
        self.tally.figures.ended(why).one();
        self.tally.count(self.sessions.connected());
        // Many who never got through don't hide those who did.
        static ENDED: Quiet = Quiet::new(100);
        static WATCHED: Quiet = Quiet::new(100);
        let has_watched = entry.session.stage() != Stage::Connecting;
        let Some(others) = if has_watched { &WATCHED } else { &ENDED }.may_say() else {
            return;
        };
        let summary = entry.session.summary(now);
        let _here = self.cameras.get(&entry.camera).map(Span::enter);
        info!(
            viewer = %entry.viewer,
            others,
            lasted = %summary.lasted(),
            packets = summary.packets,
            kbps = summary.kbps.round() as u64,
            loss = %summary.loss(),
            viewers = self.sessions.len(),
            unsent = self.unsent(),
            "session ended: {why}"
        );
    }
}
