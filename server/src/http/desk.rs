//! Where requests meet the hub: the hub's clock, its log, and the way of its answers back to the requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinhole_http::Receipt;
use pinhole_service::quiet::Quiet;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::budget::{Account, Budget, Size, Source};
use crate::hub::{Answer, Command, Hub, Input, Limits, RequestId, Why};

/// Members that are told of in a minute: who signs in and out at will must not fill the disk with it.
static COMINGS: Quiet = Quiet::new(100);
static GOINGS: Quiet = Quiet::new(100);

/// The hub, shared by all connections.
///
/// A lock instead of a task with a queue: a step of the hub takes microseconds and never waits, and a connection that
/// ends must be able to say so from its `drop`.
#[derive(Debug)]
pub(super) struct Desk {
    state: Mutex<State>,
    /// [`Limits::shortest_absence`]; no configuration changes it.
    absent: Duration,
    budget: Budget,
    members: watch::Receiver<usize>,
}

#[derive(Debug)]
struct State {
    hub: Hub,
    next_request: u64,
    unanswered: HashMap<RequestId, oneshot::Sender<Answer>>,
    members: watch::Sender<usize>,
}

/// A request that is with the hub. When dropped, the request is taken back, and an event that it was answered
/// with is taken as not delivered, unless [`Ticket::delivered`] says otherwise.
#[derive(Debug)]
pub(super) struct Ticket {
    desk: Arc<Desk>,
    request: RequestId,
    is_delivered: bool,
}

impl Desk {
    pub(super) fn new(limits: Limits, memory: Size) -> Desk {
        let budget = Budget::new(memory);
        let absent = limits.shortest_absence();
        let (sender, members) = watch::channel(0);
        let state = State {
            hub: Hub::new(limits, budget.clone()),
            next_request: 0,
            unanswered: HashMap::new(),
            members: sender,
        };
        Desk {
            state: Mutex::new(state),
            absent,
            budget,
            members,
        }
    }

    /// How many members there are, at any time and at every change.
    pub(super) fn members(&self) -> watch::Receiver<usize> {
        self.members.clone()
    }

    /// Other limits from now on.
    pub(super) fn limit(&self, limits: Limits, memory: Size) {
        self.budget.resize(memory);
        self.lock().step(Input::Limit(limits));
    }

    /// What a client spends of the memory.
    pub(super) fn account(&self, of: Source) -> Account {
        self.budget.account(of)
    }

    /// Whether [`Desk::run_clock`] does its work: nothing is overdue for longer than `patience`.
    pub(super) fn is_on_time(&self, patience: Duration) -> bool {
        let deadline = self.lock().hub.next_deadline().map(Instant::from_std);
        deadline.is_none_or(|deadline| Instant::now() < deadline + patience)
    }

    /// Puts a request to the hub and waits for its answer.
    pub(super) async fn ask(self: &Arc<Desk>, input: impl FnOnce(RequestId) -> Input) -> (Answer, Ticket) {
        let (answer, ticket) = {
            let mut state = self.lock();
            let request = RequestId(state.next_request);
            state.next_request += 1;
            let (sender, receiver) = oneshot::channel();
            state.unanswered.insert(request, sender);
            state.step(input(request));
            (
                receiver,
                Ticket {
                    desk: self.clone(),
                    request,
                    is_delivered: false,
                },
            )
        };
        // The hub answers every request; should it not, the peer is told the same as by a server that restarted.
        let answer = answer.await.unwrap_or(Answer::Refused(crate::hub::Refusal::Gone));
        (answer, ticket)
    }

    /// Lets the hub's time pass, for ever.
    pub(super) async fn run_clock(&self) {
        loop {
            // What begins meanwhile is due after this sleep ends.
            let latest = Instant::now() + self.absent;
            let deadline = self.lock().hub.next_deadline().map(Instant::from_std);
            tokio::time::sleep_until(deadline.map_or(latest, |deadline| deadline.min(latest))).await;
            self.lock().step(Input::Tick);
        }
    }

    /// Answers all waits and refuses what comes later.
    pub(super) fn close(&self) {
        self.lock().step(Input::Close);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic within the hub would be a bug; the others are still better served than not.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn step(&mut self, input: Input) {
        for command in self.hub.handle(input, Instant::now().into_std()) {
            match command {
                Command::Answer { request, answer } => {
                    if let Some(sender) = self.unanswered.remove(&request) {
                        // A request that is gone meanwhile drops its ticket, which tells the hub.
                        let _ = sender.send(answer);
                    }
                }
                Command::Came { id, name } => {
                    self.members.send_replace(self.hub.members());
                    if let Some(others) = COMINGS.may_say() {
                        tracing::info!(%id, %name, members = self.hub.members(), others, "signed in");
                    }
                }
                Command::Went { id, name, why } => {
                    let why = match why {
                        Why::SignedOut => "signed out",
                        Why::Absent => "dropped: it no longer waits for events",
                        Why::Replaced => "replaced: it has signed in anew",
                    };
                    self.members.send_replace(self.hub.members());
                    if let Some(others) = GOINGS.may_say() {
                        tracing::info!(%id, %name, members = self.hub.members(), others, "{why}");
                    }
                }
            }
        }
    }
}

impl Ticket {
    /// The client has the whole answer.
    pub(super) fn delivered(mut self) {
        self.is_delivered = true;
    }
}

impl Receipt for Ticket {
    fn delivered(self: Box<Self>) {
        Ticket::delivered(*self);
    }

    fn is_awaited(&self) -> bool {
        self.desk.lock().hub.is_awaited(self.request)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let request = self.request;
        let mut state = self.desk.lock();
        state.unanswered.remove(&request);
        state.step(if self.is_delivered {
            Input::Delivered { request }
        } else {
            Input::Abandoned { request }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use bytes::Bytes;
    use pinhole_signaling::PeerId;

    use super::*;
    use crate::hub::{Bound, Event, Pace, Refusal};

    const ABSENT: Duration = Duration::from_secs(30);

    const HERE: Source = Source(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn bound(all: usize) -> Bound {
        Bound { all, each: all }
    }

    fn desk() -> Arc<Desk> {
        let limits = Limits {
            members: bound(10),
            roster_bytes: 1000,
            mailbox_messages: bound(10),
            mailbox_bytes: bound(1000),
            sign_ins: Pace {
                at_once: 10,
                every: Duration::ZERO,
            },
            absent: ABSENT,
            first_wait: ABSENT,
            is_bound: true,
        };
        let memory = Size {
            whole: 100_000,
            share: 100_000,
        };
        Arc::new(Desk::new(limits, memory))
    }

    fn wait_of(request: RequestId, id: PeerId) -> Input {
        let client = HERE.into();
        Input::Wait { request, id, client }
    }

    async fn sign_in(desk: &Arc<Desk>, name: &str) -> PeerId {
        match desk
            .ask(|request| Input::SignIn {
                request,
                name: name.into(),
                client: HERE.into(),
            })
            .await
            .0
        {
            Answer::SignedIn { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_stops_waiting_is_announced_as_gone_after_30_s() {
        let desk = desk();
        let alice = sign_in(&desk, "alice").await;
        let began = Instant::now();
        sign_in(&desk, "bob").await;
        let life = async {
            let mut events = Vec::new();
            for _ in 0..2 {
                let (answer, ticket) = desk.ask(|request| wait_of(request, alice)).await;
                ticket.delivered();
                events.push(answer);
            }
            (events, began.elapsed())
        };
        let (events, took) = tokio::select! {
            life = life => life,
            () = desk.run_clock() => unreachable!("the clock never ends"),
        };
        let entry = |text: &'static str| Answer::Event(Event::Presence(Bytes::from_static(text.as_bytes())));
        assert_eq!(events, [entry("bob,2,1\n"), entry("bob,2,0\n")]);
        assert!(
            took >= ABSENT && took < ABSENT + Duration::from_secs(1),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_waits_stays_for_ever_and_one_whose_wait_is_dropped_does_not() {
        let desk = desk();
        let alice = sign_in(&desk, "alice").await;
        let clock = desk.run_clock();
        tokio::pin!(clock);
        let wait = |desk: Arc<Desk>| async move { desk.ask(|request| wait_of(request, alice)).await.0 };
        tokio::select! {
            answer = wait(desk.clone()) => panic!("{answer:?}"),
            () = &mut clock => unreachable!("the clock never ends"),
            () = tokio::time::sleep(Duration::from_secs(24 * 3600)) => {}
        }
        assert_eq!(desk.lock().hub.members(), 1);
        // The wait above is dropped here.
        tokio::time::advance(ABSENT + Duration::from_secs(1)).await;
        assert!(desk.is_on_time(Duration::from_secs(2)));
        assert!(
            !desk.is_on_time(Duration::from_millis(500)),
            "nobody let the clock run"
        );
        tokio::select! {
            () = &mut clock => unreachable!("the clock never ends"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        assert!(desk.is_on_time(Duration::ZERO));
        assert_eq!(desk.lock().hub.members(), 0);
        assert_eq!(wait(desk.clone()).await, Answer::Refused(Refusal::Gone));
    }
}
