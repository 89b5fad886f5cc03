use std::{sync::Arc, time::Instant};

use tracing::info;

use super::account::{Account, LineAccount};
use crate::{
    encode::{self, EncodeError, VideoEncoder},
    fanout::Publisher,
    media::{AccessUnit, Bitrate, Codec, Frame, VideoFormat},
};

/// What stands in the place of an encoder's name where the camera encodes.
pub const PASSTHROUGH: &str = "passthrough";

/// One codec of a camera: the publisher, and the encoder while there is one.
pub(super) struct Line {
    publisher: Publisher,
    account: Arc<Account>,
    encoder: Option<Running>,
    /// Units of the camera's own encoder are passed on.
    is_passing: bool,
}

struct Running {
    encoder: Box<dyn VideoEncoder>,
    format: VideoFormat,
    bitrate: Bitrate,
}

impl Line {
    pub(super) fn new(publisher: Publisher, account: Arc<Account>) -> Self {
        Self {
            publisher,
            account,
            encoder: None,
            is_passing: false,
        }
    }

    /// Whether it carries what cameras encode by themselves.
    pub(super) fn passes(&self) -> bool {
        self.publisher.codec() == Codec::H264
    }

    /// Whether its viewers want a keyframe, and may have one.
    pub(super) fn wants_keyframe(&self, now: Instant) -> bool {
        self.publisher.take_orders(now).keyframe
    }

    /// The camera was asked for a keyframe.
    pub(super) fn keyframe_ordered(&self) {
        self.account.line(self.publisher.codec()).keyframe_orders.one();
    }

    /// Publishes what the camera has encoded.
    pub(super) fn pass(&mut self, unit: AccessUnit) {
        let codec = self.publisher.codec();
        if !self.is_passing {
            // The slate's encoder, where the camera was away.
            self.rest();
            self.is_passing = true;
        }
        let figures = self.account.line(codec);
        if figures.encoder().is_none() {
            info!(%codec, "passthrough started: no encoder runs for it");
            figures.set_encoder(Some(PASSTHROUGH));
        }
        count(figures, &unit);
        self.publisher.publish(unit);
    }

    /// A frame comes too late to be encoded.
    pub(super) fn leave_out(&self) {
        self.account.line(self.publisher.codec()).skipped.one();
    }

    pub(super) fn is_watched(&self) -> bool {
        self.publisher.is_watched()
    }

    /// Encodes and publishes; the encoder is made where there is none, or where the picture has changed.
    pub(super) fn encode(&mut self, frame: &Frame<'_>, bitrate: Bitrate) -> Result<(), EncodeError> {
        let codec = self.publisher.codec();
        let running = match &mut self.encoder {
            // Its control of the bitrate goes by the rate of the frames.
            Some(running)
                if running.format.size == frame.format.size && running.format.rate == frame.format.rate =>
            {
                running
            }
            slot => {
                let encoder = encode::software(codec, frame.format, bitrate)?;
                info!(%codec, size = %frame.format.size, %bitrate, "encoder started");
                self.account.line(codec).set_encoder(Some(encoder.name()));
                self.is_passing = false;
                slot.insert(Running {
                    encoder,
                    format: frame.format,
                    bitrate,
                })
            }
        };
        let start = Instant::now();
        let mut orders = self.publisher.take_orders(start);
        if running.bitrate != bitrate {
            running.bitrate = bitrate;
            orders.bitrate = Some(bitrate);
            info!(%codec, %bitrate, "encoder goes on at another bitrate");
        }
        let figures = self.account.line(codec);
        if orders.keyframe {
            figures.keyframe_orders.one();
        }
        match running.encoder.encode(frame, orders) {
            Ok(Some(unit)) => {
                figures.encoded.record(start.elapsed());
                count(figures, &unit);
                self.publisher.publish(unit);
            }
            // The encoder kept its rate by leaving this frame out.
            Ok(None) => figures.skipped.one(),
            Err(error) => {
                self.rest();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Frees the encoder until the next frame.
    pub(super) fn rest(&mut self) {
        self.account.line(self.publisher.codec()).set_encoder(None);
        self.is_passing = false;
        if self.encoder.take().is_some() {
            let dropped = self.publisher.dropped();
            info!(codec = %self.publisher.codec(), dropped, "encoder stopped");
        }
    }
}

fn count(figures: &LineAccount, unit: &AccessUnit) {
    figures.units.one();
    figures.bytes.add(unit.data.len() as u64);
    if unit.is_keyframe {
        figures.keyframes.one();
    }
}
