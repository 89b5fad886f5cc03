//! Who talks to whom: the members, their mailboxes and their waits.
//!
//! A state machine without IO and without a clock: inputs and the time go in, commands come out. Every request
//! has an id that the caller chooses, and is answered by exactly one [`Command::Answer`], except where its caller
//! takes it back with [`Input::Abandoned`] first.
//!
//! Invariants:
//! - Events reach a member in the order in which they came up, each in an answer of its own, and each until its
//!   delivery is reported: an event whose delivery failed goes to the next wait.
//! - At most one wait of a member is answered with an event at a time. A wait that comes before the delivery of
//!   the last event is known stands by.
//! - Everything that grows is bounded by [`Limits`].

mod mailbox;
mod member;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pinhole_signaling::{Member, Name, PeerId, roster};

use mailbox::Mailbox;
use member::{Line, Peer};

/// What keeps a hub within bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most members at a time.
    pub members: usize,
    /// The most messages that wait for one member.
    pub mailbox_messages: usize,
    /// The most bytes of messages that wait for one member.
    pub mailbox_bytes: usize,
    /// The most bytes of messages that wait for all members together.
    pub queued_bytes: usize,
    /// A member without an open wait for this long is dropped.
    pub absent: Duration,
}

/// What names a request from its input to its answer. Chosen by the caller, never twice the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A message on its way, verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The sender's content type.
    pub content_type: Bytes,
    /// The body.
    pub body: Bytes,
}

/// What a wait is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member came or went; the entry with its line end.
    Presence(Bytes),
    /// A message from a member.
    Message {
        /// Who sent it.
        from: PeerId,
        /// What was sent.
        parcel: Parcel,
    },
}

/// What happens to a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants to become a member.
    SignIn {
        /// The request.
        request: RequestId,
        /// The name; an empty one becomes `peer_<id>`.
        name: Name,
    },
    /// A member asks for its next event.
    Wait {
        /// The request.
        request: RequestId,
        /// The member.
        id: PeerId,
    },
    /// A member sends a message.
    Send {
        /// The request.
        request: RequestId,
        /// The sender.
        from: PeerId,
        /// The receiver; the sender itself gets it as the answer.
        to: PeerId,
        /// What is sent.
        parcel: Parcel,
    },
    /// A member leaves.
    SignOut {
        /// The request.
        request: RequestId,
        /// The member.
        id: PeerId,
    },
    /// The answer to this wait has reached the network.
    Delivered {
        /// The wait.
        request: RequestId,
    },
    /// The connection of this wait has closed, before the answer or before all of the answer was sent.
    Abandoned {
        /// The wait.
        request: RequestId,
    },
    /// Time has passed: [`Hub::next_deadline`] is reached.
    Tick,
    /// Other limits from now on. Who is a member stays one, and what waits already keeps waiting.
    Limit(Limits),
    /// The server stops: every wait is answered, and every later request refused.
    Close,
}

/// What a hub wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Answer a request.
    Answer {
        /// The request.
        request: RequestId,
        /// With what.
        answer: Answer,
    },
    /// For the log: a member came.
    Came {
        /// Its id.
        id: PeerId,
        /// Its name.
        name: Name,
    },
    /// For the log: a member went.
    Went {
        /// Its id.
        id: PeerId,
        /// Its name.
        name: Name,
        /// Why.
        why: Why,
    },
}

/// Why a member went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It signed out.
    SignedOut,
    /// It had no wait open for too long.
    Absent,
    /// So many members came and went while it did not wait that its mailbox is full.
    Overrun,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A member now.
    SignedIn {
        /// The new member's id.
        id: PeerId,
        /// The own entry first, then every other member's.
        roster: Bytes,
    },
    /// The next event. To be followed by [`Input::Delivered`] or [`Input::Abandoned`].
    Event(Event),
    /// The message is in the receiver's mailbox.
    Sent,
    /// The message was to the sender itself: here it is.
    Echo(Parcel),
    /// A member no more.
    SignedOut,
    /// No.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The member, or the one that a message is for, is not (or no longer) there.
    Gone,
    /// The same member has sent a newer wait.
    Superseded,
    /// There are as many members as there may be.
    ServerFull,
    /// As many messages wait for the receiver as may.
    MailboxFull,
    /// As many bytes wait for all members together as may.
    MemoryFull,
    /// The server stops.
    Closing,
}

/// The members of a server and what waits for them.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    peers: BTreeMap<PeerId, Peer>,
    /// Whose wait a request is. Holds each request that a [`Line`] names, and no other.
    waits: HashMap<RequestId, PeerId>,
    /// `None` when all ids are used up.
    next_id: Option<PeerId>,
    /// The bytes in all mailboxes.
    queued_bytes: usize,
    is_closing: bool,
    commands: Vec<Command>,
}

impl Hub {
    /// A hub without members.
    pub fn new(limits: Limits) -> Hub {
        Hub {
            limits,
            peers: BTreeMap::new(),
            waits: HashMap::new(),
            next_id: Some(PeerId::FIRST),
            queued_bytes: 0,
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
            Input::SignIn { request, name } => self.sign_in(request, name, now),
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

    fn sign_in(&mut self, request: RequestId, name: Name, now: Instant) {
        let Some(id) = self.next_id.filter(|_| self.peers.len() < self.limits.members) else {
            return self.refuse(request, Refusal::ServerFull);
        };
        self.next_id = id.next();
        let name = if name.is_empty() {
            Name::from(format!("peer_{id}"))
        } else {
            name
        };
        self.commands.push(Command::Came {
            id,
            name: name.clone(),
        });

        let own = Member {
            name: name.clone(),
            id,
            connected: true,
        };
        let mut entries = own.to_entry();
        self.announce(&own);
        for (&id, peer) in &self.peers {
            Member {
                name: peer.name.clone(),
                id,
                connected: true,
            }
            .write(&mut entries);
        }
        let mailbox = Mailbox::new(mailbox::Bounds::of(&self.limits));
        self.peers.insert(id, Peer::new(name, mailbox, now));
        self.answer(
            request,
            Answer::SignedIn {
                id,
                roster: entries.into(),
            },
        );
    }

    fn wait(&mut self, request: RequestId, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return self.refuse(request, Refusal::Gone);
        };
        self.waits.insert(request, id);
        let superseded = match &mut peer.line {
            Line::Delivering { standing_by, .. } => standing_by.replace(request),
            line @ Line::Absent { .. } => {
                *line = Line::Waiting { request };
                None
            }
            Line::Waiting { request: older } => Some(std::mem::replace(older, request)),
        };
        if let Some(older) = superseded {
            self.waits.remove(&older);
            self.refuse(older, Refusal::Superseded);
        }
        self.serve(id);
    }

    fn send(&mut self, request: RequestId, from: PeerId, to: PeerId, parcel: Parcel) {
        if !self.peers.contains_key(&from) {
            return self.refuse(request, Refusal::Gone);
        }
        if from == to {
            return self.answer(request, Answer::Echo(parcel));
        }
        let Some(receiver) = self.peers.get_mut(&to) else {
            return self.refuse(request, Refusal::Gone);
        };
        let event = Event::Message { from, parcel };
        let bytes = mailbox::weight(&event);
        if receiver.mailbox.is_full_for(bytes) {
            return self.refuse(request, Refusal::MailboxFull);
        }
        if self.queued_bytes + bytes > self.limits.queued_bytes {
            return self.refuse(request, Refusal::MemoryFull);
        }
        receiver.mailbox.push(event);
        self.queued_bytes += bytes;
        self.serve(to);
        self.answer(request, Answer::Sent);
    }

    fn sign_out(&mut self, request: RequestId, id: PeerId) {
        if !self.peers.contains_key(&id) {
            return self.refuse(request, Refusal::Gone);
        }
        self.drop_peers([(id, Why::SignedOut)]);
        self.answer(request, Answer::SignedOut);
    }

    /// The end of a wait's connection, whether all of its answer was sent or not.
    fn delivery_ended(&mut self, request: RequestId, was_sent: bool, now: Instant) {
        let Some(id) = self.waits.remove(&request) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut peer.line, Line::Absent { since: now }) {
            Line::Delivering {
                request: delivering,
                event,
                standing_by,
            } if delivering == request => {
                if !was_sent {
                    self.queued_bytes += mailbox::weight(&event);
                    peer.mailbox.put_back(event);
                }
                if let Some(request) = standing_by {
                    peer.line = Line::Waiting { request };
                }
            }
            // The connection of the wait that stands by has closed.
            Line::Delivering { request, event, .. } => {
                peer.line = Line::Delivering {
                    request,
                    event,
                    standing_by: None,
                };
            }
            // The connection of the open wait has closed: absent from now on.
            Line::Waiting { .. } | Line::Absent { .. } => {}
        }
        self.serve(id);
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
            .map(|(&id, _)| (id, Why::Absent))
            .collect();
        self.drop_peers(overdue);
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

    /// Removes members, and those whose mailbox the news of it overruns.
    fn drop_peers(&mut self, peers: impl IntoIterator<Item = (PeerId, Why)>) {
        let mut leaving: VecDeque<_> = peers.into_iter().collect();
        while let Some((id, why)) = leaving.pop_front() {
            let Some(peer) = self.peers.remove(&id) else {
                continue;
            };
            self.queued_bytes -= peer.mailbox.bytes();
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
            self.commands.push(Command::Went {
                id,
                name: peer.name.clone(),
                why,
            });
            let overrun = self.post_presence(&Member {
                name: peer.name,
                id,
                connected: false,
            });
            leaving.extend(overrun.into_iter().map(|id| (id, Why::Overrun)));
        }
    }

    /// Tells every member that one came, and drops those that this overruns.
    fn announce(&mut self, member: &Member) {
        let overrun = self.post_presence(member);
        self.drop_peers(overrun.into_iter().map(|id| (id, Why::Overrun)));
    }

    /// Posts one entry to every member; gives those whose mailbox has no room for it.
    fn post_presence(&mut self, member: &Member) -> Vec<PeerId> {
        let entry = Bytes::from(roster::write([member]));
        let mut overrun = Vec::new();
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            let Some(peer) = self.peers.get_mut(&id) else {
                continue;
            };
            if peer.mailbox.is_overrun() {
                overrun.push(id);
            } else {
                peer.mailbox.push(Event::Presence(entry.clone()));
                self.serve(id);
            }
        }
        overrun
    }

    /// Answers the member's wait with its next event, if there are both.
    fn serve(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Line::Waiting { request } = peer.line else {
            return;
        };
        let Some(event) = peer.mailbox.pop() else {
            return;
        };
        self.queued_bytes -= mailbox::weight(&event);
        peer.line = Line::Delivering {
            request,
            event: event.clone(),
            standing_by: None,
        };
        self.answer(request, Answer::Event(event));
    }

    fn answer(&mut self, request: RequestId, answer: Answer) {
        self.commands.push(Command::Answer { request, answer });
    }

    fn refuse(&mut self, request: RequestId, refusal: Refusal) {
        self.answer(request, Answer::Refused(refusal));
    }
}
