//! What waits for one member, in order.
//!
//! Messages and presence have separate bounds: a flood of messages is the sender's fault, who is told, and must not
//! keep the receiver from hearing who came and went.

use std::collections::VecDeque;

use super::Event;

#[derive(Debug)]
pub(super) struct Mailbox {
    events: VecDeque<Event>,
    messages: usize,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
    max_presence: usize,
}

/// What an event counts against the bounds on bytes. Entries are shared by all mailboxes, and count nothing.
pub(super) fn weight(event: &Event) -> usize {
    match event {
        Event::Presence(_) => 0,
        Event::Message { parcel, .. } => parcel.body.len() + parcel.content_type.len(),
    }
}

impl Mailbox {
    pub(super) fn new(max_messages: usize, max_bytes: usize, max_presence: usize) -> Mailbox {
        Mailbox {
            events: VecDeque::new(),
            messages: 0,
            bytes: 0,
            max_messages,
            max_bytes,
            max_presence,
        }
    }

    /// Whether there is no room for a message of this weight.
    pub(super) fn is_full_for(&self, weight: usize) -> bool {
        self.messages >= self.max_messages || self.bytes + weight > self.max_bytes
    }

    /// Whether there is no room for another entry.
    pub(super) fn is_overrun(&self) -> bool {
        self.events.len() - self.messages >= self.max_presence
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an event at the end. The caller has asked whether there is room.
    pub(super) fn push(&mut self, event: Event) {
        self.count(&event);
        self.events.push_back(event);
    }

    /// Puts an event back that was taken: it is again the first. It has room even in a full mailbox.
    pub(super) fn put_back(&mut self, event: Event) {
        self.count(&event);
        self.events.push_front(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.bytes -= weight(&event);
        self.messages -= usize::from(matches!(event, Event::Message { .. }));
        if self.events.is_empty() {
            // A queue that was long once shall not hold its memory for the member's life.
            self.events = VecDeque::new();
        }
        Some(event)
    }

    fn count(&mut self, event: &Event) {
        self.bytes += weight(event);
        self.messages += usize::from(matches!(event, Event::Message { .. }));
    }
}
