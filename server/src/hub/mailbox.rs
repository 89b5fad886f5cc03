//! What waits for one member, in order.
//!
//! Messages and presence have separate bounds: a flood of messages is the sender's fault, who is told, and must not
//! keep the receiver from hearing who came and went.

use std::collections::VecDeque;

use super::{Event, Limits};

#[derive(Debug)]
pub(super) struct Mailbox {
    events: VecDeque<Event>,
    messages: usize,
    bytes: usize,
    bounds: Bounds,
}

/// What a mailbox holds at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    messages: usize,
    bytes: usize,
    presence: usize,
}

impl Bounds {
    pub(super) fn of(limits: &Limits) -> Bounds {
        Bounds {
            messages: limits.mailbox_messages,
            bytes: limits.mailbox_bytes,
            // Room for all members coming and going a few times while one is away for a moment, as after a restart.
            presence: 4 * limits.members + 256,
        }
    }
}

/// What an event counts against the bounds on bytes. Entries are shared by all mailboxes, and count nothing.
pub(super) fn weight(event: &Event) -> usize {
    match event {
        Event::Presence(_) => 0,
        Event::Message { parcel, .. } => parcel.body.len() + parcel.content_type.len(),
    }
}

impl Mailbox {
    pub(super) fn new(bounds: Bounds) -> Mailbox {
        Mailbox {
            events: VecDeque::new(),
            messages: 0,
            bytes: 0,
            bounds,
        }
    }

    /// Other bounds from now on; what is in it stays.
    pub(super) fn limit(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Whether there is no room for a message of this weight.
    pub(super) fn is_full_for(&self, weight: usize) -> bool {
        self.messages >= self.bounds.messages || self.bytes + weight > self.bounds.bytes
    }

    /// Whether there is no room for another entry.
    pub(super) fn is_overrun(&self) -> bool {
        self.events.len() - self.messages >= self.bounds.presence
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
