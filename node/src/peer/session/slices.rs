//! A picture on its way, slice by slice.

use super::{
    Session,
    io::{Event, Out},
    spread::SLICE,
    stamps::Stamps,
    stream::Fed,
};
use crate::peer::report::Stage;

impl Session {
    /// Sends what is due of a picture, or `all` that is left of it.
    pub(super) fn spread(&mut self, all: bool, out: &mut impl Out) {
        let Some(mut rest) = self.link.spread.rest.take() else {
            return;
        };
        if self.negotiation.awaits_answer() || !self.link.media.shows() {
            return;
        }
        while rest.next < rest.end && (all || rest.is_due(self.now)) {
            let Some(packet) = rest.ring.get(rest.next) else {
                // What follows builds upon it.
                self.link.stage = Stage::AwaitingKeyframe;
                return self.link.events.push_back(Event::KeyframeWanted);
            };
            let bytes = packet.payload.len();
            let fed = Fed {
                number: rest.next,
                captured_at: packet.captured_at,
                marker: packet.marker,
                bytes,
                is_late: rest.next > rest.first,
            };
            self.fed(fed, Stamps::default(), &packet.payload, out);
            rest.sent += bytes;
            rest.next += 1;
        }
        if rest.next < rest.end {
            rest.due = rest.due.max(self.now + SLICE);
            self.link.spread.rest = Some(rest);
            self.call_back();
        }
    }
}
