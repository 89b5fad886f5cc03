//! How sessions end, and what is left then.

use std::time::Duration;

use super::{call::Call, setting::Setting};
use crate::peer::{ending::Ending, report::Stage, session::Session};

/// After so long without a packet a viewer is gone.
const GONE: Duration = Duration::from_secs(30);

fn watching() -> Call {
    let mut call = Call::new(Setting::default());
    call.connect();
    call.run(Duration::from_secs(2));
    call
}

/// Goes on until the session has ended.
fn end(call: &mut Call, within: Duration) -> Ending {
    call.run_until(within, |call| call.ending().is_some());
    call.ending().expect("it has ended")
}

/// The viewer is shown more pictures within that time.
fn sees_more(call: &mut Call, within: Duration) {
    let shown = call.viewer.screen().shown();
    let sees = |call: &Call| call.viewer.screen().shown() > shown + 5;
    assert!(call.run_until(within, sees), "{:?}", call.told);
}

#[test]
fn a_viewer_that_fell_silent_is_given_up_in_its_time_and_not_sooner() {
    let mut call = watching();
    call.cut();
    // What is on its way still arrives.
    call.run(Duration::from_millis(100));
    assert_eq!(end(&mut call, Duration::from_secs(60)), Ending::Silent);
    let silent = call.now - call.heard;
    // It may be noticed with the next check, of which there is one a second.
    assert!(
        (GONE..GONE + Duration::from_secs(1)).contains(&silent),
        "{silent:?}"
    );
    assert_eq!(call.holding.count(), 0);
}

#[test]
fn a_viewer_that_hears_us_but_is_not_heard_is_given_up_as_well() {
    let mut call = watching();
    call.to_node.change(|path| path.loss = 1.0);
    assert_eq!(end(&mut call, GONE * 2), Ending::Silent);
}

#[test]
fn a_viewer_that_comes_back_in_time_is_not_given_up() {
    let mut call = watching();
    for hole in [10, 3, 28] {
        let (asked, silent) = (call.viewer.keyframe_requests(), call.told.silent.len());
        call.cut();
        call.run(Duration::from_secs(hole));
        call.mend();
        let shown = call.viewer.screen().shown();
        // The viewer checks, or is checked, once a second; the keyframe that is ordered then arrives.
        let sees = |call: &Call| call.viewer.screen().shown() > shown + 5;
        assert!(
            call.run_until(Duration::from_secs(2), sees),
            "after {hole} s: {:?}",
            call.told
        );
        call.run(Duration::from_secs(5));
        assert_eq!(call.ending(), None);
        assert_eq!(call.viewer.keyframe_requests(), asked, "it need not ask");
        let is_thinned = call.session.as_ref().is_some_and(Session::is_thinned);
        assert!(!is_thinned, "a cut is no narrow path");
        assert_eq!(
            (call.told.silent.len(), call.told.back.len()),
            (silent + 1, silent + 1)
        );
    }
    let shown = call.viewer.screen().shown();
    call.run(Duration::from_secs(2));
    assert!(call.viewer.screen().shown() - shown > 50);
}

#[test]
fn a_viewer_that_fell_silent_gets_checks_and_nothing_else() {
    let mut call = watching();
    call.cut();
    let cut = call.now;
    assert!(call.run_until(Duration::from_secs(4), |call| !call.told.silent.is_empty()));
    let silent = call.now - cut;
    let seconds = Duration::from_secs;
    assert!(
        (seconds(2)..seconds(3) + seconds(1) / 2).contains(&silent),
        "{silent:?}"
    );
    assert_eq!(call.stage(), Some(Stage::Silent));
    let (sent, packets) = (call.sent, call.to_viewer.figures().sent);
    call.run(seconds(20));
    assert_eq!(call.sent, sent, "no picture");
    let checks = call.to_viewer.figures().sent - packets;
    assert!((15..=25).contains(&checks), "{checks} packets");
    call.mend();
    call.run(seconds(2));
    assert_eq!(call.stage(), Some(Stage::Watching));
}

#[test]
fn media_are_held_back_before_the_place_is_given_up() {
    let mut call = watching();
    call.cut();
    call.run(Duration::from_millis(1700));
    let sent = call.sent;
    call.run(Duration::from_millis(200));
    assert_eq!((call.sent, call.told.silent.len()), (sent, 0));
    assert_eq!(call.stage(), Some(Stage::AwaitingKeyframe));
    call.mend();
    sees_more(&mut call, Duration::from_millis(1500));
    assert_eq!(call.told.silent.len(), 0, "its place was its own all the time");
}

#[test]
fn where_no_keyframe_can_be_had_a_short_cut_costs_no_more_than_itself() {
    let mut call = Call::new(Setting {
        on_request: false,
        ..Setting::default()
    });
    call.connect();
    // As long as the ring's packets last there is no other keyframe.
    call.run(Duration::from_millis(200));
    let keyframes = call.told.keyframes_wanted;
    call.cut();
    call.run(Duration::from_millis(1900));
    assert_eq!(call.stage(), Some(Stage::AwaitingKeyframe));
    call.mend();
    sees_more(&mut call, Duration::from_millis(1500));
    assert!(call.told.keyframes_wanted > keyframes);
    assert_eq!(call.stage(), Some(Stage::Watching));
}

#[test]
fn a_viewer_that_closes_is_gone_as_soon_as_it_is_heard() {
    let mut call = watching();
    let said = call.now;
    call.close_viewer();
    assert_eq!(end(&mut call, Duration::from_secs(1)), Ending::Closed);
    assert_eq!(
        call.now - said,
        Duration::from_millis(20),
        "as long as a packet takes"
    );
    assert_eq!(call.holding.count(), 0);
    let sent = call.to_viewer.figures().sent;
    call.run(Duration::from_secs(20));
    assert_eq!(call.to_viewer.figures().sent, sent, "nothing goes to who is gone");
}

#[test]
fn a_goodbye_that_gets_lost_is_a_viewer_that_fell_silent() {
    let mut call = watching();
    call.to_node.change(|path| path.loss = 1.0);
    call.close_viewer();
    assert_eq!(end(&mut call, GONE * 2), Ending::Silent);
}

#[test]
fn a_session_that_we_end_tells_the_viewer_and_keeps_nothing() {
    let mut call = watching();
    assert!(call.viewer.is_connected() && call.holding.count() > 0);
    call.hang_up();
    assert_eq!(call.holding.count(), 0);
    call.run(Duration::from_millis(20));
    assert!(call.viewer.was_told_goodbye());
    assert!(call.to_viewer.is_empty());
}

#[test]
fn a_session_ends_at_any_time() {
    for milliseconds in (0..1000).step_by(7) {
        let mut call = Call::new(Setting::default());
        call.run(Duration::from_millis(milliseconds));
        call.hang_up();
        assert_eq!(call.holding.count(), 0, "after {milliseconds} ms");
        call.run(Duration::from_secs(1));
    }
}
