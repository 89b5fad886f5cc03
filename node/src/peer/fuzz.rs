//! What has to hold whatever a viewer sends: see [`crate::fuzz`].

use std::{
    net::SocketAddr,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;

pub use super::bench::demux;
use super::{
    Refused,
    feed::{Feed, PictureIds},
    id::CameraId,
    rtcp::Anchor,
    sdp::{self, Answer, Offer},
    session::{Event, Input, Output, Session, Terms},
};
use crate::{
    fanout::{self, Demand, Publisher},
    media::{AccessUnit, Codec, Privacy, Rendition, TalkBack, Timestamp},
};

/// What stands between the descriptions of an input, on a line of its own.
const NEXT: &str = "\n~\n";
/// Descriptions of one session.
const MOST: usize = 4;
/// Bytes of what a viewer or a log is told.
const LONGEST: usize = 1300;
/// What a session has to say at once. An answer, an offer, checks of all candidates from each address of ours, and a handshake.
const MOST_OUTPUTS: usize = 500;

/// The descriptions of a viewer, one behind the other: an offer, and what follows in the session.
pub fn sdp(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut descriptions = text.split(NEXT).map(on_the_wire);
    let first = descriptions.next().unwrap_or_default();
    let now = Instant::now();
    let Some(mut talk) = Talk::begin(first, bytes.len().is_multiple_of(2), now) else {
        return false;
    };
    for description in descriptions.take(MOST - 1) {
        talk.take(description);
    }
    talk.goes_on();
    true
}

/// Lines end as they do on the wire (RFC 8866, section 5), also where somebody has written them by hand.
fn on_the_wire(sdp: &str) -> String {
    if sdp.contains('\r') {
        sdp.to_owned()
    } else {
        sdp.replace('\n', "\r\n")
    }
}

/// A session, and its viewer's words.
struct Talk {
    session: Session,
    now: Instant,
    /// What has not been answered, section by section.
    offered: Option<Vec<String>>,
    owes_answer: bool,
    is_over: bool,
}

impl Talk {
    /// With an offer; `None` where it is refused.
    fn begin(sdp: String, with_sound: bool, now: Instant) -> Option<Self> {
        let offered = sections(&sdp);
        let offer = read(sdp)?;
        let anchor = Anchor {
            instant: now,
            timestamp: Timestamp::from_monotonic(Duration::ZERO),
            wall: Duration::ZERO,
        };
        let terms = Terms {
            sound: with_sound,
            talk_back: TalkBack::All,
            loudspeaker: with_sound,
            ..Terms::default()
        };
        let addresses = [SocketAddr::from(([192, 0, 2, 1], 5000))];
        let session = Session::new("viewer".into(), offer, &addresses, &terms, anchor, now);
        let session = session.map_err(|error| is_short(&Refused::offer(&error))).ok()?;
        let mut talk = Self {
            session,
            now,
            offered: Some(offered),
            owes_answer: false,
            is_over: false,
        };
        talk.listen();
        assert!(
            talk.offered.is_none() || talk.is_over,
            "an offer that is taken is answered"
        );
        Some(talk)
    }

    /// As the engine does: an answer where one is due, or another offer that continues the session.
    fn take(&mut self, description: String) {
        if self.is_over {
            return;
        }
        self.now += Duration::from_millis(100);
        if std::mem::take(&mut self.owes_answer) {
            self.session.handle(Input::Answer(description), self.now);
            self.listen();
            return;
        }
        let offered = sections(&description);
        if let Some(offer) = read(description).filter(|offer| self.session.is_continued_by(offer)) {
            self.offered = Some(offered);
            self.session.handle(Input::Offer(Box::new(offer)), self.now);
            self.listen();
            assert!(
                self.offered.is_none() || self.is_over,
                "an offer that is taken is answered"
            );
        }
    }

    /// Time passes, a candidate comes, and the session has an end.
    fn goes_on(mut self) {
        let candidate = "candidate:1 1 udp 1 198.51.100.9 40000 typ host";
        self.session.handle(Input::Candidate(candidate), self.now);
        for _ in 0..3 {
            self.listen();
            let Some(deadline) = self.session.deadline().filter(|_| !self.is_over) else {
                break;
            };
            self.now = self.now.max(deadline);
            self.session.handle(Input::Timeout, self.now);
        }
        self.listen();
        self.session.handle(Input::Close, self.now);
        while let Some(output) = self.session.poll() {
            assert!(
                matches!(output, Output::Transmit(_)),
                "nothing is told after the end"
            );
        }
        assert_eq!(
            self.session.deadline(),
            None,
            "a closed session has nothing to wait for"
        );
    }

    /// What the session has to tell.
    fn listen(&mut self) {
        for count in 0.. {
            assert!(count < MOST_OUTPUTS, "there is no end to it");
            match self.session.poll() {
                Some(Output::Event(Event::Answer(answer))) => {
                    let offered = self.offered.take().expect("one answer for each offer");
                    fits(&answer, &offered);
                }
                Some(Output::Event(Event::Offer(offer))) => {
                    assert!(sdp::fragment(&offer).is_some());
                    Answer::read(offer).expect("what we write can be read");
                    self.owes_answer = true;
                }
                Some(Output::Event(Event::Failed(error))) => {
                    is_short(&Refused::negotiation(&error));
                    self.is_over = true;
                }
                Some(Output::Event(Event::Ended(_))) => self.is_over = true,
                Some(_) => {}
                None => return,
            }
        }
    }
}

fn read(sdp: String) -> Option<Offer> {
    let offer = Offer::read(sdp);
    offer.map_err(|error| is_short(&Refused::offer(&error))).ok()
}

/// It goes to the viewer and into a log.
fn is_short(why: &Refused) {
    let words = why.to_string();
    assert!(
        !words.is_empty() && words.len() <= LONGEST,
        "{} bytes: {words}",
        words.len()
    );
}

/// The kinds of the sections.
fn sections(sdp: &str) -> Vec<String> {
    let sections = sdp.split('\n').filter_map(|line| line.strip_prefix("m="));
    sections
        .map(|section| section.split_whitespace().next().unwrap_or_default().to_owned())
        .collect()
}

/// Our answer has the sections of the offer in their order (RFC 3264, section 6), and says whom to check; unless it rejects them all, as
/// where a later offer has none left that can be had.
fn fits(answer: &str, offered: &[String]) {
    let mut sections_of = answer.lines().filter_map(|line| line.strip_prefix("m="));
    let rejects_all = sections_of.all(|section| section.split(' ').nth(1) == Some("0"));
    assert!(rejects_all || sdp::fragment(answer).is_some(), "{answer}");
    assert_eq!(sections(answer), offered, "{answer}");
    Answer::read(answer.to_owned()).expect("what we write can be read");
}

/// Cuts access units of H.264 as they are cut for all viewers.
pub(crate) struct Packetiser {
    publisher: Publisher<AccessUnit>,
    feed: Feed,
}

impl Default for Packetiser {
    fn default() -> Self {
        let rendition = Rendition::top(Codec::H264);
        let ([publisher], broadcast) =
            fanout::broadcast([rendition], &Demand::default(), &Privacy::default());
        let (ids, privacy) = (PictureIds::default(), Privacy::default());
        let mut feed = Feed::new(CameraId::default(), broadcast, rendition, &ids, &privacy);
        feed.enter();
        Self { publisher, feed }
    }
}

impl Packetiser {
    /// The payloads of a unit. The first one of all has to be a keyframe.
    pub(crate) fn packets(&mut self, unit: AccessUnit) -> Vec<Bytes> {
        self.publisher.publish(&unit);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(unit)) = self.feed.poll_unit(&mut context) else {
            panic!("it was published just now");
        };
        self.feed.packetise(unit).expect("it is a picture").payloads
    }
}
