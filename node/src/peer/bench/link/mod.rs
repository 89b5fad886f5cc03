//! One direction of an emulated network path, in virtual time.
//!
//! Invariants: what becomes of a packet depends on the seed, on how many packets went before it, and on their sizes and times, and on
//! nothing else; the queue before the bottleneck is bounded; packets keep their order unless reordering is asked for.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// What IPv4 and UDP add to each packet on the wire.
const HEADERS: usize = 28;
/// By how much a packet that others overtake is late, at most: a retry of a radio link.
const OVERTAKEN: Duration = Duration::from_millis(30);

/// A packet, and at which of its addresses the viewer sends it or is to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) viewer: SocketAddr,
    pub(super) data: Bytes,
}

/// What a path does to packets. The default does nothing: each arrives at once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Conditions {
    /// The share of packets that get lost behind the bottleneck.
    pub(super) loss: f64,
    /// How long each packet is on its way at least.
    pub(super) delay: Duration,
    /// What is added to that at most; it changes from packet to packet, without changing their order.
    pub(super) jitter: Duration,
    /// The share of packets that others overtake.
    pub(super) reordering: f64,
    /// The share of packets that arrive twice.
    pub(super) duplication: f64,
    /// The bottleneck, where there is one.
    pub(super) bottleneck: Option<Bottleneck>,
}

/// A line that is slower than what leads to it, and the queue before it (tail drop).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bottleneck {
    /// In bits a second, of IP packets.
    pub(super) rate: u64,
    /// Bytes that may wait.
    pub(super) queue: usize,
}

impl Bottleneck {
    /// What this many bytes take.
    fn takes(self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.rate as f64)
    }
}

/// What became of the packets of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) sent: u64,
    /// Lost on the way.
    pub(super) lost: u64,
    /// Found the queue full.
    pub(super) refused: u64,
    pub(super) overtaken: u64,
    pub(super) duplicated: u64,
    pub(super) arrived: u64,
    /// The most bytes that waited.
    pub(super) longest_queue: usize,
}

/// Says of a packet whether it is to get lost.
type Victims = Box<dyn FnMut(&[u8]) -> bool>;

/// One direction of a path.
pub(super) struct Link {
    conditions: Conditions,
    random: StdRng,
    start: Instant,
    /// By the time of arrival, and by a number where that is the same.
    travelling: BTreeMap<(Instant, u64), Datagram>,
    number: u64,
    /// When the bottleneck has sent what waits for it.
    busy_until: Instant,
    /// When the last packet arrives that keeps its order.
    newest: Instant,
    figures: Figures,
    events: DefaultHasher,
    victims: Victims,
    /// Packets for each address, while somebody wants to know.
    watched: Option<BTreeMap<SocketAddr, u64>>,
}

impl Link {
    /// An empty path at `start`.
    pub(super) fn new(conditions: Conditions, seed: u64, start: Instant) -> Self {
        Self {
            conditions,
            random: StdRng::seed_from_u64(seed),
            start,
            travelling: BTreeMap::new(),
            number: 0,
            busy_until: start,
            newest: start,
            figures: Figures::default(),
            events: DefaultHasher::new(),
            victims: Box::new(|_| false),
            watched: None,
        }
    }

    /// From now on the packets of which `victims` says so get lost, besides others.
    pub(super) fn lose(&mut self, victims: impl FnMut(&[u8]) -> bool + 'static) {
        self.victims = Box::new(victims);
    }

    /// From now on the path is otherwise. What is on its way is not touched.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.conditions);
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    /// A digest of all that happened: equal where the same happened.
    pub(super) fn events(&self) -> u64 {
        self.events.finish()
    }

    /// From now on packets are counted by the viewer's address.
    pub(super) fn watch(&mut self) {
        self.watched = Some(BTreeMap::new());
    }

    /// How many were sent since then.
    pub(super) fn watched(&self) -> BTreeMap<SocketAddr, u64> {
        self.watched.clone().unwrap_or_default()
    }

    /// Whether packets are on their way.
    pub(super) fn is_empty(&self) -> bool {
        self.travelling.is_empty()
    }

    /// Takes a packet.
    pub(super) fn send(&mut self, packet: Datagram, now: Instant) {
        let conditions = self.conditions;
        // Always as many numbers, so that the fate of a packet does not hang on that of those before it.
        let [loss, jitter, reordering, lateness, duplication] = self.random.random::<[f64; 5]>();
        self.figures.sent += 1;
        if let Some(watched) = &mut self.watched {
            *watched.entry(packet.viewer).or_default() += 1;
        }
        let Some(leaves) = self.queue(packet.data.len(), now) else {
            self.figures.refused += 1;
            return self.note("refused", now);
        };
        if (self.victims)(&packet.data) || loss < conditions.loss {
            self.figures.lost += 1;
            return self.note("lost", now);
        }
        let mut arrives = leaves + conditions.delay + conditions.jitter.mul_f64(jitter);
        if reordering < conditions.reordering {
            self.figures.overtaken += 1;
            arrives += OVERTAKEN.mul_f64(lateness);
        } else {
            arrives = arrives.max(self.newest);
            self.newest = arrives;
        }
        if duplication < conditions.duplication {
            self.figures.duplicated += 1;
            self.travel(packet.clone(), arrives);
        }
        self.travel(packet, arrives);
    }

    /// Puts a packet before the bottleneck. Returns when it is through, `None` where there is no room for it.
    fn queue(&mut self, length: usize, now: Instant) -> Option<Instant> {
        let Some(bottleneck) = self.conditions.bottleneck else {
            return Some(now);
        };
        let length = length + HEADERS;
        let waits = self.busy_until.saturating_duration_since(now);
        let queued = (waits.as_secs_f64() * bottleneck.rate as f64 / 8.0).round() as usize + length;
        if queued > bottleneck.queue {
            return None;
        }
        self.figures.longest_queue = self.figures.longest_queue.max(queued);
        self.busy_until = self.busy_until.max(now) + bottleneck.takes(length);
        Some(self.busy_until)
    }

    fn travel(&mut self, packet: Datagram, arrives: Instant) {
        self.note("travels", arrives);
        self.travelling.insert((arrives, self.number), packet);
        self.number += 1;
    }

    /// When the next packet arrives.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.travelling
            .first_key_value()
            .map(|((arrives, _), _)| *arrives)
    }

    /// The next packet that has arrived by `now`.
    pub(super) fn receive(&mut self, now: Instant) -> Option<Datagram> {
        let first = self.travelling.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let packet = first.remove();
        self.figures.arrived += 1;
        Some(packet)
    }

    fn note(&mut self, event: &str, at: Instant) {
        (event, at.saturating_duration_since(self.start)).hash(&mut self.events);
    }
}
