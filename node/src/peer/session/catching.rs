//! A newcomer's way to the present: what a camera has sent since its last keyframe.

use std::time::Instant;

use super::{
    Session,
    io::{Event, Out},
    link::Catching,
    send::begins,
    stamps::Stamps,
    stream::Fed,
};
use crate::peer::{
    report::Stage,
    ring::{Group, Ring},
};

/// What is sent at once; the rest follows with the next pictures. The kernel takes little more from a socket where it is left at its defaults,
/// and drops what is above that.
const AT_ONCE: usize = 128 * 1024;

impl Session {
    /// Begins to send a viewer that has had nothing yet, or nothing for a while, the last keyframe and what has followed it, where there is such a group: in a crowd that comes
    /// at once, hardly anybody waits for the next. Time stamps are drawn together, so that a viewer is at the present at once. Returns whether it
    /// begins.
    pub(in crate::peer) fn catch_up(
        &mut self,
        group: Option<Group>,
        ring: &Ring,
        now: Instant,
        out: &mut impl Out,
    ) -> bool {
        self.now = now;
        let waits = self.link.stage == Stage::AwaitingKeyframe && !self.negotiation.awaits_answer();
        // To one that has had pictures these would be from before, but for what it missed while it could not be heard.
        let is_new = self.link.media.stream.units() == 0;
        let missed = self.link.silence.missed();
        let is_later = |group: &Group| missed.is_some_and(|missed| group.first >= missed);
        let Some(Group { first, newest }) = group.filter(|group| waits && (is_new || is_later(group))) else {
            return false;
        };
        if !begins(&mut self.link, true) {
            return false;
        }
        let stamps = Stamps::drawn_together(newest);
        self.link.catching = Some(Catching { next: first, stamps });
        self.go_on(ring, out);
        true
    }

    /// Whether the viewer is still on its way to the present.
    pub(super) fn catches_up(&self) -> bool {
        self.link.catching.is_some()
    }

    /// Sends what comes next to a viewer that catches up.
    pub(super) fn go_on(&mut self, ring: &Ring, out: &mut impl Out) {
        let Some(Catching { mut next, stamps }) = self.link.catching.take() else {
            return;
        };
        if !self.link.media.shows {
            return;
        }
        let end = ring.next();
        let mut sent = 0;
        while next < end && sent < AT_ONCE {
            let Some(packet) = ring.get(next) else {
                // The rest builds upon it.
                self.link.stage = Stage::AwaitingKeyframe;
                return self.link.events.push_back(Event::KeyframeWanted);
            };
            let bytes = packet.payload.len();
            let fed = Fed {
                number: next,
                captured_at: packet.captured_at,
                marker: packet.marker,
                bytes,
            };
            self.link.resend_limit.earn(bytes);
            self.fed(fed, stamps, &packet.payload, out);
            sent += bytes;
            next += 1;
        }
        self.link.catching = (next < end).then_some(Catching { next, stamps });
    }
}
