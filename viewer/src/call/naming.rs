//! Which call is meant, by the name that our offer gives it ([`Envelope`]).

use pinhole_signaling::{CallTag, DescriptionKind, Envelope, Message};

/// The present call's name, and whether the node knows it.
#[derive(Debug, Default)]
pub struct Naming {
    tag: Option<CallTag>,
    is_shown: bool,
}

impl Naming {
    /// Another call begins, by this name.
    pub fn begin(&mut self, tag: Option<CallTag>) {
        *self = Naming { tag, is_shown: false };
    }

    /// What the node says, if it is of the present call.
    pub fn hear(&mut self, envelope: Envelope) -> Option<Message> {
        let Envelope { call, message } = envelope;
        if call.is_some() {
            if call != self.tag {
                return None;
            }
            self.is_shown = true;
        }
        // A node that knows the call by its name means another one.
        let is_bare = call.is_none() && message == Message::Bye;
        (!is_bare || !self.is_shown).then_some(message)
    }

    /// What is said to the node. Only an offer may name the call before the node has: any JSON makes an idle stock client
    /// begin a call.
    pub fn say(&self, message: Message) -> Envelope {
        let is_offer = matches!(&message, Message::Description(description) if description.kind == DescriptionKind::Offer);
        let call = self.tag.filter(|_| is_offer || self.is_shown);
        Envelope { call, message }
    }
}

#[cfg(test)]
mod tests {
    use pinhole_signaling::Description;

    use super::*;

    fn of(call: Option<CallTag>, message: Message) -> Envelope {
        Envelope { call, message }
    }

    fn description(kind: DescriptionKind) -> Message {
        Message::Description(Description {
            kind,
            sdp: String::new(),
        })
    }

    #[test]
    fn a_late_goodbye_to_another_call_is_not_heard() {
        let (before, present) = (CallTag::random(), CallTag::random());
        let answer = || description(DescriptionKind::Answer);
        let mut naming = Naming::default();
        naming.begin(before);
        assert_eq!(naming.hear(of(before, answer())), Some(answer()));
        assert_eq!(naming.say(Message::Bye), of(before, Message::Bye));
        assert_eq!(naming.hear(of(None, Message::Bye)), None);
        naming.begin(present);
        assert_eq!(naming.hear(of(before, Message::Bye)), None);
        assert_eq!(naming.hear(of(before, answer())), None);
        assert_eq!(naming.hear(of(present, answer())), Some(answer()));
        assert_eq!(naming.hear(of(present, Message::Bye)), Some(Message::Bye));
    }

    #[test]
    fn a_stock_node_hears_nothing_of_names_but_in_the_offer_and_says_a_bare_goodbye() {
        let tag = CallTag::random();
        let mut naming = Naming::default();
        naming.begin(tag);
        let offer = description(DescriptionKind::Offer);
        assert_eq!(naming.say(offer.clone()), of(tag, offer));
        let answer = description(DescriptionKind::Answer);
        assert_eq!(naming.hear(answer.clone().into()), Some(answer.clone()));
        for message in [answer, Message::Bye] {
            assert_eq!(naming.say(message.clone()), of(None, message));
        }
        assert_eq!(naming.hear(Message::Bye.into()), Some(Message::Bye));
    }
}
