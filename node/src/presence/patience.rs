use std::{collections::HashMap, time::Instant};

use pinhole_signaling::{DescriptionKind, Message, PeerId};

use crate::media::Allowance;

/// Messages of a member at once, and each second: a call is an offer and a few dozen candidates.
const MESSAGES: (u32, u32) = (100, 20);
/// Offers among them: a page negotiates anew whenever somebody presses a button of it.
const OFFERS: (u32, u32) = (10, 1);
/// Members that are told apart; the others share what one may say.
const MEMBERS: usize = 1024;

/// How much members of the server may say. What is more is not listened to. Without a clock.
#[derive(Debug, Default)]
pub(super) struct Patience {
    members: HashMap<PeerId, Member>,
    others: Member,
}

#[derive(Debug)]
struct Member {
    messages: Allowance,
    offers: Allowance,
    /// Whether it was said that this one says too much.
    complained: bool,
    talks_nonsense: bool,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            messages: Allowance::new(MESSAGES.0, MESSAGES.1),
            offers: Allowance::new(OFFERS.0, OFFERS.1),
            complained: false,
            talks_nonsense: false,
        }
    }
}

/// Somebody says too much.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch {
    /// For the first time.
    pub(super) is_new: bool,
}

impl Patience {
    /// Whether to listen to a message at all.
    ///
    /// # Errors
    /// Not to this one.
    pub(super) fn listen(&mut self, to: PeerId, now: Instant) -> Result<(), TooMuch> {
        self.member(to).allow(|member| &mut member.messages, now)
    }

    /// Whether to do what a message says.
    ///
    /// # Errors
    /// It is one offer too many.
    pub(super) fn obey(&mut self, whom: PeerId, message: &Message, now: Instant) -> Result<(), TooMuch> {
        let is_offer = matches!(message, Message::Description(description) if description.kind != DescriptionKind::Answer);
        if is_offer {
            self.member(whom).allow(|member| &mut member.offers, now)
        } else {
            Ok(())
        }
    }

    /// Notes that a message can't be read; `true` where it is the first of this member.
    pub(super) fn is_new_nonsense(&mut self, of: PeerId) -> bool {
        !std::mem::replace(&mut self.member(of).talks_nonsense, true)
    }

    /// A member has come or gone.
    pub(super) fn forget(&mut self, member: PeerId) {
        self.members.remove(&member);
    }

    fn member(&mut self, member: PeerId) -> &mut Member {
        if self.members.len() >= MEMBERS && !self.members.contains_key(&member) {
            return &mut self.others;
        }
        self.members.entry(member).or_default()
    }
}

impl Member {
    fn allow(&mut self, of: impl FnOnce(&mut Self) -> &mut Allowance, now: Instant) -> Result<(), TooMuch> {
        if of(self).take(now) {
            return Ok(());
        }
        let is_new = !std::mem::replace(&mut self.complained, true);
        Err(TooMuch { is_new })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pinhole_signaling::Description;

    use super::*;

    fn peer(id: usize) -> PeerId {
        PeerId::parse(id.to_string().as_bytes()).expect("an id")
    }

    fn offer() -> Message {
        Message::Description(Description {
            kind: DescriptionKind::Offer,
            sdp: String::new(),
        })
    }

    #[test]
    fn of_a_thousand_offers_a_second_few_get_through_and_another_member_is_heard() {
        let start = Instant::now();
        let mut patience = Patience::default();
        let (mut heard, mut obeyed, mut complaints) = (0, 0, 0);
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            let outcome = patience.listen(peer(1), now).and_then(|()| {
                heard += 1;
                patience.obey(peer(1), &offer(), now)
            });
            match outcome {
                Ok(()) => obeyed += 1,
                Err(too_much) => complaints += usize::from(too_much.is_new),
            }
            if ms % 1000 == 0 {
                assert_eq!(patience.listen(peer(2), now), Ok(()));
                assert_eq!(patience.obey(peer(2), &offer(), now), Ok(()));
            }
        }
        assert_eq!((heard, obeyed, complaints), (100 + 199, 10 + 9, 1));
    }

    #[test]
    fn candidates_are_no_offers() {
        let now = Instant::now();
        let mut patience = Patience::default();
        assert!((0..1000).all(|_| patience.obey(peer(1), &Message::Bye, now).is_ok()));
    }

    #[test]
    fn a_crowd_is_told_apart_as_far_as_that_is_bounded() {
        let now = Instant::now();
        let mut patience = Patience::default();
        let heard = (1..=MEMBERS + 1000).filter(|id| patience.listen(peer(*id), now).is_ok());
        assert_eq!(heard.count(), MEMBERS + 100, "the others are heard as one");
        assert_eq!(patience.members.len(), MEMBERS);
        patience.forget(peer(1));
        assert_eq!(patience.listen(peer(9999), now), Ok(()));
    }
}
