use super::*;
use crate::{
    capture::{CaptureError, Controls},
    encode::{self, VideoEncoder},
    fanout::{self, Demand, Depth, Subscriber},
    media::{AccessUnit, Colour, FrameRate, Orders, PixelFormat, Privacy, Rendition, VideoFormat},
    pipeline::{Bitrates, account::Account, ladder::Ladder, snapshot::Snapshots},
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

const INTERVAL: Duration = Duration::from_millis(33);
const BITRATE: Bitrate = Bitrate::from_bps(1_000_000);
const BITRATES: Bitrates = Bitrates {
    full: BITRATE,
    small: None,
};
/// 1280x720, High, and a picture of four bytes.
const KEYFRAME: &[u8] = &[
    0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
    0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60, 0, 0, 1, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0,
    0, 0, 1, 0x65, 0x88, 0x84, 0x11,
];
const OTHER: &[u8] = &[0, 0, 1, 0x41, 0x9a, 0x22];

/// What a camera that encodes gives.
fn format(size: &str) -> VideoFormat {
    VideoFormat {
        pixel: PixelFormat::H264,
        size: size.parse().expect("a size"),
        stride: 0,
        colour: Colour::VIDEO,
        rate: FrameRate::per_second(30),
    }
}

/// An encoder that has pictures under way when it is asked.
struct Encoder {
    delay: usize,
    obeys: bool,
    /// What comes next, whether each is a keyframe; keyframes by itself come never.
    coming: Vec<bool>,
    requests: usize,
    sequence: u32,
}

impl VideoSource for Encoder {
    fn format(&self) -> VideoFormat {
        format("1280x720")
    }

    fn next(&mut self, _: Duration) -> Result<Option<Frame<'_>>, CaptureError> {
        self.sequence += 1;
        let is_keyframe = !self.coming.is_empty() && self.coming.remove(0);
        Ok(Some(Frame {
            format: self.format(),
            captured_at: Timestamp::now(),
            sequence: self.sequence,
            data: if is_keyframe { KEYFRAME } else { OTHER },
            dmabuf: None,
        }))
    }

    fn set_controls(&mut self, _: &Controls) -> Result<(), CaptureError> {
        Ok(())
    }

    fn makes_keyframes_on_request(&self) -> bool {
        true
    }

    fn request_keyframe(&mut self) -> bool {
        self.requests += 1;
        if !self.obeys {
            return true;
        }
        let length = self.coming.len().max(self.delay + 1);
        self.coming.resize(length, false);
        self.coming[self.delay] = true;
        true
    }
}

/// A camera, one viewer of H.264, and what the camera's thread has.
struct Scene {
    coded: Coded,
    source: Encoder,
    lines: [Line; 1],
    viewer: Subscriber<AccessUnit>,
    account: Arc<Account>,
    converter: Converter,
    now: Instant,
}

impl Scene {
    fn new(delay: usize, first: &[bool]) -> Self {
        let rendition = Rendition::top(Codec::H264);
        let ([publisher], broadcast) =
            fanout::broadcast([rendition], &Demand::default(), &Privacy::default());
        let viewer = broadcast.subscribe(rendition, Depth::PICTURES);
        let account = Arc::new(Account::default());
        Self {
            coded: Coded::new(true, true),
            source: Encoder {
                delay,
                obeys: true,
                coming: first.to_vec(),
                requests: 0,
                sequence: 0,
            },
            lines: [Line::new(publisher, account.clone())],
            viewer: viewer.expect("there is such a rendition"),
            account,
            converter: Converter::new(),
            now: Instant::now(),
        }
    }

    /// So many turns of the camera's thread; gives how many keyframes were asked for, and how many came.
    fn run(&mut self, frames: usize) -> (usize, u64) {
        let figures = self.account.line(Rendition::top(Codec::H264));
        let before = (self.source.requests, figures.keyframes.get());
        for _ in 0..frames {
            self.now += INTERVAL;
            self.coded
                .request_keyframe(&self.lines, &mut self.source, self.now);
            let outlet = Outlet {
                account: &self.account,
                snapshots: &Snapshots::default(),
                privacy: &Privacy::default(),
                ladder: &Ladder::of(self.source.format(), BITRATES),
            };
            let frame = self.source.next(INTERVAL).expect("it works").expect("a frame");
            let tools = (&mut self.converter, &mut Shrinkers::default());
            let passed = self.coded.pass(&mut self.lines, tools, outlet, &frame);
            assert!(passed.expect("no encoder").is_ok());
            // Who does not take what comes misses some, and wants a keyframe.
            let mut context = Context::from_waker(Waker::noop());
            while self.viewer.poll_next(&mut context).is_ready() {}
        }
        (
            self.source.requests - before.0,
            figures.keyframes.get() - before.1,
        )
    }
}

#[test]
fn a_stream_that_begins_with_a_keyframe_is_not_asked_for_another() {
    let mut scene = Scene::new(2, &[true]);
    assert_eq!(scene.run(30), (0, 1));
}

#[test]
fn a_stream_that_begins_amid_a_group_is_asked_for_a_keyframe() {
    let mut scene = Scene::new(2, &[]);
    assert_eq!(scene.run(30), (1, 1));
}

#[test]
fn one_request_is_enough_for_an_encoder_with_pictures_under_way() {
    for delay in [0, 1, 5, 10] {
        let mut scene = Scene::new(delay, &[true]);
        scene.run(30);
        // One comes, and others while the keyframe is under way.
        for _ in 0..=delay {
            scene.viewer.request_keyframe();
            scene.run(1);
        }
        assert_eq!(scene.run(30), (0, 0), "all of them have it: delay {delay}");
        assert_eq!(
            (
                scene.source.requests,
                scene
                    .account
                    .line(Rendition::top(Codec::H264))
                    .keyframe_orders
                    .get()
            ),
            (1, 1)
        );
        // The next who comes does not wait.
        scene.viewer.request_keyframe();
        assert_eq!(scene.run(delay + 1), (1, 1));
    }
}

#[test]
fn an_encoder_that_does_not_obey_is_asked_again() {
    let mut scene = Scene::new(2, &[true]);
    scene.run(30);
    scene.source.obeys = false;
    scene.viewer.request_keyframe();
    assert_eq!(scene.run(40), (3, 0), "at once, after 500 ms, and again");
    scene.source.obeys = true;
    assert_eq!(scene.run(20), (1, 1));
}

/// The pictures of a stream with a keyframe first, and so many more.
fn stream(pictures: usize) -> Vec<AccessUnit> {
    let raw = VideoFormat {
        pixel: PixelFormat::Yu12,
        stride: 64,
        ..format("64x64")
    };
    let mut encoder =
        encode::software(Codec::H264, raw, Bitrate::from_bps(500_000)).expect("it encodes that");
    let unit = |shade: usize| {
        let frame = Frame {
            format: raw,
            captured_at: Timestamp::now(),
            sequence: 0,
            dmabuf: None,
            data: &vec![u8::try_from(shade % 200).expect("small"); raw.least_bytes()],
        };
        let unit = encoder.encode(&frame, Orders::default());
        unit.expect("it works").expect("a unit for each frame")
    };
    (0..pictures).map(unit).collect()
}

/// Counts what it gets to encode.
struct Counting(Arc<AtomicUsize>);

impl VideoEncoder for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn encode(&mut self, _: &Frame<'_>, _: Orders) -> Result<Option<AccessUnit>, EncodeError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }
}

/// A camera of H.264, a viewer of that and one of VP8, for whom it is decoded.
struct Recoding {
    coded: Coded,
    lines: [Line; 2],
    _viewers: [Option<Subscriber<AccessUnit>>; 2],
    account: Arc<Account>,
    converter: Converter,
    format: VideoFormat,
    sequence: u32,
    encoded: Arc<AtomicUsize>,
}

impl Recoding {
    fn new() -> Self {
        let account = Arc::new(Account::default());
        let renditions = [Codec::H264, Codec::Vp8].map(Rendition::top);
        let ([h264, vp8], broadcast) = fanout::broadcast(renditions, &Demand::default(), &Privacy::default());
        let viewers = renditions.map(|rendition| broadcast.subscribe(rendition, Depth::PICTURES));
        let encoded = Arc::new(AtomicUsize::new(0));
        // So slow that no machine is late by itself.
        let format = VideoFormat {
            rate: FrameRate::per_second(1),
            ..format("64x64")
        };
        let raw = VideoFormat {
            pixel: PixelFormat::Yu12,
            stride: 64,
            ..format
        };
        let encoder = Box::new(Counting(encoded.clone()));
        Self {
            coded: Coded::new(true, true),
            lines: [
                Line::new(h264, account.clone()),
                Line::with_encoder(vp8, encoder, raw, BITRATE),
            ],
            _viewers: viewers,
            account,
            converter: Converter::new(),
            format,
            sequence: 0,
            encoded,
        }
    }

    /// Passes units on that were captured so long ago; gives how many were encoded for VP8.
    fn pass(&mut self, units: &[AccessUnit], age: Duration) -> usize {
        let before = self.encoded.load(Ordering::Relaxed);
        for unit in units {
            self.sequence += 1;
            let now = Timestamp::now().as_duration();
            let frame = Frame {
                format: self.format,
                captured_at: Timestamp::from_monotonic(now - age),
                sequence: self.sequence,
                dmabuf: None,
                data: &unit.data,
            };
            let outlet = Outlet {
                account: &self.account,
                snapshots: &Snapshots::default(),
                privacy: &Privacy::default(),
                ladder: &Ladder::of(self.format, BITRATES),
            };
            let tools = (&mut self.converter, &mut Shrinkers::default());
            let passed = self.coded.pass(&mut self.lines, tools, outlet, &frame);
            passed.expect("nothing fails").expect("it can be decoded");
        }
        self.encoded.load(Ordering::Relaxed) - before
    }
}

#[test]
fn the_time_that_a_camera_takes_is_no_lateness() {
    let mut scene = Recoding::new();
    let units = stream(5);
    assert_eq!(scene.pass(&units, Duration::from_secs(20)), 5);
}

#[test]
fn a_machine_too_slow_to_decode_leaves_out_the_rest_of_the_group_and_passes_everything_on() {
    let mut scene = Recoding::new();
    let (first, second) = (stream(20), stream(5));
    assert_eq!(scene.pass(&first[..5], Duration::ZERO), 5);
    assert_eq!(scene.pass(&first[5..10], Duration::from_secs(20)), 0);
    assert_eq!(
        scene.pass(&first[10..], Duration::ZERO),
        0,
        "they refer to what was left out"
    );
    assert_eq!(
        scene.pass(&second, Duration::ZERO),
        5,
        "from the next keyframe on"
    );
    let figures = scene.account.line(Rendition::top(Codec::H264));
    assert_eq!(figures.units.get(), 25, "viewers of H.264 got all of them");
}
