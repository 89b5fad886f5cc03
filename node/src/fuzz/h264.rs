use std::time::Duration;

use bytes::Bytes;

use super::cuts;
use crate::{
    capture::command::cut_up,
    encode::Passthrough,
    media::{
        AccessUnit, Colour, Frame, FrameRate, FrameSize, Layer, PixelFormat, Timestamp, VideoFormat,
        h264::{Kind, Sps, nal_units},
    },
    peer::fuzz::Packetiser,
};

/// What one access unit may have more than what came: parameter sets of before, which are bounded.
const MOST_SETS: usize = 64 * 1024;
const SIZE: FrameSize = FrameSize {
    width: 640,
    height: 480,
};

/// H.264 as a command writes it, cut into access units; each made fit for viewers, packetised, and put together again as a viewer does.
pub fn h264(stream: &[u8]) -> bool {
    read(stream);
    let units = cut_up(PixelFormat::H264, stream, [], false);
    for parts in cuts(stream) {
        let cut = cut_up(PixelFormat::H264, stream, parts.iter().copied(), false);
        assert_eq!(cut, units, "however it comes");
        // Where a pause is taken for the end of a unit, the units are others, but still parts of the stream in their order.
        let mut end = 0;
        for unit in cut_up(PixelFormat::H264, stream, parts, true) {
            assert!(end <= unit.start && unit.start < unit.end && unit.end <= stream.len());
            end = unit.end;
        }
    }
    let mut way = Way::default();
    let mut passed = 0;
    for unit in &units {
        passed += usize::from(way.pass(&stream[unit.clone()]));
    }
    // As a camera that gives all of it in one frame.
    let whole = Way::default().pass(stream);
    whole || passed > 0
}

/// The NAL units are what stands between the start codes.
fn read(stream: &[u8]) {
    let mut end = 0;
    for unit in nal_units(stream) {
        assert_eq!(stream.get(unit.at..unit.at + unit.bytes.len()), Some(unit.bytes));
        assert!(unit.at >= end + 3 && stream[..unit.at].ends_with(&[0, 0, 1]));
        assert!(unit.bytes.last().is_some_and(|last| *last != 0));
        assert!(
            !unit.bytes.windows(3).any(|bytes| bytes == [0, 0, 1]),
            "it is one"
        );
        end = unit.at + unit.bytes.len();
        if let Some(sps) = Sps::read(unit.bytes) {
            let possible = 16..=8192;
            assert!(possible.contains(&sps.size.width) && possible.contains(&sps.size.height));
            assert!(sps.id < 32);
        }
        let _ = unit.is_bidirectional();
    }
}

/// The way from the camera to a viewer.
#[derive(Default)]
struct Way {
    passthrough: Passthrough,
    packetiser: Packetiser,
    /// Frames so far.
    count: u32,
    /// Whether a viewer has got a keyframe.
    has_begun: bool,
}

impl Way {
    /// Whether the frame reaches the viewer.
    fn pass(&mut self, data: &[u8]) -> bool {
        self.count += 1;
        let frame = Frame {
            format: VideoFormat {
                pixel: PixelFormat::H264,
                size: SIZE,
                stride: 0,
                colour: Colour::VIDEO,
                rate: FrameRate::per_second(30),
            },
            captured_at: Timestamp::from_monotonic(Duration::from_millis(33) * self.count),
            sequence: self.count,
            data,
            dmabuf: None,
        };
        let unit = match self.passthrough.take(&frame) {
            Ok(None) => return false,
            Ok(Some(unit)) => unit,
            Err(error) => {
                assert!(error.to_string().len() < 500, "for a log: {error}");
                assert!(self.passthrough.needs_keyframe(), "the next ones refer to it");
                return false;
            }
        };
        self.check(data, &unit);
        let received = received(&self.packetiser.packets(unit.clone()));
        assert_eq!(
            units(&received),
            units(&unit.data),
            "every part arrives, whole and in its order"
        );
        true
    }

    fn check(&mut self, data: &[u8], unit: &AccessUnit) {
        let kinds: Vec<_> = nal_units(&unit.data).map(|unit| unit.kind()).collect();
        let is_fit = |kind: &Kind| {
            kind.is_slice() || matches!(kind, Kind::SequenceParameters | Kind::PictureParameters)
        };
        assert!(
            kinds.iter().all(is_fit),
            "nothing that no viewer needs: {kinds:?}"
        );
        assert_eq!(slices(&unit.data), slices(data), "every slice, as it came");
        assert_eq!(unit.is_keyframe, kinds.contains(&Kind::Idr));
        if unit.layer == Layer::Upper {
            // Nobody misses it.
            assert!(nal_units(&unit.data).all(|part| part.kind() == Kind::Slice && !part.is_reference()));
        }
        self.has_begun |= unit.is_keyframe;
        assert!(self.has_begun, "it begins with a keyframe");
        if unit.is_keyframe {
            for set in [Kind::SequenceParameters, Kind::PictureParameters] {
                assert!(kinds.contains(&set), "a keyframe has {set:?} with it");
            }
        }
        assert!(unit.data.len() <= 2 * data.len() + MOST_SETS, "it is bounded");
    }
}

fn units(data: &[u8]) -> Vec<&[u8]> {
    nal_units(data).map(|unit| unit.bytes).collect()
}

fn slices(data: &[u8]) -> Vec<&[u8]> {
    let units = nal_units(data).filter(|unit| unit.kind().is_slice());
    units.map(|unit| unit.bytes).collect()
}

/// What a viewer puts together of the payloads (RFC 6184, section 5.6 to 5.8), as a byte stream.
fn received(payloads: &[Bytes]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut fragments: Option<Vec<u8>> = None;
    let mut put = |unit: &[u8]| {
        stream.extend_from_slice(&[0, 0, 0, 1]);
        stream.extend_from_slice(unit);
    };
    for payload in payloads {
        assert!((1..=1200).contains(&payload.len()), "{} bytes", payload.len());
        match payload[0] & 0x1f {
            // STAP-A
            24 => {
                let mut rest = &payload[1..];
                while let [high, low, behind @ ..] = rest {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    assert!(
                        (1..=behind.len()).contains(&length),
                        "an aggregate holds what it says"
                    );
                    put(&behind[..length]);
                    rest = &behind[length..];
                }
                assert!(rest.is_empty(), "nothing is left of an aggregate");
            }
            // FU-A
            28 => {
                let (indicator, header) = (payload[0], payload[1]);
                let (begins, ends) = (header & 0x80 != 0, header & 0x40 != 0);
                assert!(!(begins && ends), "RFC 6184, section 5.8");
                assert_eq!(
                    begins,
                    fragments.is_none(),
                    "fragments of one unit follow one another"
                );
                let unit = fragments.get_or_insert_with(|| vec![indicator & 0xe0 | header & 0x1f]);
                unit.extend_from_slice(&payload[2..]);
                if ends {
                    put(unit);
                    fragments = None;
                }
            }
            kind => {
                assert!((1..=23).contains(&kind), "no packet of type {kind}");
                put(payload);
            }
        }
        assert!(
            fragments.is_none() || payload[0] & 0x1f == 28,
            "nothing comes between fragments"
        );
    }
    assert!(fragments.is_none(), "the last fragment is there");
    stream
}
