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
    with(codec, to_viewer, false)
}

/// Of a viewer that `repairs`, or not, what got lost by packets of a stream of their own.
fn with(codec: Codec, to_viewer: Conditions, repairs: bool) -> Call {
    let mut call = Call::new(Setting {
        codec,
        bitrate: 1_500_000,
        repairs,
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
        let mut is_thinned = || {
            call.run(SECOND / 10);
            state(&mut call).0
        };
        assert!((0..50).any(|_| is_thinned()), "{codec}: {:?}", state(&mut call));
        call.run(4 * SECOND);
        let (refused, shown) = (call.to_viewer.figures().refused, call.viewer.screen().shown());
        call.run(20 * SECOND);
        let shown = call.viewer.screen().shown() - shown;
        assert!(shown >= 15 * 20, "{codec}: {shown} in 20 s");
        let refused = call.to_viewer.figures().refused - refused;
        assert!(refused < 200, "{codec}: {refused} of 2,300 found the queue full");
        assert_eq!(call.viewer.reception().figures().undecrypted, 0);
    }
}

#[test]
fn a_keyframe_is_sent_bit_by_bit_where_the_path_takes_no_more() {
    let most_at_once = |to_viewer| {
        let mut call = call(Codec::H264, to_viewer);
        call.run(8 * SECOND);
        let (keyframes, mut most) = (call.source.keyframes(), 0);
        call.source.request_keyframe();
        let end = call.now + SECOND;
        while call.now < end {
            let before = call.cut;
            call.step();
            most = most.max(call.cut - before);
        }
        assert!(call.source.keyframes() > keyframes);
        assert_eq!(call.viewer.reception().figures().undecrypted, 0);
        most
    };
    let at_once = most_at_once(Conditions::default());
    assert!(at_once > 20, "{at_once} packets");
    let in_slices = most_at_once(narrow(1_200_000));
    assert!(in_slices < at_once / 2, "{in_slices} of {at_once}");
}

#[test]
fn probes_of_a_path_that_stays_narrow_cost_no_picture() {
    for codec in Codec::ALL {
        let mut call = with(codec, narrow(1_200_000), true);
        call.run(8 * SECOND);
        assert!(state(&mut call).0);
        let (shown, repaired) = (call.viewer.screen().shown(), call.repaired);
        let wanted = call.told.keyframes_wanted;
        call.viewer.forget_gap(call.now);
        call.run(120 * SECOND);
        let gap = call.viewer.screen().longest_gap(call.now).expect("pictures");
        assert!(gap < Duration::from_millis(500), "{codec}: {gap:?}");
        let shown = call.viewer.screen().shown() - shown;
        assert!(shown >= 15 * 115, "{codec}: {shown} in 120 s");
        assert_eq!(call.told.keyframes_wanted, wanted, "{codec}");
        let beside = call.repaired - repaired;
        assert!(beside > 20, "{codec}: it was probed, by {beside} packets");
        assert!(beside < call.sent / 8, "{codec}: {beside} of {}", call.sent);
        assert_eq!(call.viewer.reception().figures().undecrypted, 0);
    }
}

#[test]
fn a_path_that_becomes_wide_is_found_out_without_a_break() {
    for codec in Codec::ALL {
        let mut call = with(codec, narrow(5_000_000), true);
        call.run(2 * SECOND);
        let change = |call: &mut Call, rate| {
            call.to_viewer
                .change(|path| path.bottleneck = narrow(rate).bottleneck)
        };
        change(&mut call, 1_100_000);
        call.run(3 * SECOND);
        assert!(state(&mut call).0);
        call.viewer.forget_gap(call.now);
        call.run(25 * SECOND);
        assert!(state(&mut call).0);
        change(&mut call, 5_000_000);
        let is_whole = call.run_until(20 * SECOND, |call| {
            call.session.as_ref().is_some_and(|session| !session.is_thinned())
        });
        assert!(is_whole, "{codec}: {:?}", state(&mut call));
        call.run(20 * SECOND);
        assert!(!state(&mut call).0, "{codec}");
        let gap = call.viewer.screen().longest_gap(call.now).expect("pictures");
        assert!(gap < Duration::from_millis(500), "{codec}: {gap:?}");
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
