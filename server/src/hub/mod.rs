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
mod presence;

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use pinhole_signaling::{Member, Name, PeerId};

pub use command::{Answer, Command, Event, Refusal, Why};
pub use input::{Input, Limits, Parcel, RequestId};

use crate::budget::{Budget, Source, Spent};
use mailbox::{Letter, Mailbox};
use member::{Line, Peer};
use presence::Board;

/// What things take of the memory besides the bytes that they have in them: structures, places in maps that may be half empty, and
/// what the allocator keeps for itself.
mod cost {
    /// A member with its requests.
    pub(super) const MEMBER: usize = 1536;
    /// An answer on its way.
    pub(super) const ANSWER: usize = 512;
}

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
            Input::SignIn { request, name, from } => self.sign_in(request, name, from, now),
            Input::Wait { request, id } => self.wait(request, id),
            Input::Send {
                request,
                from,
                to,
                parcel,
            } => self.send(request, from, to, parcel),
            Input::SignOut { request, id } => self.sign_out(request, id),
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
    /// Inputs never bring it forward to before `now` + [`Limits::absent`].
    pub fn next_deadline(&self) -> Option<Instant> {
        self.peers
            .values()
            .filter_map(|peer| peer.absent_since())
            .min()
            .map(|since| since + self.limits.absent)
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.peers.len()
    }

    fn sign_in(&mut self, request: RequestId, name: Name, from: Source, now: Instant) {
        let has_room = self.peers.len() < self.limits.members && self.board.rows() < 2 * self.limits.members;
        let Some(id) = self.next_id.filter(|_| has_room) else {
            return self.refuse(request, Refusal::ServerFull);
        };
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
        let memory = || -> Result<_, Spent> {
            let account = self.budget.account(from);
            let member = account.reserve(self.cost_of_member(&name))?;
            Ok((member, account.reserve(length + cost::ANSWER)?))
        };
        let (memory, memory_of_roster) = match memory() {
            Ok(memory) => memory,
            Err(spent) => return self.refuse(request, spent.into()),
        };
        self.next_id = id.next();
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
        let (place, knowledge) = self.board.came(id, own.into(), memory);
        self.serve_all();
        let peer = Peer {
            name,
            line: Line::Absent { since: now },
            mailbox: Mailbox::new(mailbox::Bounds::of(&self.limits)),
            place,
            knowledge,
        };
        self.peers.insert(id, peer);
        let roster = memory_of_roster.hold(roster);
        self.answer(request, Answer::SignedIn { id, roster });
    }

    /// What a member takes: itself, its row on the board, its name in both of them and in the entries, and what it knows.
    fn cost_of_member(&self, name: &Name) -> usize {
        cost::MEMBER + 3 * name.as_bytes().len() + 2 * self.limits.members / 8
    }

    fn send(&mut self, request: RequestId, from: PeerId, to: PeerId, parcel: Parcel) {
        let Some(sender) = self.peers.get(&from).map(|peer| peer.place) else {
            return self.refuse(request, Refusal::Gone);
        };
        if from == to {
            return self.answer(request, Answer::Echo(parcel));
        }
        let Some(receiver) = self.peers.get_mut(&to) else {
            return self.refuse(request, Refusal::Gone);
        };
        let message = Letter::Message { from, parcel };
        let bytes = message.weight();
        if receiver.mailbox.is_full_for(bytes) {
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

    fn sign_out(&mut self, request: RequestId, id: PeerId) {
        if !self.peers.contains_key(&id) {
            return self.refuse(request, Refusal::Gone);
        }
        self.drop_peer(id, Why::SignedOut);
        self.answer(request, Answer::SignedOut);
    }

    fn drop_absent(&mut self, now: Instant) {
        let is_overdue = |peer: &Peer| {
            peer.absent_since()
                .is_some_and(|since| now >= since + self.limits.absent)
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

    fn answer(&mut self, request: RequestId, answer: Answer) {
        self.commands.push(Command::Answer { request, answer });
    }

    fn refuse(&mut self, request: RequestId, refusal: Refusal) {
        self.answer(request, Answer::Refused(refusal));
    }
}
