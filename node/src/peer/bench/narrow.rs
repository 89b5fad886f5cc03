//! Paths that carry less than the camera gives.

use std::time::Duration;

use super::{
    call::Call,
    link::{Bottleneck, Conditions},
    setting::Setting,
};
use crate::{media::Codec, peer::CameraId};

const SECOND: Duration = Duration::from_secs(1);

/// A bottleneck with a queue of a fifth of a second.
fn narrow(rate: u64) -> Conditions {
    Conditions {
        delay: Duration::from_millis(20),
        bottleneck: Some(Bottleneck {
            rate,
            queue: rate as usize / 8 / 5,
        }),
        ..Conditions::default()
    }
}

fn call(codec: Codec, to_viewer: Conditions) -> Call {
    let mut call = Call::new(Setting {
        codec,
        bitrate: 1_500_000,
        to_viewer,
        ..Setting::default()
    });
    call.connect();
    call
}

/// Whether it is thinned, and what is known of its path.
fn state(call: &mut Call) -> (bool, Option<f64>) {
    let now = call.now;
    let session = call.session.as_mut().expect("it goes on");
    let told = session.report(1, CameraId::default(), now);
    (told.thinned, told.estimate)
}

#[test]
fn on_a_good_path_nobody_is_sent_less_whatever_gets_lost_by_chance() {
    for loss in [0.0, 0.03, 0.1] {
        let mut call = call(
            Codec::H264,
            Conditions {
                loss,
                delay: Duration::from_millis(20),
                ..Conditions::default()
            },
        );
        call.run(30 * SECOND);
        let (is_thinned, estimate) = state(&mut call);
        assert!(!is_thinned, "{loss}: {estimate:?}");
        assert!(call.told.keyframes_wanted < 3);
    }
}

#[test]
fn a_path_that_carries_the_base_is_sent_that_and_shows_it_without_a_break() {
    for codec in Codec::ALL {
        let mut call = call(codec, narrow(1_200_000));
        call.run(5 * SECOND);
        let (is_thinned, estimate) = state(&mut call);
        assert!(is_thinned, "{codec}: {estimate:?}");
        let (refused, shown) = (call.to_viewer.figures().refused, call.viewer.screen().shown());
        call.run(20 * SECOND);
        let shown = call.viewer.screen().shown() - shown;
        assert!(shown >= 15 * 20, "{codec}: {shown} in 20 s");
        let refused = call.to_viewer.figures().refused - refused;
        assert!(refused < 100, "{codec}: {refused} found the queue full");
        assert_eq!(call.viewer.reception().figures().undecrypted, 0);
    }
}

#[test]
fn where_the_path_becomes_good_everything_is_sent_again() {
    let mut call = call(Codec::H264, narrow(1_200_000));
    call.run(10 * SECOND);
    assert!(state(&mut call).0);
    call.to_viewer.change(|path| path.bottleneck = None);
    let is_whole = call.run_until(20 * SECOND, |call| {
        call.session.as_ref().is_some_and(|session| !session.is_thinned())
    });
    assert!(is_whole, "{:?}", state(&mut call));
    let before = call.viewer.screen().shown();
    call.run(10 * SECOND);
    let shown = call.viewer.screen().shown() - before;
    assert!(shown > 295, "{shown} in 10 s");
}
