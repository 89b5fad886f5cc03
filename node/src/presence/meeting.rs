//! Who is who on the server, and which call is whose. Without IO.
//!
//! A server that restarts counts ids from 1 again, so an id means something only together with the sign-in during which it was
//! seen. A call outlives both the id and the sign-in of whoever makes it: the pictures go on, and the viewer comes back under
//! another id. Its name tells which one it is.
//!
//! A member that names its calls ([`Envelope`]) is told of each by its name, also of one that is over when another has begun, and what it says
//! of one that is over is not taken for the present one. To all others a call is whatever its member has at present.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use pinhole_signaling::{
    CallTag, Candidate, Description, DescriptionKind, Envelope, Member, Message, PeerId, Refusal,
};
use tracing::debug;

use super::outbound::kind_of;
use crate::peer::{CallId, Ending, Refused, Reply};

/// Members that are known by name. A server has a thousand at most, as it is configured by default.
const MEMBERS: usize = 4096;

/// A member of the server, for as long as we are signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Address {
    /// Counts our sign-ins.
    sign_in: u64,
    peer: PeerId,
}

/// A call of a member.
#[derive(Debug)]
struct MemberCall {
    by: Address,
    /// What the member called itself.
    name: String,
    /// What the member calls the call, as its newest offer says.
    tag: Option<CallTag>,
    /// Whether it has passed to another member by nothing but the name, who has not named the call yet.
    is_inherited: bool,
    /// Its newest offer, until the engine has said what becomes of it.
    pending: Option<u64>,
    /// Whether it has a session.
    is_answered: bool,
}

/// Names an offer; of two of the same call, the newer has the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OfferId {
    pub(super) call: CallId,
    pub(super) number: u64,
    /// What the viewer calls the call, where it has a name for it.
    pub(super) tag: Option<CallTag>,
}

/// What is to be done about a message of a member.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The engine is to take an offer.
    Offer {
        offer: OfferId,
        viewer: String,
        sdp: String,
    },
    /// The engine is to take an answer.
    Answer { call: CallId, sdp: String },
    /// The engine is to take a candidate.
    Candidate { call: CallId, line: String },
    /// The engine is to end a call.
    HangUp { call: CallId, why: Ending },
    /// The engine is to refuse an offer.
    Refuse {
        offer: OfferId,
        viewer: String,
        why: Refused,
    },
}

/// The members of the server that one camera is signed in to, and their calls.
#[derive(Debug, Default)]
pub(super) struct Meeting {
    sign_in: u64,
    members: HashMap<PeerId, String>,
    calls: BTreeMap<CallId, MemberCall>,
    offers: u64,
}

impl Meeting {
    /// We are on the server, from now on, and know nobody yet.
    pub(super) fn signed_in(&mut self) {
        self.sign_in += 1;
        self.members.clear();
    }

    /// A member has come, or has left.
    pub(super) fn presence(&mut self, member: Member) -> Option<Order> {
        if member.connected {
            self.arrives(member.id, member.name.to_string());
            None
        } else {
            self.leaves(member.id)
        }
    }

    fn arrives(&mut self, peer: PeerId, name: String) {
        let by = self.address(peer);
        // A viewer whose stream outlived the server comes back under another id; its name tells which one it
        // is, where no two have it.
        let is_older = |made: &&mut MemberCall| made.by.sign_in < by.sign_in && made.name == name;
        let mut same = self.calls.values_mut().filter(is_older);
        if let (Some(made), None) = (same.next(), same.next()) {
            debug!(viewer = %name, "the viewer is back on the server");
            made.by = by;
            made.is_inherited = true;
        }
        // The others are called by their numbers.
        if self.members.len() < MEMBERS || self.members.contains_key(&peer) {
            self.members.insert(peer, name);
        }
    }

    fn leaves(&mut self, peer: PeerId) -> Option<Order> {
        let name = self.members.remove(&peer);
        let call = self.call_of(peer)?;
        // A call goes on under another id: a page that lost its connection to the server signs in anew at once, while its old id
        // is given up half a minute later. Should it be another member of the same name after all, the media path ends the
        // session.
        let mut members = self.members.iter();
        let heir =
            members.find(|(other, theirs)| name.as_ref() == Some(*theirs) && self.call_of(**other).is_none());
        if let Some((heir, name)) = heir {
            debug!(viewer = %name, "the viewer goes on under another id");
            let by = self.address(*heir);
            if let Some(made) = self.calls.get_mut(&call) {
                made.by = by;
                made.is_inherited = true;
            }
            return None;
        }
        self.calls.remove(&call);
        Some(Order::HangUp {
            call,
            why: Ending::Left,
        })
    }

    /// A member sends a message. `call` is the name of a call that there has not been yet.
    pub(super) fn message(
        &mut self,
        from: PeerId,
        envelope: Envelope,
        call: impl FnOnce() -> CallId,
    ) -> Option<Order> {
        let Envelope { call: tag, message } = envelope;
        let known = self.call_of(from);
        // An offer begins a call; everything else is of the present one, or comes late.
        let present = known.filter(|call| {
            let made = self.calls.get(call);
            let of = made.and_then(|made| made.tag);
            // Before it has our answer a viewer does not name its call. Who has come by a call has to know its name.
            let may_be_silent = of.is_none() || made.is_some_and(|made| !made.is_inherited);
            tag == of || (tag.is_none() && may_be_silent)
        });
        match (message, present) {
            (
                Message::Description(Description {
                    kind: DescriptionKind::Offer,
                    sdp,
                }),
                _,
            ) => {
                let (offer, viewer) = self.offer(from, known.unwrap_or_else(call), tag);
                Some(Order::Offer { offer, viewer, sdp })
            }
            (
                Message::Description(Description {
                    kind: DescriptionKind::OfferLoopback,
                    ..
                }),
                _,
            ) => {
                let (offer, viewer) = self.offer(from, known.unwrap_or_else(call), tag);
                Some(Order::Refuse {
                    offer,
                    viewer,
                    why: Refused::Loopback,
                })
            }
            (
                Message::Description(Description {
                    kind: DescriptionKind::Answer,
                    sdp,
                }),
                Some(call),
            ) => Some(Order::Answer { call, sdp }),
            (Message::Candidate(candidate), Some(call)) => Some(Order::Candidate {
                call,
                line: candidate.candidate,
            }),
            (Message::Bye, Some(call)) => Some(Order::HangUp {
                call,
                why: Ending::HungUp,
            }),
            // Late or stray: a candidate after the end, an answer to nothing, a goodbye to the call before.
            (message, _) => {
                debug!(peer = %from, "nothing to do with {}", kind_of(&message));
                None
            }
        }
    }

    /// Notes an offer.
    fn offer(&mut self, from: PeerId, call: CallId, tag: Option<CallTag>) -> (OfferId, String) {
        self.offers += 1;
        let (by, viewer, number) = (self.address(from), self.name_of(from), self.offers);
        let made = self.calls.entry(call).or_insert_with(|| MemberCall {
            by,
            name: viewer.clone(),
            tag,
            is_inherited: false,
            pending: None,
            is_answered: false,
        });
        made.tag = tag;
        made.is_inherited = false;
        made.pending = Some(number);
        (OfferId { call, number, tag }, viewer)
    }

    /// The engine replies. Returns whom to tell, and what.
    pub(super) fn reply(&mut self, to: OfferId, reply: Reply) -> Option<(PeerId, Vec<Envelope>)> {
        let made = self.calls.get_mut(&to.call)?;
        match &reply {
            Reply::Offer(_) | Reply::Candidate(_) => {}
            reply => {
                made.pending = made.pending.filter(|number| *number != to.number);
                match reply {
                    Reply::Answer(_) => made.is_answered = true,
                    Reply::Ended(_) | Reply::Refused(Refused::Negotiation(_)) => made.is_answered = false,
                    // A session that there is goes on.
                    _ => {}
                }
            }
        }
        let (by, goes_on) = (made.by, made.is_answered);
        self.forget_unless_going_on(to.call);
        // The id may be somebody else's by now.
        (by.sign_in == self.sign_in).then(|| (by.peer, envelopes(reply, goes_on, to.tag)))
    }

    /// An offer did not come to the engine.
    pub(super) fn dropped(&mut self, offer: OfferId) {
        if let Some(made) = self.calls.get_mut(&offer.call) {
            made.pending = made.pending.filter(|number| *number != offer.number);
            self.forget_unless_going_on(offer.call);
        }
    }

    fn forget_unless_going_on(&mut self, call: CallId) {
        let goes_on = |made: &MemberCall| made.is_answered || made.pending.is_some();
        if self.calls.get(&call).is_some_and(|made| !goes_on(made)) {
            self.calls.remove(&call);
        }
    }

    fn address(&self, peer: PeerId) -> Address {
        Address {
            sign_in: self.sign_in,
            peer,
        }
    }

    fn call_of(&self, peer: PeerId) -> Option<CallId> {
        let by = self.address(peer);
        let mut calls = self.calls.iter();
        calls.find(|(_, made)| made.by == by).map(|(call, _)| *call)
    }

    fn name_of(&self, peer: PeerId) -> String {
        self.members
            .get(&peer)
            .cloned()
            .unwrap_or_else(|| format!("peer {peer}"))
    }
}

/// What the engine replies, in the server's protocol, to somebody who has this name for the call. A refusal ends the call, unless there is
/// a session that `goes_on`: it only stays as it is.
fn envelopes(reply: Reply, goes_on: bool, tag: Option<CallTag>) -> Vec<Envelope> {
    let messages = messages(reply, goes_on, tag.is_some()).into_iter();
    messages.map(|message| Envelope { call: tag, message }).collect()
}

/// The same as messages; `is_ours` is a viewer that is told why its call ends. To a stock client, which may be idle by then, anything but
/// `BYE` would be a call.
fn messages(reply: Reply, goes_on: bool, is_ours: bool) -> Vec<Message> {
    let refusal = |code: &str, reason: String| {
        Message::Refusal(Refusal {
            code: code.to_owned(),
            reason,
        })
    };
    let description = |kind, sdp| Message::Description(Description { kind, sdp });
    match reply {
        Reply::Answer(sdp) => vec![description(DescriptionKind::Answer, sdp)],
        Reply::Offer(sdp) => vec![description(DescriptionKind::Offer, sdp)],
        Reply::Candidate(candidate) => vec![Message::Candidate(Candidate {
            sdp_mid: candidate.mid,
            sdp_mline_index: candidate.section,
            candidate: candidate.line,
        })],
        Reply::Refused(why) => {
            let refusal = refusal(why.code(), why.to_string());
            if goes_on {
                vec![refusal]
            } else {
                vec![refusal, Message::Bye]
            }
        }
        // The viewer knows.
        Reply::Ended(Ending::HungUp | Ending::Closed | Ending::Left | Ending::CalledAnew) => vec![],
        Reply::Ended(why) if is_ours => vec![refusal(why.label(), why.to_string()), Message::Bye],
        Reply::Ended(_) => vec![Message::Bye],
    }
}
