use std::{
    io,
    sync::{Mutex, atomic::AtomicUsize},
    time::Duration,
};

use pinhole_service::watchdog::Watchdog;

use super::*;
use crate::{
    capture::{CaptureError, OwnEncoding, Pattern, VideoSource},
    fanout::{self, Depth},
    media::{Codec, Colour, Frame, FrameRate, PixelFormat, Rendition, Timestamp, VideoFormat},
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
        bitrate: Bitrate::from_bps(500_000),
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
        shrinker: Shrinker::default(),
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
