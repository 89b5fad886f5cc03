//! Sound beside the picture.

use std::time::Duration;

use super::{
    call::Call,
    setting::Setting,
    viewer::{Ciphers, Media, Wants},
};

/// Units in a second.
const RATE: usize = 50;

fn hearing(ciphers: Ciphers) -> Call {
    let mut call = Call::new(Setting {
        wants: Wants::Both,
        microphone: true,
        ciphers,
        ..Setting::default()
    });
    call.connect();
    call
}

#[test]
fn on_a_good_path_all_sound_comes_in_its_order() {
    for ciphers in Ciphers::ALL {
        let mut call = hearing(ciphers);
        let (heard, pictures) = (call.viewer.ear().heard(), call.viewer.screen().shown());
        call.run(Duration::from_secs(10));
        let heard = call.viewer.ear().heard() - heard;
        assert!(
            (10 * RATE - 1..=10 * RATE + 1).contains(&heard),
            "{ciphers:?}: {heard}"
        );
        assert_eq!(call.viewer.ear().missing(), 0, "{ciphers:?}");
        assert!(call.viewer.screen().shown() - pictures >= 298, "{ciphers:?}");
        assert_eq!(call.viewer.reception().figures().undecrypted, 0, "{ciphers:?}");
        // The core has sealed the first packet of each stream, or all.
        let by_the_core = call.sent - call.sealed;
        let expected = if ciphers.is_ours() { 2 } else { call.sent };
        assert_eq!(by_the_core, expected, "{ciphers:?}");
    }
}

#[test]
fn sound_that_gets_lost_is_not_sent_again_and_the_rest_keeps_its_order() {
    let mut call = hearing(Ciphers::Any);
    call.to_viewer.change(|path| {
        (path.loss, path.reordering, path.duplication) = (0.1, 0.1, 0.05);
    });
    call.run(Duration::from_secs(20));
    call.mend();
    call.run(Duration::from_secs(1));
    let (missing, figures) = (call.viewer.ear().missing(), call.viewer.reception().figures());
    assert!((60..140).contains(&missing), "{missing} of 1000");
    assert!(figures.again > 0, "some came twice");
    assert_eq!(figures.undecrypted, 0);
}

#[test]
fn who_switches_sound_off_and_on_again_hears_it_go_on() {
    for ciphers in Ciphers::ALL {
        let mut call = hearing(ciphers);
        call.run(Duration::from_secs(1));
        for _ in 0..3 {
            call.offer(|viewer, now| viewer.switch(Media::Sound, false, now));
            call.run(Duration::from_millis(100));
            let (heard, shown) = (call.viewer.ear().heard(), call.viewer.screen().shown());
            call.run(Duration::from_secs(1));
            assert_eq!(call.viewer.ear().heard(), heard, "nobody listens");
            assert!(call.viewer.screen().shown() >= shown + 29, "the picture goes on");
            call.offer(|viewer, now| viewer.switch(Media::Sound, true, now));
            call.run(Duration::from_secs(1));
            assert!(call.viewer.ear().heard() >= heard + RATE - 2);
        }
        // What was on its way when it was switched off.
        assert!(
            call.viewer.ear().missing() <= 3 * 2,
            "{}",
            call.viewer.ear().missing()
        );
        assert_eq!(call.viewer.reception().figures().undecrypted, 0);
    }
}

#[test]
fn a_picture_that_is_switched_off_and_on_again_begins_with_a_keyframe() {
    let mut call = hearing(Ciphers::Any);
    call.run(Duration::from_secs(2));
    for _ in 0..3 {
        call.offer(|viewer, now| viewer.switch(Media::Picture, false, now));
        call.run(Duration::from_millis(100));
        let (heard, shown) = (call.viewer.ear().heard(), call.viewer.screen().shown());
        call.run(Duration::from_secs(1));
        assert_eq!(call.viewer.screen().shown(), shown, "nobody watches");
        assert!(call.viewer.ear().heard() >= heard + RATE - 1, "the sound goes on");
        let keyframes = call.source.keyframes();
        call.offer(|viewer, now| viewer.switch(Media::Picture, true, now));
        call.run(Duration::from_secs(1));
        assert_eq!(call.source.keyframes(), keyframes + 1);
        assert!(call.viewer.screen().shown() >= shown + 25);
    }
    assert_eq!(call.viewer.reception().figures().undecrypted, 0);
}
