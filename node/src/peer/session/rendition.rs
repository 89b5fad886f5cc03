//! Which renditions of its camera a session is fed from.

use super::Session;
use crate::{
    media::{Bitrate, Rendition, Rung},
    peer::report::Stage,
};

impl Session {
    /// What it is fed from.
    pub(in crate::peer) fn rendition(&self) -> Rendition {
        self.rendition_of(self.link.rungs.rung())
    }

    /// Whether the pictures of this rendition are for it: those that it is sent, and those that it is to be sent as soon as it can.
    pub(in crate::peer) fn takes(&self, rendition: Rendition) -> bool {
        let next = self.link.rungs.next();
        let is_meant =
            rendition == self.rendition() || next.is_some_and(|rung| rendition == self.rendition_of(rung));
        is_meant && self.stage() != Stage::Silent && self.link.media.is_wanted
    }

    fn rendition_of(&self, rung: Rung) -> Rendition {
        Rendition {
            codec: self.codec(),
            rung,
        }
    }

    /// Whether it is sent less than there is.
    #[cfg(test)]
    pub(in crate::peer) fn is_thinned(&self) -> bool {
        self.link.rungs.is_thinned()
    }

    /// What an encoder may make for this viewer alone; `None` where whatever it makes gets through.
    pub(in crate::peer) fn share(&self) -> Option<Bitrate> {
        self.link.rungs.share(self.hears().is_some())
    }
}
