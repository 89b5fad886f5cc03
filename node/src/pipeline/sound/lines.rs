use std::time::Instant;

use bytes::Bytes;

use super::{account::SoundAccount, align::Position, narrow::Narrow};
use crate::{
    encode::{EncodeError, g711::Law, opus::Encoder},
    fanout::Publisher,
    media::{Bitrate, SOUND_FRAME, SoundCodec, SoundUnit},
};

/// The encoders of what is heard: each frame is encoded once for all who hear the codec, and not at all for a codec that
/// nobody hears.
pub(super) struct Lines {
    publishers: Vec<Publisher<SoundUnit>>,
    opus: Option<Encoder>,
    narrow: Narrow,
    /// The last frame of Opus was not worth sending.
    paused: bool,
    bitrate: Bitrate,
    dtx: bool,
}

impl Lines {
    pub(super) fn new(publishers: Vec<Publisher<SoundUnit>>, bitrate: Bitrate, dtx: bool) -> Self {
        Self {
            publishers,
            opus: None,
            narrow: Narrow::default(),
            paused: false,
            bitrate,
            dtx,
        }
    }

    pub(super) fn is_heard(&self) -> bool {
        self.publishers.iter().any(Publisher::has_subscribers)
    }

    /// Encodes in this way from the next frame on.
    pub(super) fn set(&mut self, bitrate: Bitrate, dtx: bool) -> Result<(), EncodeError> {
        (self.bitrate, self.dtx) = (bitrate, dtx);
        self.opus.as_mut().map_or(Ok(()), |opus| opus.set(bitrate, dtx))
    }

    /// Frees the encoders.
    pub(super) fn rest(&mut self) {
        self.opus = None;
        self.paused = false;
    }

    /// Encodes a frame and publishes it.
    pub(super) fn encode(
        &mut self,
        frame: &[f32; SOUND_FRAME],
        position: Position,
        account: &SoundAccount,
    ) -> Result<(), EncodeError> {
        let start = Instant::now();
        let mut narrow = None;
        let are_heard = |publisher: &&Publisher<SoundUnit>| publisher.has_subscribers();
        for publisher in self.publishers.iter().filter(are_heard) {
            let (data, position, after_silence) = match publisher.rendition() {
                SoundCodec::Opus => {
                    let opus = match &mut self.opus {
                        Some(opus) => opus,
                        None => self.opus.insert(Encoder::new(self.bitrate, self.dtx)?),
                    };
                    let packet = opus.encode(frame)?;
                    let after_silence = std::mem::replace(&mut self.paused, packet.is_none());
                    let Some(packet) = packet else {
                        continue;
                    };
                    let data = Bytes::copy_from_slice(packet);
                    (data, position.before(opus.delay()), after_silence)
                }
                codec @ (SoundCodec::Pcmu | SoundCodec::Pcma) => {
                    let law = if codec == SoundCodec::Pcmu {
                        Law::Mu
                    } else {
                        Law::A
                    };
                    let samples = narrow.get_or_insert_with(|| self.narrow.frame(frame));
                    let codes = samples.map(|sample| law.encode(sample));
                    (Bytes::copy_from_slice(&codes), position, false)
                }
            };
            account.bytes.add(data.len() as u64);
            publisher.publish(&SoundUnit {
                data,
                captured_at: position.time(),
                after_silence,
            });
        }
        account.encoded.record(start.elapsed());
        Ok(())
    }
}
