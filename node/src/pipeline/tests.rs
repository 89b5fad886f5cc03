use std::{
    sync::{Mutex, atomic::AtomicUsize},
    time::Duration,
};

use pinhole_service::watchdog::Watchdog;

use super::*;
use crate::{
    capture::{CaptureError, OwnEncoding, Pattern, VideoSource},
    fanout::{self, Depth},
    media::{Frame, FrameRate, Timestamp},
};

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
    fn format(&self) -> crate::media::VideoFormat {
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
    let settings = Settings {
        want: Want {
            size: "128x96".parse().expect("a size"),
            rate: FrameRate::per_second(30),
            format: None,
            own_encoding: OwnEncoding::Never,
            encoder_formats: Vec::new(),
            controls: Controls::new(),
        },
        bitrate: Bitrate::from_bps(500_000),
        ways: vec![Way::Software],
        hardware: CodedFormat::H264,
    };
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
