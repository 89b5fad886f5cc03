use super::*;
use crate::media::{Colour, FrameRate, PixelFormat, Timestamp, VideoFormat};

#[rustfmt::skip]
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
    0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
const OTHER_PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xd0];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x11];
const SECOND_IDR_SLICE: &[u8] = &[0x65, 0x08, 0x84, 0x12];
const SLICE: &[u8] = &[0x41, 0x9a, 0x22];
const SEI: &[u8] = &[0x06, 0x05, 0x01, 0xff, 0x80];
const DELIMITER: &[u8] = &[0x09, 0xf0];

fn stream(parts: &[&[u8]]) -> Vec<u8> {
    let with_start = |part: &&[u8]| [&START_CODE[..], part].concat();
    parts.iter().flat_map(with_start).collect()
}

/// A camera whose frames are counted.
#[derive(Default)]
struct Camera {
    passthrough: Passthrough,
    sequence: u32,
}

impl Camera {
    fn send(&mut self, data: &[u8]) -> Result<Option<AccessUnit>, String> {
        self.sequence += 1;
        let frame = Frame {
            format: VideoFormat {
                pixel: PixelFormat::H264,
                colour: Colour::VIDEO,
                size: "1280x720".parse().unwrap(),
                stride: 0,
                rate: FrameRate::per_second(30),
            },
            captured_at: Timestamp::now(),
            sequence: self.sequence,
            dmabuf: None,
            data,
        };
        self.passthrough.take(&frame).map_err(|error| error.to_string())
    }

    /// What comes of a frame of these parts.
    fn passed(&mut self, parts: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
        let unit = self.send(&stream(parts)).expect("it is whole");
        unit.map(|unit| (unit.data.to_vec(), unit.is_keyframe))
    }
}

#[test]
fn it_starts_at_a_keyframe_with_parameter_sets() {
    let mut camera = Camera::default();
    assert_eq!(camera.passed(&[SLICE]), None, "the middle of a group");
    assert_eq!(camera.passed(&[IDR]), None, "no parameter sets yet");
    assert!(camera.passthrough.needs_keyframe());
    assert_eq!(
        camera.passed(&[SPS, PPS, IDR, SECOND_IDR_SLICE]),
        Some((stream(&[SPS, PPS, IDR, SECOND_IDR_SLICE]), true))
    );
    assert!(!camera.passthrough.needs_keyframe());
    assert_eq!(camera.passed(&[SLICE]), Some((stream(&[SLICE]), false)));
}

#[test]
fn parameter_sets_are_repeated_before_each_keyframe() {
    let mut camera = Camera::default();
    assert_eq!(camera.passed(&[SPS, PPS]), None, "no picture in it");
    for _ in 0..2 {
        assert_eq!(camera.passed(&[IDR]), Some((stream(&[SPS, PPS, IDR]), true)));
        assert_eq!(camera.passed(&[SLICE]), Some((stream(&[SLICE]), false)));
    }
    assert_eq!(camera.passed(&[OTHER_PPS]), None);
    assert_eq!(
        camera.passed(&[SLICE]),
        Some((stream(&[OTHER_PPS, SLICE]), false)),
        "a new one goes with the next picture"
    );
    assert_eq!(
        camera.passed(&[OTHER_PPS, SLICE]),
        Some((stream(&[SLICE]), false)),
        "and only once"
    );
    assert_eq!(
        camera.passed(&[IDR]),
        Some((stream(&[SPS, OTHER_PPS, IDR]), true))
    );
}

#[test]
fn what_no_viewer_needs_is_left_out() {
    let mut camera = Camera::default();
    assert_eq!(
        camera.passed(&[DELIMITER, SPS, PPS, SEI, IDR, &[0x0c, 0xff, 0x80]]),
        Some((stream(&[SPS, PPS, IDR]), true))
    );
    assert_eq!(camera.passed(&[DELIMITER, SEI]), None);
    assert_eq!(camera.passed(&[SEI, SLICE]), Some((stream(&[SLICE]), false)));
}

#[test]
fn after_a_gap_it_goes_on_at_a_keyframe() {
    let mut camera = Camera::default();
    camera.passed(&[SPS, PPS, IDR]);
    camera.sequence += 1;
    assert_eq!(camera.passed(&[SLICE]), None);
    assert!(camera.passthrough.needs_keyframe());
    assert_eq!(camera.passed(&[SLICE]), None);
    assert!(camera.passed(&[IDR]).is_some());
    assert!(camera.passed(&[SLICE]).is_some());
    camera.sequence -= 1;
    assert!(camera.passed(&[SLICE]).is_some(), "a driver that does not count");
}

#[test]
fn after_a_damaged_unit_it_goes_on_at_a_keyframe() {
    for damaged in [
        &[0; 64][..],
        b"not H.264",
        &[],
        &[0, 0, 1, 0xe5, 1],
        &[0, 0, 1, 0x67, 1],
        &[0, 0, 1, 0x41],
    ] {
        let mut camera = Camera::default();
        camera.passed(&[SPS, PPS, IDR]);
        let error = camera.send(damaged).expect_err("damaged");
        assert!(
            error.starts_with("an H.264 picture from the camera is damaged: "),
            "{error}"
        );
        assert_eq!(camera.passed(&[SLICE]), None);
        assert!(camera.passed(&[IDR]).is_some());
    }
}

#[test]
fn whatever_a_camera_sends_nothing_panics_or_grows() {
    let mut camera = Camera::default();
    let mut random = 1_u64;
    for length in 0..3000 {
        let mut data = stream(&[SPS, PPS, IDR, SLICE, SEI]);
        for byte in &mut data {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if random >> 60 == 0 {
                *byte = (random >> 40) as u8;
            }
        }
        data.truncate(length % (data.len() + 1));
        let _ = camera.send(&data);
    }
    let unit = camera.passed(&[SPS, PPS, IDR]).map_or(0, |(data, _)| data.len());
    assert!(unit < 40 * 1024, "{unit}");
}
