//! From the offer to the first picture.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    call::Call,
    link::{Conditions, Link},
    setting::Setting,
    viewer::Wants,
};
use crate::{
    media::Codec,
    peer::{ending::Ending, report::Stage, session::Input},
};

/// What the node grants a viewer that has found a path for its handshake.
const CONNECT: Duration = Duration::from_secs(20);

/// One of the two links of a call.
type Direction = fn(&mut Call) -> &mut Link;

/// Whether a packet is one of DTLS (RFC 7983, section 7).
fn is_dtls(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| (20..64).contains(first))
}

/// Has the link lose the packet of DTLS with this number. Returns how many there were so far.
fn lose_dtls(link: &mut Link, victim: Option<usize>) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    link.lose(move |packet| is_dtls(packet) && Some(count.fetch_add(1, Relaxed)) == victim);
    seen
}

#[test]
fn a_viewer_connects_over_a_bad_path() {
    let bad = Conditions {
        loss: 0.1,
        delay: Duration::from_millis(150),
        jitter: Duration::from_millis(30),
        reordering: 0.05,
        duplication: 0.02,
        bottleneck: None,
    };
    for seed in 0..20 {
        for codec in Codec::ALL {
            let mut call = Call::new(Setting {
                seed,
                codec,
                to_viewer: bad,
                to_node: bad,
                ..Setting::default()
            });
            call.connect();
            assert_eq!(call.stage(), Some(Stage::Watching));
        }
    }
}

#[test]
fn a_lost_packet_of_the_handshake_only_delays() {
    let connect = |direction: Direction, victim| {
        let mut call = Call::new(Setting::default());
        let seen = lose_dtls(direction(&mut call), victim);
        let shows = |call: &Call| call.viewer.screen().shown() > 0;
        let took = call.run_until(CONNECT, shows).then(|| call.lasts());
        (took, seen.load(Relaxed))
    };
    let directions: [(&str, Direction); 2] = [
        ("to the viewer", |call| &mut call.to_viewer),
        ("to the node", |call| &mut call.to_node),
    ];
    for (name, direction) in directions {
        let (undisturbed, packets) = connect(direction, None);
        assert!(packets > 1, "{packets} packets of a handshake");
        let late: Vec<_> = (0..packets)
            .map(|victim| connect(direction, Some(victim)).0)
            .collect();
        assert!(
            late.iter().all(|late| late.is_some() && *late >= undisturbed),
            "{name}: {undisturbed:?}, and without a packet {late:?}"
        );
    }
}

#[test]
fn without_a_path_the_session_ends() {
    let mut call = Call::new(Setting::default());
    call.cut();
    assert!(call.run_until(CONNECT, |call| call.ending().is_some()));
    assert_eq!(call.ending(), Some(Ending::NoPath));
}

#[test]
fn a_handshake_that_a_path_stops_is_given_up_in_its_time() {
    let mut call = Call::new(Setting::default());
    call.to_viewer.lose(is_dtls);
    call.run(CONNECT);
    assert_eq!(call.stage(), Some(Stage::Connecting), "not sooner");
    assert!(call.run_until(Duration::from_secs(2), |call| call.ending().is_some()));
    assert_eq!(call.ending(), Some(Ending::Unfinished));
}

#[test]
fn nothing_is_sent_before_a_keyframe() {
    let far = Conditions {
        delay: Duration::from_millis(150),
        ..Conditions::default()
    };
    let mut call = Call::new(Setting {
        to_viewer: far,
        to_node: far,
        ..Setting::default()
    });
    // A source that is under way: its first keyframe is long over.
    let connected = |call: &Call| call.told.connected.is_some();
    assert!(call.run_until(CONNECT, connected));
    assert_eq!((call.stage(), call.sent), (Some(Stage::AwaitingKeyframe), 0));
    let keyframes = call.source.keyframes();
    assert!(call.run_until(CONNECT, |call| call.stage() == Some(Stage::Watching)));
    assert_eq!(call.source.keyframes(), keyframes + 1, "it was asked for");
    assert_eq!(call.told.keyframes_wanted, 1);
}

#[test]
fn who_connects_soon_after_a_keyframe_begins_with_it() {
    for codec in Codec::ALL {
        let mut call = Call::new(Setting {
            codec,
            ..Setting::default()
        });
        call.connect();
        assert!(call.lasts() < Duration::from_millis(400), "{:?}", call.lasts());
        call.run(Duration::from_secs(2));
        assert_eq!(
            (call.source.keyframes(), call.viewer.keyframe_requests()),
            (1, 0),
            "no other one was made"
        );
        let missing = call.source.pictures() - call.viewer.screen().shown();
        assert!(missing <= 1, "{missing} of all since the first are not shown");
        let last = call.viewer.screen().last().expect("a picture");
        assert!(call.source.pictures() - 1 - last.number <= 1);
    }
}

#[test]
fn who_has_lost_the_beginning_is_sent_it_again_where_no_other_can_be_had() {
    for codec in Codec::ALL {
        let mut call = Call::new(Setting {
            codec,
            on_request: false,
            ..Setting::default()
        });
        // As with a viewer that can't decrypt what comes right behind the handshake.
        assert!(call.run_until(Duration::from_secs(5), |call| call.told.watching.is_some()));
        call.to_viewer.change(|path| path.loss = 1.0);
        call.run(Duration::from_millis(150));
        call.mend();
        call.connect();
        call.run(Duration::from_secs(2));
        assert_eq!(call.source.keyframes(), 1, "no other one was made");
        let last = call.viewer.screen().last().expect("a picture");
        assert!(call.source.pictures() - 1 - last.number <= 1);
    }
}

/// A desktop without a camera, whose offer has sound only.
fn desktop() -> Call {
    Call::new(Setting {
        codec: Codec::Vp8,
        wants: Wants::Sound,
        ..Setting::default()
    })
}

#[test]
fn a_desktop_that_answers_our_offer_late_gets_pictures_then() {
    let mut call = desktop();
    call.run(Duration::from_secs(3));
    assert_eq!(
        (call.sent, call.viewer.screen().shown()),
        (0, 0),
        "nothing is sent that was not agreed on"
    );
    let offer = call.told.offer.take().expect("video is offered");
    let answer = call.viewer.answer(offer, call.now);
    call.handle(Input::Answer(answer));
    call.connect();
    call.run(Duration::from_secs(2));
    assert!(
        call.viewer.screen().shown() > 50,
        "{}",
        call.viewer.screen().shown()
    );
}

#[test]
fn an_offer_of_ours_that_nobody_answers_harms_nobody() {
    let mut call = desktop();
    call.run(Duration::from_secs(30));
    assert!(call.told.connected.is_some() && call.told.offer.is_some());
    assert_eq!(
        (call.ending(), call.sent),
        (None, 0),
        "nothing is sent that was not agreed on"
    );
    call.close_viewer();
    assert!(call.run_until(Duration::from_secs(1), |call| call.ending().is_some()));
    assert_eq!((call.ending(), call.holding.count()), (Some(Ending::Closed), 0));
}
