use super::*;
use crate::{
    fanout::{self, Demand, Depth},
    media::{Colour, FrameRate, Layer, Orders, Privacy, Timestamp},
};
use bytes::Bytes;
use std::task::{Context, Waker};

fn format(size: &str, rate: u32) -> VideoFormat {
    let size: crate::media::FrameSize = size.parse().expect("a size");
    VideoFormat {
        pixel: PixelFormat::Yu12,
        size,
        stride: size.width,
        colour: Colour::VIDEO,
        rate: FrameRate::per_second(rate),
    }
}

#[test]
fn an_encoder_is_made_for_another_size_and_goes_on_at_another_rate() {
    let rendition = Rendition::top(Codec::H264);
    let ([publisher], broadcast) = fanout::broadcast([rendition], &Demand::default(), &Privacy::default());
    let _viewer = broadcast.subscribe(rendition, Depth::PICTURES);
    let account = Arc::new(Account::default());
    let mut line = Line::new(publisher, account.clone());
    line.look(&[Way::Software], CodedFormat::H264);
    let (camera, bitrate) = (format("640x480", 30), Bitrate::from_bps(1_000_000));
    // All of it, less, still less, and all of it again.
    for made in [
        camera,
        format("640x480", 15),
        format("320x240", 10),
        format("320x240", 10),
        camera,
    ] {
        line.prepare(camera, made, bitrate).expect("an encoder");
        assert!(!line.takes(&camera), "what software encodes is never passed by");
        let data = vec![128; made.least_bytes()];
        let frame = Frame {
            format: made,
            captured_at: Timestamp::now(),
            sequence: 0,
            data: &data,
            dmabuf: None,
        };
        line.encode(&frame, bitrate).expect("it is what it was made for");
    }
    let figures = account.line(rendition);
    assert_eq!(
        (figures.units.get(), figures.keyframes.get()),
        (5, 3),
        "the first two went on once each"
    );
}
/// Gives each picture back with the next one, and the last at its end.
#[derive(Default)]
struct OneBehind(Option<AccessUnit>);

impl VideoEncoder for OneBehind {
    fn name(&self) -> &str {
        "one behind"
    }

    fn encode(&mut self, frame: &Frame<'_>, _: Orders) -> Result<Option<AccessUnit>, EncodeError> {
        Ok(self.0.replace(AccessUnit {
            data: Bytes::from_static(b"picture"),
            captured_at: frame.captured_at,
            is_keyframe: true,
            layer: Layer::Base,
        }))
    }

    fn finish(&mut self) -> Vec<AccessUnit> {
        self.0.take().into_iter().collect()
    }
}

#[test]
fn what_an_encoder_has_in_its_hands_at_the_privacy_switch_does_not_leave_it() {
    let privacy = Privacy::default();
    let rendition = Rendition::top(Codec::H264);
    let ([publisher], broadcast) = fanout::broadcast([rendition], &Demand::default(), &privacy);
    let viewer = broadcast.subscribe(rendition, Depth::PICTURES);
    let mut viewer = viewer.expect("there is such a rendition");
    let (camera, bitrate) = (format("64x64", 30), Bitrate::from_bps(1_000_000));
    let mut line = Line::with_encoder(publisher, Box::<OneBehind>::default(), camera, bitrate);
    let data = vec![128; camera.least_bytes()];
    let mut encode = |line: &mut Line| {
        let frame = Frame {
            format: camera,
            captured_at: Timestamp::now(),
            sequence: 0,
            data: &data,
            dmabuf: None,
        };
        line.encode(&frame, bitrate).expect("it works");
        let mut context = Context::from_waker(Waker::noop());
        viewer.poll_next(&mut context).is_ready()
    };
    assert_eq!([encode(&mut line), encode(&mut line)], [false, true]);
    privacy.set(true);
    privacy.set(false);
    assert!(!encode(&mut line), "that of before");
    assert!(encode(&mut line), "the first of after");
    privacy.set(true);
    line.rest();
    let mut context = Context::from_waker(Waker::noop());
    assert!(
        viewer.poll_next(&mut context).is_pending(),
        "the last, at its end"
    );
}

#[test]
fn more_waits_of_a_camera_that_can_not_be_asked_for_keyframes_than_of_our_encoder() {
    let rendition = Rendition::top(Codec::H264);
    let ([publisher], broadcast) = fanout::broadcast([rendition], &Demand::default(), &Privacy::default());
    let viewer = broadcast.subscribe(rendition, Depth::PICTURES);
    let mut viewer = viewer.expect("there is such a rendition");
    let mut line = Line::new(publisher, Arc::new(Account::default()));
    line.look(&[Way::Software], CodedFormat::H264);
    let camera = format("64x64", 30);
    let mut number = 0;
    let mut pass = |line: &mut Line, on_request| {
        for is_keyframe in std::iter::once(true).chain([false; 99]) {
            number += 1;
            let unit = AccessUnit {
                data: Bytes::from_static(b"picture"),
                captured_at: Timestamp::from_monotonic(camera.rate.interval() * number),
                is_keyframe,
                layer: Layer::Base,
            };
            line.pass(&unit, on_request);
        }
        let mut context = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| viewer.poll_next(&mut context).is_ready().then_some(())).count()
    };
    assert_eq!(pass(&mut line, false), 31);
    // The slate, while it is away. It may be another one that comes.
    line.prepare(camera, camera, Bitrate::from_bps(1_000_000))
        .expect("an encoder");
    assert_eq!(pass(&mut line, true), 8);
}

#[test]
fn an_encoder_that_nobody_watches_any_more_is_freed_after_a_while() {
    let rendition = Rendition::small(Codec::H264);
    let ([publisher], broadcast) = fanout::broadcast([rendition], &Demand::default(), &Privacy::default());
    let viewer = broadcast.subscribe(rendition, Depth::PICTURES);
    let account = Arc::new(Account::default());
    let mut line = Line::new(publisher, account.clone());
    line.look(&[Way::Software], CodedFormat::H264);
    let (camera, bitrate) = (format("64x64", 30), Bitrate::from_bps(100_000));
    let prepare = |line: &mut Line| line.prepare(camera, camera, bitrate).expect("an encoder");
    let runs = || account.line(rendition).encoder().is_some();
    let start = Instant::now();
    prepare(&mut line);
    line.settle(start + 2 * LINGER);
    assert!(runs(), "somebody watches");
    drop(viewer);
    line.settle(start + 3 * LINGER);
    assert!(runs(), "who reloads a page is back soon");
    let viewer = broadcast.subscribe(rendition, Depth::PICTURES);
    line.settle(start + 4 * LINGER);
    drop(viewer);
    line.settle(start + 5 * LINGER);
    assert!(runs());
    line.settle(start + 6 * LINGER);
    assert!(!runs());
    // Or at once, where there is no such rendition any more.
    prepare(&mut line);
    line.offer(false);
    assert!(!runs() && !broadcast.offers(rendition));
    line.offer(true);
    assert!(broadcast.offers(rendition));
}
