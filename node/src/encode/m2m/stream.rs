use std::time::Duration;

use bytes::Bytes;

use super::{CodedFormat, flight::Flight};
use crate::{
    encode::{ConvertError, Passthrough},
    media::{AccessUnit, Colour, Frame, Layer, PixelFormat, Timestamp, VideoFormat, h264::nal_units},
};

/// What comes out of an encoder, made fit for viewers.
pub struct Stream {
    coded: CodedFormat,
    format: VideoFormat,
    /// Not each driver puts parameter sets before every keyframe, whatever it is told.
    headers: Passthrough,
    buffers: u32,
    /// The pictures that went in and have not come out.
    pub flight: Flight,
}

impl Stream {
    /// Of frames of `format`.
    pub fn new(coded: CodedFormat, format: VideoFormat) -> Self {
        Self {
            coded,
            format: VideoFormat {
                pixel: PixelFormat::H264,
                stride: 0,
                colour: Colour::VIDEO,
                ..format
            },
            headers: Passthrough::of("the hardware encoder"),
            buffers: 0,
            flight: Flight::default(),
        }
    }

    /// The picture in a buffer; `None` where it holds something else: some drivers write parameter sets apart.
    pub fn unit(&mut self, data: &[u8], stamp: Duration) -> Result<Option<AccessUnit>, ConvertError> {
        if data.is_empty() {
            return Ok(None);
        }
        let is_picture = match self.coded {
            CodedFormat::H264 => nal_units(data).any(|unit| unit.kind().is_slice()),
            CodedFormat::Fwht => true,
        };
        let captured_at = match is_picture {
            true => self.flight.arrived(stamp),
            false => None,
        };
        let captured_at = captured_at.unwrap_or_else(Timestamp::now);
        match self.coded {
            CodedFormat::H264 => {
                self.buffers = self.buffers.wrapping_add(1);
                self.headers.take(&Frame {
                    format: self.format,
                    captured_at,
                    sequence: self.buffers,
                    data,
                    dmabuf: None,
                })
            }
            CodedFormat::Fwht => Ok(Some(AccessUnit {
                data: Bytes::copy_from_slice(data),
                captured_at,
                is_keyframe: is_fwht_keyframe(data),
                layer: Layer::Base,
            })),
        }
    }
}

/// By the flags in the picture's header (`struct fwht_cframe_hdr`): its encoder does not flag buffers.
fn is_fwht_keyframe(data: &[u8]) -> bool {
    const FLAGS: std::ops::Range<usize> = 20..24;
    const I_FRAME: u32 = 1 << 10;
    let flags = data.get(FLAGS).and_then(|bytes| bytes.try_into().ok());
    flags.is_some_and(|bytes| u32::from_be_bytes(bytes) & I_FRAME != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FrameRate;

    #[rustfmt::skip]
    const SPS: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
        0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
    ];
    const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
    const IDR: &[u8] = &[0, 0, 0, 1, 0x65, 0x88, 0x84, 0x11];
    const SLICE: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a, 0x22];

    fn stream() -> Stream {
        let format = VideoFormat {
            pixel: PixelFormat::Nv12,
            size: "1280x720".parse().unwrap(),
            stride: 1280,
            colour: Colour::VIDEO,
            rate: FrameRate::per_second(30),
        };
        Stream::new(CodedFormat::H264, format)
    }

    /// What comes of a buffer of these parts: its bytes, whether it is a keyframe, and when it was captured, in milliseconds.
    fn unit(stream: &mut Stream, parts: &[&[u8]], milliseconds: u64) -> Option<(Vec<u8>, bool, u128)> {
        let unit = stream.unit(&parts.concat(), Duration::from_millis(milliseconds));
        let unit = unit.expect("it is whole")?;
        let at = unit.captured_at.as_duration().as_millis();
        Some((unit.data.to_vec(), unit.is_keyframe, at))
    }

    fn send(stream: &mut Stream, milliseconds: &[u64]) {
        for &at in milliseconds {
            stream
                .flight
                .sent(Timestamp::from_monotonic(Duration::from_millis(at)));
        }
    }

    #[test]
    fn parameter_sets_that_come_apart_and_once_stand_before_each_keyframe() {
        let mut stream = stream();
        send(&mut stream, &[10, 20, 30]);
        assert_eq!(unit(&mut stream, &[SPS, PPS], 10), None);
        assert_eq!(stream.flight.len(), 3, "that was no picture");
        let keyframe = [SPS, PPS, IDR].concat();
        assert_eq!(unit(&mut stream, &[IDR], 10), Some((keyframe.clone(), true, 10)));
        assert_eq!(unit(&mut stream, &[SLICE], 20), Some((SLICE.to_vec(), false, 20)));
        assert_eq!(unit(&mut stream, &[IDR], 30), Some((keyframe, true, 30)));
        assert_eq!(stream.flight.len(), 0);
    }

    #[test]
    fn parameter_sets_in_band_are_not_doubled() {
        let mut stream = stream();
        send(&mut stream, &[10, 20]);
        let keyframe = [SPS, PPS, IDR].concat();
        for at in [10, 20] {
            let unit = unit(&mut stream, &[SPS, PPS, IDR], at);
            assert_eq!(unit, Some((keyframe.clone(), true, at.into())));
        }
    }

    #[test]
    fn an_empty_buffer_is_no_picture() {
        let mut stream = stream();
        send(&mut stream, &[10]);
        assert_eq!(unit(&mut stream, &[], 10), None);
        assert_eq!(stream.flight.len(), 1);
    }

    #[test]
    fn what_is_no_h264_is_an_error() {
        assert!(stream().unit(&[1, 2, 3], Duration::ZERO).is_err());
    }

    #[test]
    fn keyframes_of_fwht_say_so_in_their_header() {
        let mut picture = [0; 48];
        assert!(!is_fwht_keyframe(&picture));
        picture[22] = 4;
        assert!(is_fwht_keyframe(&picture));
        assert!(!is_fwht_keyframe(&picture[..20]));
    }
}
