//! Opus, by libopus.

use opus::{Application, Bitrate as Rate, Channels};

use super::EncodeError;
use crate::media::{Bitrate, SOUND_FRAME, SOUND_RATE};

/// The encoder's name, as people know it.
pub const NAME: &str = "Opus";

/// The share of packets, in percent, that the copies of earlier frames inside of packets (in-band FEC) are made for. More
/// loss than this is rare on a network over which video is watched; each percent costs the voice some of its bits.
const EXPECTED_LOSS: i32 = 10;
/// Of 10. Above it libopus spends a third more time on what few hear in a voice.
const COMPLEXITY: i32 = 5;
/// The most bytes that a frame may have (RFC 6716, section 3.4): it fits into one packet.
const MOST: usize = 1275;

/// What libopus is used for: one channel of 48 kHz in frames of 20 ms.
pub struct Encoder {
    opus: opus::Encoder,
    packet: [u8; MOST],
    delay: u64,
}

impl Encoder {
    /// An encoder at `bitrate`, on average. With `dtx` it sends nearly nothing in silence.
    ///
    /// # Errors
    /// libopus has no memory, or does not take the bitrate.
    pub fn new(bitrate: Bitrate, dtx: bool) -> Result<Self, EncodeError> {
        // For voices, and with it in-band FEC; music passes, too.
        let mut opus = opus::Encoder::new(SOUND_RATE, Channels::Mono, Application::Voip).map_err(failed)?;
        opus.set_inband_fec(true).map_err(failed)?;
        opus.set_packet_loss_perc(EXPECTED_LOSS).map_err(failed)?;
        opus.set_complexity(COMPLEXITY).map_err(failed)?;
        let delay = opus.get_lookahead().map_err(failed)?;
        let mut encoder = Self {
            opus,
            packet: [0; MOST],
            delay: u64::try_from(delay).unwrap_or(0),
        };
        encoder.set(bitrate, dtx)?;
        Ok(encoder)
    }

    /// Goes on at another bitrate, with or without DTX.
    ///
    /// # Errors
    /// libopus does not take it.
    pub fn set(&mut self, bitrate: Bitrate, dtx: bool) -> Result<(), EncodeError> {
        let bits = i32::try_from(bitrate.bps()).unwrap_or(i32::MAX);
        self.opus.set_bitrate(Rate::Bits(bits)).map_err(failed)?;
        self.opus.set_dtx(dtx).map_err(failed)
    }

    /// By how many samples of 48 kHz the codec delays sound: a decoder gives those that were encoded so much later than the packet's
    /// beginning. No decoder allows for it by itself (RFC 7845, section 4.2, has its files tell it).
    pub fn delay(&self) -> u64 {
        self.delay
    }

    /// Encodes one frame of samples between -1 and 1. `None`: nothing needs to be sent (DTX).
    ///
    /// # Errors
    /// libopus failed.
    pub fn encode(&mut self, samples: &[f32; SOUND_FRAME]) -> Result<Option<&[u8]>, EncodeError> {
        let length = self
            .opus
            .encode_float(samples, &mut self.packet)
            .map_err(failed)?;
        // RFC 6716, section 2.1.9, and the encoder's documentation: two bytes or less need not be sent.
        Ok((length > 2).then_some(&self.packet[..length]))
    }
}

fn failed(error: opus::Error) -> EncodeError {
    EncodeError::Sound {
        encoder: NAME,
        reason: error.description(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::cast_precision_loss, reason = "a few thousand samples")]
    fn frame(number: usize, loudness: f32) -> [f32; SOUND_FRAME] {
        let step = std::f32::consts::TAU * 1000.0 / SOUND_RATE as f32;
        std::array::from_fn(|sample| loudness * ((number * SOUND_FRAME + sample) as f32 * step).sin())
    }

    #[test]
    fn a_tone_comes_back_and_a_lost_frame_is_in_the_next_one() {
        let mut encoder = Encoder::new(Bitrate::from_bps(32_000), false).expect("libopus is there");
        let mut decoder = opus::Decoder::new(SOUND_RATE, Channels::Mono).expect("libopus is there");
        let (mut heard, mut bytes) = (vec![0.0; SOUND_FRAME], 0);
        let mut rms = 0.0;
        for number in 0..50 {
            let packet = encoder.encode(&frame(number, 0.5)).expect("it encodes");
            let packet = packet.expect("a tone is no silence");
            bytes += packet.len();
            if number == 48 {
                continue;
            }
            if number == 49 {
                decoder
                    .decode_float(packet, &mut heard, true)
                    .expect("the copy of the one before");
            }
            decoder
                .decode_float(packet, &mut heard, false)
                .expect("it decodes");
            rms = (heard.iter().map(|sample| sample * sample).sum::<f32>() / SOUND_FRAME as f32).sqrt();
        }
        assert!((0.3..0.4).contains(&rms), "{rms}");
        assert!(
            (2000..6000).contains(&bytes),
            "{bytes} bytes in a second at 32 kbit/s"
        );
    }

    #[test]
    fn a_tone_begins_later_by_the_delay() {
        let mut encoder = Encoder::new(Bitrate::from_bps(32_000), false).expect("libopus is there");
        let mut decoder = opus::Decoder::new(SOUND_RATE, Channels::Mono).expect("libopus is there");
        let mut heard = Vec::new();
        for number in 0..60 {
            let loudness = if number < 50 { 0.0 } else { 0.5 };
            let packet = encoder.encode(&frame(number, loudness)).expect("it encodes");
            let mut samples = vec![0.0; SOUND_FRAME];
            decoder
                .decode_float(packet.expect("without DTX"), &mut samples, false)
                .expect("it decodes");
            heard.extend(samples);
        }
        let begins = heard
            .iter()
            .position(|sample| sample.abs() > 0.1)
            .expect("a tone");
        let late = begins as f64 - (50 * SOUND_FRAME) as f64;
        let off = (late - encoder.delay() as f64) / f64::from(SOUND_RATE);
        assert!(encoder.delay() > 0 && off.abs() < 0.002, "{late} samples late");
    }

    #[test]
    fn silence_costs_next_to_nothing_with_dtx() {
        for (dtx, most) in [(true, 12), (false, 50)] {
            let mut encoder = Encoder::new(Bitrate::from_bps(32_000), dtx).expect("libopus is there");
            let sent = (0..50).filter(|_| encoder.encode(&[0.0; SOUND_FRAME]).expect("it encodes").is_some());
            let sent = sent.count();
            assert!(sent <= most && (dtx || sent == most), "{sent} packets, DTX {dtx}");
        }
    }

    #[test]
    fn a_bitrate_that_libopus_refuses_is_an_error() {
        assert!(Encoder::new(Bitrate::from_bps(0), false).is_err());
    }
}
