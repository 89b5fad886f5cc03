//! Who talks to whom: the members, their mailboxes and their waits.
//!
//! A state machine without IO and without a clock: inputs and the time go in, commands come out. Every request
//! has an id that the caller chooses, and is answered by exactly one [`Command::Answer`], except where its caller
//! takes it back with [`Input::Abandoned`] first.
//!
//! Invariants:
//! - Messages reach a member in the order in which they were sent, each in an answer of its own, and each until its
//!   delivery is reported: an event whose delivery failed goes to the next wait.
//! - A message overtakes the news of who came and went, but for the news that its sender came. When a member has
//!   fetched all that there is for it, it knows who is there.
//! - At most one wait of a member is answered with an event at a time. A wait that comes before the delivery of
//!   the last event is known stands by.
//! - Everything that grows is bounded by [`Limits`] or paid from the [`Budget`].

mod command;
mod delivery;
mod input;
mod mailbox;
mod member;
mod pace;
mod presence;

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use pinhole_signaling::{Member, Name, PeerId};

pub use command::{Answer, Command, Event, Refusal, Why};
pub use input::{Bound, Input, Limits, Pace, Parcel, RequestId};

use crate::budget::{Budget, Source, Spent};
use mailbox::{Letter, Mailbox};
use member::{Line, Peer};
use pace::Debts;
use presence::Board;

/// What an answer on its way takes of the memory besides its body.
const ANSWER: usize = 512;

/// The members of a server and what waits for them.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    peers: BTreeMap<PeerId, Peer>,
    board: Board,
    /// Whose wait a request is. Holds each request that a [`Line`] names, and no other.
    waits: HashMap<RequestId, PeerId>,
    /// `None` when all ids are used up.
    next_id: Option<PeerId>,
    budget: Budget,
    sign_ins: Debts,
    /// The bytes of the entries of all members.
    roster_bytes: usize,
    is_closing: bool,
    commands: Vec<Command>,
}

impl Hub {
    /// A hub without members, which spends this budget.
    pub fn new(limits: Limits, budget: Budget) -> Hub {
        Hub {
            limits,
            peers: BTreeMap::new(),
            board: Board::default(),
            waits: HashMap::new(),
            next_id: Some(PeerId::FIRST),
            budget,
            sign_ins: Debts::default(),
            roster_bytes: 0,
            is_closing: false,
            commands: Vec::new(),
        }
    }

    /// Takes one input and says what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Command> {
        match input {
            Input::SignIn { request, .. } | Input::Wait { request, .. } | Input::Send { request, .. }
                if self.is_closing =>
            {
                self.refuse(request, Refusal::Closing);
            }
            Input::SignIn {
                request,
                name,
                source,
            } => self.sign_in(request, name, source, now),
            Input::Wait { request, id, source } => self.wait(request, id, source),
            Input::Send {
                request,
                from,
                to,
                parcel,
                source,
            } => self.send(request, from, to, parcel, source),
            Input::SignOut { request, id, source } => self.sign_out(request, id, source),
            Input::Delivered { request } => self.delivery_ended(request, true, now),
            Input::Abandoned { request } => self.delivery_ended(request, false, now),
            Input::Tick => self.drop_absent(now),
            Input::Limit(limits) => self.limit(limits),
            Input::Close => self.close(now),
        }
        std::mem::take(&mut self.commands)
    }

    /// When [`Input::Tick`] is due at the latest; `None` while every member waits.
    ///
    /// Inputs never bring it forward to before `now` + [`Limits::shortest_absence`].
    pub fn next_deadline(&self) -> Option<Instant> {
        let peers = self.peers.values();
        peers.filter_map(|peer| peer.deadline(&self.limits)).min()
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.peers.len()
    }

    fn sign_in(&mut self, request: RequestId, name: Name, source: Source, now: Instant) {
        let Bound { all, each } = self.limits.members;
        let has_room = self.peers.len() < all && self.board.rows() < 2 * all;
        let Some(id) = self.next_id.filter(|_| has_room) else {
            return self.refuse(request, Refusal::ServerFull);
        };
        let its = self.board.rows_of(source);
        if its.here >= each || its.all >= 2 * each {
            return self.refuse(request, Refusal::ClientFull);
        }
        if !self.sign_ins.allow(source, self.limits.sign_ins, now) {
            return self.refuse(request, Refusal::TooFast);
        }
        let name = if name.is_empty() {
            Name::from(format!("peer_{id}"))
        } else {
            name
        };
        let own = Member {
            name: name.clone(),
            id,
            connected: true,
        };
        let own = own.to_entry();
        let length = own.len() + self.roster_bytes;
        if length > self.limits.roster_bytes {
            return self.refuse(request, Refusal::ServerFull);
        }
        let memory = || -> Result<_, Spent> {
            let account = self.budget.account(source);
            let member = account.reserve(self.limits.cost_of_member(name.as_bytes().len()))?;
            Ok((member, account.reserve(length + ANSWER)?))
        };
        let (memory, memory_of_roster) = match memory() {
            Ok(memory) => memory,
            Err(spent) => return self.refuse(request, spent.into()),
        };
        self.next_id = id.next();
        self.sign_ins.add(source, self.limits.sign_ins, now);
        self.commands.push(Command::Came {
            id,
            name: name.clone(),
        });
        let mut roster = Vec::with_capacity(length);
        roster.extend_from_slice(&own);
        for peer in self.peers.values() {
            roster.extend_from_slice(self.board.entry(peer.place).map_or(&[], |entry| entry));
        }
        self.roster_bytes = length;
        let (place, knowledge) = self.board.came(id, source, own.into(), memory);
        self.serve_all();
        let peer = Peer {
            name,
            source,
            line: Line::Absent { since: now },
            has_waited: false,
            mailbox: Mailbox::new(mailbox::Bounds::of(&self.limits)),
            place,
            knowledge,
        };
        self.peers.insert(id, peer);
        let roster = memory_of_roster.hold(roster);
        self.answer(request, Answer::SignedIn { id, roster });
    }

    fn send(&mut self, request: RequestId, from: PeerId, to: PeerId, parcel: Parcel, source: Source) {
        let Some(sender) = self.known(from, source).map(|peer| peer.place) else {
            return self.refuse(request, Refusal::Gone);
        };
        if from == to {
            return self.answer(request, Answer::Echo(parcel));
        }
        let Some(receiver) = self.peers.get_mut(&to) else {
            return self.refuse(request, Refusal::Gone);
        };
        let message = Letter::Message { from, source, parcel };
        if receiver.mailbox.is_full_for(message.weight(), source) {
            return self.refuse(request, Refusal::MailboxFull);
        }
        // Clients know a caller by its name.
        if let Some(entry) = self.board.introduce(sender, &mut receiver.knowledge) {
            receiver.mailbox.push(Letter::Introduction(entry));
        }
        receiver.mailbox.push(message);
        self.serve(to);
        self.answer(request, Answer::Sent);
    }

    fn sign_out(&mut self, request: RequestId, id: PeerId, source: Source) {
        if self.known(id, source).is_none() {
            return self.refuse(request, Refusal::Gone);
        }
        self.drop_peer(id, Why::SignedOut);
        self.answer(request, Answer::SignedOut);
    }

    fn drop_absent(&mut self, now: Instant) {
        let is_overdue = |peer: &Peer| {
            peer.deadline(&self.limits)
                .is_some_and(|deadline| now >= deadline)
        };
        let overdue: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| is_overdue(peer))
            .map(|(&id, _)| id)
            .collect();
        for id in overdue {
            self.drop_peer(id, Why::Absent);
        }
    }

    fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        for peer in self.peers.values_mut() {
            peer.mailbox.limit(mailbox::Bounds::of(&self.limits));
        }
    }

    fn close(&mut self, now: Instant) {
        self.is_closing = true;
        for peer in self.peers.values_mut() {
            let open = match &mut peer.line {
                Line::Waiting { request } => {
                    let request = *request;
                    peer.line = Line::Absent { since: now };
                    Some(request)
                }
                Line::Delivering { standing_by, .. } => standing_by.take(),
                Line::Absent { .. } => None,
            };
            if let Some(request) = open {
                self.waits.remove(&request);
                let answer = Answer::Refused(Refusal::Closing);
                self.commands.push(Command::Answer { request, answer });
            }
        }
    }

    fn drop_peer(&mut self, id: PeerId, why: Why) {
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        let open = match peer.line {
            Line::Waiting { request } => Some(request),
            Line::Delivering {
                request, standing_by, ..
            } => {
                self.waits.remove(&request);
                standing_by
            }
            Line::Absent { .. } => None,
        };
        if let Some(request) = open {
            self.waits.remove(&request);
            self.refuse(request, Refusal::Gone);
        }
        let entry = Member {
            name: peer.name.clone(),
            id,
            connected: false,
        }
        .to_entry();
        self.roster_bytes -= entry.len();
        self.board.went(peer.place, entry.into(), peer.knowledge);
        self.commands.push(Command::Went {
            id,
            name: peer.name,
            why,
        });
        self.serve_all();
    }

    /// The member, if it is one that this client may speak for.
    fn known(&mut self, id: PeerId, source: Source) -> Option<&mut Peer> {
        let is_bound = self.limits.is_bound;
        let peer = self.peers.get_mut(&id)?;
        (!is_bound || peer.source == source).then_some(peer)
    }

    fn answer(&mut self, request: RequestId, answer: Answer) {
        self.commands.push(Command::Answer { request, answer });
    }

    fn refuse(&mut self, request: RequestId, refusal: Refusal) {
        self.answer(request, Answer::Refused(refusal));
    }
}
