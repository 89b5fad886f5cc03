//! How sessions end, and what is left then.

use std::time::Duration;

use super::{call::Call, setting::Setting};
use crate::peer::ending::Ending;

/// After so long without a packet a viewer is gone (3 s until it is called silent, and 5 more).
const GONE: Duration = Duration::from_secs(8);

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
    for _ in 0..3 {
        call.cut();
        call.run(GONE - Duration::from_secs(2));
        call.mend();
        call.run(Duration::from_secs(5));
        assert_eq!(call.ending(), None);
    }
    let shown = call.viewer.screen().shown();
    call.run(Duration::from_secs(2));
    assert!(call.viewer.screen().shown() - shown > 50);
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
