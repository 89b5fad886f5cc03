//! Packets of the picture once more, in a stream of their own (RFC 4588).
//!
//! Such a packet has numbers of its own, in the stream and among all of the session, and the number of the one that it stands for before its payload. So
//! no nonce is used twice whatever becomes of its header, and the viewer tells when it has arrived.

use super::rtp::Rtp;
use crate::media::Timestamp;

/// The stream beside that of the picture.
pub(super) struct Repair {
    pub(super) rtp: Rtp,
    /// Whether the viewer takes it.
    pub(super) is_agreed: bool,
    /// The newest time stamp of the picture.
    pub(super) stamp: Option<Timestamp>,
}

impl Repair {
    /// The one beside this stream.
    pub(super) fn new(picture: &Rtp) -> Self {
        Self {
            rtp: picture.beside(),
            is_agreed: false,
            stamp: None,
        }
    }

    /// Takes what is agreed on: the payload type, where the viewer takes it, and where its header has transport-wide numbers. Source and numbers stay
    /// whatever is agreed on later.
    pub(super) fn agree(&mut self, payload_type: Option<u8>, extension: Option<u8>) {
        self.is_agreed = payload_type.is_some();
        if let Some(payload_type) = payload_type {
            self.rtp.renumber(payload_type);
            self.rtp.extend(extension);
        }
    }

    /// A packet of the picture has this time stamp.
    pub(super) fn follow(&mut self, stamp: Timestamp) {
        self.stamp = Some(stamp);
    }
}
