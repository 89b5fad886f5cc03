//! What becomes of viewers that can't be heard, and of those that are back.

use std::time::Instant;

use pinhole_service::quiet::Quiet;
use tracing::{Span, info};

use super::{host::Host, requests::CONNECTING};
use crate::peer::{ending::Ending, id::SessionId};

impl Host {
    /// A viewer is not heard any more: it has no place, and nobody films for it.
    pub(super) fn fell_silent(&mut self, id: SessionId) {
        static SILENT: Quiet = Quiet::new(100);
        let Some(entry) = self.sessions.get(id) else {
            return;
        };
        if let Some(others) = SILENT.may_say() {
            let _here = self.cameras.get(&entry.camera).map(Span::enter);
            info!(viewer = %entry.viewer, others, "viewer fell silent");
        }
        self.leave_all(id);
        self.count_listeners();
        self.tally.count(self.sessions.connected());
        let most = self.settings.max_viewers.max(CONNECTING);
        if let Some(other) = self.sessions.one_too_many(most) {
            self.end(other, Ending::Silent);
        }
    }

    /// A viewer is heard again. Its place may be somebody else's by now.
    pub(super) fn is_back(&mut self, id: SessionId, now: Instant) {
        static BACK: Quiet = Quiet::new(100);
        let connected = self.sessions.connected();
        if connected > self.settings.max_viewers {
            return self.end(id, Ending::Crowded);
        }
        let Some(entry) = self.sessions.get(id) else {
            return;
        };
        if let Some(others) = BACK.may_say() {
            let after = entry.session.summary(now);
            let _here = self.cameras.get(&entry.camera).map(Span::enter);
            info!(viewer = %entry.viewer, after = %after.lasted(), others, "viewer is heard again");
        }
        self.resume(id);
        self.count_listeners();
        self.tally.count(connected);
    }
}
