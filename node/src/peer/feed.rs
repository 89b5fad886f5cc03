mod h264;
mod rates;
mod vp8;

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    id::CameraId,
    ring::{Group, Ring},
};
use crate::{
    fanout::{Broadcast, Depth, Subscriber},
    media::{AccessUnit, Bitrate, Codec, Privacy, Rendition, Rung},
};

pub(super) use rates::Rates;
pub(super) use vp8::PictureIds;

use rates::Meter;

/// The payload of one RTP packet. With the headers, their extension, the two bytes that it has more where it is sent again, SRTP's tag and a tunnel's overhead it fits into IPv6's
/// smallest MTU of 1280 (RFC 8200, section 5).
const PAYLOAD: usize = 1140;

/// One rendition of a camera inside the engine: subscribed to while a session uses it, and packetised once for all.
pub(super) struct Feed {
    camera: CameraId,
    broadcast: Broadcast<AccessUnit>,
    rendition: Rendition,
    subscriber: Option<Subscriber<AccessUnit>>,
    cutter: Cutter,
    ring: Ring,
    meter: Meter,
    /// When it was looked at last how much gets through to the viewers.
    limited: Option<Instant>,
    users: usize,
}

/// How units are cut for the wire.
enum Cutter {
    H264,
    Vp8(vp8::Cutter),
}

/// An encoder delivered something that is no picture of its codec.
#[derive(Debug, thiserror::Error)]
#[error("there is no part of a picture in it")]
pub(super) struct Uncuttable;

/// An access unit, cut into the payloads of RTP packets.
pub(super) struct Packetised {
    pub(super) unit: AccessUnit,
    pub(super) payloads: Vec<Bytes>,
    /// Which rung of the camera it is of, and whether there is a smaller one.
    pub(super) rung: Rung,
    pub(super) has_small: bool,
    /// What the rendition takes, once that is known.
    pub(super) rates: Option<Rates>,
    /// The feed's number of the first of them.
    pub(super) first: u64,
    /// Where these are kept, and what was before them.
    pub(super) ring: Ring,
}

impl Feed {
    /// A rendition of a camera, all of whose feeds share `ids`.
    pub(super) fn new(
        camera: CameraId,
        broadcast: Broadcast<AccessUnit>,
        rendition: Rendition,
        ids: &PictureIds,
        privacy: &Privacy,
    ) -> Self {
        let cutter = match rendition.codec {
            Codec::H264 => Cutter::H264,
            Codec::Vp8 => Cutter::Vp8(vp8::Cutter::new(ids.clone())),
        };
        Self {
            camera,
            broadcast,
            rendition,
            subscriber: None,
            cutter,
            ring: Ring::new(privacy),
            meter: Meter::default(),
            limited: None,
            users: 0,
        }
    }

    pub(super) fn camera(&self) -> CameraId {
        self.camera
    }

    pub(super) fn rendition(&self) -> Rendition {
        self.rendition
    }

    /// One more session uses this feed; the first starts the encoder.
    pub(super) fn enter(&mut self) {
        self.users += 1;
        if self.subscriber.is_none() {
            self.subscriber = self.broadcast.subscribe(self.rendition, Depth::PICTURES);
        }
    }

    /// One session fewer; with the last the encoder may stop.
    pub(super) fn leave(&mut self) {
        self.users = self.users.saturating_sub(1);
        if self.users == 0 {
            self.subscriber = None;
            self.ring.clear();
        }
    }

    /// What was sent last.
    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Whether a keyframe can be had by asking for one.
    pub(super) fn is_on_request(&self) -> bool {
        self.subscriber.as_ref().is_none_or(Subscriber::is_on_request)
    }

    /// What a newcomer begins with, where that is better than a keyframe that is still to be made.
    pub(super) fn group(&self) -> Option<Group> {
        self.ring.group(self.is_on_request())
    }

    /// Whether the camera has a smaller rung in this codec.
    fn has_small(&self) -> bool {
        let small = Rendition {
            rung: Rung::SMALL,
            ..self.rendition
        };
        self.broadcast.offers(small)
    }

    /// Whether the camera gives this rendition now.
    pub(super) fn is_offered(&self) -> bool {
        self.broadcast.offers(self.rendition)
    }

    /// Whether it was not looked at for so long how much gets through to the viewers. From now on it was.
    pub(super) fn is_limit_due(&mut self, now: Instant, every: Duration) -> bool {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= every;
        let is_due = self.limited.is_none_or(is_due);
        if is_due {
            self.limited = Some(now);
        }
        is_due
    }

    /// Tells the encoder how much gets through to any viewer; `None`: whatever it makes.
    pub(super) fn set_limit(&self, limit: Option<Bitrate>) {
        if let Some(subscriber) = &self.subscriber {
            subscriber.set_limit(limit);
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.users > 0
    }

    pub(super) fn request_keyframe(&self) {
        if let Some(subscriber) = &self.subscriber {
            subscriber.request_keyframe();
        }
    }

    /// The next access unit, `Ready(None)` when the track has ended for good.
    pub(super) fn poll_unit(&mut self, context: &mut Context<'_>) -> Poll<Option<AccessUnit>> {
        match &mut self.subscriber {
            Some(subscriber) => subscriber.poll_next(context),
            None => Poll::Pending,
        }
    }

    /// Cuts a unit for the wire, and keeps what comes of it for those who miss some.
    ///
    /// # Errors
    /// The encoder delivered something that is no picture of this codec.
    pub(super) fn packetise(&mut self, unit: AccessUnit) -> Result<Packetised, Uncuttable> {
        let payloads = match &mut self.cutter {
            Cutter::H264 => h264::payloads(&unit.data, PAYLOAD),
            Cutter::Vp8(cutter) => cutter.payloads(&unit, PAYLOAD),
        };
        if payloads.is_empty() {
            return Err(Uncuttable);
        }
        let first = self.ring.keep(&payloads, &unit);
        let bytes = payloads.iter().map(Bytes::len).sum();
        self.meter
            .count(unit.captured_at, unit.layer, payloads.len(), bytes);
        Ok(Packetised {
            rung: self.rendition.rung,
            has_small: self.has_small(),
            rates: self.meter.rates(),
            unit,
            payloads,
            first,
            ring: self.ring.clone(),
        })
    }
}
