use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::*;
use crate::media::h264::{Sps, picture_parameter_ids};
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
fn what_nothing_refers_to_is_of_the_upper_layer() {
    const UNUSED: &[u8] = &[0x01, 0x9a, 0x22];
    const SECOND: &[u8] = &[0x01, 0x0a, 0x22];
    let mut camera = Camera::default();
    let mut layer = |parts: &[&[u8]]| {
        let unit = camera.send(&stream(parts)).expect("it is whole");
        unit.map(|unit| unit.layer)
    };
    for (parts, expected) in [
        (&[UNUSED][..], None),
        (&[SPS, PPS, IDR], Some(Layer::Base)),
        (&[UNUSED], Some(Layer::Upper)),
        (&[SLICE], Some(Layer::Base)),
        (&[DELIMITER, SEI, UNUSED, SECOND], Some(Layer::Upper)),
        (&[UNUSED, SLICE], Some(Layer::Base)),
        // Those behind it need them.
        (&[OTHER_PPS, UNUSED], Some(Layer::Base)),
        (&[UNUSED, PPS], Some(Layer::Base)),
        (&[UNUSED], Some(Layer::Base)),
        (&[UNUSED], Some(Layer::Upper)),
        (&[SPS, PPS, UNUSED], Some(Layer::Upper)),
    ] {
        assert_eq!(layer(parts), expected, "{parts:x?}");
    }
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

/// Bits, and the codes of the standard (section 9.1).
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not written yet.
    left: u32,
}

impl Writer {
    fn bits(mut self, number: u32, count: u32) -> Self {
        for place in (0..count).rev() {
            if self.left == 0 {
                self.bytes.push(0);
                self.left = 8;
            }
            self.left -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((number >> place & 1) as u8) << self.left;
            }
        }
        self
    }

    fn unsigned(self, number: u32) -> Self {
        let length = (number + 1).ilog2();
        self.bits(0, length).bits(number + 1, length + 1)
    }

    /// Behind this header, with the bit that ends it.
    fn unit(self, header: &[u8]) -> Vec<u8> {
        [header, &self.bits(1, 1).bytes].concat()
    }
}

/// A sequence parameter set of 640x368.
fn sequence(id: u32, level: u8) -> Vec<u8> {
    let start = Writer::default().unsigned(id).unsigned(0).unsigned(2).unsigned(1);
    let size = start.bits(0, 1).unsigned(39).unsigned(22);
    size.bits(0b1100, 4).unit(&[0x67, 66, 0xc0, level])
}

fn picture(id: u32, upon: u32, variant: u8) -> Vec<u8> {
    let start = Writer::default().unsigned(id).unsigned(upon);
    start.bits(variant.into(), 8).unit(&[0x68])
}

/// A slice by this picture parameter set.
fn slice(header: u8, parameters: u32, content: u8) -> Vec<u8> {
    let start = Writer::default().unsigned(0).unsigned(7).unsigned(parameters);
    start.bits(content.into(), 8).unit(&[header])
}

#[test]
fn all_sets_in_force_are_before_each_keyframe_and_others_as_they_come() {
    let mut camera = Camera::default();
    let idr = &slice(0x65, 0, 1)[..];
    let (sps, other_sps) = (&sequence(0, 30)[..], &sequence(3, 30)[..]);
    let (first, second, third) = (
        &picture(0, 0, 1)[..],
        &picture(1, 0, 2)[..],
        &picture(2, 3, 3)[..],
    );
    assert_eq!(
        camera.passed(&[sps, second, first, idr]),
        Some((stream(&[sps, first, second, idr]), true))
    );
    assert_eq!(
        camera.passed(&[third, SLICE]),
        Some((stream(&[third, SLICE]), false))
    );
    assert_eq!(camera.passed(&[other_sps]), None, "no picture in it");
    assert_eq!(
        camera.passed(&[SLICE]),
        Some((stream(&[other_sps, third, SLICE]), false)),
        "what builds upon it goes with it"
    );
    let changed = &picture(1, 0, 9)[..];
    assert_eq!(
        camera.passed(&[changed, SLICE]),
        Some((stream(&[changed, SLICE]), false))
    );
    for _ in 0..2 {
        assert_eq!(
            camera.passed(&[idr]),
            Some((stream(&[sps, other_sps, first, changed, third, idr]), true))
        );
    }
}

#[test]
fn a_set_holds_for_what_comes_behind_it_only() {
    let mut camera = Camera::default();
    let (idr, sps) = (&slice(0x65, 0, 1)[..], &sequence(0, 30)[..]);
    let (before, between, behind) = (
        &picture(0, 0, 1)[..],
        &picture(0, 0, 2)[..],
        &picture(0, 0, 3)[..],
    );
    assert_eq!(
        camera.passed(&[sps, before, idr, between, SLICE, behind]),
        Some((stream(&[sps, before, idr, between, SLICE]), true))
    );
    assert_eq!(camera.passed(&[SLICE]), Some((stream(&[behind, SLICE]), false)));
    assert_eq!(
        camera.passed(&[behind, SLICE, behind]),
        Some((stream(&[SLICE]), false))
    );
}

#[test]
fn a_keyframe_whose_sets_are_missing_is_none() {
    let mut camera = Camera::default();
    let (sps, first) = (&sequence(0, 30)[..], &picture(0, 0, 1)[..]);
    let second = &picture(1, 1, 2)[..];
    let (idr, other_idr) = (&slice(0x65, 0, 1)[..], &slice(0x65, 1, 1)[..]);
    assert!(camera.passed(&[sps, first, idr]).is_some());
    assert_eq!(camera.passed(&[other_idr]), None);
    assert!(camera.passthrough.needs_keyframe(), "the next ones refer to it");
    assert_eq!(camera.passed(&[SLICE]), None);
    assert_eq!(
        camera.passed(&[second, other_idr]),
        None,
        "its sequence is missing"
    );
    let other_sps = &sequence(1, 30)[..];
    assert_eq!(
        camera.passed(&[other_sps, other_idr]),
        Some((stream(&[sps, other_sps, first, second, other_idr]), true))
    );
}

#[test]
fn as_many_sets_as_have_numbers_are_kept() {
    let mut camera = Camera::default();
    let sequences: Vec<_> = (0..32).map(|id| sequence(id, 30)).collect();
    let pictures: Vec<_> = (0..256).map(|id| picture(id, id % 32, 1)).collect();
    let idr = slice(0x65, 255, 1);
    let all: Vec<_> = sequences
        .iter()
        .chain(&pictures)
        .chain([&idr])
        .map(Vec::as_slice)
        .collect();
    assert_eq!(camera.passed(&all), Some((stream(&all), true)));
    assert_eq!(camera.passed(&[&idr]), Some((stream(&all), true)));
}

#[test]
fn what_a_damaged_stream_left_behind_gives_way() {
    let mut camera = Camera::default();
    let (sps, set, idr) = (
        &sequence(0, 30)[..],
        &picture(0, 0, 1)[..],
        &slice(0x65, 0, 1)[..],
    );
    for id in 1..256 {
        let large = [&picture(id, 0, 1)[..], &[7; 1000]].concat();
        let unit = camera.passed(&[sps, set, &large, idr]);
        let (unit, _) = unit.expect("it can be decoded");
        assert!(
            unit.len() < 17 * 1024 && unit.starts_with(&stream(&[sps, set])),
            "{id}"
        );
    }
    let too_large = [set, &[7; 1024]].concat();
    assert!(camera.send(&stream(&[&too_large, idr])).is_err());
}

/// The sets that a decoder has, as they are.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Decoder {
    sequence: BTreeMap<u32, Vec<u8>>,
    picture: BTreeMap<u32, Vec<u8>>,
}

impl Decoder {
    /// Reads a stream, and gives each slice with the sets that it is decoded by.
    fn read(&mut self, stream: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let mut slices = Vec::new();
        for unit in nal_units(stream) {
            match unit.kind() {
                Kind::SequenceParameters => {
                    let id = Sps::read(unit.bytes).expect("whole").id;
                    if self.sequence.insert(id, unit.bytes.to_vec()).as_deref() != Some(unit.bytes) {
                        // As ffmpeg's does, with all that builds upon a set that has changed.
                        self.picture.retain(|_, set| upon(set) != id);
                    }
                }
                Kind::PictureParameters => {
                    let (id, _) = picture_parameter_ids(unit.bytes).expect("whole");
                    self.picture.insert(id, unit.bytes.to_vec());
                }
                _ => {
                    let id = unit.picture_parameters().expect("a slice");
                    let picture = self.picture.get(&id).expect("its set was there before it");
                    let sequence = self.sequence.get(&upon(picture)).expect("and that one's");
                    slices.push((unit.bytes.to_vec(), picture.clone(), sequence.clone()));
                }
            }
        }
        slices
    }
}

fn upon(set: &[u8]) -> u32 {
    picture_parameter_ids(set).expect("whole").1
}

/// What a camera says, and what it means by it.
#[derive(Default)]
struct Script {
    parts: Vec<Vec<u8>>,
    meant: Decoder,
    slices: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

impl Script {
    fn say(&mut self, part: Vec<u8>) {
        self.slices.extend(self.meant.read(&stream(&[&part])));
        self.parts.push(part);
    }

    /// A set that there is already, with something else in it.
    fn change_picture(&mut self, random: &mut StdRng) {
        let known: Vec<_> = self.meant.picture.values().collect();
        let (id, upon) = picture_parameter_ids(known.choose(random).expect("some")).expect("whole");
        self.say(picture(id, upon, random.random()));
    }

    fn slice(&mut self, header: u8, random: &mut StdRng) {
        let known: Vec<_> = self.meant.picture.keys().copied().collect();
        let id = *known.choose(random).expect("some");
        self.say(slice(header, id, random.random()));
    }
}

#[test]
fn whenever_a_viewer_comes_it_decodes_each_slice_by_the_sets_that_the_camera_meant() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut camera = Camera::default();
        let mut script = Script::default();
        // Those who came at a keyframe, one at each.
        let mut viewers: Vec<Decoder> = Vec::new();
        for number in 0..40 {
            let is_keyframe = number == 0 || random.random_bool(0.2);
            for id in 0..3 {
                if number == 0 || (is_keyframe && random.random_bool(0.3)) {
                    script.say(sequence(id, random.random_range(30..33)));
                    // An encoder that changes one sends all that build upon it.
                    (0..4).for_each(|set| script.say(picture(4 * id + set, id, random.random())));
                }
            }
            for _ in 0..random.random_range(1..4) {
                if random.random_bool(0.3) {
                    script.change_picture(&mut random);
                }
                script.slice(if is_keyframe { 0x65 } else { 0x41 }, &mut random);
            }
            if random.random_bool(0.2) {
                script.change_picture(&mut random);
            }
            let parts = std::mem::take(&mut script.parts);
            let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
            let unit = camera.send(&stream(&parts)).expect("whole").expect("a picture");
            if unit.is_keyframe {
                viewers.push(Decoder::default());
            }
            let slices = std::mem::take(&mut script.slices);
            for viewer in &mut viewers {
                assert_eq!(viewer.read(&unit.data), slices, "seed {seed}, unit {number}");
            }
        }
    }
}
