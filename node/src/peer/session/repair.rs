//! Packets of the picture once more, in a stream of their own (RFC 4588).
//!
//! Such a packet has numbers of its own, in the stream and among all of the session, and the number of the one that it stands for before its payload. So
//! no nonce is used twice whatever becomes of its header, and the viewer tells when it has arrived.

use super::{
    Session,
    io::Out,
    link::Link,
    rtp::{Head, Place, Rtp},
    send::write,
};
use crate::media::Timestamp;

/// What a packet is filled with that has nothing to say; its last byte is how many there are (RFC 3550, section 5.1).
const PADDING: [u8; 224] = {
    let mut padding = [0; 224];
    padding[223] = 224;
    padding
};

/// The stream beside that of the picture.
pub(super) struct Repair {
    pub(super) rtp: Rtp,
    /// Whether the viewer takes it.
    is_agreed: bool,
    /// The newest time stamp of the picture.
    stamp: Option<Timestamp>,
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

impl Session {
    /// Whether packets of the picture can go out again in a stream of their own.
    pub(super) fn repairs(&self) -> bool {
        let Link { media, outgoing, .. } = &self.link;
        media.stream.repair.is_agreed && outgoing.ours(&media.stream.rtp).is_some()
    }

    /// Sends a packet of the picture once more. Returns its length, unless nothing may be sent.
    pub(super) fn repair(&mut self, original: Place, payload: &[u8], out: &mut impl Out) -> Option<usize> {
        let number = (original.number as u16).to_be_bytes();
        let Place {
            captured_at, marker, ..
        } = original;
        self.beside(captured_at, marker, &[&number, payload], |_| {}, out)
    }

    /// Sends a packet without anything in it.
    pub(super) fn pad(&mut self, out: &mut impl Out) -> Option<usize> {
        let stamp = self.link.media.stream.repair.stamp?;
        self.beside(stamp, false, &[&PADDING], Head::pads, out)
    }

    /// Sends the next packet of the stream beside that of the picture.
    fn beside(
        &mut self,
        stamp: Timestamp,
        marker: bool,
        payload: &[&[u8]],
        dress: impl FnOnce(&mut Head),
        out: &mut impl Out,
    ) -> Option<usize> {
        let Link {
            media,
            outgoing,
            numbering,
            ..
        } = &mut self.link;
        let (sealer, path) = outgoing.ours(&media.stream.rtp)?;
        if self.negotiation.remotes.is_retired(path.peer) {
            return None;
        }
        let rtp = &mut media.stream.repair.rtp;
        let wide = numbering.next(rtp);
        let bytes = payload.iter().map(|part| part.len()).sum();
        let place = rtp.place(stamp, marker, bytes, wide);
        let mut head = rtp.header(place);
        dress(&mut head);
        let length = write(sealer, path, &head, payload, place.roll_over(), out)?;
        numbering.sent(wide, length, self.now);
        self.account.count(length);
        Some(length)
    }
}
