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
    encoder: Option<Running>,
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
        }
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
