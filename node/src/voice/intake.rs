use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use super::{figures::Figures, packet::Packet};

/// Packets that may wait for the room: a second of eight talkers. It is only ever behind while it opens a card.
const WAITING: usize = 512;

/// Where voices come in. Cheap to clone; giving a packet never waits.
#[derive(Clone, Debug)]
pub struct Intake {
    items: SyncSender<Item>,
    figures: Arc<Figures>,
}

/// What comes to the room.
#[derive(Debug)]
pub(super) enum Item {
    Voice(Packet),
    /// Something else has changed: look.
    Look,
}

impl Intake {
    pub(super) fn new(figures: Arc<Figures>) -> (Self, Receiver<Item>) {
        let (items, packets) = sync_channel(WAITING);
        (Self { items, figures }, packets)
    }

    /// Takes a packet of a voice. Where the room is behind, the packet is dropped and counted.
    pub fn hear(&self, packet: Packet) {
        self.figures.packets.one();
        if self.items.try_send(Item::Voice(packet)).is_err() {
            self.figures.refused.one();
        }
    }

    /// What became of all packets; for whoever turns some away before.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Wakes the room. Where its queue is full it is awake, and looks at its next turn.
    pub(super) fn wake(&self) {
        let _ = self.items.try_send(Item::Look);
    }
}
