use std::time::Instant;

use tracing::info;

use crate::{
    encode::{self, EncodeError, VideoEncoder},
    fanout::Publisher,
    media::{Bitrate, Frame, VideoFormat},
};

/// One codec of a camera: the publisher, and the encoder while there is one.
pub(super) struct Line {
    publisher: Publisher,
    encoder: Option<Running>,
}

struct Running {
    encoder: Box<dyn VideoEncoder>,
    format: VideoFormat,
    bitrate: Bitrate,
}

impl Line {
    pub(super) fn new(publisher: Publisher) -> Self {
        Self {
            publisher,
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
            Some(running) if running.format.size == frame.format.size => running,
            slot => {
                let encoder = encode::software(codec, frame.format, bitrate)?;
                info!(%codec, size = %frame.format.size, %bitrate, "encoder started");
                slot.insert(Running {
                    encoder,
                    format: frame.format,
                    bitrate,
                })
            }
        };
        let mut orders = self.publisher.take_orders(Instant::now());
        if running.bitrate != bitrate {
            running.bitrate = bitrate;
            orders.bitrate = Some(bitrate);
            info!(%codec, %bitrate, "encoder goes on at another bitrate");
        }
        match running.encoder.encode(frame, orders) {
            Ok(Some(unit)) => self.publisher.publish(unit),
            // The encoder kept its rate by leaving this frame out.
            Ok(None) => {}
            Err(error) => {
                self.encoder = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Frees the encoder until the next frame.
    pub(super) fn rest(&mut self) {
        if self.encoder.take().is_some() {
            let dropped = self.publisher.dropped();
            info!(codec = %self.publisher.codec(), dropped, "encoder stopped");
        }
    }
}
