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
    encoder: Option<(VideoFormat, Box<dyn VideoEncoder>)>,
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
        let encoder = match &mut self.encoder {
            Some((format, encoder)) if format.size == frame.format.size => encoder,
            slot => {
                let codec = self.publisher.codec();
                let encoder = encode::software(codec, frame.format, bitrate)?;
                info!(%codec, size = %frame.format.size, %bitrate, "encoder started");
                &mut slot.insert((frame.format, encoder)).1
            }
        };
        let orders = self.publisher.take_orders(Instant::now());
        match encoder.encode(frame, orders) {
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
