//! ICE begins anew, and the viewer may be elsewhere by then.

use std::time::Duration;

use super::{
    call::Call,
    setting::Setting,
    viewer::{Ciphers, Viewer, Wants},
};
use crate::peer::report::Stage;

/// Pictures that are on their way on a path without faults: 20 ms are less than one's time.
const ON_THEIR_WAY: u32 = 1;

fn watching(ciphers: Ciphers) -> Call {
    let mut call = Call::new(Setting {
        ciphers,
        wants: Wants::Both,
        microphone: true,
        ..Setting::default()
    });
    call.connect();
    call.run(Duration::from_secs(2));
    call
}

/// That picture and sound are live, that all that arrived was decrypted, and that nothing went to anybody else.
fn assert_goes_on(call: &mut Call, what: &str) {
    let heard = call.viewer.ear().heard();
    call.run(Duration::from_secs(1));
    assert_eq!(call.stage(), Some(Stage::Watching), "{what}");
    let last = call.viewer.screen().last().expect("a picture");
    let behind = call.source.pictures() - 1 - last.number;
    assert!(behind <= ON_THEIR_WAY, "{what}: {behind} behind");
    assert!((48..=52).contains(&(call.viewer.ear().heard() - heard)), "{what}");
    assert_eq!(call.viewer.reception().figures().undecrypted, 0, "{what}");
    assert!(call.told.strays.is_empty(), "{what}");
}

#[test]
fn an_ice_restart_goes_on_with_picture_and_sound() {
    for ciphers in Ciphers::ALL {
        let mut call = watching(ciphers);
        for hole in [0, 5] {
            call.cut();
            call.run(Duration::from_secs(hole));
            call.mend();
            call.offer(Viewer::restart);
            call.run(Duration::from_secs(2));
            assert_goes_on(&mut call, &format!("{ciphers:?}, after {hole} s"));
        }
    }
}

#[test]
fn a_viewer_that_moves_to_another_address_is_followed() {
    for ciphers in Ciphers::ALL {
        let mut call = watching(ciphers);
        // There and back, at once and after a while without a network.
        for hole in [0, 0, 5, 5] {
            let before = call.viewer.address();
            call.cut();
            call.run(Duration::from_secs(hole));
            call.mend();
            call.offer(Viewer::move_on);
            let moved = call.now;
            assert_ne!(call.viewer.address(), before);
            let (shown, address) = (call.viewer.screen().shown(), call.viewer.address());
            let is_found = |call: &Call| call.viewer.screen().shown() > shown;
            assert!(
                call.run_until(Duration::from_secs(2), is_found),
                "{:?}",
                call.told
            );
            // Three round trips of 40 ms, the pace of checks, and a picture or the request for a keyframe.
            let took = call.now - moved;
            assert!(
                took < Duration::from_secs(1),
                "{ciphers:?}, to {address}: {took:?}"
            );
            call.run(Duration::from_secs(2));
            assert_goes_on(&mut call, &format!("{ciphers:?}, to {address} after {hole} s"));
        }
    }
}

#[test]
fn a_viewer_that_moves_while_it_can_not_be_heard_goes_on_where_it_is_then() {
    for ciphers in Ciphers::ALL {
        for offer in [Viewer::restart, Viewer::move_on] {
            let mut call = watching(ciphers);
            let asked = call.viewer.keyframe_requests();
            call.cut();
            call.run(Duration::from_secs(6));
            assert_eq!(call.stage(), Some(Stage::Silent));
            call.offer(offer);
            call.run(Duration::from_secs(4));
            assert_eq!(call.stage(), Some(Stage::Silent), "signaling is no path");
            call.mend();
            let shown = call.viewer.screen().shown();
            let is_found = |call: &Call| call.viewer.screen().shown() > shown + 5;
            assert!(
                call.run_until(Duration::from_secs(2), is_found),
                "{:?}",
                call.told
            );
            call.run(Duration::from_secs(2));
            assert_eq!(
                call.viewer.keyframe_requests(),
                asked,
                "the keyframe went where it is"
            );
            assert_goes_on(&mut call, &format!("{ciphers:?}"));
        }
    }
}

#[test]
fn where_the_viewer_was_nothing_is_sent_any_more() {
    let mut call = watching(Ciphers::Any);
    let before = call.viewer.address();
    call.offer(Viewer::move_on);
    call.run(Duration::from_secs(2));
    call.to_viewer.watch();
    call.run(Duration::from_secs(10));
    let reached = call.to_viewer.watched();
    assert!(reached.contains_key(&call.viewer.address()));
    assert_eq!(reached.get(&before), None);
}

#[test]
fn until_the_new_path_is_found_the_old_one_is_kept() {
    let mut call = watching(Ciphers::Any);
    let (before, sent) = (call.viewer.address(), call.sealed);
    // The viewer's words from its new address do not come through.
    call.to_node.change(|path| path.loss = 1.0);
    call.offer(Viewer::move_on);
    call.to_viewer.watch();
    call.run(Duration::from_millis(900));
    assert!(call.sealed > sent + 25, "media are not held back");
    assert!(call.to_viewer.watched().get(&before) > Some(&25));
    call.to_node.change(|path| path.loss = 0.0);
    call.run(Duration::from_secs(3));
    assert_goes_on(&mut call, "found late");
}
