//! A viewer that wants less than there is, or nothing.

use std::time::Duration;

use super::{call::Call, setting::Setting, viewer::Wants};
use crate::{
    media::{Codec, Rendition},
    peer::session::{Input, Wish},
};

const SECOND: Duration = Duration::from_secs(1);

fn wish(call: &mut Call, wish: Wish) {
    let now = call.now;
    let session = call.session.as_mut().expect("it goes on");
    session.wishes(wish, now);
    call.handle(Input::Timeout);
}

fn takes(call: &Call, codec: Codec) -> bool {
    let session = call.session.as_ref().expect("it goes on");
    session.takes(Rendition::top(codec))
}

#[test]
fn who_wants_no_picture_is_sent_none_and_goes_on_with_a_keyframe() {
    for codec in Codec::ALL {
        let mut call = Call::new(Setting {
            codec,
            wants: Wants::Both,
            microphone: true,
            ..Setting::default()
        });
        call.connect();
        call.run(2 * SECOND);
        wish(&mut call, Wish::None);
        assert!(!takes(&call, codec), "nobody films for it");
        let (given, heard) = (call.given, call.viewer.ear().heard());
        call.run(60 * SECOND);
        assert_eq!(call.given, given, "{codec}");
        assert!(call.viewer.ear().heard() - heard > 2500, "sound goes on");
        let (wanted, shown) = (call.told.keyframes_wanted, call.viewer.screen().shown());
        wish(&mut call, Wish::Full);
        assert!(takes(&call, codec));
        assert_eq!(call.told.keyframes_wanted, wanted + 1);
        call.run(SECOND);
        assert!(call.viewer.screen().shown() - shown > 20, "{codec}");
        assert_eq!(call.viewer.reception().figures().undecrypted, 0);
        assert!(call.ending().is_none());
    }
}

#[test]
fn a_small_picture_that_is_not_there_is_not_waited_for() {
    let mut call = Call::new(Setting::default());
    call.connect();
    call.run(SECOND);
    wish(&mut call, Wish::Small);
    let shown = call.viewer.screen().shown();
    call.run(2 * SECOND);
    assert!(call.viewer.screen().shown() - shown > 50);
}
