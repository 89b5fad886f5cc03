//! What goes out as SRTP, and by whom it is sealed.

use std::sync::Arc;

use rtc::crypto::{CryptoError, RTCCryptoProvider};

use super::{media::Media, rtp::Rtp};
use crate::peer::{
    srtp::{Sealer, Witness},
    transport::Path,
};

/// Types of content in what the core sends (RFC 7983): below this is STUN, which goes to whomever it wants to check.
const NOT_STUN: u8 = 20;

/// How a session seals its media, and where it sends them.
#[derive(Default)]
pub(super) struct Outgoing {
    witness: Witness,
    sealer: Option<Sealer>,
    path: Option<Path>,
    /// Whether the path may be another one by now.
    is_lost: bool,
}

impl Outgoing {
    /// What the connection is to be given for its ciphers.
    ///
    /// # Errors
    /// The core has none.
    pub(super) fn provider(&self) -> Result<Arc<dyn RTCCryptoProvider>, CryptoError> {
        self.witness.provider()
    }

    /// What seals the packets of a stream, and where they go, where that is not the core's business.
    pub(super) fn ours(&self, rtp: &Rtp) -> Option<(&Sealer, Path)> {
        self.sealer.as_ref().zip(self.path).filter(|_| rtp.is_ours())
    }

    /// Where the core has sent last what is no check.
    pub(super) fn path(&self) -> Option<Path> {
        self.path
    }

    /// ICE begins anew. The core has no path meanwhile; ours goes on, as RFC 8445 wants it, until the core shows the next.
    pub(super) fn restarts(&mut self) {
        self.is_lost = true;
    }

    /// Whether the path may be another one by now.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Looks at a packet of the core's: where it sends what is no check, our packets go as well; and by the first packet of a stream it
    /// shows whether we seal as it does.
    pub(super) fn see(&mut self, path: Path, packet: &[u8], media: &mut Media) {
        if packet.first().is_none_or(|kind| *kind < NOT_STUN) {
            return;
        }
        (self.path, self.is_lost) = (Some(path), false);
        let Some(rtp) = packet.get(8..12).and_then(|source| media.proving(source)) else {
            return;
        };
        if self.sealer.is_none() {
            self.sealer = self.witness.take();
        }
        rtp.prove(self.sealer.as_ref(), packet);
    }
}
