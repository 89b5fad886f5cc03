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
//! - At most one wait of a member is answered with an event at a time. A wait that comes before it is known what became of
//!   the last event stands by.
//! - Nobody but a member itself, and its own next life, ends its membership.
//! - Everything that grows is bounded by [`Limits`] or paid from the [`Budget`].

mod command;
mod delivery;
mod input;
mod mailbox;
mod member;
mod pace;
mod presence;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Instant;

use pinhole_signaling::{Member, Name, PeerId};

pub use command::{Answer, Command, Event, Refusal, Why};
pub use input::{Bound, Client, Input, Limits, Pace, Parcel, RequestId};

use crate::budget::{Budget, Spent};
use mailbox::{Letter, Mailbox};
use member::{BACK, Line, Peer};
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
                client,
            } => self.sign_in(request, name, client, now),
            Input::Wait { request, id, client } => self.wait(request, id, client, now),
            Input::Send {
                request,
                from,
                to,
                parcel,
                client,
            } => self.send(request, from, to, parcel, client),
            Input::SignOut { request, id, client } => self.sign_out(request, id, client),
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

    fn sign_in(&mut self, request: RequestId, name: Name, client: Client, now: Instant) {
        let source = client.source;
        let replaced = self.former_lives(&name, client, now);
        let own = |id: &&PeerId| self.peers.get(id).is_some_and(|peer| peer.source == source);
        let replaced_of_source = replaced.iter().filter(own).count();
        let Bound { all, each } = self.limits.members;
        let has_room = self.peers.len() < all + replaced.len() && self.board.rows() < 2 * all;
        let Some(id) = self.next_id.filter(|_| has_room) else {
            return self.refuse(request, Refusal::ServerFull);
        };
        let its = self.board.rows_of(source);
        if its.here >= each + replaced_of_source || its.all >= 2 * each {
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
        self.roster_bytes = length;
        let place = self.board.came(id, source, own.into(), memory);
        self.serve_all();
        // After its coming: who has a call with the old one knows then who goes on with it.
        for old in replaced {
            self.drop_peer(old, Why::Replaced);
        }
        let knowledge = self.board.learn();
        for peer in self.peers.values() {
            roster.extend_from_slice(self.board.entry(peer.place).map_or(&[], |entry| entry));
        }
        let peer = Peer {
            name,
            source,
            key: client.key,
            line: Line::Absent {
                since: now,
                is_cut: false,
            },
            gives_way: None,
            has_waited: false,
            mailbox: Mailbox::new(mailbox::Bounds::of(&self.limits)),
            place,
            knowledge,
        };
        self.peers.insert(id, peer);
        let roster = memory_of_roster.hold(roster);
        self.answer(request, Answer::SignedIn { id, roster });
    }

    /// The members that one who signs in has been until now: with the same key; or of the same name from the same address, where
    /// the connection broke and nothing has been heard for longer than one who is there takes to come back, as of a program that was
    /// killed and is started anew. The latter may be said by anybody of that address, and ends nobody who is there.
    fn former_lives(&self, name: &Name, client: Client, now: Instant) -> Vec<PeerId> {
        let is_one = |peer: &Peer| {
            (client.key.is_some() && peer.key == client.key)
                || (peer.is_dead(now) && peer.source == client.source && peer.name == *name)
        };
        let peers = self.peers.iter();
        peers
            .filter(|(_, peer)| is_one(peer))
            .map(|(&id, _)| id)
            .collect()
    }

    /// Whether one of the same name and address has signed in since this member did, and waits: its next life, started before it was known
    /// that the last one had ended.
    fn has_successor(&self, id: PeerId) -> bool {
        let Some(old) = self.peers.get(&id) else {
            return false;
        };
        let later = (Excluded(id), Unbounded);
        self.peers.range(later).any(|(_, peer)| {
            peer.has_waited && !peer.is_cut() && peer.source == old.source && peer.name == old.name
        })
    }

    /// The members of the same name and address that have signed in before this one did, and have no wait open: killed meanwhile, perhaps just between two
    /// waits, where no connection tells of it.
    fn predecessors(&self, id: PeerId) -> Vec<PeerId> {
        let Some(new) = self.peers.get(&id) else {
            return Vec::new();
        };
        let is_one = |peer: &Peer| peer.is_absent() && peer.source == new.source && peer.name == new.name;
        let before = self.peers.range(..id).filter(|(_, peer)| is_one(peer));
        before.map(|(&id, _)| id).collect()
    }

    /// Has a member go, should it not be back soon.
    fn give_way(&mut self, id: PeerId, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.gives_way.get_or_insert(now + BACK);
        }
    }

    fn send(&mut self, request: RequestId, from: PeerId, to: PeerId, parcel: Parcel, client: Client) {
        let Some(sender) = self.known(from, client).map(|peer| peer.place) else {
            return self.refuse(request, Refusal::Gone);
        };
        let source = client.source;
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

    fn sign_out(&mut self, request: RequestId, id: PeerId, client: Client) {
        if self.known(id, client).is_none() {
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
            let is_replaced = self.peers.get(&id).is_some_and(|peer| peer.gives_way.is_some());
            self.drop_peer(id, if is_replaced { Why::Replaced } else { Why::Absent });
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
                    peer.line = Line::Absent {
                        since: now,
                        is_cut: false,
                    };
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
    fn known(&mut self, id: PeerId, client: Client) -> Option<&mut Peer> {
        let is_bound = self.limits.is_bound;
        let peer = self.peers.get_mut(&id)?;
        let is_it = match (peer.key, client.key) {
            (None, None) => !is_bound || peer.source == client.source,
            // Who has one is known by it wherever it comes from. One that is not the member's is of somebody whose id was another's
            // before this server was restarted.
            (its, shown) => its == shown,
        };
        is_it.then_some(peer)
    }

    fn answer(&mut self, request: RequestId, answer: Answer) {
        self.commands.push(Command::Answer { request, answer });
    }

    fn refuse(&mut self, request: RequestId, refusal: Refusal) {
        self.answer(request, Answer::Refused(refusal));
    }
}
