use pinhole_signaling::Name;

use super::*;

/// A meeting, and what comes of what happens in it, in words.
struct Scene {
    meeting: Meeting,
    next: u64,
    /// The newest offer of each call.
    offers: BTreeMap<CallId, OfferId>,
}

fn peer(id: u64) -> PeerId {
    PeerId::parse(id.to_string().as_bytes()).expect("an id")
}

impl Scene {
    /// We have just signed in.
    fn new() -> Self {
        let mut meeting = Meeting::default();
        meeting.signed_in();
        Self {
            meeting,
            next: 0,
            offers: BTreeMap::new(),
        }
    }

    fn arrives(&mut self, id: u64, name: &str) -> String {
        self.presence(id, name, true)
    }

    fn leaves(&mut self, id: u64) -> String {
        self.presence(id, "", false)
    }

    fn presence(&mut self, id: u64, name: &str, connected: bool) -> String {
        let member = Member {
            name: Name::from(name),
            id: peer(id),
            connected,
        };
        let order = self.meeting.presence(member);
        self.words(order)
    }

    fn says(&mut self, id: u64, message: Message) -> String {
        self.says_of(None, id, message)
    }

    /// A member says something of the call that it calls so.
    fn says_of(&mut self, call: Option<CallTag>, id: u64, message: Message) -> String {
        let next = &mut self.next;
        let order = self.meeting.message(peer(id), Envelope { call, message }, || {
            *next += 1;
            CallId(*next)
        });
        self.words(order)
    }

    fn offers(&mut self, id: u64) -> String {
        self.says(id, description(DescriptionKind::Offer))
    }

    /// The engine replies to the newest offer of a call.
    fn replies(&mut self, call: u64, reply: Reply) -> String {
        let offer = self.offers[&CallId(call)];
        self.replies_to(offer, reply)
    }

    fn replies_to(&mut self, offer: OfferId, reply: Reply) -> String {
        let Some((to, messages)) = self.meeting.reply(offer, reply) else {
            return "nobody".to_owned();
        };
        assert!(messages.iter().all(|envelope| envelope.call == offer.tag));
        let kinds: Vec<_> = messages
            .iter()
            .map(|envelope| kind_of(&envelope.message))
            .collect();
        format!("{to}: {}", kinds.join(", "))
    }

    fn words(&mut self, order: Option<Order>) -> String {
        match order {
            None => "nothing".to_owned(),
            Some(Order::Offer { offer, viewer, .. }) => {
                self.offers.insert(offer.call, offer);
                format!("offer of {viewer} in {}", offer.call.0)
            }
            Some(Order::Refuse { offer, viewer, why }) => {
                self.offers.insert(offer.call, offer);
                format!("refuse {viewer}: {}", why.code())
            }
            Some(Order::Answer { call, .. }) => format!("answer in {}", call.0),
            Some(Order::Candidate { call, line }) => format!("{line} in {}", call.0),
            Some(Order::HangUp { call, why }) => format!("hang up {}: {}", call.0, why.label()),
        }
    }
}

fn description(kind: DescriptionKind) -> Message {
    Message::Description(Description {
        kind,
        sdp: "sdp".to_owned(),
    })
}

fn candidate() -> Message {
    Message::Candidate(Candidate {
        sdp_mid: "0".to_owned(),
        sdp_mline_index: 0,
        candidate: "candidate".to_owned(),
    })
}

fn answer() -> Reply {
    Reply::Answer("sdp".to_owned())
}

#[test]
fn a_call_goes_from_its_offer_to_its_end() {
    let mut scene = Scene::new();
    assert_eq!(scene.arrives(7, "john"), "nothing");
    assert_eq!(scene.says(7, candidate()), "nothing", "there is no call yet");
    assert_eq!(scene.offers(7), "offer of john in 1");
    assert_eq!(scene.says(7, candidate()), "candidate in 1");
    assert_eq!(scene.replies(1, answer()), "7: answer");
    assert_eq!(scene.replies(1, Reply::Offer("sdp".to_owned())), "7: offer");
    assert_eq!(scene.says(7, description(DescriptionKind::Answer)), "answer in 1");
    assert_eq!(
        scene.offers(7),
        "offer of john in 1",
        "another one in the same call"
    );
    assert_eq!(scene.replies(1, answer()), "7: answer");
    assert_eq!(scene.says(7, Message::Bye), "hang up 1: hung_up");
    assert_eq!(scene.replies(1, Reply::Ended(Ending::HungUp)), "7: ");
    assert_eq!(scene.says(7, candidate()), "nothing", "late");
    assert_eq!(scene.offers(7), "offer of john in 2");
}

#[test]
fn a_viewer_is_told_the_end_that_it_does_not_know() {
    for ending in Ending::ALL {
        let mut scene = Scene::new();
        scene.offers(7);
        scene.replies(1, answer());
        let knows = matches!(
            ending,
            Ending::HungUp | Ending::Closed | Ending::Left | Ending::CalledAnew
        );
        let expected = if knows { "7: " } else { "7: BYE" };
        assert_eq!(scene.replies(1, Reply::Ended(ending)), expected, "{ending}");
        assert_eq!(scene.meeting.calls.len(), 0, "{ending}");
    }
}

#[test]
fn a_refusal_has_its_reason_before_the_goodbye() {
    let reasons = [
        (
            Refused::Busy(2),
            "busy",
            "all 2 places here are taken (max_viewers); try again later",
        ),
        (Refused::Offer("why".to_owned()), "offer", "why"),
        (Refused::Negotiation("why".to_owned()), "negotiation", "why"),
        (
            Refused::Loopback,
            "loopback",
            "loopback calls are not supported: they are not encrypted",
        ),
    ];
    for (why, code, reason) in reasons {
        let expected = Message::Refusal(Refusal {
            code: code.to_owned(),
            reason: reason.to_owned(),
        });
        assert_eq!(
            messages(Reply::Refused(why), false, false),
            [expected, Message::Bye]
        );
    }
}

#[test]
fn one_that_is_refused_has_no_call_and_one_that_is_refused_anew_keeps_its_own() {
    let mut scene = Scene::new();
    scene.offers(7);
    let busy = || Reply::Refused(Refused::Busy(1));
    assert_eq!(scene.replies(1, busy()), "7: a refusal, BYE");
    assert_eq!(scene.says(7, candidate()), "nothing");
    assert_eq!(
        scene.offers(7),
        "offer of peer 7 in 2",
        "it has not said its name"
    );
    scene.replies(2, answer());
    scene.offers(7);
    let unreadable = Reply::Refused(Refused::Offer("unreadable".to_owned()));
    assert_eq!(
        scene.replies(2, unreadable),
        "7: a refusal",
        "no goodbye to a call that goes on"
    );
    assert_eq!(
        scene.says(7, candidate()),
        "candidate in 2",
        "the session goes on"
    );
    let misfit = Reply::Refused(Refused::Negotiation("does not fit".to_owned()));
    assert_eq!(scene.replies(2, misfit), "7: a refusal, BYE");
    assert_eq!(scene.says(7, candidate()), "nothing");
}

#[test]
fn a_loopback_call_is_refused_in_its_turn() {
    let mut scene = Scene::new();
    scene.arrives(7, "john");
    let loopback = description(DescriptionKind::OfferLoopback);
    assert_eq!(scene.says(7, loopback), "refuse john: loopback");
    assert_eq!(
        scene.replies(1, Reply::Refused(Refused::Loopback)),
        "7: a refusal, BYE"
    );
    assert_eq!(scene.meeting.calls.len(), 0);
}

#[test]
fn a_call_that_begins_anew_is_not_ended_by_the_end_of_what_was_before() {
    let mut scene = Scene::new();
    scene.offers(7);
    scene.replies(1, answer());
    let before = scene.offers[&CallId(1)];
    scene.offers(7);
    assert_eq!(scene.replies_to(before, Reply::Ended(Ending::CalledAnew)), "7: ");
    assert_eq!(scene.says(7, candidate()), "candidate in 1");
    assert_eq!(scene.replies(1, answer()), "7: answer");
    assert_eq!(scene.replies(1, Reply::Ended(Ending::Silent)), "7: BYE");
    assert_eq!(scene.meeting.calls.len(), 0);
}

#[test]
fn who_leaves_ends_its_call() {
    let mut scene = Scene::new();
    scene.arrives(7, "john");
    scene.arrives(8, "paul");
    scene.offers(7);
    scene.replies(1, answer());
    assert_eq!(scene.leaves(8), "nothing");
    assert_eq!(scene.leaves(7), "hang up 1: left");
    assert_eq!(scene.replies(1, Reply::Ended(Ending::Left)), "nobody");
}

#[test]
fn a_page_that_lost_the_server_goes_on_under_its_new_id() {
    let mut scene = Scene::new();
    scene.arrives(7, "john");
    scene.offers(7);
    scene.replies(1, answer());
    scene.arrives(9, "john");
    assert_eq!(scene.leaves(7), "nothing");
    assert_eq!(scene.says(9, candidate()), "candidate in 1");
    assert_eq!(scene.replies(1, Reply::Ended(Ending::Silent)), "9: BYE");
}

#[test]
fn a_member_of_the_same_name_with_a_call_of_its_own_inherits_none() {
    let mut scene = Scene::new();
    for (id, call) in [(7, 1), (9, 2)] {
        scene.arrives(id, "john");
        scene.offers(id);
        scene.replies(call, answer());
    }
    assert_eq!(scene.leaves(7), "hang up 1: left");
    assert_eq!(scene.says(9, candidate()), "candidate in 2");
}

#[test]
fn a_viewer_that_outlives_the_server_is_known_by_its_name() {
    let mut scene = Scene::new();
    scene.arrives(7, "john");
    scene.offers(7);
    scene.replies(1, answer());
    scene.meeting.signed_in();
    assert_eq!(
        scene.replies(
            1,
            Reply::Candidate(crate::peer::Candidate {
                mid: "0".to_owned(),
                section: 0,
                line: "candidate".to_owned(),
            })
        ),
        "nobody",
        "7 may be somebody else by now"
    );
    scene.arrives(7, "paul");
    assert_eq!(scene.says(7, candidate()), "nothing");
    scene.arrives(8, "john");
    assert_eq!(scene.says(8, candidate()), "candidate in 1");
    assert_eq!(scene.replies(1, Reply::Ended(Ending::Silent)), "8: BYE");
}

#[test]
fn of_two_of_the_same_name_none_is_taken_for_the_other() {
    let mut scene = Scene::new();
    for (id, call) in [(7, 1), (8, 2)] {
        scene.arrives(id, "john");
        scene.offers(id);
        scene.replies(call, answer());
    }
    scene.meeting.signed_in();
    scene.arrives(3, "john");
    assert_eq!(scene.says(3, candidate()), "nothing");
    assert_eq!(scene.offers(3), "offer of john in 3");
}

#[test]
fn an_offer_that_did_not_come_to_the_engine_is_forgotten() {
    let mut scene = Scene::new();
    scene.offers(7);
    let dropped = scene.offers[&CallId(1)];
    scene.meeting.dropped(dropped);
    assert_eq!(scene.meeting.calls.len(), 0);
}

#[test]
fn members_are_known_by_name_as_far_as_that_is_bounded() {
    let mut scene = Scene::new();
    for id in 1..=5000 {
        scene.arrives(id, "somebody");
    }
    assert_eq!(scene.meeting.members.len(), MEMBERS);
    assert_eq!(scene.meeting.name_of(peer(5000)), "peer 5000");
    scene.leaves(1);
    scene.arrives(5000, "somebody");
    assert_eq!(scene.meeting.name_of(peer(5000)), "somebody");
}

fn tag(number: u8) -> Option<CallTag> {
    CallTag::parse(format!("{number:032x}").as_bytes()).ok()
}

#[test]
fn a_call_with_a_name_is_ended_by_its_own_goodbye_and_by_a_bare_one() {
    for goodbye in [tag(1), None] {
        let mut scene = Scene::new();
        scene.says_of(tag(1), 7, description(DescriptionKind::Offer));
        scene.replies(1, answer());
        assert_eq!(
            scene.says_of(tag(2), 7, Message::Bye),
            "nothing",
            "of another call"
        );
        assert_eq!(scene.says_of(tag(2), 7, candidate()), "nothing");
        assert_eq!(
            scene.says_of(tag(2), 7, description(DescriptionKind::Answer)),
            "nothing"
        );
        assert_eq!(scene.says_of(tag(1), 7, candidate()), "candidate in 1");
        assert_eq!(scene.says_of(goodbye, 7, Message::Bye), "hang up 1: hung_up");
    }
}

#[test]
fn a_late_goodbye_does_not_end_the_call_that_came_after_it() {
    let mut scene = Scene::new();
    scene.says_of(tag(1), 7, description(DescriptionKind::Offer));
    scene.replies(1, answer());
    let before = scene.offers[&CallId(1)];
    assert_eq!(
        scene.says_of(tag(2), 7, description(DescriptionKind::Offer)),
        "offer of peer 7 in 1"
    );
    assert_eq!(scene.says_of(tag(1), 7, Message::Bye), "nothing");
    // What the engine says of the former session is told by its name (see `replies_to`), so the viewer passes it over as well.
    assert_eq!(
        scene.replies_to(before, Reply::Ended(Ending::Silent)),
        "7: a refusal, BYE"
    );
    assert_eq!(scene.replies(1, answer()), "7: answer");
    assert_eq!(scene.says_of(tag(2), 7, Message::Bye), "hang up 1: hung_up");
}

#[test]
fn a_call_without_a_name_has_no_part_of_the_one_before_that_had_one() {
    let mut scene = Scene::new();
    scene.says_of(tag(1), 7, description(DescriptionKind::Offer));
    scene.replies(1, answer());
    scene.offers(7);
    assert_eq!(scene.says_of(tag(1), 7, Message::Bye), "nothing");
    assert_eq!(scene.replies(1, answer()), "7: answer");
    assert_eq!(scene.says(7, Message::Bye), "hang up 1: hung_up");
}

#[test]
fn who_names_its_calls_is_told_why_one_ends() {
    for ending in Ending::ALL {
        let told = messages(Reply::Ended(ending), false, true);
        match ending {
            Ending::HungUp | Ending::Closed | Ending::Left | Ending::CalledAnew => assert_eq!(told, []),
            _ => {
                let why = Message::Refusal(Refusal {
                    code: ending.label().to_owned(),
                    reason: ending.to_string(),
                });
                assert_eq!(told, [why, Message::Bye], "{ending}");
            }
        }
    }
}

#[test]
fn a_candidate_names_its_section_in_both_ways() {
    let candidate = crate::peer::Candidate {
        mid: "video".to_owned(),
        section: 2,
        line: "candidate".to_owned(),
    };
    let told = super::messages(Reply::Candidate(candidate), true, true);
    let expected = Candidate {
        sdp_mid: "video".to_owned(),
        sdp_mline_index: 2,
        candidate: "candidate".to_owned(),
    };
    assert_eq!(told, [Message::Candidate(expected)]);
}
