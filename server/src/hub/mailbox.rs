//! The messages that wait for one member, in order.

use std::collections::VecDeque;

use bytes::Bytes;
use pinhole_signaling::PeerId;

use super::{Bound, Event, Limits, Parcel};
use crate::budget::Source;

#[derive(Debug)]
pub(super) struct Mailbox {
    letters: VecDeque<Letter>,
    messages: usize,
    bytes: usize,
    bounds: Bounds,
}

/// What a mailbox has in it.
#[derive(Debug, Clone)]
pub(super) enum Letter {
    /// That the sender of the next message came; the entry.
    Introduction(Bytes),
    Message {
        from: PeerId,
        source: Source,
        parcel: Parcel,
    },
}

/// What a mailbox holds at most. An introduction is there for a message, and needs no bound of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    messages: Bound,
    bytes: Bound,
}

impl Bounds {
    pub(super) fn of(limits: &Limits) -> Bounds {
        Bounds {
            messages: limits.mailbox_messages,
            bytes: limits.mailbox_bytes,
        }
    }
}

impl Letter {
    /// What it counts against the bounds on bytes. Entries are shared by all, and count nothing.
    pub(super) fn weight(&self) -> usize {
        match self {
            Letter::Introduction(_) => 0,
            Letter::Message { parcel, .. } => parcel.body.len() + parcel.content_type.len(),
        }
    }

    pub(super) fn to_event(&self) -> Event {
        match self.clone() {
            Letter::Introduction(entry) => Event::Presence(entry),
            Letter::Message { from, parcel, .. } => Event::Message { from, parcel },
        }
    }

    fn is_message(&self) -> bool {
        matches!(self, Letter::Message { .. })
    }
}

impl Mailbox {
    pub(super) fn new(bounds: Bounds) -> Mailbox {
        Mailbox {
            letters: VecDeque::new(),
            messages: 0,
            bytes: 0,
            bounds,
        }
    }

    /// Other bounds from now on; what is in it stays.
    pub(super) fn limit(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Whether there is no room for a message of this weight and client. No client takes all of the room: of the second half each
    /// has its share only, for of the first one some dozens of viewers behind one address may need more at once.
    pub(super) fn is_full_for(&self, weight: usize, source: Source) -> bool {
        let Bounds { messages, bytes } = self.bounds;
        let is_its = |letter: &&Letter| matches!(letter, Letter::Message { source: of, .. } if *of == source);
        let its = self.letters.iter().filter(is_its);
        let (its_messages, its_bytes) =
            its.fold((0, 0), |(count, sum), letter| (count + 1, sum + letter.weight()));
        self.messages >= messages.all
            || (its_messages >= messages.each && self.messages >= messages.all / 2)
            || self.bytes + weight > bytes.all
            || its_bytes + weight > bytes.each
    }

    /// Whether a message of this sender is in it.
    pub(super) fn has_from(&self, sender: PeerId) -> bool {
        let is_of = |letter: &Letter| matches!(letter, Letter::Message { from, .. } if *from == sender);
        self.letters.iter().any(is_of)
    }

    /// Adds a letter at the end. The caller has asked whether there is room.
    pub(super) fn push(&mut self, letter: Letter) {
        self.count(&letter);
        self.letters.push_back(letter);
    }

    /// Puts a letter before all others. It has room even in a full mailbox: it was taken from there.
    pub(super) fn put_back(&mut self, letter: Letter) {
        self.count(&letter);
        self.letters.push_front(letter);
    }

    pub(super) fn pop(&mut self) -> Option<Letter> {
        let letter = self.letters.pop_front()?;
        self.bytes -= letter.weight();
        self.messages -= usize::from(letter.is_message());
        if self.letters.is_empty() {
            // A queue that was long once shall not hold its memory for the member's life.
            self.letters = VecDeque::new();
        }
        Some(letter)
    }

    fn count(&mut self, letter: &Letter) {
        self.bytes += letter.weight();
        self.messages += usize::from(letter.is_message());
    }
}
