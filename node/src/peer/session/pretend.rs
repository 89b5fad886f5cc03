//! What only tests do to a session.

#[cfg(test)]
use std::time::Instant;

use super::{Session, media::Which};
#[cfg(test)]
use super::{io::ToDo, watch::Wish, wish};
#[cfg(test)]
use crate::peer::report::Stage;

impl Session {
    /// Has each stream begin with this number; before anything was sent. That of what is sent again begins when packets get lost, its own first ones among them: as the
    /// real ones do it begins in the lower half.
    #[cfg(any(test, fuzzing))]
    pub(in crate::peer) fn begin_at(&mut self, number: u16) {
        self.link.media.stream.repair.rtp.begin_at(number & 0x7fff);
        for which in [Which::Picture, Which::Sound] {
            if let Some(rtp) = self.link.media.rtp(which) {
                rtp.begin_at(number);
            }
        }
    }

    /// The viewer wants that much from now on.
    #[cfg(test)]
    pub(in crate::peer) fn wishes(&mut self, wish: Wish, now: Instant) {
        self.now = now;
        self.link.watch.wishes(wish);
        wish::obey(&mut self.link);
        self.to_do = ToDo::Look;
    }

    /// Goes on as if there was a connection, so that others can be tested without one.
    #[cfg(test)]
    pub(in crate::peer) fn pretends_to_be_connected(&mut self, now: Instant) {
        self.link.stage = Stage::AwaitingKeyframe;
        self.link.silence.start(now);
    }
}
