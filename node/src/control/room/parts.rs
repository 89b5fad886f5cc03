use std::{collections::BTreeSet, time::Instant};

use super::{ClientId, Contact, motion::Motion};
use crate::config::gpio;

/// An output, and who holds it.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) on: bool,
    /// Of a momentary one.
    pub(super) holders: BTreeSet<ClientId>,
}

impl Output {
    pub(super) fn new(output: &gpio::Output) -> Self {
        Self {
            on: output.safe,
            holders: BTreeSet::new(),
        }
    }
}

/// An input.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) contact: Contact,
}

impl Input {
    pub(super) fn new(input: &gpio::Input) -> Self {
        Self {
            contact: Contact::new(input.debounce, false),
        }
    }
}

/// A servo, and who has it turn.
#[derive(Debug)]
pub(super) struct Turner {
    pub(super) motion: Motion,
    pub(super) commander: Option<ClientId>,
    pub(super) was_moving: bool,
    /// When it has stood long enough.
    pub(super) rests_at: Option<Instant>,
}

impl Turner {
    pub(super) fn new(servo: &gpio::Servo, now: Instant) -> Self {
        Self {
            motion: Motion::new(servo, now),
            commander: None,
            was_moving: false,
            rests_at: None,
        }
    }
}
