use std::{sync::Arc, time::Instant};

use tracing::info;

use super::account::{Account, LineAccount};
use crate::{
    encode::{self, EncodeError, VideoEncoder},
    fanout::Publisher,
    media::{AccessUnit, Bitrate, Frame, VideoFormat},
};

/// One codec of a camera: the publisher, and the encoder while there is one.
pub(super) struct Line {
    publisher: Publisher,
    account: Arc<Account>,
    encoder: Option<(VideoFormat, Box<dyn VideoEncoder>)>,
}

impl Line {
    pub(super) fn new(publisher: Publisher, account: Arc<Account>) -> Self {
        Self {
            publisher,
            account,
            encoder: None,
        }
    }

    pub(super) fn is_watched(&self) -> bool {
        self.publisher.is_watched()
    }

    /// Encodes and publishes; the encoder is made where there is none, or where the picture has changed.
    pub(super) fn encode(&mut self, frame: &Frame<'_>, bitrate: Bitrate) -> Result<(), EncodeError> {
        let encoder = match &mut self.encoder {
            Some((format, encoder)) if format.size == frame.format.size => encoder,
            slot => {
                let codec = self.publisher.codec();
                let encoder = encode::software(codec, frame.format, bitrate)?;
                info!(%codec, size = %frame.format.size, %bitrate, "encoder started");
                self.account.line(codec).set_encoder(Some(encoder.name()));
                &mut slot.insert((frame.format, encoder)).1
            }
        };
        let start = Instant::now();
        let orders = self.publisher.take_orders(start);
        let figures = self.account.line(self.publisher.codec());
        if orders.keyframe {
            figures.keyframe_orders.one();
        }
        match encoder.encode(frame, orders) {
            Ok(Some(unit)) => {
                count(figures, &unit, start);
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
        if self.encoder.take().is_some() {
            let dropped = self.publisher.dropped();
            info!(codec = %self.publisher.codec(), dropped, "encoder stopped");
        }
    }
}

fn count(figures: &LineAccount, unit: &AccessUnit, start: Instant) {
    figures.encoded.record(start.elapsed());
    figures.units.one();
    figures.bytes.add(unit.data.len() as u64);
    if unit.is_keyframe {
        figures.keyframes.one();
    }
}
