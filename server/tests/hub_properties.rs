//! Whatever the members do, whenever their connections break, and whoever comes back under its old name: no message is lost, doubled, out of order or from somebody
//! unknown, and who has fetched all that there is knows who is there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pinhole_server::budget::Source;
use pinhole_server::hub::{Answer, Bound, Command, Event, Hub, Input, Limits, Parcel, RequestId};
use pinhole_signaling::{Member, PeerId, roster};
use proptest::prelude::*;
use room::{bound, budget};

/// What may happen. Numbers pick one of what is there at that time.
#[derive(Debug, Clone)]
enum Step {
    SignIn,
    SignOut(usize),
    Wait(usize),
    Send(usize, usize),
    Deliver(usize),
    BreakAnswered(usize),
    BreakOpen(usize),
    Pass(u64),
    /// A reload: tight limits, or wide ones.
    Limit(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::SignIn),
        1 => any::<usize>().prop_map(Step::SignOut),
        6 => any::<usize>().prop_map(Step::Wait),
        6 => any::<(usize, usize)>().prop_map(|(from, to)| Step::Send(from, to)),
        4 => any::<usize>().prop_map(Step::Deliver),
        2 => any::<usize>().prop_map(Step::BreakAnswered),
        2 => any::<usize>().prop_map(Step::BreakOpen),
        1 => (0..20_u64).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Limit),
    ]
}

/// What a perfect post office would know.
#[derive(Default)]
struct Model {
    members: BTreeMap<PeerId, Seat>,
    open: BTreeMap<RequestId, PeerId>,
    answered: BTreeMap<RequestId, (PeerId, Event)>,
    ever_answered: BTreeSet<RequestId>,
}

/// What a member must get in the end, what it got, and what it takes from that for the truth.
struct Seat {
    source: Source,
    due: Vec<Event>,
    got: Vec<Event>,
    others: BTreeSet<PeerId>,
}

impl Seat {
    fn receive(&mut self, event: Event) {
        match event {
            Event::Presence(entry) => {
                let member = Member::parse(&entry).unwrap();
                let is_news = if member.connected {
                    self.others.insert(member.id)
                } else {
                    self.others.remove(&member.id)
                };
                assert!(is_news, "{member:?} is known already");
            }
            Event::Message { from, .. } => {
                assert!(self.others.contains(&from), "{from} came after its message");
                self.got.push(event);
            }
        }
    }
}

struct World {
    hub: Hub,
    now: Instant,
    model: Model,
    requests: u64,
    sent: u64,
}

/// Whose request it is, of three.
fn client(request: u64) -> Source {
    Source(Ipv4Addr::from_bits((request % 3) as u32).into())
}

fn pick<T: Clone>(from: impl Iterator<Item = T>, number: usize) -> Option<T> {
    let all: Vec<T> = from.collect();
    let count = all.len();
    (count > 0).then(|| all[number % count].clone())
}

impl World {
    fn new(limits: Limits) -> World {
        World {
            hub: Hub::new(limits, budget()),
            now: Instant::now(),
            model: Model::default(),
            requests: 0,
            sent: 0,
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Puts an input to the hub, and follows in the model what it says.
    fn input(&mut self, input: Input) -> Vec<Answer> {
        let mut others = Vec::new();
        for command in self.hub.handle(input, self.now) {
            match command {
                Command::Came { id, .. } => {
                    let seat = Seat {
                        source: client(self.requests),
                        due: Vec::new(),
                        got: Vec::new(),
                        others: BTreeSet::new(),
                    };
                    self.model.members.insert(id, seat);
                }
                Command::Went { id, .. } => {
                    self.model.members.remove(&id);
                }
                Command::Answer { request, answer } => {
                    assert!(
                        self.model.ever_answered.insert(request),
                        "{request:?} is answered twice"
                    );
                    match (self.model.open.remove(&request), answer) {
                        (Some(id), Answer::Event(event)) => {
                            self.model.answered.insert(request, (id, event));
                        }
                        (Some(_), Answer::Refused(_)) => {}
                        (Some(_), other) => panic!("a wait got {other:?}"),
                        (None, other) => others.push(other),
                    }
                }
            }
        }
        others
    }

    fn wait(&mut self, id: PeerId) {
        let request = self.request();
        self.model.open.insert(request, id);
        let client = self.model.members[&id].source.into();
        let input = Input::Wait { request, id, client };
        assert_eq!(self.input(input), []);
    }

    fn deliver(&mut self, request: RequestId) {
        if let Some((id, event)) = self.model.answered.remove(&request)
            && let Some(seat) = self.model.members.get_mut(&id)
        {
            seat.receive(event);
        }
        assert_eq!(self.input(Input::Delivered { request }), []);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::SignIn => {
                let request = self.request();
                let answers = self.input(Input::SignIn {
                    request,
                    // Of each client and name there may be several, one after the other or side by side.
                    name: format!("m{}", request.0 % 2).into(),
                    client: client(request.0).into(),
                });
                if let [Answer::SignedIn { id, roster }] = &answers[..] {
                    let mut listed = roster::parse(roster).map(|entry| entry.unwrap().id);
                    assert_eq!(listed.next(), Some(*id));
                    let others: BTreeSet<PeerId> = listed.collect();
                    assert_eq!(others, self.others_of(*id));
                    self.model.members.get_mut(id).unwrap().others = others;
                } else {
                    assert!(matches!(&answers[..], [Answer::Refused(_)]), "{answers:?}");
                }
            }
            Step::SignOut(number) => {
                if let Some(id) = pick(self.model.members.keys().copied(), number) {
                    let request = self.request();
                    let client = self.model.members[&id].source.into();
                    let input = Input::SignOut { request, id, client };
                    assert_eq!(self.input(input), [Answer::SignedOut]);
                }
            }
            Step::Wait(number) => {
                if let Some(id) = pick(self.model.members.keys().copied(), number) {
                    self.wait(id);
                }
            }
            Step::Send(from, to) => {
                let members = || self.model.members.keys().copied();
                if let (Some(from), Some(to)) = (pick(members(), from), pick(members(), to)) {
                    self.send(from, to);
                }
            }
            Step::Deliver(number) => {
                if let Some(request) = pick(self.model.answered.keys().copied(), number) {
                    self.deliver(request);
                }
            }
            Step::BreakAnswered(number) => {
                if let Some(request) = pick(self.model.answered.keys().copied(), number) {
                    self.model.answered.remove(&request);
                    assert_eq!(self.input(Input::Abandoned { request }), []);
                }
            }
            Step::BreakOpen(number) => {
                if let Some(request) = pick(self.model.open.keys().copied(), number) {
                    self.model.open.remove(&request);
                    assert_eq!(self.input(Input::Abandoned { request }), []);
                    assert!(
                        !self.model.ever_answered.contains(&request),
                        "a closed connection was answered"
                    );
                }
            }
            Step::Pass(seconds) => {
                self.now += Duration::from_secs(seconds);
                assert_eq!(self.input(Input::Tick), []);
            }
            Step::Limit(is_tight) => {
                let limits = if is_tight { tight() } else { limits() };
                assert_eq!(self.input(Input::Limit(limits)), []);
            }
        }
        assert_eq!(self.hub.members(), self.model.members.len());
    }

    fn send(&mut self, from: PeerId, to: PeerId) {
        self.sent += 1;
        let parcel = Parcel {
            content_type: Bytes::new(),
            body: Bytes::from(format!("{:04}", self.sent)),
        };
        let event = Event::Message {
            from,
            parcel: parcel.clone(),
        };
        let request = self.request();
        let answers = self.input(Input::Send {
            request,
            from,
            to,
            parcel: parcel.clone(),
            client: self.model.members[&from].source.into(),
        });
        match &answers[..] {
            [Answer::Echo(echo)] => assert!(from == to && *echo == parcel),
            [Answer::Sent] => {
                assert_ne!(from, to);
                let receiver = self.model.members.get_mut(&to);
                receiver.unwrap().due.push(event);
            }
            [Answer::Refused(_)] => {}
            other => panic!("{other:?}"),
        }
    }

    /// Lets everybody fetch all that is left, and compares.
    fn settle(mut self) {
        for (request, _) in self.model.answered.clone() {
            self.deliver(request);
        }
        let ids: Vec<PeerId> = self.model.members.keys().copied().collect();
        for id in ids {
            loop {
                self.wait(id);
                let Some(request) = pick(self.model.answered.keys().copied(), 0) else {
                    break;
                };
                self.deliver(request);
            }
            let seat = &self.model.members[&id];
            assert_eq!(seat.got, seat.due);
            assert_eq!(seat.others, self.others_of(id));
        }
    }

    fn others_of(&self, id: PeerId) -> BTreeSet<PeerId> {
        let members = self.model.members.keys().copied();
        members.filter(|&other| other != id).collect()
    }
}

fn limits() -> Limits {
    Limits {
        members: bound(6),
        mailbox_messages: bound(1000),
        mailbox_bytes: bound(100_000),
        ..room::limits()
    }
}

/// Of three clients, each of which may have less than all.
fn tight() -> Limits {
    Limits {
        members: Bound { all: 3, each: 2 },
        mailbox_messages: Bound { all: 2, each: 1 },
        mailbox_bytes: Bound { all: 9, each: 5 },
        first_wait: Duration::from_secs(10),
        ..limits()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_is_lost_and_everybody_knows_who_is_there(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new(limits());
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
    }

    #[test]
    fn the_same_holds_for_what_was_accepted_when_all_bounds_are_tight(
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut world = World::new(tight());
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
    }
}
