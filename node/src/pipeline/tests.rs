use std::{
    io,
    sync::{Mutex, atomic::AtomicUsize},
    time::Duration,
};

use pinhole_service::watchdog::Watchdog;

use super::*;
use crate::{
    capture::{CaptureError, OwnEncoding, Pattern, VideoSource},
    encode::{VideoEncoder, software},
    fanout::{self, Broadcast, Depth, Subscriber},
    media::{
        Codec, Colour, Frame, FrameRate, FrameSize, Orders, PixelFormat, Rendition, Timestamp, VideoFormat,
        h264::{Kind, Sps, nal_units},
    },
};

fn settings(ways: Vec<Way>) -> Settings {
    Settings {
        want: Want {
            size: "128x96".parse().expect("a size"),
            rate: FrameRate::per_second(30),
            format: None,
            own_encoding: OwnEncoding::Never,
            encoder_formats: Vec::new(),
            controls: Controls::new(),
        },
        bitrates: Bitrates {
            full: Bitrate::from_bps(500_000),
            small: Some(Bitrate::from_bps(125_000)),
        },
        ways,
        hardware: CodedFormat::H264,
    }
}

/// Throws the privacy switch for a moment, while it captures its third picture.
struct Flicked {
    privacy: Privacy,
    opened: Arc<AtomicUsize>,
    /// When that picture was captured.
    at: Arc<Mutex<Option<Timestamp>>>,
}

struct FlickedSource {
    inner: Box<dyn VideoSource>,
    privacy: Privacy,
    at: Arc<Mutex<Option<Timestamp>>>,
    left: u32,
}

impl Camera for Flicked {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        let is_first = self.opened.fetch_add(1, Ordering::Relaxed) == 0;
        Ok(Box::new(FlickedSource {
            inner: Pattern.open(want)?,
            privacy: self.privacy.clone(),
            at: self.at.clone(),
            left: if is_first { 3 } else { 0 },
        }))
    }

    fn describe(&self) -> String {
        "a flicked one".to_owned()
    }
}

impl VideoSource for FlickedSource {
    fn format(&self) -> VideoFormat {
        self.inner.format()
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Frame<'_>>, CaptureError> {
        let frame = self.inner.next(patience)?;
        if let Some(frame) = &frame
            && self.left > 0
        {
            self.left -= 1;
            if self.left == 0 {
                *self.at.lock().expect("nobody panics") = Some(frame.captured_at);
                self.privacy.set(true);
                self.privacy.set(false);
            }
        }
        Ok(frame)
    }

    fn set_controls(&mut self, controls: &Controls) -> Result<(), CaptureError> {
        self.inner.set_controls(controls)
    }
}

#[tokio::test]
async fn the_shortest_moment_of_privacy_closes_the_camera_and_nothing_of_before_comes_after_it() {
    let (privacy, opened, at) = (Privacy::default(), Arc::default(), Arc::default());
    let camera = Flicked {
        privacy: privacy.clone(),
        opened: Arc::clone(&opened),
        at: Arc::clone(&at),
    };
    let settings = settings(vec![Way::Software]);
    let demand = Demand::default();
    let (publishers, broadcast) = fanout::broadcast(RENDITIONS, &demand, &privacy);
    let pipeline = Pipeline::start(
        Box::new(camera),
        settings,
        publishers.into(),
        demand,
        privacy.clone(),
        Watchdog::default().pulse("a camera's thread", Duration::from_secs(20)),
        Span::none(),
    );
    let pipeline = pipeline.expect("a thread");
    let viewer = broadcast.subscribe(RENDITIONS[0], Depth::PICTURES);
    let mut viewer = viewer.expect("there is such a rendition");
    let first_after = loop {
        let unit = viewer.next().await.expect("the pipeline runs");
        let flick = *at.lock().expect("nobody panics");
        assert_ne!(Some(unit.captured_at), flick);
        if flick.is_some_and(|flick| unit.captured_at > flick) {
            break unit;
        }
    };
    assert!(first_after.is_keyframe, "decoding begins anew");
    assert_eq!(opened.load(Ordering::Relaxed), 2);
    tokio::task::spawn_blocking(move || pipeline.stop())
        .await
        .expect("it stops");
}

/// A camera that encodes, of whose pictures every other one is damaged. It ends its thread after so many.
struct Damaged {
    frames: u32,
    stopping: Arc<AtomicBool>,
}

struct DamagedSource {
    left: u32,
    stopping: Arc<AtomicBool>,
}

impl Camera for Damaged {
    fn open(&self, _: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        Ok(Box::new(DamagedSource {
            left: self.frames,
            stopping: self.stopping.clone(),
        }))
    }

    fn describe(&self) -> String {
        "a loose cable".to_owned()
    }
}

impl VideoSource for DamagedSource {
    fn format(&self) -> VideoFormat {
        VideoFormat {
            pixel: PixelFormat::H264,
            colour: Colour::VIDEO,
            size: "1280x720".parse().expect("a size"),
            stride: 0,
            rate: FrameRate::per_second(30),
        }
    }

    fn next(&mut self, _: Duration) -> Result<Option<Frame<'_>>, CaptureError> {
        /// 1280x720, High, and a picture of four bytes.
        const KEYFRAME: &[u8] = &[
            0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00,
            0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60, 0, 0, 1, 0x68, 0xeb,
            0xe3, 0xcb, 0x22, 0xc0, 0, 0, 1, 0x65, 0x88, 0x84, 0x11,
        ];
        self.left -= 1;
        if self.left == 0 {
            self.stopping.store(true, Ordering::Relaxed);
        }
        Ok(Some(Frame {
            format: self.format(),
            captured_at: Timestamp::now(),
            sequence: self.left,
            dmabuf: None,
            data: if self.left.is_multiple_of(2) {
                KEYFRAME
            } else {
                b"noise"
            },
        }))
    }

    fn set_controls(&mut self, _: &Controls) -> Result<(), CaptureError> {
        Ok(())
    }
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_camera_of_many_damaged_pictures_is_complained_of_once_in_a_minute() {
    const FRAMES: u32 = 2000;
    let stopping = Arc::new(AtomicBool::new(false));
    let (demand, privacy, settings) = (Demand::default(), Privacy::default(), settings(Vec::new()));
    let rendition = Rendition::top(Codec::H264);
    let ([publisher], broadcast) = fanout::broadcast([rendition], &demand, &privacy);
    let _viewer = broadcast.subscribe(rendition, Depth::PICTURES);
    let account = Arc::new(Account::default());
    let mut work = Work {
        camera: Box::new(Damaged {
            frames: FRAMES,
            stopping: stopping.clone(),
        }),
        ladder: Ladder::new(&settings),
        settings,
        lines: vec![Line::new(publisher, account.clone())],
        account: account.clone(),
        demand,
        stopping,
        wishes: Wishes::default(),
        snapshots: Snapshots::default(),
        privacy,
        converter: Converter::default(),
        shrinkers: Shrinkers::default(),
        heat: Heat::find("/nowhere".as_ref()),
        controls_changed: false,
        pulse: Watchdog::default().pulse("a camera's thread", Duration::from_secs(20)),
        complaints: Complaints::default(),
        unprepared: None,
    };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || work.run());
    let log = log.0.lock().expect("nobody panics");
    let log = String::from_utf8_lossy(&log);
    assert_eq!(account.damaged.get(), u64::from(FRAMES / 2));
    let complaints = log.lines().filter(|line| line.contains("WARN"));
    assert_eq!(complaints.count(), 1, "{log}");
    assert!(log.contains("frame skipped") && log.lines().count() < 10, "{log}");
}

/// The size of a keyframe's picture, as whoever decodes it finds it.
fn size(codec: Codec, unit: &AccessUnit) -> FrameSize {
    assert!(unit.is_keyframe);
    match codec {
        Codec::H264 => {
            let sets = nal_units(&unit.data).find(|part| part.kind() == Kind::SequenceParameters);
            let set = sets.and_then(|set| Sps::read(set.bytes));
            set.expect("a keyframe has its parameter sets").size
        }
        // RFC 6386, section 9.1.
        Codec::Vp8 => {
            let side = |at: usize| u32::from(u16::from_le_bytes([unit.data[at], unit.data[at + 1]]));
            FrameSize {
                width: side(6),
                height: side(8),
            }
        }
    }
}

/// The pattern as a camera that encodes by itself.
struct Own;

struct OwnSource {
    inner: Box<dyn VideoSource>,
    encoder: Box<dyn VideoEncoder>,
    data: Vec<u8>,
}

impl Camera for Own {
    fn open(&self, want: &Want) -> Result<Box<dyn VideoSource>, CaptureError> {
        let inner = Pattern.open(want)?;
        let encoder = software(Codec::H264, inner.format(), Bitrate::from_bps(1_000_000));
        Ok(Box::new(OwnSource {
            inner,
            encoder: encoder.expect("it encodes that"),
            data: Vec::new(),
        }))
    }

    fn describe(&self) -> String {
        "one that encodes".to_owned()
    }
}

impl VideoSource for OwnSource {
    fn format(&self) -> VideoFormat {
        VideoFormat {
            pixel: PixelFormat::H264,
            stride: 0,
            ..self.inner.format()
        }
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Frame<'_>>, CaptureError> {
        let format = self.format();
        let Some(frame) = self.inner.next(patience)? else {
            return Ok(None);
        };
        let orders = Orders {
            keyframe: frame.sequence.is_multiple_of(15),
            bitrate: None,
        };
        let unit = self.encoder.encode(&frame, orders).expect("it works");
        self.data = unit.expect("a unit for each frame").data.to_vec();
        Ok(Some(Frame {
            format,
            data: &self.data,
            ..frame
        }))
    }

    fn set_controls(&mut self, _: &Controls) -> Result<(), CaptureError> {
        Ok(())
    }
}

/// A pipeline whose pictures have 256x192 pixels.
fn start(camera: Box<dyn Camera>) -> (Pipeline, Broadcast<AccessUnit>) {
    let mut settings = settings(vec![Way::Software]);
    settings.want.size = "256x192".parse().expect("a size");
    let (demand, privacy) = (Demand::default(), Privacy::default());
    let (publishers, broadcast) = fanout::broadcast(RENDITIONS, &demand, &privacy);
    let pipeline = Pipeline::start(
        camera,
        settings,
        publishers.into(),
        demand,
        privacy,
        Watchdog::default().pulse("a camera's thread", Duration::from_secs(20)),
        Span::none(),
    );
    (pipeline.expect("a thread"), broadcast)
}

fn watch(broadcast: &Broadcast<AccessUnit>, rendition: Rendition) -> Subscriber<AccessUnit> {
    let subscriber = broadcast.subscribe(rendition, Depth::PICTURES);
    subscriber.expect("there is such a rendition")
}

async fn next(viewer: &mut Subscriber<AccessUnit>) -> AccessUnit {
    viewer.next().await.expect("the pipeline runs")
}

async fn stop(pipeline: Pipeline) {
    let stopped = tokio::task::spawn_blocking(move || pipeline.stop());
    stopped.await.expect("it stops");
}

/// The encoders that run.
fn encoders(pipeline: &Pipeline) -> [Option<Arc<str>>; RENDITIONS.len()] {
    let account = pipeline.account();
    RENDITIONS.map(|rendition| account.line(rendition).encoder())
}

#[tokio::test]
async fn a_small_picture_is_made_of_the_same_frames_for_those_who_watch_it() {
    let (pipeline, broadcast) = start(Box::new(Pattern));
    assert!(RENDITIONS.iter().all(|rendition| broadcast.offers(*rendition)));
    let [h264, vp8, small_h264, small_vp8] = RENDITIONS;
    let mut full = watch(&broadcast, h264);
    let first = next(&mut full).await;
    assert_eq!(size(h264.codec, &first).to_string(), "256x192");
    assert_eq!(
        encoders(&pipeline).map(|encoder| encoder.is_some()),
        [true, false, false, false],
        "nobody watches the others"
    );
    let mut viewers = [vp8, small_h264, small_vp8].map(|rendition| watch(&broadcast, rendition));
    for (viewer, (codec, expected)) in viewers.iter_mut().zip([
        (Codec::Vp8, "256x192"),
        (Codec::H264, "128x96"),
        (Codec::Vp8, "128x96"),
    ]) {
        let unit = next(viewer).await;
        assert_eq!(size(codec, &unit).to_string(), expected, "{codec}");
        // Both are of the same clock, so that one takes the other's place.
        while next(&mut full).await.captured_at < unit.captured_at {}
    }
    assert!(encoders(&pipeline).iter().all(Option::is_some));
    stop(pipeline).await;
}

#[tokio::test]
async fn the_small_picture_of_a_camera_that_encodes_is_decoded_and_encoded_and_its_own_passed_on() {
    let (pipeline, broadcast) = start(Box::new(Own));
    let [h264, vp8, small_h264, small_vp8] = RENDITIONS;
    let mut viewers = [h264, small_h264, small_vp8].map(|rendition| watch(&broadcast, rendition));
    for (viewer, (codec, expected)) in viewers.iter_mut().zip([
        (Codec::H264, "256x192"),
        (Codec::H264, "128x96"),
        (Codec::Vp8, "128x96"),
    ]) {
        let unit = next(viewer).await;
        assert_eq!(size(codec, &unit).to_string(), expected, "{codec}");
    }
    let names = encoders(&pipeline);
    assert_eq!(names[0].as_deref(), Some(PASSTHROUGH));
    assert!(names[1].is_none() && names[2].is_some() && names[3].is_some());
    let account = pipeline.account();
    assert_eq!(account.line(vp8).units.get(), 0);
    stop(pipeline).await;
}

#[tokio::test]
async fn the_small_picture_can_be_had_or_not_while_others_watch() {
    let (pipeline, broadcast) = start(Box::new(Pattern));
    let [h264, _, small, _] = RENDITIONS;
    let mut full = watch(&broadcast, h264);
    let bitrates = |small| Bitrates {
        full: Bitrate::from_bps(500_000),
        small,
    };
    next(&mut full).await;
    let mut viewer = watch(&broadcast, small);
    next(&mut viewer).await;
    pipeline.set_bitrates(bitrates(None));
    while broadcast.offers(small) {
        next(&mut full).await;
    }
    assert!(encoders(&pipeline)[2].is_none(), "its encoder is freed");
    pipeline.set_bitrates(bitrates(Some(Bitrate::from_bps(100_000))));
    while !broadcast.offers(small) {
        next(&mut full).await;
    }
    let back = Timestamp::now();
    while next(&mut viewer).await.captured_at <= back {}
    stop(pipeline).await;
}
