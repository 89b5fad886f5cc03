//! Pictures on a path that loses some, and what is done about it.

use std::time::Duration;

use rtc::rtcp::{
    Packet,
    payload_feedbacks::{
        full_intra_request::{FirEntry, FullIntraRequest},
        picture_loss_indication::PictureLossIndication,
    },
    receiver_report::ReceiverReport,
};

use super::{
    call::Call,
    setting::Setting,
    viewer::{Asking, Ciphers},
};
use crate::{media::Codec, peer::report::Stage};

fn watching(setting: Setting) -> Call {
    let mut call = Call::new(setting);
    call.connect();
    // What connecting took of the keyframes that may be ordered in a row is given back.
    call.run(Duration::from_secs(2));
    call
}

/// The number of the newest picture on the screen, from the newest of the source.
fn behind(call: &Call) -> u32 {
    let last = call.viewer.screen().last().expect("a picture");
    call.source.pictures() - 1 - last.number
}

/// Pictures that are on their way on a path without faults: 20 ms are less than one's time.
const ON_THEIR_WAY: u32 = 1;

#[test]
fn a_good_path_shows_every_picture_and_asks_for_nothing() {
    let mut call = watching(Setting::default());
    call.run(Duration::from_secs(10));
    let missing = call.given - call.viewer.screen().shown();
    assert!(missing <= ON_THEIR_WAY, "{missing} of {} pictures", call.given);
    assert!(behind(&call) <= ON_THEIR_WAY);
    assert_eq!((call.told.keyframes_wanted, call.retransmitted()), (1, 0));
}

#[test]
fn what_gets_lost_comes_again_in_a_stream_of_its_own_where_the_viewer_takes_that() {
    let ciphers = Ciphers::ALL.into_iter().filter(|ciphers| ciphers.is_ours());
    for (ciphers, codec) in ciphers.flat_map(|ciphers| Codec::ALL.map(|codec| (ciphers, codec))) {
        let mut call = watching(Setting {
            codec,
            ciphers,
            repairs: true,
            ..Setting::default()
        });
        assert_eq!(call.repaired, 0);
        call.to_viewer.change(|path| path.loss = 0.05);
        call.run(Duration::from_secs(10));
        let (lost, again) = (call.to_viewer.figures().lost, call.retransmitted());
        assert!(
            again > 10 && call.repaired == again,
            "{} of {again}",
            call.repaired
        );
        assert!(again <= lost + lost / 2, "{again} for {lost}");
        let gap = call.viewer.screen().longest_gap(call.now);
        assert!(gap < Some(Duration::from_millis(700)), "{gap:?}");
        let missing = call.given - call.viewer.screen().shown();
        assert!(missing <= 10, "{missing} of {}", call.given);
        assert_eq!(call.viewer.reception().figures().undecrypted, 0);
    }
}

#[test]
fn all_packets_but_the_first_are_sealed_by_the_session() {
    let ciphers = Ciphers::ALL.into_iter().filter(|ciphers| ciphers.is_ours());
    for (ciphers, codec) in ciphers.flat_map(|ciphers| Codec::ALL.map(|codec| (ciphers, codec))) {
        let mut call = watching(Setting {
            codec,
            ciphers,
            ..Setting::default()
        });
        call.to_viewer.change(|path| path.loss = 0.05);
        call.run(Duration::from_secs(5));
        assert!(call.retransmitted() > 10);
        assert_eq!(call.sealed + 1, call.sent, "{ciphers:?}");
    }
}

#[test]
fn a_viewer_whose_cipher_is_not_ours_is_served_by_the_core() {
    let mut call = watching(Setting {
        ciphers: Ciphers::ShortTag,
        ..Setting::default()
    });
    for _ in 0..100 {
        call.run(Duration::from_millis(33));
        assert!(behind(&call) <= ON_THEIR_WAY, "nothing waits in the core");
    }
    call.to_viewer.change(|path| path.loss = 0.05);
    let (shown, pictures) = (call.viewer.screen().shown(), call.source.pictures());
    call.run(Duration::from_secs(10));
    assert!(call.retransmitted() > 10);
    assert_eq!((call.sealed, call.viewer.keyframe_requests()), (0, 0));
    let shown = call.viewer.screen().shown() - shown;
    assert!(shown + 15 >= call.source.pictures() - pictures, "{shown}");
}

#[test]
fn sequence_numbers_begin_anew_three_times_and_nobody_notices() {
    let mut call = watching(Setting {
        // Of 2,000 packets a second.
        bitrate: 18_000_000,
        ..Setting::default()
    });
    call.to_viewer.change(|path| path.loss = 0.002);
    assert!(call.run_until(Duration::from_secs(200), |call| call.wraps() == 3));
    call.mend();
    call.run(Duration::from_secs(1));
    assert!(call.retransmitted() > 100, "{}", call.retransmitted());
    assert_eq!(call.viewer.keyframe_requests(), 0);
    assert!(behind(&call) <= ON_THEIR_WAY, "{} behind", behind(&call));
}

#[test]
fn connected_sessions_wake_on_one_grid() {
    let mut call = watching(Setting::default());
    let mut wakes = 0;
    let mut before = call.deadline();
    for _ in 0..1000 {
        call.run(Duration::from_millis(5));
        let deadline = call.deadline().expect("checks of consent go on");
        let line = (deadline - call.start).as_micros();
        assert_eq!(line % 250_000, 0, "{line}");
        wakes += u32::from(Some(deadline) != before);
        before = Some(deadline);
    }
    assert!((5..=21).contains(&wakes), "{wakes} in 5 s");
}

type Report = fn(u32) -> Vec<Box<dyn Packet>>;

fn loss_indication(media_ssrc: u32) -> Box<dyn Packet> {
    Box::new(PictureLossIndication {
        sender_ssrc: 7,
        media_ssrc,
    })
}

const REQUESTS: [(&str, Report); 3] = [
    ("a picture loss indication", |ssrc| vec![loss_indication(ssrc)]),
    ("a full intra request", |ssrc| {
        let fir = vec![FirEntry {
            ssrc,
            sequence_number: 1,
        }];
        vec![Box::new(FullIntraRequest {
            sender_ssrc: 7,
            media_ssrc: 0,
            fir,
        })]
    }),
    ("one behind an empty receiver report", |ssrc| {
        vec![Box::new(ReceiverReport::default()), loss_indication(ssrc)]
    }),
];

#[test]
fn a_keyframe_request_becomes_one_keyframe() {
    for (what, request) in REQUESTS {
        let mut call = watching(Setting::default());
        let (wanted, made) = (call.told.keyframes_wanted, call.source.keyframes());
        let ssrc = call.viewer.ssrc().expect("a stream");
        call.viewer.report(request(ssrc), call.now);
        call.run(Duration::from_secs(1));
        assert_eq!(call.told.keyframes_wanted, wanted + 1, "{what}");
        assert_eq!(call.source.keyframes(), made + 1, "{what}");
    }
}

#[test]
fn a_viewer_that_asks_all_the_time_does_not_turn_the_stream_into_keyframes() {
    let mut call = watching(Setting::default());
    let made = call.source.keyframes();
    let ssrc = call.viewer.ssrc().expect("a stream");
    for _ in 0..400 {
        call.viewer.report(vec![loss_indication(ssrc)], call.now);
        call.run(Duration::from_millis(10));
    }
    let made = call.source.keyframes() - made;
    assert!((10..=12).contains(&made), "{made} in 4 s: two, and one in 400 ms");
}

#[test]
fn retransmissions_answer_requests_and_no_keyframe_is_needed() {
    let mut setting = Setting::default();
    setting.to_viewer.loss = 0.05;
    let mut call = watching(setting);
    let (shown, pictures) = (call.viewer.screen().shown(), call.source.pictures());
    call.run(Duration::from_secs(20));
    let lost = call.to_viewer.figures().lost;
    assert!(lost > 100, "{lost} lost");
    assert!(
        call.retransmitted() >= lost / 2,
        "{} of {lost}",
        call.retransmitted()
    );
    assert_eq!(call.viewer.keyframe_requests(), 0);
    let shown = call.viewer.screen().shown() - shown;
    let most = call.source.pictures() - pictures;
    assert!(
        shown + 15 >= most,
        "{shown} of {most}: what is missing is on its way"
    );
}

#[test]
fn without_retransmissions_keyframes_carry_on() {
    let mut setting = Setting {
        asking: Asking {
            interval: Duration::from_secs(3600),
            tries: 1,
        },
        ..Setting::default()
    };
    setting.to_viewer.loss = 0.02;
    let mut call = watching(setting);
    call.run(Duration::from_secs(30));
    assert_eq!(call.retransmitted(), 0);
    assert!(call.viewer.keyframe_requests() > 5);
    assert!(call.told.keyframes_wanted > 5);
    let gap = call.viewer.screen().longest_gap(call.now).expect("pictures");
    assert!(gap < Duration::from_secs(5), "{gap:?}");
}

#[test]
fn pictures_go_on_after_a_hole_in_the_network() {
    for hole in [1, 4] {
        let mut call = watching(Setting::default());
        call.cut();
        call.run(Duration::from_secs(hole));
        call.mend();
        call.run(Duration::from_secs(3));
        assert_eq!(call.stage(), Some(Stage::Watching));
        assert!(
            behind(&call) <= ON_THEIR_WAY,
            "{} behind after {hole} s",
            behind(&call)
        );
    }
}

#[test]
fn a_request_that_gets_lost_is_made_again_and_obeyed() {
    let mut call = watching(Setting::default());
    // The viewer hears nothing for a second, and is then not heard for two.
    call.to_viewer.change(|path| path.loss = 1.0);
    call.run(Duration::from_secs(1));
    call.to_viewer.change(|path| path.loss = 0.0);
    call.to_node.change(|path| path.loss = 1.0);
    call.run(Duration::from_secs(2));
    let behind_then = behind(&call);
    call.to_node.change(|path| path.loss = 0.0);
    call.run(Duration::from_secs(3));
    assert!(behind_then > 60, "it could not ask: {behind_then}");
    assert!(behind(&call) <= ON_THEIR_WAY, "{} behind", behind(&call));
}

#[test]
fn what_a_session_holds_for_retransmission_is_bounded() {
    let mut call = watching(Setting {
        bitrate: 3_000_000,
        ..Setting::default()
    });
    call.run(Duration::from_secs(30));
    assert!(call.cut > 5000, "{} packets", call.cut);
    assert!(call.holding.count() <= 1024, "{}", call.holding.count());
    assert!(call.holding.count() > 900, "they are there to be asked for");
}
