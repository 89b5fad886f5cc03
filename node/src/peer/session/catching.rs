//! A newcomer's way to the present: what a camera has sent since its last keyframe.

use std::time::{Duration, Instant};

use super::{
    Session,
    io::{Event, Out},
    link::{Begun, Catching},
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

/// How often a viewer is sent such a group that asks for a keyframe again and again, after how long, and until when.
const TIMES: u8 = 5;
const AGAIN: Duration = Duration::from_millis(500);
const IN_THE_BEGINNING: Duration = Duration::from_secs(10);

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
        let Some(group) = group.filter(|_| !self.negotiation.awaits_answer()) else {
            return false;
        };
        let Some(first) = self.catches_up_from(&group, ring) else {
            return false;
        };
        if !begins(&mut self.link, true) {
            return false;
        }
        let stamps = Stamps::drawn_together(group.newest);
        self.link.catching = Some(Catching { next: first, stamps });
        self.begun();
        self.go_on(ring, out);
        true
    }

    /// The number of the packet to begin with, where that would help. To one that has had pictures these are from before; but what came before it could
    /// decrypt anything it has lost, and where no keyframe can be had by asking it would see nothing until the camera makes one.
    fn catches_up_from(&self, group: &Group, ring: &Ring) -> Option<u64> {
        let link = &self.link;
        let helps = match link.begun {
            _ if link.stage == Stage::AwaitingKeyframe => {
                if link.media.stream.units() == 0 {
                    return Some(group.first);
                }
                // But for what it missed while it could not be heard. Where that follows the last keyframe, what came before it was sent, and is asked for
                // again as far as it was lost.
                let first = group.first.max(link.silence.missed()?);
                return (first == group.first || group.is_the_only && ring.get(first).is_some())
                    .then_some(first);
            }
            Some(Begun { first, last, times }) => {
                let since = |at| self.now.saturating_duration_since(at);
                let is_time = since(last) >= AGAIN && since(first) <= IN_THE_BEGINNING;
                group.is_the_only && !self.catches_up() && times < TIMES && is_time
            }
            None => false,
        };
        helps.then_some(group.first)
    }

    /// Notes that the viewer is sent a keyframe as the first picture, or as the first one anew.
    pub(super) fn begun(&mut self) {
        let begun = self.link.begun;
        self.link.begun = Some(Begun {
            first: begun.map_or(self.now, |begun| begun.first),
            last: self.now,
            times: begun.map_or(0, |begun| begun.times).saturating_add(1),
        });
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
        if !self.link.media.shows() {
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
                is_late: false,
            };
            self.link.resend_limit.earn(bytes);
            self.fed(fed, stamps, &packet.payload, out);
            sent += bytes;
            next += 1;
        }
        self.link.catching = (next < end).then_some(Catching { next, stamps });
    }
}
