mod crowd;
mod silence;

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{oneshot, watch};
use tracing::Span;

use super::{crew::Crew, requests::CONNECTING, *};
use crate::{
    fanout::{self, Demand},
    media::{Codec, Privacy, Rendition},
    peer::{
        CallId, Caller, CameraId, Refused, Reply,
        feed::Feed,
        id::SessionId,
        session::Input,
        transport::{Path, Protocol},
    },
};

/// What Debian's Chromium offers from the viewer page.
const BROWSER: &str = include_str!("../session/browser-offer.sdp");

/// What a caller was told, in words.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Caller for Told {
    fn tell(&mut self, reply: Reply) {
        let words = match reply {
            Reply::Answer(_) => "answer".to_owned(),
            Reply::Offer(_) => "offer".to_owned(),
            Reply::Candidate(candidate) => candidate.line,
            Reply::Refused(why) => format!("refused: {}", why.code()),
            Reply::Ended(ending) => format!("ended: {}", ending.label()),
        };
        self.0.lock().expect("whole").push(words);
    }
}

impl Told {
    fn words(&self) -> Vec<String> {
        self.0.lock().expect("whole").clone()
    }
}

/// A host with one camera, and so many places.
struct Scene {
    host: Host,
    viewers: Viewers,
}

const CAMERA: CameraId = CameraId(3);

impl Scene {
    fn new(max_viewers: usize) -> Self {
        let (_, settings) = watch::channel(Settings {
            max_viewers,
            ..Settings::default()
        });
        let privacy = Privacy::default();
        let (_, silence) = fanout::broadcast([], &Demand::default(), &privacy);
        let renditions = Codec::ALL.map(Rendition::top);
        let (_, broadcast) = fanout::broadcast(renditions, &Demand::default(), &privacy);
        let (engine, _) = Engine::new(Parts {
            transport: Transport::bind(0).expect("a free port"),
            settings,
            sound: silence,
            privacy,
            ears: None,
            intake: None,
            threads: const { NonZeroUsize::new(3).expect("more than none") },
        });
        let Engine {
            mut host, viewers, ..
        } = engine;
        // Two of them are a crowd.
        host.crew = Crew::greater_than(1);
        host.take(Request::Open {
            camera: CAMERA,
            broadcast,
            span: Span::none(),
        });
        Self { host, viewers }
    }

    fn offers(&mut self, call: u64, sdp: &str) -> Told {
        self.offers_for(CAMERA, call, sdp)
    }

    fn offers_for(&mut self, camera: CameraId, call: u64, sdp: &str) -> Told {
        self.offers_for_at(camera, call, sdp, Instant::now())
    }

    fn offers_at(&mut self, call: u64, sdp: &str, now: Instant) -> Told {
        self.offers_for_at(CAMERA, call, sdp, now)
    }

    fn offers_for_at(&mut self, camera: CameraId, call: u64, sdp: &str, now: Instant) -> Told {
        let told = Told::default();
        let offer = Request::Offer {
            call: CallId(call),
            camera,
            viewer: "john".to_owned(),
            sdp: sdp.replace('\n', "\r\n"),
            via: None,
            caller: Box::new(told.clone()),
        };
        self.host.take_at(offer, now);
        told
    }

    /// A packet comes for the session of this call.
    fn is_heard(&mut self, call: u64, from: &str, now: Instant) {
        let path = Path {
            local: ([192, 0, 2, 1], 5000).into(),
            peer: from.parse().expect("an address"),
            protocol: Protocol::Udp,
        };
        let id = self.host.sessions.of(CallId(call)).expect("it has a session");
        let entry = self.host.sessions.get(id).expect("it was found");
        let data = &[0; 20];
        entry.session.handle(Input::Packet { path, data }, now);
    }

    fn sessions(&self) -> usize {
        self.host.sessions.len()
    }
}

/// The offer of a desktop without a camera.
fn without_video() -> String {
    let head = BROWSER.split("m=video").next().expect("a head");
    let audio = BROWSER.split("m=audio").nth(1).expect("a section for sound");
    format!("{}m=audio{audio}", head.replace("BUNDLE 0 1", "BUNDLE 1"))
}

#[tokio::test]
async fn a_call_is_answered_and_told_its_end() {
    let mut scene = Scene::new(1);
    let told = scene.offers(1, BROWSER);
    assert_eq!(told.words(), ["answer"]);
    scene.host.take(Request::HangUp {
        call: CallId(2),
        why: Ending::HungUp,
    });
    assert_eq!(scene.sessions(), 1, "it was somebody else's");
    scene.host.take(Request::HangUp {
        call: CallId(1),
        why: Ending::Left,
    });
    assert_eq!(told.words(), ["answer", "ended: left"]);
    assert_eq!(scene.sessions(), 0);
    assert_eq!(scene.viewers.figures().ended(Ending::Left).get(), 1);
}

#[tokio::test]
async fn one_without_a_place_for_video_is_offered_it() {
    let mut scene = Scene::new(1);
    let told = scene.offers(1, &without_video());
    assert_eq!(told.words(), ["answer", "offer"]);
    scene.host.take(Request::Answer {
        call: CallId(1),
        sdp: "nonsense".to_owned(),
    });
    assert_eq!(told.words(), ["answer", "offer", "refused: negotiation"]);
    assert_eq!(scene.sessions(), 0);
    assert_eq!(scene.viewers.figures().ended(Ending::Negotiation).get(), 1);
}

#[tokio::test]
async fn whoever_finds_no_place_is_told_so() {
    let mut scene = Scene::new(0);
    assert_eq!(scene.offers(1, BROWSER).words(), ["refused: busy"]);
    assert_eq!(scene.sessions(), 0);
    assert_eq!(scene.viewers.figures().refused.get(), 1);
}

#[tokio::test]
async fn those_who_only_call_take_nobodys_place() {
    let mut scene = Scene::new(1);
    let start = Instant::now();
    let calls: Vec<_> = (0..CONNECTING as u64)
        .map(|call| scene.offers_at(call, BROWSER, start))
        .collect();
    assert!(calls.iter().all(|told| told.words() == ["answer"]));
    // Where they are nobody knows. Who called first has had the most time to be heard of.
    let newcomer = scene.offers_at(100, BROWSER, start);
    assert_eq!(newcomer.words(), ["answer"]);
    assert_eq!(calls[0].words(), ["answer", "ended: crowded"]);
    assert_eq!(calls[1].words(), ["answer"]);
    assert_eq!(scene.sessions(), CONNECTING);
    assert_eq!(scene.viewers.figures().ended(Ending::Crowded).get(), 1);
}

#[tokio::test]
async fn one_address_that_says_a_lot_keeps_nobody_out_and_gets_no_more_than_the_others() {
    let mut scene = Scene::new(1);
    let start = Instant::now();
    let crowd: Vec<_> = (0..CONNECTING as u64)
        .map(|call| scene.offers_at(call, BROWSER, start))
        .collect();
    let now = start + Duration::from_secs(3);
    for call in 0..CONNECTING as u64 {
        // One machine with many addresses of IPv6.
        let from = format!("[2001:db8:7::{call:x}]:40000");
        scene.is_heard(call, &from, now - Duration::from_millis(call));
    }
    let from_elsewhere = BROWSER.replacen(
        "a=mid:0\n",
        "a=mid:0\na=candidate:1 1 udp 1 198.51.100.7 40000 typ host\n",
        1,
    );
    assert_eq!(scene.offers_at(100, &from_elsewhere, now).words(), ["answer"]);
    assert_eq!(scene.offers_at(101, BROWSER, now).words(), ["answer"]);
    let gone: Vec<_> = (0..crowd.len())
        .filter(|index| crowd[*index].words() != ["answer"])
        .collect();
    assert_eq!(
        gone,
        [CONNECTING - 2, CONNECTING - 1],
        "who was heard of longest ago"
    );
    // Their neighbour takes the place of nobody else.
    let neighbour = BROWSER.replacen(
        "a=mid:0\n",
        "a=mid:0\na=candidate:1 1 udp 1 2001:db8:7::ffff 40000 typ host\n",
        1,
    );
    assert_eq!(scene.offers_at(102, &neighbour, now).words(), ["refused: busy"]);
    // But of one that fell silent, as all of them did by now.
    let later = now + Duration::from_secs(2);
    assert_eq!(scene.offers_at(103, &neighbour, later).words(), ["answer"]);
    assert_eq!(scene.sessions(), CONNECTING);
}

#[tokio::test]
async fn an_offer_continues_its_session_or_begins_another_one() {
    let mut scene = Scene::new(1);
    let first = scene.offers(1, BROWSER);
    let second = scene.offers(1, BROWSER);
    assert_eq!(second.words(), ["answer"]);
    assert_eq!(scene.viewers.figures().started.get(), 1);
    let unreadable = scene.offers(1, "nonsense");
    assert_eq!(unreadable.words(), ["refused: offer"]);
    assert_eq!(scene.sessions(), 1, "it goes on");
    // Another certificate, of a page that was loaded anew.
    let anew = scene.offers(1, &BROWSER.replace("FA:EC", "FA:ED"));
    assert_eq!(anew.words(), ["answer"]);
    assert_eq!(first.words(), ["answer"], "the newest caller is told");
    assert_eq!(second.words(), ["answer", "ended: called_anew"]);
    assert_eq!(scene.viewers.figures().started.get(), 2);
    assert_eq!(scene.sessions(), 1);
}

#[tokio::test]
async fn a_camera_that_goes_takes_its_viewers_with_it() {
    let mut scene = Scene::new(2);
    let told = scene.offers(1, BROWSER);
    let (done, mut closed) = oneshot::channel();
    scene.host.take(Request::Close { camera: CAMERA, done });
    assert_eq!(told.words(), ["answer", "ended: removed"]);
    assert_eq!(closed.try_recv(), Ok(()));
    let late = scene.offers(2, BROWSER);
    assert_eq!(late.words(), [""; 0]);
    assert_eq!(Arc::strong_count(&late.0), 1, "nobody keeps it");
}

#[tokio::test]
async fn what_is_refused_elsewhere_is_told_and_counted_here() {
    let mut scene = Scene::new(1);
    let told = Told::default();
    scene.host.take(Request::Refuse {
        camera: CAMERA,
        viewer: "john".to_owned(),
        why: Refused::Loopback,
        caller: Box::new(told.clone()),
    });
    assert_eq!(told.words(), ["refused: loopback"]);
    assert_eq!(scene.viewers.figures().refused.get(), 1);
}
